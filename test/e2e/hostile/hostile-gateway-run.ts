/**
 * A gateway that makes every possible mistake: frames that no honest gateway sends, in every state
 * of a link. Half of them are well-formed commands with a modification.
 */
import { type Bytes, concatBytes } from "../../../src/bytes/bytes.js";
import { realClock } from "../../../src/clock/real.js";
import { hasCode } from "../../../src/errors/errors.js";
import { encodeAuthPayload } from "../../../src/gateway/auth-payload.js";
import { CommandCodec, type WireCommand } from "../../../src/gateway/commands.js";
import { consensusCommands } from "../../../src/gateway/consensus-chunks.js";
import { FrameSealer } from "../../../src/gateway/frames.js";
import { HandshakeResponder } from "../../../src/gateway/noise.js";
import { GatewaySession } from "../../../src/gateway/session.js";
import { x25519Kem } from "../../../src/kem/x25519.js";
import { Geometry } from "../../../src/pki/geometry.js";
import { identityHash } from "../../../src/pki/services.js";
import { memoryPair, type MemoryTransport } from "../../../src/transport/memory.js";
import { SeededNumbers } from "./hostile-frames.js";

const geometry = Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 64 });
const codec = new CommandCodec(geometry);
const kem = x25519Kem;
const linkKeys = kem.generate();
const identityKey = kem.generate().publicKey;
const gateway = { name: "hostile", identityKey, linkKey: linkKeys.publicKey };

/** The results of an attack. */
export interface AttackReport {
  /** The number of sent frames, and of modified handshake messages. */
  readonly frames: number;
  /** Links that were made. */
  readonly links: number;
  /** Replies that clients accepted. */
  readonly replies: number;
  /** Forbidden behaviour of clients, with the frame that caused it. */
  readonly failures: readonly string[];
}

function isTyped(error: unknown): boolean {
  return hasCode(error, "ERR_PROTOCOL") || (error instanceof Error && error.name === "LinkError");
}

class Attack {
  readonly numbers: SeededNumbers;
  readonly pieces: WireCommand[];
  frames = 0;
  links = 0;
  replies = 0;
  readonly failures: string[] = [];

  constructor(seed: number, pieces: WireCommand[]) {
    this.numbers = new SeededNumbers(seed);
    this.pieces = pieces;
  }

