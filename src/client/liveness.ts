/**
 * Finds a daemon that is gone without a word: a machine that was unplugged, a process that hangs.
 * When nothing was heard for a while a cheap local request is sent; if nothing comes back either,
 * the connection is given up and made again.
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
  /** Local requests that it has not answered. */
  readonly localInFlight: number;
  /**
   * The longest that it may be silent over the local requests that it was given, in milliseconds.
   */
  readonly localWorkMs: number;
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
  /** Which watch this is, for what cannot be taken back. */
  #watch = 0;
  #heard = false;
  #silentSince = 0;
  /** The probe without an answer, and {@link Unread.mark} when it was sent. */
  #probe: { readonly queryId: QueryId; readonly mark: number } | null = null;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** Begins to watch. */
  start(): void {
    this.#watch++;
    this.#heard = false;
    this.#silentSince = this.#options.clock.monotonic();
    this.#wait(this.#options.intervalMs);
  }

  /** Bytes came. A frame of many megabytes may take longer than a daemon may be silent. */
  heardBytes(): void {
    this.#heard = true;
  }

  /** A message came. Gives whether it was the answer to a probe, which means nothing to others. */
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

  /** Sends a probe; false when something lies at the daemon already that it will answer. */
  #ask(): boolean {
    const { load, send } = this.#options;
    // One that lies unread will be answered once it is read: another one would only lie behind it.
    // And a local request is as good as a probe.
    if (this.#probe || load.localInFlight > 0) return false;
    const queryId = QueryId.random();
    this.#probe = { queryId, mark: load.unread.mark };
    // Without an index it costs nothing and is answered with a code, which is an answer.
    send({ kind: "nextMessageBoxIndex", queryId, messageBoxIndex: null });
    return true;
  }

  /**
   * How much longer than usual the daemon may be silent: while packets wait to leave it may not
   * read on, and then it does not see the probe either.
   */
  #packetPatienceMs(): number {
    const { load, isOnline } = this.#options;
    const unread = load.unread.count;
    // Those that it has read and not ended may fill what it takes in.
    const waiting = Math.max(unread, load.operationsInFlight);
    if (unread === 0 || waiting < READ_AHEAD) return 0;
    // Without the mixnet no packet leaves at all; but then there is little to lose with the
    // connection.
    if (!isOnline()) return OFFLINE_PATIENCE_MS;
    return Math.min(waiting * LONGEST_TICK_MS, LONGEST_PATIENCE_MS);
  }

  /** The same for the work that local requests make. */
  #workPatienceMs(): number {
    return Math.min(this.#options.load.localWorkMs, LONGEST_PATIENCE_MS);
  }

  /**
   * Looks again in `ms` milliseconds. Where our own loop was busy that timer fires late, and before
   * what the daemon said meanwhile was read from the socket: so the sockets get their turn first,
   * and a second one where the platform hands messages on by way of a task.
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
