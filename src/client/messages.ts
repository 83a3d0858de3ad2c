/** Plain messages to services of the mixnet (spec/thin-protocol §4.2). */
import {
  type Bytes,
  checkBytes,
  copyBytes,
  type PlainBytes,
  toHex,
  textOrBytes,
} from "../bytes/bytes.js";
import { type IdentityHash, SURB_ID_SIZE, SurbId } from "../bytes/opaque.js";
import { type CallOptions, type Hindrance, watchDeadline } from "./call-options.js";
import { measureCall } from "./metrics.js";
import type { ResolvedOptions } from "./options.js";
import type { Session } from "./session.js";
import type { MessageReplyEvent, MessageSentEvent } from "../config/events.js";
import { placeTimeout } from "../errors/call-site.js";
import {
  ClientClosedError,
  ConnectionLostError,
  SendFailedError,
  ThinClientOfflineError,
} from "../errors/errors.js";
import type { Geometry } from "../pki/geometry.js";
import type { DaemonRequest } from "../wire/requests.js";

/** What sending a message needs from the client. */
export interface MessageContext {
  readonly session: Session;
  readonly options: ResolvedOptions;
  readonly unsent: UnsentMessages;
  /** Whether the daemon is connected to the mixnet and we are connected to the daemon. */
  isConnected(): boolean;
  /** Resolves when the daemon is connected to the mixnet and we are connected to the daemon. */
  whenConnected(operation: string, options: CallOptions | undefined): Promise<void>;
  /** Null before the first handshake. */
  geometry(): Geometry | null;
}

/** A message to a service. */
export interface OutgoingMessage {
  readonly operation: string;
  /** Null if no reply is wanted. */
  readonly surbId: SurbId | null;
  readonly payload: PlainBytes | string;
  readonly destNode: IdentityHash;
  readonly destQueue: Uint8Array;
  readonly options?: CallOptions | undefined;
  /** Called when the message is handed to the daemon. */
  readonly onGiven?: (() => void) | undefined;
}

/**
 * Hands a message to the daemon; resolves when it is written. Without a connection the message
 * waits for one, as every request does, and then for the daemon's connection to the mixnet.
 * @throws TypeError, RangeError for wrong arguments; ThinClientOfflineError while the daemon is not
 * connected to the mixnet; ConnectionLostError when writing failed; RequestTimeoutError.
 */
export async function sendMessage(
  context: MessageContext,
  message: OutgoingMessage,
): Promise<void> {
  const { operation, options, surbId } = message;
  const request = messageRequest(context, message);
  await measureCall(context.options, operation, options?.signal, () =>
    context.session.isState("ready")
      ? handOver(context, message, request)
      : handOverWhenConnected(context, message, request),
  );
  if (surbId) context.unsent.handedOver(surbId);
}

/** @throws for arguments that are wrong whatever the daemon says. */
function messageRequest(
  context: MessageContext,
  message: OutgoingMessage,
): DaemonRequest<"sendMessage"> {
  const { operation, surbId, destNode, destQueue } = message;
  if (surbId !== null) checkBytes("surbId", surbId, SURB_ID_SIZE);
  checkBytes("destNode", destNode, 32);
  checkBytes("destQueue", destQueue);
  if (destQueue.length < 1 || destQueue.length > 32) {
    throw new RangeError(`\`destQueue\` must be 1 to 32 bytes, got ${destQueue.length}`);
  }
  const notUsable = context.session.notUsable(operation);
  if (notUsable) throw notUsable;
  const payload = payloadBytes(message.payload, context.geometry());
  message.options?.signal?.throwIfAborted();
  return {
    kind: "sendMessage",
    id: null,
    withSurb: surbId !== null,
    surbId,
    destinationIdHash: destNode,
    recipientQueueId: destQueue as Bytes,
    payload,
  };
}

async function handOver(
  context: MessageContext,
  { operation, options, surbId, onGiven }: OutgoingMessage,
  request: DaemonRequest<"sendMessage">,
): Promise<void> {
  checkOnline(context, operation);
  onGiven?.();
  if (surbId) context.unsent.add(surbId);
  try {
    await context.session.write(request, operation, options);
  } catch (error) {
    if (surbId) context.unsent.settled(surbId);
    throw error;
  }
}

