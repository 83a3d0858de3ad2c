/**
 * Cancels that nobody waits for. A real daemon serves a cancel when it reads it, but a start only
 * when its packet may leave, a second or more later. A cancel that comes first finds nothing, and
 * then the start runs forever (spec/thin-protocol §10, fact 27). So an operation that was given up
 * is cancelled again and again until its start is answered, with code 24 or another. A cancel that
 * was on its way when the connection broke may not have arrived, so it is sent again on the next
 * connection.
 */
import { toHex } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";
import type { Cancellation } from "./calls.js";

/** Shortest pause between two cancels of one operation, in milliseconds. */
const SHORTEST_PAUSE_MS = 500;
/** The pause as a part of the time since the first cancel, up to the longest pause. */
const PAUSE_SHARE = 1 / 8;
const LONGEST_PAUSE_MS = 10_000;
/**
 * How long after a reconnect an operation is cancelled again if its start was not answered, in
 * milliseconds. If it had not begun, the daemon dropped it with the connection (spec/thin-protocol
 * §10, fact 29), and no answer will come.
 */
const AFTER_RECONNECT_MS = 10_000;

/** A start that was given up. */
export interface GivenUpStart {
  readonly queryId: QueryId;
  /** Its number among the starts of its connection. */
  readonly number: number;
}

interface Notice {
  readonly cancellation: Cancellation;
  /** Unanswered starts of this connection: query IDs in hex with their numbers. */
  readonly starts: Map<string, number>;
  /** Unanswered starts of earlier connections. */
  readonly former: Set<string>;
  /** Whether to cancel until the start is answered. Otherwise one confirmation is enough. */
  again: boolean;
  /**
   * How many of its starts will be sent again because the operation continues. Each had begun
   * before, and a daemon ends only the newest start with each cancel. 0 if nobody wants the
   * operation.
   */
  restarts: number;
  /** When the first cancel was sent on this connection; null before that. */
  since: number | null;
  /** How many cancels are on their way. */
  said: number;
  /** Whether a cancel was confirmed, on any connection. */
  confirmed: boolean;
  timer: Timer | null;
}

/** What notices need. */
export interface NoticesOptions {
  readonly clock: Clock;
  /**
   * Whether a call waits for an operation that the daemon may have: then it must not be cancelled.
   */
  readonly isWanted: (key: string) => boolean;
  /** Called when an operation is over, or when its starts stop taking places. */
  readonly onEnded: () => void;
  /** Called when the packet of the start with that number has left. */
  readonly onLeft: (number: number) => void;
  /** Whether the packet of the start with that number has left. */
  readonly hasLeft: (number: number) => boolean;
}