  /** A handshake message, valid three times out of four. */
  #perhapsChanged(message: Bytes): Bytes {
    const { numbers } = this;
    if (numbers.below(4) > 0) return message;
    this.frames++;
    switch (numbers.below(3)) {
      case 0:
        message[numbers.below(message.length)]! ^= 1 + numbers.below(255);
        return message;
      case 1:
        return numbers.bytes(numbers.below(2 * message.length));
      default:
        return concatBytes(message, numbers.bytes(1 + numbers.below(40)));
    }
  }

  #command(): WireCommand {
    const { numbers } = this;
    const u32 = (): number => numbers.pick([0, 1, 2, 0xffffffff, numbers.below(2 ** 31)]);
    switch (numbers.below(8)) {
      case 0:
        return { type: "NoOp" };
      case 1:
      case 2:
        return {
          type: "Message",
          sequence: u32(),
          surbId: numbers.bytes(16),
          ciphertext: numbers.bytes(geometry.payloadTagLength + geometry.forwardPayloadLength),
        };
      case 3:
        return numbers.pick(this.pieces);
      case 4:
        return {
          type: "Consensus2",
          errorCode: numbers.below(4),
          chunkNumber: u32(),
          chunkTotal: u32(),
          chunk: numbers.bytes(numbers.below(codec.chunkLength + 40)),
        };
      case 5:
        return { type: "GetConsensus", epoch: BigInt(u32()) };
      case 6:
        return numbers.pick<WireCommand>([
          { type: "Disconnect" },
          { type: "MessageDelivered", sequence: u32() },
          { type: "Consensus", errorCode: 0, payload: numbers.bytes(50) },
        ]);
      default:
        return { type: "SendPacket", sphinxPacket: numbers.bytes(1 + numbers.below(1200)) };
    }
  }

  /** A frame, usually sealed correctly. */
  #frame(sealer: FrameSealer): Bytes {
    const { numbers } = this;
    this.frames++;
    const body = codec.encode(numbers.below(3) > 0 ? { type: "NoOp" } : this.#command());
    if (numbers.below(6) === 0) body[numbers.below(30)] = numbers.below(256);
    if (numbers.below(40) === 0) return numbers.bytes(numbers.below(500));
    if (numbers.below(60) === 0) return sealer.seal(numbers.bytes(numbers.below(5000)));
    const frame = sealer.seal(body);
    if (numbers.below(60) === 0) frame[numbers.below(frame.length)]! ^= 1;
    return frame;
  }

  /** One link, from the handshake to its end, with a limited number of frames. */
  async link(most: number): Promise<void> {
    this.links++;
    const { numbers } = this;
    const [near, far] = memoryPair();
    const connecting = GatewaySession.connect({
      transport: near,
      kem,
      shape: geometry,
      gateway,
      clock: realClock,
      onReply: () => {
        this.replies++;
      },
    });
    const served = this.#serve(far, most);
    let session: GatewaySession;
    try {
      session = await connecting;
    } catch (error) {
      if (!isTyped(error)) this.failures.push(`handshake: ${String(error)}`);
      far.destroy();
      await served;
      return;
    }
    const fetching =
      numbers.below(2) === 0 ? session.fetchConsensus(7).catch((error: unknown) => error) : null;
    await served;
    session.close();
    const reason = await session.ended;
    if (!isTyped(reason)) this.failures.push(`link: ${String(reason)}`);
    const answer = await fetching;
    if (answer instanceof Error && !isTyped(answer)) this.failures.push(`fetch: ${answer.message}`);
  }

  /** Hangs up after a message that is too short, because the client would wait for the rest. */
  #say(far: MemoryTransport, message: Bytes, wanted: number): void {
    far.write(message);
    if (message.length < wanted) far.end();
  }

  async #serve(far: MemoryTransport, most: number): Promise<void> {
    const incoming: Uint8Array[] = [];
    const state = { isClosed: false };
    let wake = (): void => {};
    far.open({
      onData: (chunk) => {
        incoming.push(chunk);
        wake();
      },
      onClose: () => {
        state.isClosed = true;
        wake();
      },
    });
    const take = async (length: number): Promise<Bytes | null> => {
      for (;;) {
        const held = concatBytes(...incoming.splice(0));
        if (held.length >= length) {
          incoming.push(held.slice(length));
          return held.slice(0, length);
        }
        incoming.push(held);
        if (state.isClosed) return null;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    };
    const responder = new HandshakeResponder({ kem, staticKeys: linkKeys });
    const payload = encodeAuthPayload({ additionalData: identityHash(identityKey), unixTime: 1 });
    const first = await take(33);
    if (first === null) return;
    responder.readFirst(first);
    const second = responder.writeSecond(payload);
    this.#say(far, this.#perhapsChanged(second.slice()), second.length);
    const third = await take(32 + 16 + 32 + 16 + payload.length + 16);
    if (third === null) {
      far.destroy();
      return;
    }
    responder.readThird(third);
    const { message, keys } = responder.writeFourth();
    this.#say(far, this.#perhapsChanged(message.slice()), message.length);
    const sealer = new FrameSealer(keys.responderToInitiator);
    far.write(sealer.seal(codec.encode({ type: "NoOp" })));
    for (let sent = 0; sent < most && !state.isClosed; sent++) {
      far.write(this.#frame(sealer));
      if (sent % 8 === 7) await new Promise<void>((resolve) => realClock.soon(resolve));
      incoming.length = 0;
    }
    await new Promise<void>((resolve) => realClock.soon(resolve));
    far.destroy();
  }
}

/** Attacks clients with a given number of frames, over as many links as necessary. */
export async function attackLinks(frames: number, seed: number): Promise<AttackReport> {
  const pieces = await consensusCommands(new SeededNumbers(seed).bytes(9000), codec.chunkLength);
  const attack = new Attack(seed, pieces);
  while (attack.frames < frames && attack.failures.length < 10) await attack.link(400);
  return attack;
}