/** Hands a message over as soon as possible, with one deadline for everything. */
async function handOverWhenConnected(
  context: MessageContext,
  message: OutgoingMessage,
  request: DaemonRequest<"sendMessage">,
): Promise<void> {
  const { operation, options } = message;
  // The caller may change its arguments while this waits.
  const kept = {
    ...request,
    destinationIdHash: copyBytes(message.destNode) as IdentityHash,
    recipientQueueId: copyBytes(message.destQueue),
    payload: copyBytes(request.payload!),
  };
  const { clock, defaultTimeoutMs } = context.options;
  const abort = new AbortController();
  const end = (reason: unknown): void => abort.abort(reason);
  const hindrance = (): Hindrance | null => context.session.hindrance(true);
  const deadline = watchDeadline(clock, operation, options, defaultTimeoutMs, end, hindrance);
  const limits = { signal: abort.signal, timeoutMs: Infinity };
  try {
    do {
      await context.whenConnected(operation, limits);
    } while (!context.isConnected());
    // Only the daemon knows how long a payload may be.
    payloadBytes(kept.payload as PlainBytes, context.geometry());
    await handOver(context, { ...message, options: limits }, kept);
  } catch (error) {
    placeTimeout(error, handOverWhenConnected);
    throw error;
  } finally {
    deadline.dispose();
  }
}

function payloadBytes(payload: PlainBytes | string, geometry: Geometry | null): Bytes {
  const bytes = textOrBytes("payload", payload);
  const maximum = geometry?.userForwardPayloadLength;
  if (maximum !== undefined && bytes.length > maximum) {
    throw new RangeError(
      `\`payload\` exceeds maximum allowed size: at most ${maximum} bytes fit into one packet, ` +
        `got ${bytes.length}`,
    );
  }
  return bytes;
}

function checkOnline(context: MessageContext, operation: string): void {
  if (context.isConnected()) return;
  throw new ThinClientOfflineError(
    "cannot send message in offline mode - daemon not connected to mixnet; " +
      "waitUntilOnline() tells when it is",
    { operation },
  );
}

/** Advice for errors whose text from the daemon does not say what to do. */
function hint(err: string): string {
  if (err.includes("service not found")) {
    return ". The destination is not in the current PKI document: look it up with getService()";
  }
  if (err.includes("not connected")) return ". Try again when waitUntilOnline() resolves";
  return "";
}

interface Waiting {
  readonly surbId: SurbId;
  /**
   * Whether the daemon may have the message. A message that still waits here for the connection is
   * not lost with it.
   */
  given: boolean;
  resolve(payload: Bytes): void;
  reject(reason: unknown): void;
}

/**
 * Messages with a caller who waits for the reply. Each has its own SURB ID, so any number may wait
 * at once.
 */
export class AwaitedReplies {
  readonly #context: MessageContext;
  readonly #waiting = new Map<string, Waiting>();

  constructor(context: MessageContext) {
    this.#context = context;
  }

  /** Sends a message and waits for its reply's payload. */
  async send(unnamed: Omit<OutgoingMessage, "surbId">, defaultTimeoutMs: number): Promise<Bytes> {
    const surbId = SurbId.random();
    const message = { ...unnamed, surbId };
    const request = messageRequest(this.#context, message);
    const { operation, options } = message;
    return measureCall(this.#context.options, operation, options?.signal, () =>
      this.#exchange(toHex(surbId), message, request, defaultTimeoutMs),
    );
  }

  async #exchange(
    key: string,
    message: OutgoingMessage & { readonly surbId: SurbId },
    request: DaemonRequest<"sendMessage">,
    defaultTimeoutMs: number,
  ): Promise<Bytes> {
    const { operation, options } = message;
    const context = this.#context;
    const unwanted = new AbortController();
    let deadline: { dispose(): void } | null = null;
    const reply = new Promise<Bytes>((resolve, reject) => {
      this.#waiting.set(key, { surbId: message.surbId, given: false, resolve, reject });
      const { clock } = context.options;
      const hindrance = (): Hindrance | null => context.session.hindrance(true);
      deadline = watchDeadline(clock, operation, options, defaultTimeoutMs, reject, hindrance);
    });
    // If the write below fails first, nobody handles this promise.
    reply.catch(() => {});
    const limits = { signal: unwanted.signal, timeoutMs: Infinity };
    const limited = { ...message, options: limits, onGiven: () => this.#given(key) };
    try {
      // The reply's deadline starts here, even while the daemon does not read.
      const handedOver = context.session.isState("ready")
        ? handOver(context, limited, request)
        : handOverWhenConnected(context, limited, request);
      await Promise.race([handedOver, reply]);
      return await reply;
    } catch (error) {
      // A message that still waits for the connection must not be sent after its caller has gone.
      unwanted.abort(error);
      placeTimeout(error, this.#exchange);
      throw error;
    } finally {
      this.#waiting.delete(key);
      context.unsent.settled(message.surbId);
      (deadline as { dispose(): void } | null)?.dispose();
    }
  }

  #given(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting) waiting.given = true;
  }

  /**
   * Handles a sent event. If a message could not be sent, its call fails without waiting for the
   * deadline.
   */
  onSent(event: MessageSentEvent): void {
    if (event.err === "" || !event.surbId) return;
    const operation = "blockingSendMessage";
    this.#waiting.get(toHex(event.surbId))?.reject(
      new SendFailedError(`the daemon could not send the message: ${event.err}${hint(event.err)}`, {
        operation,
        cause: new Error(event.err),
      }),
    );
  }

