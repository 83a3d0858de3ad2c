/**
 * Operations that the daemon continues until they are done. Each is sent again, with a fresh reply
 * block, until an answer comes, and asked again until the answer is final (spec/mixnet §8.5).
 */
import { type Bytes, toHex } from "../bytes/bytes.js";
import { type IdentityHash, SurbId } from "../bytes/opaque.js";
import type { Clock, Timer } from "../clock/clock.js";
import { ProtocolError } from "../errors/errors.js";
import { LinkError, type MixnetLink, type ReplyPacket } from "../mixnet/link.js";
import { type Timing, pauseBefore } from "../mixnet/timing.js";
import { type TraceHook, shortId } from "../mixnet/trace.js";
import type { DaemonResponse } from "../wire/responses.js";
import type { AppSession } from "./app-session.js";
import { asError } from "./pigeonhole-context.js";
import type { DaemonTrace } from "./trace.js";

/** When a packet whose application is away is tried again, in ms (spec/mixnet §8.5). */
const absentRetryMs = 100;

/**
 * The most operations of one client; each takes about 10 kB. Further starts are refused. If the
 * daemon stopped reading the client, as it does when too many starts wait for their tick, it would
 * not read cancels either, and unanswered operations could never become fewer.
 */
export const MAX_OPERATIONS = 4096;
/** The most operations of all absent clients together. */
export const MAX_ABSENT_OPERATIONS = 4 * MAX_OPERATIONS;

/** The meaning of an answer for its operation. */
export type Judgement =
  | { readonly kind: "done"; readonly response: DaemonResponse }
  /** Ask again; the pauses of `followUp` grow each time. */
  | { readonly kind: "again"; readonly wait: "followUp" | "copyPoll" };

/** What the table needs from an operation. */
export interface Operation {
  readonly session: AppSession;
  /** Cancels refer to this key. Several operations may have the same key. */
  readonly key: string;
  /** Identifies its start in traces. */
  readonly queryId: Uint8Array | null;
  readonly courier: readonly [node: IdentityHash, queue: Uint8Array];
  /** The bytes that are sent, the same each time. */
  readonly payload: Bytes;
  /**
   * Judges an answer, which still has the reply block's padding. If it throws, the operation ends
   * with `unreadable()`.
   */
  judge(payload: Uint8Array): Judgement | Promise<Judgement>;
  /** The response to the start if an answer cannot be read. */
  unreadable(): DaemonResponse;
  /** The response to the start if the operation is cancelled. */
  cancelled(): DaemonResponse;
  /**
   * The response to the start if its first packet cannot be made, because no route leads to the
   * courier.
   */
  failed(): DaemonResponse;
}

/** The trace events that the table itself emits. */
type OperationTrace =
  | { readonly event: "cancelled" | "acknowledged" }
  | { readonly event: "sent"; readonly packet: string; readonly attempt: number }
  | {
      readonly event: "again";
      readonly attempt: number;
      readonly inMs: number;
      readonly why: "answer" | "silence";
    };

interface Entry {
  readonly operation: Operation;
  /** Sends its packet when its turn comes in the send schedule. */
  readonly transmit: () => void;
  /** The SURB ID that is awaited: that of the last packet. */
  surb: string | null;
  timer: Timer | null;
  /** Whether a packet of it has left. */
  begun: boolean;
  /** How many packets have left. */
  sent: number;
  /** How many times in a row it asked again; determines the pace. */
  asked: number;
  /** Whether an answer is being judged. */
  judging: boolean;
  /**
   * Whether a packet waits in the send schedule; an answer that comes first may make it
   * unnecessary.
   */
  queued: boolean;
  ended: boolean;
}

/** What the table needs. */
export interface ArqOptions {
  readonly clock: Clock;
  readonly link: MixnetLink;
  readonly timing: Timing;
  /** See {@link Kindness.kindSessions}. */
  readonly kindSessions: boolean;
  /** Aborted when the daemon stops. */
  readonly signal: AbortSignal;
  readonly onFault: (error: Error) => void;
  /** Receives a trace of the operations; null for no trace. */
  readonly onTrace: TraceHook<DaemonTrace> | null;
}

/** The operations of one session. */
class SessionEntries {
  readonly #byKey = new Map<string, Set<Entry>>();
  /** How many there are. */
  size = 0;
  /** Whether the limit was already reported. */
  reported = false;

  add(entry: Entry): void {
    const { key } = entry.operation;
    const same = this.#byKey.get(key);
    if (same) same.add(entry);
    else this.#byKey.set(key, new Set([entry]));
    this.size++;
  }

