/** Commands between a client and a gateway or an authority (spec/mixnet §2.3). */
import { type Bytes, checkBytes, concatBytes, copyBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import type { GeometryFields } from "../pki/geometry.js";

/** The results of a request for a consensus. */
export const ConsensusError = {
  /** The document follows. */
  OK: 0,
  /** Not available yet: ask again later. */
  NOT_FOUND: 1,
  /** It will never be available. */
  GONE: 2,
} as const;

/** Does nothing; it ends the handshake, and keeps a link alive. */
export interface NoOp {
  readonly type: "NoOp";
}
/** Ends the link. */
export interface Disconnect {
  readonly type: "Disconnect";
}
/** A Sphinx packet for the mixnet. */
export interface SendPacket {
  readonly type: "SendPacket";
  readonly sphinxPacket: Uint8Array;
}
/** Gateways implement it, but it is useless. */
export interface SendRetrievePacket {
  readonly type: "SendRetrievePacket";
  readonly sphinxPacket: Uint8Array;
}
/** Answer to {@link SendRetrievePacket}. */
export interface SendRetrievePacketReply {
  readonly type: "SendRetrievePacketReply";
  /** 16 bytes. */
  readonly surbId: Uint8Array;
  readonly payload: Uint8Array;
}
/** A client has taken a {@link Message}. */
export interface MessageDelivered {
  readonly type: "MessageDelivered";
  readonly sequence: number;
}
/** Obsolete: a gateway ends the link when it gets one. */
export interface RetrieveMessage {
  readonly type: "RetrieveMessage";
  readonly sequence: number;
}
/** A reply that arrived through a reply block. */
export interface Message {
  readonly type: "Message";
  /** 1, 2, 3, … on each link. */
  readonly sequence: number;
  /** 16 bytes. */
  readonly surbId: Uint8Array;
  /** `payloadTagLength` and `forwardPayloadLength` bytes. */
  readonly ciphertext: Uint8Array;
}
/** Asks an authority for a consensus. */
export interface GetConsensus {
  readonly type: "GetConsensus";
  readonly epoch: bigint;
}
/** An authority's answer. */
export interface Consensus {
  readonly type: "Consensus";
  /** One of {@link ConsensusError}. */
  readonly errorCode: number;
  /** The signed document; empty with an error. */
  readonly payload: Uint8Array;
}
/** Asks a gateway for a consensus. */
export interface GetConsensus2 {
  readonly type: "GetConsensus2";
  readonly epoch: bigint;
}
/** A piece of a gateway's answer. */
export interface Consensus2 {
  readonly type: "Consensus2";
  /** One of {@link ConsensusError}; with an error there is one empty chunk. */
  readonly errorCode: number;
  /** 0, 1, 2, … */
  readonly chunkNumber: number;
  /** The number of chunks. */
  readonly chunkTotal: number;
  /** A piece of the gzipped signed document. */
  readonly chunk: Uint8Array;
}

/** Every command that a client or its peer sends. */
export type WireCommand =
  | NoOp
  | Disconnect
  | SendPacket
  | SendRetrievePacket
  | SendRetrievePacketReply
  | MessageDelivered
  | RetrieveMessage
  | Message
  | GetConsensus
  | Consensus
  | GetConsensus2
  | Consensus2;

const idOf = {
  NoOp: 0,
  Disconnect: 1,
  SendPacket: 2,
  SendRetrievePacket: 3,
  SendRetrievePacketReply: 4,
  MessageDelivered: 5,
  RetrieveMessage: 16,
  Message: 17,
  GetConsensus: 18,
  Consensus: 19,
  Consensus2: 31,
  GetConsensus2: 32,
} as const satisfies Record<WireCommand["type"], number>;

const headLength = 6;
const surbIdLength = 16;
const consensus2HeadLength = 1 + 4 + 4;

function invalid(what: string): ProtocolError {
  return new ProtocolError(`wire: invalid wire protocol command: ${what}`);
}

function u32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function u64(value: bigint): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** The bytes after a command's header. */
function payloadOf(command: WireCommand): Bytes {
  switch (command.type) {
    case "NoOp":
    case "Disconnect":
      return new Uint8Array(0);
    case "SendPacket":
    case "SendRetrievePacket":
      return copyBytes(command.sphinxPacket);
    case "SendRetrievePacketReply":
      checkBytes("surbId", command.surbId, surbIdLength);
      return concatBytes(command.surbId, command.payload);
    case "MessageDelivered":
    case "RetrieveMessage":
      return u32(command.sequence);
    case "Message":
      checkBytes("surbId", command.surbId, surbIdLength);
      return concatBytes(u32(command.sequence), command.surbId, command.ciphertext);
    case "GetConsensus":
    case "GetConsensus2":
      return u64(command.epoch);
    case "Consensus":
      return concatBytes(Uint8Array.of(command.errorCode), command.payload);
    case "Consensus2":
      return concatBytes(
        Uint8Array.of(command.errorCode),
        u32(command.chunkNumber),
        u32(command.chunkTotal),
        command.chunk,
      );
  }
}

/** The lengths that determine the commands' lengths. */
export type CommandShape = Pick<
  GeometryFields,
  "packetLength" | "payloadTagLength" | "forwardPayloadLength"
>;

/** Encodes and decodes the commands of one kind of session. */
export class CommandCodec {
  /**
   * The padded length of every command from a client, in bytes; 0 on a session with an authority.
   */
  readonly clientLength: number;
  /** The padded length of commands from a gateway; 0 on a session with an authority. */
  readonly gatewayLength: number;
  /** Length of a chunk of a consensus; only the last is shorter. */
  readonly chunkLength: number;
  readonly #ciphertextLength: number;

  /** @param shape the network's geometry for a session with a gateway, null with an authority. */
  constructor(shape: CommandShape | null) {
    const packetLength = shape?.packetLength ?? 0;
    this.clientLength = shape === null ? 0 : headLength + packetLength;
    this.gatewayLength = shape === null ? 0 : headLength + 4 + surbIdLength + packetLength;
    this.chunkLength = this.gatewayLength;
    this.#ciphertextLength =
      shape === null ? 0 : shape.payloadTagLength + shape.forwardPayloadLength;
  }

  /** The longest command of a gateway, in bytes: a full chunk of a consensus. */
  get longestFromGateway(): number {
    return this.chunkLength + headLength + consensus2HeadLength;
  }

  /** Encodes a command, with the padding of its kind. */
  encode(command: WireCommand): Bytes {
    const payload = payloadOf(command);
    if (payload.length === 0 && command.type !== "NoOp" && command.type !== "Disconnect") {
      throw new RangeError(`\`${command.type}\` must not be empty`);
    }
    const length = headLength + payload.length;
    const encoded = new Uint8Array(Math.max(length, this.#paddedLength(command.type)));
    encoded[0] = idOf[command.type];
    new DataView(encoded.buffer).setUint32(2, payload.length);
    encoded.set(payload, headLength);
    return encoded;
  }

  #paddedLength(type: WireCommand["type"]): number {
    switch (type) {
      case "GetConsensus":
      case "Consensus":
        return 0;
      case "Message":
      case "Consensus2":
      case "SendRetrievePacketReply":
        return this.gatewayLength;
      default:
        return this.clientLength;
    }
  }

  /**
   * Decodes a command from either side. Two commands that upstream accepts are refused: an empty
   * SendRetrievePacketReply, and a Consensus2 shorter than its own header.
   * @throws ProtocolError when it is not a command; then the session ends.
   */
  decode(body: Uint8Array): WireCommand {
    if (body.length < headLength) throw invalid(`${body.length} bytes`);
    if (body[1] !== 0) throw invalid("reserved byte");
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const length = view.getUint32(2);
    if (length > body.length - headLength) throw invalid("payload longer than the command");
    for (let at = headLength + length; at < body.length; at++) {
      if (body[at] !== 0) throw invalid("padding");
    }
    return this.#decodePayload(body[0]!, copyBytes(body.subarray(headLength, headLength + length)));
  }

  #decodePayload(id: number, payload: Bytes): WireCommand {
    const view = new DataView(payload.buffer);
    const exactly = (length: number): void => {
      if (payload.length !== length) throw invalid(`command ${id} of ${payload.length} bytes`);
    };
    const atLeast = (length: number): void => {
      if (payload.length < length) throw invalid(`command ${id} of ${payload.length} bytes`);
    };
    switch (id) {
      case idOf.NoOp:
        exactly(0);
        return { type: "NoOp" };
      case idOf.Disconnect:
        exactly(0);
        return { type: "Disconnect" };
      case idOf.SendPacket:
        return { type: "SendPacket", sphinxPacket: payload };
      case idOf.SendRetrievePacket:
        return { type: "SendRetrievePacket", sphinxPacket: payload };
      case idOf.SendRetrievePacketReply:
        atLeast(surbIdLength);
        return {
          type: "SendRetrievePacketReply",
          surbId: payload.slice(0, surbIdLength),
          payload: payload.slice(surbIdLength),
        };
      case idOf.MessageDelivered:
        exactly(4);
        return { type: "MessageDelivered", sequence: view.getUint32(0) };
      case idOf.RetrieveMessage:
        exactly(4);
        return { type: "RetrieveMessage", sequence: view.getUint32(0) };
      case idOf.Message:
        exactly(4 + surbIdLength + this.#ciphertextLength);
        return {
          type: "Message",
          sequence: view.getUint32(0),
          surbId: payload.slice(4, 4 + surbIdLength),
          ciphertext: payload.slice(4 + surbIdLength),
        };
      case idOf.GetConsensus:
        exactly(8);
        return { type: "GetConsensus", epoch: view.getBigUint64(0) };
      case idOf.GetConsensus2:
        exactly(8);
        return { type: "GetConsensus2", epoch: view.getBigUint64(0) };
      case idOf.Consensus:
        atLeast(1);
        return { type: "Consensus", errorCode: payload[0]!, payload: payload.slice(1) };
      case idOf.Consensus2:
        atLeast(consensus2HeadLength);
        return {
          type: "Consensus2",
          errorCode: payload[0]!,
          chunkNumber: view.getUint32(1),
          chunkTotal: view.getUint32(5),
          chunk: payload.slice(consensus2HeadLength),
        };
      default:
        throw invalid(`unknown command ${id}`);
    }
  }
}