  /** Handles a reply. */
  onReply(event: MessageReplyEvent): void {
    if (event.surbId) this.#waiting.get(toHex(event.surbId))?.resolve(event.payload);
  }

  /** The daemon lost the mixnet: replies that are awaited may never come. */
  onOffline(): void {
    this.#rejectAll((operation, { given }) =>
      given
        ? new ThinClientOfflineError(
            "the daemon lost its connection to the mixnet while the reply was awaited: when " +
              "waitUntilOnline() resolves, send the message again, unless it must not arrive twice",
            { operation },
          )
        : null,
    );
  }

  /**
   * The connection was lost, and with it the messages that had not left: they get no reply. Call
   * this before {@link UnsentMessages.lose}.
   */
  onConnectionLost(): void {
    this.#rejectAll((operation, { surbId }) =>
      this.#context.unsent.has(surbId)
        ? new ConnectionLostError(
            `${operation}: the connection was lost before the daemon said that the message had left, ` +
              "and a daemon forgets messages that have not left; so no reply will come. Send it again",
            { operation },
          )
        : null,
    );
  }

  /** The daemon has forgotten our session and the replies that we wait for. */
  onForgotten(): void {
    this.#rejectAll((operation, { given }) =>
      given
        ? new ConnectionLostError(
            "the connection was lost and the daemon forgot the session, so no reply will come: " +
              "send the message again, unless it must not arrive twice",
            { operation },
          )
        : null,
    );
  }

  /** The client is closed. */
  onClosed(error: Error | null): void {
    this.#rejectAll(
      (operation) =>
        new ClientClosedError(`${operation}: the client is closed`, {
          operation,
          cause: error ?? undefined,
        }),
    );
  }

  #rejectAll(reasonFor: (operation: string, waiting: Waiting) => Error | null): void {
    for (const waiting of this.#waiting.values()) {
      const reason = reasonFor("blockingSendMessage", waiting);
      if (reason) waiting.reject(reason);
    }
  }
}

// Messages that were handed to the daemon and have not left yet as far as it said. The daemon
// forgets them when the connection ends, even if the session is resumed (spec/thin-protocol §10,
// fact 29).

/**
 * A daemon reports when a message with a reply block leaves. A daemon that never reports must not
 * fill our memory: beyond this number the oldest entries are dropped.
 */
const MOST_KEPT = 10_000;

interface Unsent {
  readonly surbId: SurbId;
  /** Whether the call that sent the message has already resolved. */
  handedOver: boolean;
}

/** The messages with a reply block that wait at the daemon. */
export class UnsentMessages {
  readonly #bySurbId = new Map<string, Unsent>();
  #handedOver = 0;
  #waiting: (() => void)[] = [];

  /** Records that a message is being written. */
  add(surbId: SurbId): void {
    // Its caller may have used the ID before.
    this.settled(surbId);
    if (this.#bySurbId.size >= MOST_KEPT) {
      const [oldest] = this.#bySurbId.values();
      this.settled(oldest!.surbId);
    }
    this.#bySurbId.set(toHex(surbId), { surbId, handedOver: false });
  }

  /** Records that the message was written and its call resolved. */
  handedOver(surbId: SurbId): void {
    const unsent = this.#bySurbId.get(toHex(surbId));
    if (!unsent || unsent.handedOver) return;
    unsent.handedOver = true;
    this.#handedOver++;
  }

  /**
   * Removes a message: it left or could not be sent, its reply arrived, or its sender was told that
   * it may be lost.
   */
  settled(surbId: SurbId): void {
    const key = toHex(surbId);
    const unsent = this.#bySurbId.get(key);
    if (!unsent) return;
    this.#bySurbId.delete(key);
    if (unsent.handedOver && --this.#handedOver === 0) this.#tell();
  }

  /** Whether this message still waits at the daemon, as far as the daemon said. */
  has(surbId: SurbId): boolean {
    return this.#bySurbId.has(toHex(surbId));
  }

  /** Resolves when no message that was handed over waits any more; null if none waits now. */
  whenSent(): Promise<void> | null {
    if (this.#handedOver === 0) return null;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Forgets all messages, because they are lost. Returns those whose senders do not know. */
  lose(): SurbId[] {
    const lost = [...this.#bySurbId.values()].filter(({ handedOver }) => handedOver);
    this.#bySurbId.clear();
    this.#handedOver = 0;
    this.#tell();
    return lost.map(({ surbId }) => surbId);
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
