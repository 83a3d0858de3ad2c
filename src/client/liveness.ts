/**
 * Detects a daemon that disappeared without closing the connection, for example because its machine
 * was unplugged or its process hangs. After a period of silence the client sends a cheap local
 * request. If no answer comes either, it gives up the connection and reconnects.
 */
import { equalBytes } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";
import type { Unread } from "./unread.js";

/** How many starts and messages a daemon reads at least before it stops reading. */
const READ_AHEAD = 16;
/** How long one of our packets may wait once it is the next to leave, in milliseconds. */
const LONGEST_TICK_MS = 5000;
/**
 * A live daemon announces a new document within this time (an epoch of 20 minutes and a margin), in
 * ms.
 */
const LONGEST_PATIENCE_MS = 25 * 60_000;
/** How much longer a daemon without a mixnet connection may be silent, in milliseconds. */
const OFFLINE_PATIENCE_MS = 5 * 60_000;

/** What the daemon has from this client. */
export interface DaemonLoad {
  /** Local requests that it has not answered. */
  readonly localInFlight: number;
  /**
   * The longest time in milliseconds that it may be silent while it works on its local requests.
   */
  readonly localWorkMs: number;
  /** Operations that it has and has not ended. */
  readonly operationsInFlight: number;
  readonly unread: Unread;
}

/** What the watch needs. */
export interface LivenessOptions {
  readonly clock: Clock;
  /** A probe is sent if nothing arrived during a whole interval of this length, in milliseconds. */
  readonly intervalMs: number;
  /** How long the answer to a probe may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly load: DaemonLoad;
  /** Whether the daemon reported that it is connected to the mixnet. */
  readonly isOnline: () => boolean;
  readonly send: (request: DaemonRequest) => void;
  /** The daemon was silent for this many milliseconds and did not answer the probe. */
  readonly onDead: (silentMs: number) => void;
}

/** Watches one connection. */
export class Liveness {
  readonly #options: LivenessOptions;
  #timer: Timer | null = null;
  /** Number of the current watch: callbacks that cannot be cancelled compare it. */
  #watch = 0;
  #heard = false;
  #silentSince = 0;
  /** The unanswered probe, and {@link Unread.mark} when it was sent. */
  #probe: { readonly queryId: QueryId; readonly mark: number } | null = null;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** Starts watching. */
  start(): void {
    this.#watch++;
    this.#heard = false;
    this.#silentSince = this.#options.clock.monotonic();
    this.#wait(this.#options.intervalMs);
  }

  /** Bytes arrived. A frame of many megabytes may take longer than the daemon may be silent. */
  heardBytes(): void {
    this.#heard = true;
  }

  /** A message arrived. Returns true if it was the answer to a probe, which nobody else needs. */
  heard(response: DaemonResponse | MalformedReply): boolean {
    this.#heard = true;
    const probe = this.#probe;
    if (!probe || response.kind !== "nextMessageBoxIndexReply" || !response.queryId) return false;
    if (!equalBytes(probe.queryId, response.queryId)) return false;
    this.#options.load.unread.answered(probe.mark);
    this.#probe = null;
    return true;
  }

  /** Stops watching. Idempotent. */
  stop(): void {
    this.#watch++;
    this.#timer?.cancel();
    this.#timer = null;
    this.#probe = null;
  }

  #look(): void {
    if (this.#heard) {
      this.start();
      return;
    }
    const { clock, intervalMs, timeoutMs, onDead } = this.#options;
    const silentMs = clock.monotonic() - this.#silentSince;
    const patienceMs = Math.max(this.#packetPatienceMs(), this.#workPatienceMs());
    if (!this.#ask() && silentMs >= intervalMs + timeoutMs + patienceMs) onDead(silentMs);
    else this.#wait(timeoutMs);
  }

  /** Sends a probe. Returns false if the daemon already has a request that it will answer. */
  #ask(): boolean {
    const { load, send } = this.#options;
    // The daemon will answer an unread probe when it reads it, and a second one would only queue
    // behind it. A local request is as good as a probe.
    if (this.#probe || load.localInFlight > 0) return false;
    const queryId = QueryId.random();
    this.#probe = { queryId, mark: load.unread.mark };
    // Without an index this request costs nothing; the daemon answers it with an error code.
    send({ kind: "nextMessageBoxIndex", queryId, messageBoxIndex: null });
    return true;
  }

  /**
   * How much longer than usual the daemon may be silent. While packets wait to leave, it may stop
   * reading, and then it does not see the probe.
   */
  #packetPatienceMs(): number {
    const { load, isOnline } = this.#options;
    const unread = load.unread.count;
    // Operations that it has read and not ended may fill its read-ahead limit.
    const waiting = Math.max(unread, load.operationsInFlight);
    if (unread === 0 || waiting < READ_AHEAD) return 0;
    // Without the mixnet no packet leaves, but then closing the connection loses little.
    if (!isOnline()) return OFFLINE_PATIENCE_MS;
    return Math.min(waiting * LONGEST_TICK_MS, LONGEST_PATIENCE_MS);
  }

  /** The same for the work on local requests. */
  #workPatienceMs(): number {
    return Math.min(this.#options.load.localWorkMs, LONGEST_PATIENCE_MS);
  }

  /**
   * Looks again in `ms` milliseconds. If our own event loop was busy, the timer fires late and
   * before the sockets are read. So the sockets get a turn first, and a second turn for platforms
   * that pass messages on in a task.
   */
  #wait(ms: number): void {
    this.#timer?.cancel();
    const watch = this.#watch;
    const { clock } = this.#options;
    const look = (): void => {
      if (watch === this.#watch) this.#look();
    };
    const later = (): void => clock.soon(() => clock.soon(look));
    this.#timer = clock.after(ms, later, { background: true });
  }
}