  delete(entry: Entry): void {
    const { key } = entry.operation;
    const same = this.#byKey.get(key);
    if (!same?.delete(entry)) return;
    if (same.size === 0) this.#byKey.delete(key);
    this.size--;
  }

  /** The operations with that key. */
  named(key: string): Entry[] {
    return [...(this.#byKey.get(key) ?? [])];
  }

  all(): Entry[] {
    return [...this.#byKey.values()].flatMap((same) => [...same]);
  }
}

/** All operations of a daemon. */
export class Arq {
  readonly #options: ArqOptions;
  readonly #bySession = new Map<AppSession, SessionEntries>();
  #size = 0;
  readonly #bySurb = new Map<string, Entry>();

  constructor(options: ArqOptions) {
    this.#options = options;
  }

  /** How many operations are in progress. */
  get size(): number {
    return this.#size;
  }

  /** How many of them belong to that session. */
  countOf(session: AppSession): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  /**
   * Whether the session may start another operation. The first refusal is reported to `onFault`,
   * because the error code says little.
   */
  hasRoom(session: AppSession): boolean {
    const entries = this.#bySession.get(session);
    if (!entries || entries.size < MAX_OPERATIONS) return true;
    if (!entries.reported) {
      entries.reported = true;
      const text =
        `a client has ${MAX_OPERATIONS} unanswered operations; ` +
        "its further starts are refused with code 4 until it cancels some";
      this.#options.onFault(new Error(text));
    }
    return false;
  }

  /**
   * Starts an operation whose tick has come: its first packet leaves now. If the packet cannot be
   * made, the start is answered with `failed()`.
   */
  start(operation: Operation): void {
    if (operation.session.ended) return;
    const entry = this.#enter(operation);
    entry.transmit();
  }

  /**
   * Starts an operation whose first packet waits, perhaps for long, for its turn in the send
   * schedule. A cancel finds the operation before that too.
   */
  startLater(operation: Operation): void {
    const { session } = operation;
    if (session.ended) return;
    const entry = this.#enter(operation);
    entry.queued = true;
    session.queue.add(entry.transmit);
  }

  #enter(operation: Operation): Entry {
    const entry: Entry = {
      operation,
      transmit: () => void this.#transmit(entry),
      surb: null,
      timer: null,
      begun: false,
      sent: 0,
      asked: 0,
      judging: false,
      queued: false,
      ended: false,
    };
    const { session } = operation;
    let entries = this.#bySession.get(session);
    if (!entries) this.#bySession.set(session, (entries = new SessionEntries()));
    entries.add(entry);
    this.#size++;
    return entry;
  }

  /** Passes a reply to its operation. Returns false if no operation awaits it. */
  take(reply: ReplyPacket): boolean {
    const key = toHex(reply.surbId);
    const entry = this.#bySurb.get(key);
    if (!entry) return false;
    this.#bySurb.delete(key);
    void this.#judge(entry, reply.payload);
    return true;
  }

  /**
   * Ends the session's operations with that key; each start is answered with `cancelled()`. An
   * application cannot cancel another one's operations (spec/thin-protocol §10, defect 18).
   */
  cancel(session: AppSession, key: string): void {
    for (const entry of this.#bySession.get(session)?.named(key) ?? []) {
      this.#end(entry);
      if (this.#options.onTrace !== null) this.#trace(entry, { event: "cancelled" });
      session.deliver(entry.operation.cancelled());
    }
  }

  /** Drops a session's operations without answers. */
  drop(session: AppSession): void {
    for (const entry of this.#bySession.get(session)?.all() ?? []) this.#end(entry);
  }

  async #transmit(entry: Entry): Promise<void> {
    entry.queued = false;
    if (entry.ended) return;
    if (entry.begun && this.#isAbsent(entry)) {
      this.#sendAgainIn(entry, absentRetryMs);
      return;
    }
    const { operation } = entry;
    const { link, timing, signal } = this.#options;
    const surbId = SurbId.random();
    this.#listen(entry, toHex(surbId));
    const [destination, recipient] = operation.courier;
    let wait: number;
    try {
      const { payload } = operation;
      const sent = await link.send({ destination, recipient, payload, surbId }, { signal });
      wait = sent.replyEtaMs + timing.resendMs;
      entry.sent++;
      if (this.#options.onTrace !== null) {
        this.#trace(entry, { event: "sent", packet: shortId(surbId), attempt: entry.sent });
      }
    } catch (error) {
      if (!(error instanceof LinkError)) this.#options.onFault(asError(error));
      const isOffline = error instanceof LinkError && error.isOffline;
      if (!entry.begun && !isOffline) {
        this.#fail(entry);
        return;
      }
      // There is no gateway or no route now; the operation continues when there is one.
      wait = isOffline ? timing.resendMs : timing.composeRetryMs;
    }
    entry.begun = true;
    // A reply may have come while the send was being confirmed.
    if (!entry.judging && !entry.queued && !entry.timer) this.#sendAgainIn(entry, wait, "silence");
  }

  #fail(entry: Entry): void {
    if (entry.ended) return;
    this.#end(entry);
    entry.operation.session.deliver(entry.operation.failed());
  }

  #listen(entry: Entry, surb: string): void {
    if (entry.surb !== null) this.#bySurb.delete(entry.surb);
    entry.surb = surb;
    this.#bySurb.set(surb, entry);
  }

  async #judge(entry: Entry, payload: Uint8Array): Promise<void> {
    if (entry.ended || entry.judging) return;
    entry.timer?.cancel();
    entry.timer = null;
    // It is still listed, but nothing is sent for it (spec/thin-protocol §10, defect 16).
    if (this.#isAbsent(entry)) return;
    entry.judging = true;
    let judgement: Judgement;
    try {
      judgement = await entry.operation.judge(payload);
    } catch (error) {
      const isCouriersFault = error instanceof ProtocolError;
      const text = `a courier's answer cannot be read: ${asError(error).message}`;
      const fault = isCouriersFault ? new ProtocolError(text, { cause: error }) : asError(error);
      this.#options.onFault(fault);
      entry.judging = false;
      if (entry.ended) return;
      // Upstream drops the operation without an answer (spec/thin-protocol §10, defect 16), so one
      // bad courier could make callers wait forever.
      this.#end(entry);
      entry.operation.session.deliver(entry.operation.unreadable());
      return;
    }
    entry.judging = false;
    if (entry.ended) return;
    if (judgement.kind === "done") {
      this.#end(entry);
      entry.operation.session.deliver(judgement.response);
      return;
    }
    // A packet that already waits for its turn is the next attempt.
    if (entry.queued) return;
    const poll = judgement.wait === "copyPoll";
    const wait = poll ? this.#options.timing.copyPollMs : this.#pace(entry);
    if (this.#options.onTrace !== null) {
      this.#trace(entry, { event: "acknowledged" });
      this.#trace(entry, { event: "again", attempt: entry.sent + 1, inMs: wait, why: "answer" });
    }
    this.#sendAgainIn(entry, wait);
  }

  /** Whether the operation rests because its application is away. */
  #isAbsent({ operation }: Entry): boolean {
    return operation.session.connection === null && !this.#options.kindSessions;
  }

