/**
 * Shared parts of the daemon's tests: a fake mixnet link, a network's document, and raw clients.
 */
import assert from "node:assert/strict";
import { type Bytes, type RandomSource, toHex } from "../../src/bytes/bytes.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import {
  decodeCourierQuery,
  encodeCourierQueryReply,
} from "../../src/crypto/envelope/courier-messages.js";
import { replicaMessageOf } from "../../src/crypto/envelope/client-envelope.js";
import {
  openReplicaMessage,
  sealReplicaReply,
} from "../../src/crypto/envelope/replica-envelope.js";
import type { ReplicaReplyMessage } from "../../src/crypto/envelope/replica-messages.js";
import type { ReplicaInnerMessage } from "../../src/crypto/envelope/replica-messages.js";
import { pigeonholeSizesFromSphinx } from "../../src/pki/pigeonhole-sizes.js";
import { type NikeScheme, checkPublicKeyLength } from "../../src/crypto/nike/scheme.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { Daemon, type DaemonOptions } from "../../src/daemon/daemon.js";
import {
  LinkError,
  type LinkPace,
  type MixnetLink,
  type MixnetLinkHandlers,
  type OutgoingPacket,
  type SentPacket,
} from "../../src/mixnet/link.js";
import { upstreamTiming } from "../../src/mixnet/timing.js";
import { replicaEpoch } from "../../src/pki/epoch.js";
import { Geometry } from "../../src/pki/geometry.js";
import { PigeonholeGeometry } from "../../src/pki/pigeonhole-geometry.js";
import { memoryPair } from "../../src/transport/memory.js";
import type { Transport } from "../../src/transport/transport.js";
import { encodeCbor } from "../../src/cbor/cbor.js";
import { FrameDecoder, encodeFrame } from "../../src/wire/framing.js";
import { type DaemonRequest, encodeRequest } from "../../src/wire/requests.js";
import {
  type DaemonResponse,
  type ResponseKind,
  decodeResponse,
} from "../../src/wire/responses.js";

/** Length of an epoch in the tests, in milliseconds. */
export const PERIOD_MS = 1_200_000;
/** The first epoch of the network. */
export const FIRST_EPOCH = 230_000;

export const geometry = Geometry.forNike({
  nike: "x25519",
  nrHops: 5,
  userForwardPayloadLength: 600,
});
export const sizes = pigeonholeSizesFromSphinx(600, "x25519");
const replicaKeys = [x25519Nike.generate(), x25519Nike.generate()] as const;
const identityKeys = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];

function serviceNode(name: string, services: readonly string[]): Bytes {
  return encodeCbor({
    Name: name,
    Epoch: FIRST_EPOCH,
    IdentityKey: new Uint8Array(32).fill(name.length),
    LinkKey: new Uint8Array(32),
    Kaetzchen: Object.fromEntries(services.map((one) => [one, { endpoint: one }])),
    IsServiceNode: true,
    IsGatewayNode: false,
    LoadWeight: 0,
    AuthenticationType: "",
    Version: "v0",
  });
}

/** CBOR of a document of `epoch` with two replicas and two couriers. Its layers are empty. */
export function makeDocument(epoch: number, lambdaP = 0.01, layers = 3): Bytes {
  return encodeCbor({
    Epoch: epoch,
    GenesisEpoch: 1,
    LambdaP: lambdaP,
    Topology: Array.from({ length: layers }, () => []),
    GatewayNodes: [],
    ServiceNodes: [serviceNode("a", ["courier", "+echo"]), serviceNode("bb", ["courier"])],
    StorageReplicas: identityKeys.map((IdentityKey, i) => ({
      Name: `replica${i}`,
      ReplicaID: i,
      Epoch: epoch,
      IdentityKey,
      LinkKey: new Uint8Array(32),
      EnvelopeKeys: new Map([[replicaEpoch(epoch, PERIOD_MS), replicaKeys[i]!.publicKey]]),
      Addresses: {},
    })),
    ConfiguredReplicaIDs: Uint8Array.of(0, 1),
    ConfiguredReplicaIdentityKeys: identityKeys,
    Version: "v1",
  });
}

const fill = (bytes: Uint8Array, length: number): Bytes => {
  const filled = new Uint8Array(length);
  filled.set(bytes);
  return filled;
};

