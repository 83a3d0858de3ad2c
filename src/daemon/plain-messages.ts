/** send_message: plain packets to services, and their replies. spec/thin-protocol §4.2. */
import { type Bytes, toHex } from "../bytes/bytes.js";
import { IdentityHash, MessageId, SURB_ID_SIZE, SurbId } from "../bytes/opaque.js";
import type { Clock, Timer } from "../clock/clock.js";
import {
  LinkError,
  type MixnetLink,
  type OutgoingPacket,
  type ReplyPacket,
} from "../mixnet/link.js";
import type { Timing } from "../mixnet/timing.js";
import { type TraceHook, shortId } from "../mixnet/trace.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { AppSession } from "./app-session.js";
import { fitLength } from "./fit-length.js";
import { asError } from "./pigeonhole-context.js";
import type { DaemonTrace } from "./trace.js";

const NS_PER_MS = 1_000_000;
/** The number of layers assumed for a network without a known document. */
const usualLayers = 3;

interface Awaited {
  readonly session: AppSession;
  readonly surbId: SurbId;
  readonly messageId: MessageId | null;
  /** Null until the link has said when the packet left. */
  timer: Timer | null;
  /** A reply that arrived before that. */
  early: ReplyPacket | null;
}

/** What sending plain messages needs. */
export interface PlainMessagesOptions {
  readonly clock: Clock;
  readonly link: MixnetLink;
  readonly timing: Timing;
  /** How many mix layers the current document has; null if unknown. */
  readonly layers: () => number | null;
  /** U: the most payload bytes of one packet. */
  readonly maxPayload: number;
  /** Aborted when the daemon stops. */
  readonly signal: AbortSignal;
  /** Called for unexpected errors. */
  readonly onFault: (error: Error) => void;
  /** Receives a trace of sent messages; null or undefined for no trace. */
  readonly onTrace?: TraceHook<DaemonTrace> | null;
}

/** A message that waits for its turn. */
export interface PlainMessage {
  readonly messageId: MessageId | null;
  readonly surbId: SurbId | null;
  readonly withSurb: boolean;
  /** The packet to send, or why it cannot be sent. */
  readonly packet: OutgoingPacket | Error;
}

/** Plain messages in progress. */
export class PlainMessages {
  readonly #options: PlainMessagesOptions;
  readonly #awaited = new Map<string, Awaited>();

  constructor(options: PlainMessagesOptions) {
    this.#options = options;
  }

  /** How many replies are awaited. */
  get size(): number {
    return this.#awaited.size;
  }

  /**
   * Prepares a message that is sent when its turn comes. A message that cannot be sent is reported
   * at that time too, but is not kept until then, because it may be as long as a frame.
   */
  prepare(request: DaemonRequest<"sendMessage">): PlainMessage {
    const { withSurb } = request;
    const messageId = request.id ? (fitLength(request.id, 16) as MessageId) : null;
    const surbId = request.surbId ? (fitLength(request.surbId, SURB_ID_SIZE) as SurbId) : null;
    try {
      const packet = this.#packet(request, withSurb ? surbId : null);
      return { messageId, surbId, withSurb, packet };
    } catch (refusal) {
      return { messageId, surbId, withSurb, packet: refusal as Error };
    }
  }

