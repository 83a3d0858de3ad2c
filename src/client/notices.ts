/**
 * Cancels that nobody waits for. A real daemon serves a cancel as it reads it, and a start only
 * when its packet may leave, a second and more later: a cancel that comes first finds nothing, and
 * the start then runs forever (spec/thin-protocol §10, fact 27). So an operation that was given up
 * is cancelled again and again until its start was answered, with code 24 or another. And one
 * cancel that was on its way when the connection broke may not have arrived: it is said again on
 * the next one.
 */
import { toHex } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";
import type { Cancellation } from "./calls.js";

/** Shortest pause between two cancels of one operation, in milliseconds. */
const SHORTEST_PAUSE_MS = 500;
/** Part of the time since the first one that the pause takes, up to the longest. */
const PAUSE_SHARE = 1 / 8;
const LONGEST_PAUSE_MS = 10_000;
/**
 * How long after a reconnect an operation is cancelled again whose start was not answered, in
 * milliseconds. The daemon dropped it with the connection if it had not begun (
 * spec/thin-protocol §10, fact 29), and then no answer comes.
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
  /** Unanswered starts of this connection, by query ID in hex, with their numbers. */
  readonly starts: Map<string, number>;
  /** Unanswered starts of earlier connections. */
  readonly former: Set<string>;
  /** Whether it is to be cancelled until the start is answered; else one confirmation is enough. */
  again: boolean;
  /**
   * How many starts of it are to be sent again, for the operation itself goes on: each was begun
   * before, and a daemon ends only the newest with each cancel. 0: nobody wants it any more.
   */
  restarts: number;
  /** When the first cancel was said on this connection; null while it is not. */
  since: number | null;
  /** How many cancels are on their way. */
  said: number;
  /** Whether one was confirmed, on whatever connection. */
  confirmed: boolean;
  timer: Timer | null;
}

/** What notices go by. */
export interface NoticesOptions {
  readonly clock: Clock;
  /**
   * Whether a call waits for the operation that the daemon may have: it must not be cancelled then.
   */
  readonly isWanted: (key: string) => boolean;
  /** An operation is over, or its starts take no place any more. */
  readonly onEnded: () => void;
  /** The packet of the start of that number has left. */
  readonly onLeft: (number: number) => void;
  /** Whether the packet of the start of that number has left. */
  readonly hasLeft: (number: number) => boolean;
}

/** The cancels of one session that are not done. */
export class Notices {
  readonly #options: NoticesOptions;
  /** By what they cancel. */
  readonly #byKey = new Map<string, Notice>();
  /** By query ID, in hex: what was said on this connection. */
  readonly #said = new Map<string, { readonly notice: Notice; readonly allHadLeft: boolean }>();
  /** Sends on the present connection; null while there is none. */
  #send: ((request: DaemonRequest) => void) | null = null;

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** How many operations are being ended that nobody waits for any more. */
  get size(): number {
    let size = 0;
    for (const { restarts } of this.#byKey.values()) if (restarts === 0) size++;
    return size;
  }

  /** How many of their starts the daemon has. */
  get starts(): number {
    let starts = 0;
    for (const notice of this.#byKey.values()) starts += notice.starts.size;
    return starts;
  }

  /** Whether a new start of that operation would be hit by what is said for an older one. */
  isEnding(key: string): boolean {
    return (this.#byKey.get(key)?.starts.size ?? 0) > 0;
  }

  /**
   * Ends an operation; on the next connection when there is none now.
   * @param start what was given up on this connection; null when that is over.
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

  /**
   * Ends what earlier connections may have begun of an operation that is about to be started again.
   */
  addForRestart(cancellation: Cancellation): void {
    const notice = this.#noticeOf(cancellation);
    notice.again = false;
    notice.restarts++;
    notice.confirmed = false;
  }

  /** What waits for an operation has ended: if it was given up as well, it is cancelled now. */
  unwanted(key: string): void {
    const notice = this.#byKey.get(key);
    if (notice && notice.since === null) this.#say(notice);
  }

  /** A new start of the operation is sent: no cancel may follow that is meant for an older one. */
  startsAnew(key: string): void {
    const notice = this.#byKey.get(key);
    if (!notice || notice.starts.size > 0) return;
    notice.again = false;
    notice.timer?.cancel();
    if (notice.said === 0 && notice.since !== null) this.#end(notice);
  }

  /**
   * A new connection: says what is not done.
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

  /** The connection is gone. */
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

  /** Takes a confirmation, or the answer of a start that was given up; false when it is neither. */
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

  /** The cancels of what may still run, to be said once more. */
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
   * Says a cancel, unless one is on its way: a daemon that reads nothing would only collect them.
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
    // What has begun and is not found any more will not be answered.
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
