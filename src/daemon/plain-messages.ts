/** send_message: plain packets to services, and their replies. Protocol page, section 4.2. */
import { toHex } from "../bytes/bytes.js";
import { IdentityHash, MessageId, SURB_ID_SIZE, SurbId } from "../bytes/opaque.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { MixnetLink, ReplyPacket } from "../mixnet/link.js";
import type { Timing } from "../mixnet/timing.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { AppSession } from "./app-session.js";
import { fitLength } from "./fit-length.js";

const NS_PER_MS = 1_000_000;

interface Awaited {
  readonly session: AppSession;
  readonly surbId: SurbId;
  readonly messageId: MessageId | null;
  readonly timer: Timer;
}

/** What sending plain messages needs. */
export interface PlainMessagesOptions {
  readonly clock: Clock;
  readonly link: MixnetLink;
  readonly timing: Timing;
  /** U: most payload bytes of one packet. */
  readonly maxPayload: number;
}

/** Plain messages under way. */
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

  /** Sends a message now; its time has come in the send schedule. */
  async send(session: AppSession, request: DaemonRequest<"sendMessage">): Promise<void> {
    if (session.ended) return;
    const messageId = request.id ? (fitLength(request.id, 16) as MessageId) : null;
    const surbId = request.surbId ? (fitLength(request.surbId, SURB_ID_SIZE) as SurbId) : null;
    let sent = { sentAt: this.#options.clock.now(), replyEtaMs: 0 };
    let err: string | null = null;
    try {
      sent = await this.#transmit(request, request.withSurb ? surbId : null);
    } catch (error) {
      err = error instanceof Error ? error.message : String(error);
    }
    // Without a reply block the client asked not to hear of the message again (section 4.2).
    if (!request.withSurb) return;
    if (err === null && surbId) this.#await(session, surbId, messageId, sent.replyEtaMs);
    session.deliver({
      kind: "messageSentEvent",
      messageId,
      surbId,
      sentAt: Math.floor(sent.sentAt / 1000),
      replyEta: Math.round(sent.replyEtaMs) * NS_PER_MS,
      err,
    });
  }

  /** Hands a reply to whom it belongs. False when it is nobody's here. */
  take(reply: ReplyPacket): boolean {
    const key = toHex(reply.surbId);
    const awaited = this.#awaited.get(key);
    if (!awaited) return false;
    this.#awaited.delete(key);
    awaited.timer.cancel();
    awaited.session.deliver({
      kind: "messageReplyEvent",
      messageId: awaited.messageId,
      surbId: awaited.surbId,
      payload: reply.payload as Uint8Array<ArrayBuffer>,
      replyIndex: null,
      errorCode: 0,
    });
    return true;
  }

  /** Forgets what a session waited for. */
  drop(session: AppSession): void {
    for (const [key, awaited] of this.#awaited) {
      if (awaited.session !== session) continue;
      awaited.timer.cancel();
      this.#awaited.delete(key);
    }
  }

  async #transmit(
    request: DaemonRequest<"sendMessage">,
    surbId: SurbId | null,
  ): Promise<{ sentAt: number; replyEtaMs: number }> {
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
    return this.#options.link.send({
      destination: fitLength(destinationIdHash, 32) as Uint8Array<ArrayBuffer> as IdentityHash,
      recipient: recipientQueueId,
      payload: payload ?? new Uint8Array(0),
      surbId,
    });
  }

  #await(
    session: AppSession,
    surbId: SurbId,
    messageId: MessageId | null,
    replyEtaMs: number,
  ): void {
    if (session.ended) return;
    const { clock, timing } = this.#options;
    const key = toHex(surbId);
    this.#awaited.get(key)?.timer.cancel();
    const wait = replyEtaMs + timing.plainReplyMs;
    const timer = clock.after(wait, () => this.#awaited.delete(key), { background: true });
    this.#awaited.set(key, { session, surbId, messageId, timer });
  }
}