/** The cancels of one session that are not done. */
export class Notices {
  readonly #options: NoticesOptions;
  /** Notices by the key of the operation that they cancel. */
  readonly #byKey = new Map<string, Notice>();
  /** Cancels sent on this connection, by query ID in hex. */
  readonly #said = new Map<string, { readonly notice: Notice; readonly allHadLeft: boolean }>();
  /** Sends on the current connection; null without one. */
  #send: ((request: DaemonRequest) => void) | null = null;

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** How many operations that nobody waits for are still being ended. */
  get size(): number {
    let size = 0;
    for (const { restarts } of this.#byKey.values()) if (restarts === 0) size++;
    return size;
  }

  /** How many starts that were given up the daemon has. */
  get starts(): number {
    let starts = 0;
    for (const notice of this.#byKey.values()) starts += notice.starts.size;
    return starts;
  }

  /** Whether the cancels for an older start would hit a new start of that operation. */
  isEnding(key: string): boolean {
    return (this.#byKey.get(key)?.starts.size ?? 0) > 0;
  }

  /**
   * Ends an operation; without a connection, on the next one.
   * @param start the start that was given up on this connection; null if the connection is gone.
   * @param confirmed whether the daemon has just confirmed a cancel of it.
   */
  add(cancellation: Cancellation, start: GivenUpStart | null, confirmed = false): void {
    const notice = this.#noticeOf(cancellation, confirmed);
    notice.restarts = 0;
    if (start) {
      notice.starts.set(toHex(start.queryId), start.number);
      notice.again = true;
    }
    if (!confirmed) this.#say(notice);
    else this.#sayLater(notice);
  }

  /** Ends starts on earlier connections of an operation that is about to be started again. */
  addForRestart(cancellation: Cancellation): void {
    const notice = this.#noticeOf(cancellation);
    notice.again = false;
    notice.restarts++;
    notice.confirmed = false;
  }

  /**
   * The last call for an operation has ended: if the operation was given up as well, it is
   * cancelled.
   */
  unwanted(key: string): void {
    const notice = this.#byKey.get(key);
    if (notice && notice.since === null) this.#say(notice);
  }

  /**
   * A new start of the operation is sent: no cancel that is meant for an older start may follow.
   */
  startsAnew(key: string): void {
    const notice = this.#byKey.get(key);
    if (!notice || notice.starts.size > 0) return;
    notice.again = false;
    notice.timer?.cancel();
    if (notice.said === 0 && notice.since !== null) this.#end(notice);
  }

  /**
   * Starts to use a new connection: sends the cancels that are not done.
   * @param resumed whether the daemon still has what belongs to the session.
   */
  connected(send: (request: DaemonRequest) => void, resumed: boolean): void {
    this.#send = send;
    for (const notice of this.#byKey.values()) {
      if (!resumed) notice.again = false;
      if (!resumed && notice.confirmed) this.#byKey.delete(notice.cancellation.key);
      else this.#say(notice);
      while (notice.said > 0 && notice.said < notice.restarts) this.#sayOnce(notice, send);
    }
  }

  /** Handles the loss of the connection. */
  connectionLost(): void {
    this.#send = null;
    this.#said.clear();
    for (const notice of this.#byKey.values()) {
      for (const start of notice.starts.keys()) notice.former.add(start);
      notice.starts.clear();
      notice.timer?.cancel();
      notice.since = null;
      notice.said = 0;
      notice.restarts = 0;
    }
  }

  /**
   * Takes a confirmation, or the answer to a start that was given up; returns false if it is
   * neither.
   */
  take(response: DaemonResponse | MalformedReply): boolean {
    if (this.#byKey.size === 0 && this.#said.size === 0) return false;
    if (!("queryId" in response) || !response.queryId) return false;
    const queryKey = toHex(response.queryId);
    const said = this.#said.get(queryKey);
    if (said) {
      this.#said.delete(queryKey);
      this.#confirmed(said.notice, said.allHadLeft);
      return true;
    }
    for (const notice of this.#byKey.values()) {
      const number = notice.starts.get(queryKey);
      if (number === undefined && !notice.former.has(queryKey)) continue;
      notice.starts.delete(queryKey);
      notice.former.delete(queryKey);
      if (number !== undefined) this.#options.onLeft(number);
      if (notice.starts.size === 0 && notice.former.size === 0) this.#end(notice);
      else this.#options.onEnded();
      return true;
    }
    return false;
  }

  /** The cancels to send once more for operations that may still run. */
  get cancellations(): readonly Cancellation[] {
    return [...this.#byKey.values()].map(({ cancellation }) => cancellation);
  }

  /** Forgets everything: the session is over. */
  clear(): void {
    this.connectionLost();
    this.#byKey.clear();
  }

  #noticeOf(cancellation: Cancellation, confirmed = false): Notice {
    const { key } = cancellation;
    let notice = this.#byKey.get(key);
    if (!notice) {
      const starts = new Map<string, number>();
      const former = new Set<string>();
      const rest = {
        again: false,
        restarts: 0,
        since: null,
        said: 0,
        confirmed,
        timer: null,
      };
      notice = { cancellation, starts, former, ...rest };
      this.#byKey.set(key, notice);
    }
    return notice;
  }

  /**
   * Sends a cancel, unless one is on its way: a daemon that does not read would only collect them.
   */
  #say(notice: Notice): void {
    const { key } = notice.cancellation;
    if (!this.#send || notice.said > 0 || this.#options.isWanted(key)) return;
    notice.timer?.cancel();
    notice.since ??= this.#options.clock.monotonic();
    this.#sayOnce(notice, this.#send);
  }

  #sayOnce(notice: Notice, send: (request: DaemonRequest) => void): void {
    notice.said++;
    const queryId = QueryId.random();
    const allHadLeft = [...notice.starts.values()].every((one) => this.#options.hasLeft(one));
    this.#said.set(toHex(queryId), { notice, allHadLeft });
    send(notice.cancellation.request(queryId));
  }

  #confirmed(notice: Notice, allHadLeft: boolean): void {
    notice.said--;
    if (notice.said > 0) return;
    notice.confirmed = true;
    if (this.#byKey.get(notice.cancellation.key) !== notice) return;
    // A start whose packet had left, and which the daemon does not find, will not be answered.
    const isOver = notice.starts.size > 0 && allHadLeft;
    const waitedMs = this.#options.clock.monotonic() - (notice.since ?? 0);
    const dropped = notice.starts.size === 0 && waitedMs >= AFTER_RECONNECT_MS;
    if (!notice.again || isOver || dropped) this.#end(notice);
    else this.#sayLater(notice);
  }

  #sayLater(notice: Notice): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    notice.since ??= now;
    const pause = Math.max(SHORTEST_PAUSE_MS, (now - notice.since) * PAUSE_SHARE);
    notice.timer?.cancel();
    notice.timer = clock.after(
      Math.min(pause, LONGEST_PAUSE_MS),
      () => {
        if (this.#byKey.get(notice.cancellation.key) === notice) this.#say(notice);
      },
      { background: true },
    );
  }

  #end(notice: Notice): void {
    notice.timer?.cancel();
    const { key } = notice.cancellation;
    if (this.#byKey.get(key) === notice) this.#byKey.delete(key);
    this.#options.onEnded();
  }
}