/** X25519 with keys of the length of CTIDH1024-X25519 keys, which vouchers have on the wire. */
const paddedNike: NikeScheme = {
  name: "padded",
  publicKeyLength: 160,
  privateKeyLength: 162,
  generate(random) {
    const { publicKey, privateKey } = x25519Nike.generate(random);
    return { publicKey: fill(publicKey, 160), privateKey: fill(privateKey, 162) };
  },
  publicKeyOf: (key) => fill(x25519Nike.publicKeyOf(key.slice(0, 32)), 160),
  sharedSecret: (key, publicKey) =>
    x25519Nike.sharedSecret(key.slice(0, 32), publicKey.slice(0, 32)),
  checkPublicKey: (publicKey) => checkPublicKeyLength(paddedNike, publicKey),
};

/** A double of a mixnet link: it keeps the packets, and reports what the test tells it to. */
export class FakeMixnetLink implements MixnetLink {
  /** The packets that were sent, oldest first. */
  readonly packets: OutgoingPacket[] = [];
  decoys = 0;
  /** The planned round trip of every packet, in milliseconds. */
  etaMs = 100;
  /** If set, sending fails with this error. */
  failure: Error | null = null;
  /** Length of the certificates that come with documents, in bytes. */
  certificateLength = 2;
  /** The number of mix layers in documents. */
  layers = 3;
  /** Called while a packet is being sent, before the sender hears that it left. */
  onSend: ((packet: OutgoingPacket) => void) | null = null;
  current = FIRST_EPOCH;
  closed = false;
  readonly pace: LinkPace;
  readonly #clock: VirtualClock;
  #handlers: MixnetLinkHandlers | null = null;

  constructor(clock: VirtualClock, pace: LinkPace = "instant") {
    this.pace = pace;
    this.#clock = clock;
  }

  open(handlers: MixnetLinkHandlers): void {
    assert.equal(this.#handlers, null, "a link may be opened only once");
    this.#handlers = handlers;
  }

  async send(packet: OutgoingPacket): Promise<SentPacket> {
    if (this.failure) throw this.failure;
    this.packets.push(packet);
    this.onSend?.(packet);
    const replyEtaMs = packet.surbId ? this.etaMs : 0;
    return { sentAt: this.#clock.now(), replyEtaMs };
  }

  async sendDecoy(): Promise<void> {
    this.decoys++;
  }

  epoch(): { current: number; periodMs: number; leftMs: number } {
    return { current: this.current, periodMs: PERIOD_MS, leftMs: PERIOD_MS };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** Reports the status of the gateway connection. */
  status(connected: boolean, error = ""): void {
    this.#handlers!.onStatus({ connected, error });
  }

  /** Delivers a document. */
  document(epoch = this.current, lambdaP?: number): void {
    const document = makeDocument(epoch, lambdaP, this.layers);
    const certificate = new Uint8Array(this.certificateLength).fill(epoch & 255);
    this.#handlers!.onDocument({ epoch, certificate, document });
  }

  /** Delivers a reply to a packet. */
  reply(packet: OutgoingPacket, payload: Uint8Array): void {
    this.#handlers!.onReply({ surbId: packet.surbId!, payload });
  }

  /** The packet that was sent last. */
  get last(): OutgoingPacket {
    const packet = this.packets.at(-1);
    assert.ok(packet, "nothing was sent");
    return packet;
  }
}

/** The error for a missing gateway, with the text that clients know. */
export const noGateway = new LinkError("client/conn: not connected to the Gateway", {
  isOffline: true,
});

/** The error for a service without a path. */
export const noPath = new LinkError("no path");

/** A client that only reads and writes frames. */
export class RawClient {
  readonly transport: Transport;
  /** Responses that have arrived and that no test has taken yet. */
  readonly responses: DaemonResponse[] = [];
  closed = false;
  readonly #decoder = new FrameDecoder();

  constructor(transport: Transport) {
    this.transport = transport;
    transport.open({
      onData: (chunk) =>
        this.#decoder.push(chunk, (body) => {
          const response = decodeResponse(body);
          assert.ok(
            response && response.kind !== "malformedReply",
            "the daemon sends valid frames",
          );
          this.responses.push(response);
        }),
      onClose: () => {
        this.closed = true;
      },
    });
  }

  send(...requests: DaemonRequest[]): void {
    for (const request of requests) this.transport.write(encodeFrame(encodeRequest(request)));
  }

  /** Takes the next response and checks its kind. */
  async expect<K extends ResponseKind>(kind: K): Promise<DaemonResponse<K>> {
    await until(() => this.responses.length > 0 || this.closed);
    const response = this.responses.shift();
    assert.equal(response?.kind, kind);
    return response as DaemonResponse<K>;
  }

  /** Takes status and document, which arrive first. */
  async greeting(): Promise<DaemonResponse<"connectionStatusEvent">> {
    const status = await this.expect("connectionStatusEvent");
    await this.expect("newPkiDocumentEvent");
    return status;
  }

  /** Performs the whole handshake. */
  async hello(token: Uint8Array<ArrayBuffer>): Promise<DaemonResponse<"sessionTokenReply">> {
    await this.greeting();
    this.send({ kind: "sessionToken", clientInstanceToken: token });
    return this.expect("sessionTokenReply");
  }
}

/** A daemon and its double of a mixnet. */
export interface World {
  readonly daemon: Daemon;
  readonly link: FakeMixnetLink;
  readonly clock: VirtualClock;
  readonly faults: Error[];
  /** A new client. */
  connect(): RawClient;
}

/** A daemon that is connected and has a document, unless the options say otherwise. */
export function world(
  options: Partial<Omit<DaemonOptions, "clock">> & {
    readonly clock?: VirtualClock;
    readonly bare?: boolean;
    readonly eta?: number;
    readonly pace?: LinkPace;
  } = {},
): World {
  const { bare = false, pace, clock = new VirtualClock(), ...rest } = options;
  latestClock = clock;
  const link = new FakeMixnetLink(clock, pace);
  const faults: Error[] = [];
  const daemon = new Daemon({
    link,
    clock,
    timing: upstreamTiming,
    geometry,
    pigeonholeGeometry: PigeonholeGeometry.fromSphinx(geometry, "x25519", 32),
    sizes,
    scheme: x25519Nike,
    voucherScheme: paddedNike,
    authorities: [],
    onFault: (error) => void faults.push(error),
    ...rest,
  });
  if (!bare) {
    link.status(true);
    link.document();
  }
  return {
    daemon,
    link,
    clock,
    faults,
    connect: () => {
      const [near, far] = memoryPair();
      daemon.serve(far);
      return new RawClient(near);
    },
  };
}

let counter = 0;

/** 16 bytes that no test has used before. */
export function freshId(): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(12, ++counter);
  return id;
}