  #pace(entry: Entry): number {
    return pauseBefore(this.#options.timing.followUpMs, entry.asked++);
  }

  /** Emits a trace event of an operation if anybody listens. */
  #trace({ operation }: Entry, told: OperationTrace): void {
    const { clock, onTrace } = this.#options;
    onTrace!({
      source: "daemon",
      at: clock.now(),
      session: shortId(operation.session.appId),
      request: operation.queryId === null ? null : shortId(operation.queryId),
      ...told,
    });
  }

  #sendAgainIn(entry: Entry, wait: number, why: "answer" | "silence" = "answer"): void {
    if (entry.ended) return;
    entry.timer?.cancel();
    const enqueue = (): void => {
      entry.timer = null;
      if (entry.ended) return;
      if (this.#isAbsent(entry)) {
        this.#sendAgainIn(entry, absentRetryMs, why);
        return;
      }
      if (why === "silence" && this.#options.onTrace !== null) {
        this.#trace(entry, { event: "again", attempt: entry.sent + 1, inMs: 0, why });
      }
      entry.queued = true;
      entry.operation.session.queue.addAgain(entry.transmit);
    };
    if (wait <= 0) enqueue();
    else entry.timer = this.#options.clock.after(wait, enqueue, { background: true });
  }

  #end(entry: Entry): void {
    if (entry.ended) return;
    entry.ended = true;
    entry.timer?.cancel();
    entry.timer = null;
    // While offline it would wait there for long, and count against the client's limit.
    const { session } = entry.operation;
    if (entry.queued) session.queue.remove(entry.transmit);
    const entries = this.#bySession.get(session);
    entries?.delete(entry);
    if (entries?.size === 0) this.#bySession.delete(session);
    this.#size--;
    if (entry.surb !== null) this.#bySurb.delete(entry.surb);
  }
}
