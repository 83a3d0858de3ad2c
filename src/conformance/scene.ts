/** What the cases share: connections, sizes, streams of boxes. */
import { type Bytes, equalBytes, randomBytes } from "../bytes/bytes.js";
import { type MessageBoxIndex, type ReadCap, SurbId, type WriteCap } from "../bytes/opaque.js";
import type { Clock } from "../clock/clock.js";
import { Geometry } from "../pki/geometry.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { PkiDocument } from "../pki/document.js";
import type { Transport } from "../transport/transport.js";
import type { CborValue } from "../cbor/cbor.js";
import type { DaemonResponse, ReplyTo } from "../wire/responses.js";
import { Peer, Silence } from "./peer.js";
import { must, mustAnswer } from "./verdict.js";

/** Connects to the daemon under test, as a client's `dial` option does. */
export type Dial = (options: {
  /** For `dial` functions that need a signal; a run never aborts it. */
  readonly signal: AbortSignal;
}) => Promise<Transport>;

/** A stream of boxes. */
export interface Stream {
  readonly writeCap: WriteCap;
  readonly readCap: ReadCap;
  readonly firstMessageIndex: MessageBoxIndex;
}

/** The daemon's first messages. */
export interface Greeting {
  readonly status: DaemonResponse<"connectionStatusEvent">;
  readonly document: DaemonResponse<"newPkiDocumentEvent">;
}

/** The answer to a session token, and the messages before it. */
export interface Hello {
  readonly reply: DaemonResponse<"sessionTokenReply">;
  readonly before: readonly DaemonResponse[];
}

/** A connection after its handshake. */
export interface Connected {
  readonly peer: Peer;
  readonly token: Bytes;
  readonly greeting: Greeting;
  readonly hello: Hello;
}

/** How long a real daemon may wait for a document before its first message, and a margin, in ms. */
const GREETING_MS = 40_000;

/** Operations that can be started and cancelled. */
export type OperationKind = "startResendingEncryptedMessage" | "startResendingCopyCommand";

/** Pauses between two cancels of one start, in ms: they double. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;

/** One run against one daemon. */
export class Scene {
  readonly #dial: Dial;
  readonly clock: Clock;
  readonly #timeoutMs: number;
  /** Longest wait for an answer that goes through the network, in ms. */
  readonly networkMs: number;
  #peers: Peer[] = [];
  #geometry: PigeonholeGeometry | null = null;

  constructor(dial: Dial, clock: Clock, timeoutMs: number, networkMs: number) {
    this.#dial = dial;
    this.clock = clock;
    this.#timeoutMs = timeoutMs;
    this.networkMs = networkMs;
  }