  /** Sends a message whose turn has come in the send schedule. */
  async send(session: AppSession, message: PlainMessage): Promise<void> {
    if (session.ended) return;
    const { messageId, surbId, withSurb, packet } = message;
    let sent = { sentAt: this.#options.clock.now(), replyEtaMs: 0 };
    let err: string | null = null;
    let awaited: Awaited | null = null;
    try {
      if (packet instanceof Error) throw packet;
      awaited = packet.surbId ? this.#await(session, packet.surbId, messageId) : null;
      sent = await this.#options.link.send(packet, { signal: this.#options.signal });
      const name = messageId ?? surbId;
      this.#options.onTrace?.({
        source: "daemon",
        event: "sent",
        at: sent.sentAt,
        session: shortId(session.appId),
        request: name === null ? null : shortId(name),
        packet: packet.surbId === null ? null : shortId(packet.surbId),
        attempt: 1,
      });
    } catch (error) {
      if (error === packet || error instanceof LinkError) {
        err = asError(error).message;
      } else {
        this.#options.onFault(asError(error));
        err = "client: internal error, its reason is in the daemon's log";
      }
      if (awaited) this.#forget(awaited);
    }
    // Without a reply block the client asked for no further events about the message
    // (spec/thin-protocol §4.2).
    if (!withSurb) return;
    session.deliver({
      kind: "messageSentEvent",
      messageId,
      surbId,
      sentAt: Math.floor(sent.sentAt / 1000),
      replyEta: Math.round(sent.replyEtaMs) * NS_PER_MS,
      err,
    });
    if (err === null && awaited) this.#confirm(awaited, sent.replyEtaMs);
  }

  /** Passes a reply to the session that awaits it. Returns false if none does. */
  take(reply: ReplyPacket): boolean {
    const key = toHex(reply.surbId);
    const awaited = this.#awaited.get(key);
    if (!awaited) return false;
    if (awaited.timer) this.#deliver(awaited, reply);
    else awaited.early = reply;
    return true;
  }

  #deliver(awaited: Awaited, reply: ReplyPacket): void {
    this.#forget(awaited);
    awaited.session.deliver({
      kind: "messageReplyEvent",
      messageId: awaited.messageId,
      surbId: awaited.surbId,
      payload: reply.payload as Bytes,
      replyIndex: null,
      errorCode: 0,
    });
  }

  /** Drops the replies that a session awaits. */
  drop(session: AppSession): void {
    for (const awaited of this.#awaited.values()) {
      if (awaited.session === session) this.#forget(awaited);
    }
  }

  /** @throws Error with the texts of spec/thin-protocol §4.2, for a message that cannot be sent. */
  #packet(request: DaemonRequest<"sendMessage">, surbId: SurbId | null): OutgoingPacket {
    const { destinationIdHash, recipientQueueId, payload } = request;
    if (!destinationIdHash) throw new Error("client: destination is nil");
    if (!recipientQueueId) throw new Error("client: recipient is nil");
    if (recipientQueueId.length < 1 || recipientQueueId.length > 32) {
      throw new Error(
        `client: invalid recipient: must be 1 to 32 bytes, got ${recipientQueueId.length}`,
      );
    }
    const length = payload?.length ?? 0;
    if (length > this.#options.maxPayload) {
      throw new Error(`message too large: ${length} > ${this.#options.maxPayload}`);
    }
    if (request.withSurb && !surbId) throw new Error("client: SURB ID is nil");
    return {
      destination: fitLength(destinationIdHash, 32) as Bytes as IdentityHash,
      recipient: recipientQueueId,
      payload: payload ?? new Uint8Array(0),
      surbId,
    };
  }

  #await(session: AppSession, surbId: SurbId, messageId: MessageId | null): Awaited {
    const key = toHex(surbId);
    this.#awaited.get(key)?.timer?.cancel();
    const awaited: Awaited = { session, surbId, messageId, timer: null, early: null };
    this.#awaited.set(key, awaited);
    return awaited;
  }

  /** Records that the packet left and the client was told: its reply may follow. */
  #confirm(awaited: Awaited, replyEtaMs: number): void {
    if (awaited.early) {
      this.#deliver(awaited, awaited.early);
      return;
    }
    if (this.#awaited.get(toHex(awaited.surbId)) !== awaited) return;
    const { clock, timing, layers } = this.#options;
    const hops = 2 * (layers() ?? usualLayers) + 3;
    const wait = replyEtaMs + timing.plainReplyPerHopMs * hops;
    awaited.timer = clock.after(wait, () => this.#forget(awaited), { background: true });
  }

  #forget(awaited: Awaited): void {
    awaited.timer?.cancel();
    const key = toHex(awaited.surbId);
    if (this.#awaited.get(key) === awaited) this.#awaited.delete(key);
  }
}
