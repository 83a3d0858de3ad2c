/**
 * Finds a daemon that is gone without a word: a machine that was unplugged, a process that hangs. When
 * nothing was heard for a while a cheap local request is sent; if nothing comes back either, the
 * connection is given up and made anew.
 */
import { equalBytes } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";
import type { Unread } from "./unread.js";

/** How many starts and messages a daemon takes in at least before it reads no further. */
const READ_AHEAD = 16;
/** How long a packet of ours may wait for its turn once it is the next one, in milliseconds. */
const LONGEST_TICK_MS = 5000;
/** A daemon that is alive tells of a new document in this time (20 minutes, and some), in ms. */
const LONGEST_PATIENCE_MS = 25 * 60_000;
/** How much longer a daemon may be silent that has no mixnet to send to, in milliseconds. */
const OFFLINE_PATIENCE_MS = 5 * 60_000;

/** What the daemon has of ours. */
export interface DaemonLoad {
  /**
   * Local requests that it has not answered. It answers them one after the other, and encryption at a
   * real one takes ten seconds and more: no news means nothing then.
   */
  readonly localInFlight: number;
  /** Operations that it was given and has not ended. */
  readonly operationsInFlight: number;
  readonly unread: Unread;
}

/** What watching needs. */
export interface LivenessOptions {
  readonly clock: Clock;
  /** How long nothing may be heard before a probe is sent, in milliseconds. */
  readonly intervalMs: number;
  /** How long its answer may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly load: DaemonLoad;
  /** Whether the daemon said that it reaches the mixnet. */
  readonly isOnline: () => boolean;
  readonly send: (request: DaemonRequest) => void;
  /** It was silent for so long, in milliseconds, and did not answer. */
  readonly onDead: (silentMs: number) => void;
}

/** Watches one connection. */
export class Liveness {
  readonly #options: LivenessOptions;
  #timer: Timer | null = null;
  #heard = false;
  #silentSince = 0;
  /** The probe without an answer, and {@link Unread.mark} when it was sent. */
  #probe: { readonly queryId: QueryId; readonly mark: number } | null = null;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** Begins to watch. */
  start(): void {
    this.#heard = false;
    this.#silentSince = this.#options.clock.monotonic();
    this.#wait(this.#options.intervalMs, () => this.#look());
  }

  /** Something came. Gives whether it was the answer to a probe, which means nothing to others. */
  heard(response: DaemonResponse | MalformedReply): boolean {
    this.#heard = true;
    const probe = this.#probe;
    if (!probe || response.kind !== "nextMessageBoxIndexReply" || !response.queryId) return false;
    if (!equalBytes(probe.queryId, response.queryId)) return false;
    this.#options.load.unread.answered(probe.mark);
    this.#probe = null;
    return true;
  }

  /** Ends watching. Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#probe = null;
  }

  get #saysSomething(): boolean {
    return this.#heard || this.#options.load.localInFlight > 0;
  }

  #look(): void {
    if (this.#saysSomething) {
      this.start();
      return;
    }
    const { load, send, timeoutMs } = this.#options;
    // One that lies unread will be answered once it is read: another one would only lie behind it.
    if (!this.#probe) {
      const queryId = QueryId.random();
      this.#probe = { queryId, mark: load.unread.mark };
      // Without an index it costs nothing and is answered with a code, which is an answer.
      send({ kind: "nextMessageBoxIndex", queryId, messageBoxIndex: null });
    }
    this.#wait(timeoutMs, () => this.#judge());
  }

  #judge(): void {
    const { clock, intervalMs, timeoutMs, onDead } = this.#options;
    const silentMs = clock.monotonic() - this.#silentSince;
    if (this.#saysSomething) this.start();
    else if (silentMs >= intervalMs + timeoutMs + this.#patienceMs()) onDead(silentMs);
    else this.#wait(timeoutMs, () => this.#judge());
  }

  /**
   * How much longer than usual the daemon may be silent: while packets wait to leave it may not read
   * on, and then it does not see the probe either.
   */
  #patienceMs(): number {
    const { load, isOnline } = this.#options;
    const unread = load.unread.count;
    // Those that it has read and not ended may fill what it takes in.
    const waiting = Math.max(unread, load.operationsInFlight);
    if (unread === 0 || waiting < READ_AHEAD) return 0;
    // Without the mixnet no packet leaves at all; but then there is little to lose with the connection.
    if (!isOnline()) return OFFLINE_PATIENCE_MS;
    return Math.min(waiting * LONGEST_TICK_MS, LONGEST_PATIENCE_MS);
  }

  #wait(ms: number, then: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, then, { background: true });
  }
}