/** A plain message with a reply block. */
export function message(
  fields: Partial<DaemonRequest<"sendMessage">> = {},
): DaemonRequest<"sendMessage"> {
  return {
    kind: "sendMessage",
    id: null,
    withSurb: true,
    surbId: freshId() as never,
    destinationIdHash: new Uint8Array(32).fill(4),
    recipientQueueId: Uint8Array.of(43),
    payload: Uint8Array.of(1),
    ...fields,
  };
}

/** The clock of the world that was made last. */
let latestClock: VirtualClock | null = null;

/**
 * Lets everything that is ready run, including the daemon's turns; the virtual time does not move.
 */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await latestClock?.advance(0);
}

/** Waits for turns of the event loop until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    assert.ok(turns < 5000, `still waiting for ${condition.toString()}`);
    await turn();
  }
}

/** A random source that returns the same bytes for the same seed. */
export function seededRandom(seed: number): RandomSource {
  let state = seed >>> 0;
  return (length) => {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      // xorshift32
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      state >>>= 0;
      bytes[i] = state & 255;
    }
    return bytes;
  };
}

/** A courier's ACK, or its error code. */
export function courierAnswer(packet: OutgoingPacket, errorCode = 0): Bytes {
  const query = decodeCourierQuery(packet.payload);
  assert.equal(query.kind, "envelope");
  const reply = {
    envelopeHash: new Uint8Array(32),
    replyIndex: 0,
    replyType: "ack",
    payload: new Uint8Array(0),
    errorCode,
  } as const;
  return padded(encodeCourierQueryReply({ kind: "envelope", reply }));
}

/**
 * A replica's reply to the query in a packet, as the courier delivers it; `reply` receives the
 * query.
 */
export async function replicaAnswer(
  packet: OutgoingPacket,
  reply: (message: ReplicaInnerMessage) => ReplicaReplyMessage,
): Promise<Bytes> {
  const query = decodeCourierQuery(packet.payload);
  assert.ok(query.kind === "envelope");
  const opened = await openReplicaMessage({
    scheme: x25519Nike,
    privateKey: replicaKeys[query.envelope.intermediateReplicas[0]]!.privateKey,
    command: replicaMessageOf(query.envelope, 0),
  });
  const payload = sealReplicaReply(sizes, opened.replyKey, reply(opened.message));
  return padded(
    encodeCourierQueryReply({
      kind: "envelope",
      reply: {
        envelopeHash: new Uint8Array(32),
        replyIndex: 0,
        replyType: "payload",
        payload,
        errorCode: 0,
      },
    }),
  );
}

/** A reply with the zeros that a reply block adds. */
export function padded(payload: Uint8Array): Bytes {
  const whole = new Uint8Array(geometry.forwardPayloadLength);
  whole.set(payload);
  return whole;
}

/** Bytes as text, to compare them. */
export const hex = toHex;