  /** A connection without any message yet. */
  async open(): Promise<Peer> {
    const transport = await this.#dial({ signal: new AbortController().signal });
    const peer = new Peer(transport, this.clock, this.#timeoutMs);
    this.#peers.push(peer);
    return peer;
  }

  /** Takes the daemon's first two messages. */
  async greeting(peer: Peer): Promise<Greeting> {
    const status = await peer.next(GREETING_MS);
    must(status.kind === "connectionStatusEvent", `the first message is ${status.kind}`);
    const document = await peer.next();
    must(document.kind === "newPkiDocumentEvent", `the second message is ${document.kind}`);
    this.#geometry ??= PigeonholeGeometry.fromWire(status.pigeonholeGeometry as CborValue);
    return { status, document };
  }

  /** Sends a session token and takes its answer. */
  async hello(peer: Peer, token: Bytes): Promise<Hello> {
    peer.send({ kind: "sessionToken", clientInstanceToken: token });
    const before: DaemonResponse[] = [];
    for (;;) {
      const message = await peer.next();
      if (message.kind === "sessionTokenReply") return { reply: message, before };
      before.push(message);
    }
  }

  /** A connection through the whole handshake. */
  async connect(token: Bytes = randomBytes(16)): Promise<Connected> {
    const peer = await this.open();
    const greeting = await this.greeting(peer);
    return { peer, token, greeting, hello: await this.hello(peer, token) };
  }

  /** Like {@link connect}, if only the connection matters. */
  async client(): Promise<Peer> {
    return (await this.connect()).peer;
  }

  /** Sizes of Pigeonhole messages, from the daemon. */
  get sizes(): PigeonholeGeometry {
    must(this.#geometry !== null, "the daemon sent no geometry");
    return this.#geometry;
  }

  /** Sizes of mixnet packets and the document, from a greeting. */
  network(greeting: Greeting): { geometry: Geometry; document: PkiDocument } {
    const { payload } = greeting.document;
    must(payload !== null, "the daemon has no PKI document: wait until it has one");
    const geometry = Geometry.fromWire(greeting.status.sphinxGeometry as CborValue);
    return { geometry, document: PkiDocument.decode(payload) };
  }

  /** A new stream. */
  async stream(peer: Peer): Promise<Stream> {
    const reply = await peer.ask("newKeypair", { seed: randomBytes(32) });
    mustAnswer(0, reply);
    const { writeCap, readCap, firstMessageIndex } = reply;
    must(writeCap !== null && readCap !== null && firstMessageIndex !== null, "no capabilities");
    return { writeCap, readCap, firstMessageIndex };
  }

  /** The index after `index`. */
  async after(peer: Peer, index: MessageBoxIndex): Promise<MessageBoxIndex> {
    const reply = await peer.ask("nextMessageBoxIndex", { messageBoxIndex: index });
    mustAnswer(0, reply);
    must(reply.nextMessageBoxIndex !== null, "no next index");
    return reply.nextMessageBoxIndex;
  }

  /** Starts to read a box; returns the query ID and the envelope's hash. */
  async beginRead(
    peer: Peer,
    { readCap }: Stream,
    index: MessageBoxIndex,
    noRetry = false,
  ): Promise<{ queryId: Bytes; envelopeHash: Bytes }> {
    const sealed = await peer.ask("encryptRead", { readCap, messageBoxIndex: index });
    mustAnswer(0, sealed);
    const queryId = peer.begin("startResendingEncryptedMessage", {
      ...start(sealed),
      readCap,
      messageBoxIndex: index,
      noRetryOnBoxIdNotFound: noRetry,
    });
    return { queryId, envelopeHash: sealed.envelopeHash! };
  }

  /** Reads a box and waits for the answer. */
  async read(
    peer: Peer,
    stream: Stream,
    index: MessageBoxIndex,
    noRetry = false,
  ): Promise<ReplyTo<"startResendingEncryptedMessage">> {
    const { queryId } = await this.beginRead(peer, stream, index, noRetry);
    return peer.answer("startResendingEncryptedMessage", queryId, this.networkMs);
  }

  /** Writes a box and waits for the answer. */
  async write(
    peer: Peer,
    { writeCap }: Stream,
    index: MessageBoxIndex,
    plaintext: Uint8Array,
    noIdempotent = false,
  ): Promise<ReplyTo<"startResendingEncryptedMessage">> {
    const sealed = await peer.ask("encryptWrite", {
      plaintext: plaintext as Bytes,
      writeCap,
      messageBoxIndex: index,
    });
    mustAnswer(0, sealed);
    const fields = { ...start(sealed), writeCap, noIdempotentBoxAlreadyExists: noIdempotent };
    return peer.ask("startResendingEncryptedMessage", fields, this.networkMs);
  }

  /**
   * Waits until everything that the peer sent before has left the daemon's send queue: a cancel
   * does not find a start that is still in the queue, and such a start is lost with its connection.
   * The message sent for this has no valid destination.
   */
  async tick(peer: Peer): Promise<void> {
    peer.send({
      kind: "sendMessage",
      id: null,
      withSurb: true,
      surbId: SurbId.random(),
      destinationIdHash: randomBytes(32) as never,
      recipientQueueId: new Uint8Array(1).fill(1) as Bytes,
      payload: new Uint8Array(0) as Bytes,
    });
    await peer.event("messageSentEvent", this.networkMs);
  }

  /**
   * Cancels an operation until its start is answered, because a cancel that is read before the
   * start's tick finds nothing. Returns the start's answer, which must come before that of the
   * cancel that ended it.
   * @throws Violation when it does not, or when no cancel ends the operation.
   */
  async stop<K extends OperationKind>(
    peer: Peer,
    kind: K,
    queryId: Bytes,
    hash: Bytes,
  ): Promise<ReplyTo<K>> {
    const endMs = this.clock.monotonic() + this.networkMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const cancel =
        kind === "startResendingCopyCommand"
          ? peer.begin("cancelResendingCopyCommand", { writeCapHash: hash })
          : peer.begin("cancelResendingEncryptedMessage", { envelopeHash: hash });
      const first = await peer.firstAnswer([queryId, cancel]);
      if (!equalBytes(first.queryId, cancel)) {
        must(first.kind === `${kind}Reply`, `${kind} was answered with ${first.kind}`);
        mustAnswer(0, (await peer.firstAnswer([cancel])) as never);
        return first as never;
      }
      mustAnswer(0, first as never);
      const late = await this.#within(peer, kind, queryId, pauseMs);
      if (late !== null) {
        const { errorCode } = late as { readonly errorCode: number };
        must(errorCode !== 24, "24 came after the answer to its cancel");
        return late as never;
      }
      must(
        this.clock.monotonic() < endMs,
        "the start was not answered, although it was cancelled many times",
      );
    }
  }

  async #within<K extends OperationKind>(
    peer: Peer,
    kind: K,
    queryId: Bytes,
    waitMs: number,
  ): Promise<ReplyTo<K> | null> {
    try {
      return (await peer.answer(kind, queryId, waitMs)) as never;
    } catch (error) {
      if (error instanceof Silence) return null;
      throw error;
    }
  }

  /** Ends every connection of the finished case. @throws Violation for unrequested messages. */
  endCase(): void {
    const peers = this.#peers;
    this.#peers = [];
    for (const peer of peers) peer.leave();
    for (const peer of peers) peer.mustBeQuiet();
  }
}

/** The fields of a start, from an envelope. */
export function start(
  sealed: ReplyTo<"encryptRead" | "encryptWrite">,
): Parameters<typeof Peer.prototype.ask<"startResendingEncryptedMessage">>[1] {
  return {
    readCap: null,
    writeCap: null,
    messageBoxIndex: null,
    replyIndex: null,
    envelopeDescriptor: sealed.envelopeDescriptor,
    messageCiphertext: sealed.messageCiphertext,
    envelopeHash: sealed.envelopeHash,
    noRetryOnBoxIdNotFound: false,
    noIdempotentBoxAlreadyExists: false,
  };
}
