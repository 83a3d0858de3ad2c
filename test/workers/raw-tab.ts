/**
 * A tab that sends whatever a test wants to a shared connection, frame by frame, and what it sends and
 * gets.
 */
import type { TestContext } from "node:test";
import { type Bytes, randomBytes, toHex } from "../../src/bytes/bytes.js";
import { QueryId, SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { type ScriptedConnection, ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import { type MemoryListener, memoryListener } from "../../src/transport/memory.js";
import type { Transport } from "../../src/transport/transport.js";
import { FrameDecoder, encodeFrame } from "../../src/wire/framing.js";
import { type DaemonRequest, encodeRequest } from "../../src/wire/requests.js";
import {
  type DaemonResponse,
  type MalformedReply,
  decodeResponse,
} from "../../src/wire/responses.js";
import { type SharedConnection, shareConnection } from "../../src/workers/index.js";

type Response = DaemonResponse | MalformedReply;

/** A tab that sends whatever a test wants. */
export class RawTab {
  readonly transport: Transport;
  readonly heard: Response[] = [];
  closed = false;

  private constructor(transport: Transport) {
    this.transport = transport;
    const decoder = new FrameDecoder();
    transport.open({
      onData: (chunk) => decoder.push(chunk, (body) => this.heard.push(decodeResponse(body)!)),
      onClose: () => (this.closed = true),
    });
  }

  static async join(listener: MemoryListener, token: Bytes | null = null): Promise<RawTab> {
    const tab = new RawTab(await listener.dial());
    await settle();
    if (token !== null) {
      tab.send({ kind: "sessionToken", clientInstanceToken: token });
      await settle();
    }
    return tab;
  }

  send(request: DaemonRequest): void {
    this.transport.write(encodeFrame(encodeRequest(request)));
  }

  /** IDs of the answers that it received, in order. */
  get answers(): string[] {
    return this.heard.flatMap((one) =>
      "queryId" in one && one.queryId ? [toHex(one.queryId)] : [],
    );
  }

  kinds(): string[] {
    return this.heard.map(({ kind }) => kind);
  }
}

/** Lets everything that is ready run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

export interface Scene {
  readonly daemon: ScriptedDaemon;
  readonly connection: ScriptedConnection;
  readonly shared: SharedConnection;
  readonly listener: MemoryListener;
  readonly clock: VirtualClock;
  readonly first: RawTab;
}

/** A shared connection after its handshake, with one tab. */
export async function scene(t?: TestContext): Promise<Scene> {
  const daemon = new ScriptedDaemon();
  const listener = memoryListener();
  const clock = new VirtualClock();
  const shared = shareConnection(listener, daemon, { clock });
  const [connection, first] = await Promise.all([
    daemon.shakeHands(),
    RawTab.join(listener, randomBytes(16)),
  ]);
  await settle();
  t?.after(() => shared.close());
  return { daemon, connection, shared, listener, clock, first };
}

/** Lets time pass for a daemon that answers probes. */
export async function pass(
  { clock, connection }: Pick<Scene, "clock" | "connection">,
  ms: number,
): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10_000) {
    await clock.advance(Math.min(10_000, ms - passed));
    await settle();
    for (const request of connection.requests) {
      if (request.kind !== "nextMessageBoxIndex") continue;
      const { queryId, kind } = request;
      connection.send({ kind: `${kind}Reply`, queryId, nextMessageBoxIndex: null, errorCode: 3 });
    }
    const rest = connection.requests.filter(({ kind }) => kind !== "nextMessageBoxIndex");
    connection.requests.splice(0, Infinity, ...rest);
    await settle();
  }
}

export function local(queryId: QueryId = QueryId.random()): DaemonRequest<"newKeypair"> {
  return { kind: "newKeypair", queryId, seed: null };
}

export function start(
  envelopeHash: Uint8Array,
  queryId: QueryId = QueryId.random(),
): DaemonRequest<"startResendingEncryptedMessage"> {
  return {
    kind: "startResendingEncryptedMessage",
    queryId,
    readCap: null,
    writeCap: null,
    messageBoxIndex: null,
    replyIndex: null,
    envelopeDescriptor: null,
    messageCiphertext: null,
    envelopeHash: envelopeHash as Bytes,
    noRetryOnBoxIdNotFound: false,
    noIdempotentBoxAlreadyExists: false,
  };
}

export function message(surbId: SurbId): DaemonRequest<"sendMessage"> {
  return {
    kind: "sendMessage",
    id: null,
    withSurb: true,
    surbId,
    destinationIdHash: randomBytes(32),
    recipientQueueId: randomBytes(4),
    payload: null,
  };
}

export function keypairReply(queryId: Uint8Array): DaemonResponse<"newKeypairReply"> {
  const nothing = { writeCap: null, readCap: null, firstMessageIndex: null };
  return { kind: "newKeypairReply", queryId: queryId as Bytes, ...nothing, errorCode: 3 };
}

export function startReply(
  queryId: Uint8Array,
  errorCode = 0,
): DaemonResponse<"startResendingEncryptedMessageReply"> {
  const nothing = { plaintext: null, courierIdentityHash: null, courierQueueId: null };
  const kind = "startResendingEncryptedMessageReply";
  return { kind, queryId: queryId as Bytes, ...nothing, errorCode };
}

export function replyTo(surbId: SurbId): DaemonResponse<"messageReplyEvent"> {
  const rest = { messageId: null, payload: randomBytes(3), replyIndex: null, errorCode: 0 };
  return { kind: "messageReplyEvent", surbId, ...rest };
}
