/** Plain messages to services of the mixnet. Protocol page, section 4.2. */
import {
  type Bytes,
  type PlainBytes,
  checkBytes,
  describeType,
  toHex,
  utf8,
  isBytes,
} from "../bytes/bytes.js";
import { SURB_ID_SIZE, type IdentityHash, SurbId } from "../bytes/opaque.js";
import type { MessageReplyEvent, MessageSentEvent } from "../config/events.js";
import {
  ClientClosedError,
  ConnectionLostError,
  SendFailedError,
  ThinClientOfflineError,
} from "../errors/errors.js";
import type { Geometry } from "../pki/geometry.js";
import type { DaemonRequest } from "../wire/requests.js";
import { type CallOptions, watchDeadline } from "./call-options.js";
import { measureCall } from "./metrics.js";
import type { ResolvedOptions } from "./options.js";
import type { Session } from "./session.js";

/** What sending a message needs of the client around it. */
export interface MessageContext {
  readonly session: Session;
  readonly options: ResolvedOptions;
  /** Whether the daemon has its connection to the mixnet. */
  isConnected(): boolean;
  /** Null before the first handshake. */
  geometry(): Geometry | null;
}

/** A message to a service. */
export interface OutgoingMessage {
  readonly operation: string;
  /** Null when no reply is wanted. */
  readonly surbId: SurbId | null;
  readonly payload: PlainBytes | string;
  readonly destNode: IdentityHash;
  readonly destQueue: Uint8Array;
  readonly options?: CallOptions | undefined;
}

/**
 * Hands a message to the daemon; resolves when it is written.
 * @throws TypeError, RangeError for wrong arguments; ThinClientOfflineError while the daemon has no
 * connection to the mixnet, or we none to the daemon; ConnectionLostError when writing failed.
 */
export async function sendMessage(
  context: MessageContext,
  message: OutgoingMessage,
): Promise<void> {
  const { operation, options } = message;
  const request = messageRequest(context, message);
  await measureCall(context.options, operation, options?.signal, () =>
    handOver(context, message, request),
  );
}

/** @throws for what is wrong before the daemon comes in. */
function messageRequest(context: MessageContext, message: OutgoingMessage): DaemonRequest {
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
  { operation, options }: OutgoingMessage,
  request: DaemonRequest,
): Promise<void> {
  checkOnline(context, operation);
  await context.session.write(request, operation, options);
}

function payloadBytes(payload: PlainBytes | string, geometry: Geometry | null): Bytes {
  if (typeof payload !== "string" && !isBytes(payload)) {
    throw new TypeError(
      `\`payload\` must be a Uint8Array or a string, got ${describeType(payload)}`,
    );
  }
  const bytes = typeof payload === "string" ? utf8(payload) : (payload as Bytes);
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
  if (!context.session.isState("ready")) {
    throw new ThinClientOfflineError(
      "cannot send message in offline mode - no connection to the daemon; " +
        "it is being made again, waitUntilOnline() tells when",
      { operation },
    );
  }
  if (!context.isConnected()) {
    throw new ThinClientOfflineError(
      "cannot send message in offline mode - daemon not connected to mixnet; " +
        "waitUntilOnline() tells when it is",
      { operation },
    );
  }
}

/** What can be done about it, where the daemon's words do not say. */
function hint(err: string): string {
  if (err.includes("service not found")) {
    return ". The destination is not in the current PKI document: look it up with getService()";
  }
  if (err.includes("not connected")) return ". Try again when waitUntilOnline() resolves";
  return "";
}

interface Waiting {
  resolve(payload: Bytes): void;
  reject(reason: unknown): void;
}

/** Messages whose reply somebody waits for, each by its own SURB ID: any number at once. */
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
    message: OutgoingMessage,
    request: DaemonRequest,
    defaultTimeoutMs: number,
  ): Promise<Bytes> {
    const { operation, options } = message;
    let deadline: { dispose(): void } | null = null;
    const reply = new Promise<Bytes>((resolve, reject) => {
      this.#waiting.set(key, { resolve, reject });
      const { clock } = this.#context.options;
      deadline = watchDeadline(clock, operation, options, defaultTimeoutMs, reject);
    });
    // The write below may fail first; then nobody looks at this promise any more.
    reply.catch(() => {});
    try {
      // The reply's deadline counts from now on, even while the daemon does not read.
      await Promise.race([handOver(this.#context, message, request), reply]);
      return await reply;
    } finally {
      this.#waiting.delete(key);
      (deadline as { dispose(): void } | null)?.dispose();
    }
  }

  /** A message could not be sent: its call need not wait for the deadline. */
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

  /** A reply came. */
  onReply(event: MessageReplyEvent): void {
    if (event.surbId) this.#waiting.get(toHex(event.surbId))?.resolve(event.payload);
  }

  /** The daemon lost the mixnet: what is under way may never come back. */
  onOffline(): void {
    this.#rejectAll(
      (operation) =>
        new ThinClientOfflineError(
          "the daemon lost its connection to the mixnet while the reply was awaited",
          { operation },
        ),
    );
  }

  /** The daemon does not know our session any more, and with it the replies we wait for. */
  onForgotten(): void {
    this.#rejectAll(
      (operation) =>
        new ConnectionLostError(
          "the connection was lost and the daemon forgot the session; the reply cannot come any more",
          { operation },
        ),
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

  #rejectAll(reason: (operation: string) => Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(reason("blockingSendMessage"));
  }
}
