/**
 * Reads that wait for their box. A courier keeps the answer "no such box" for an envelope for five
 * minutes and repeats it (spec/pigeonhole §9.1). So each attempt uses its own envelope, with a
 * pause between two attempts. One scheduler per client decides the pauses and the order.
 */
import type { Clock, Timer } from "../clock/clock.js";
import { hasCode } from "../errors/errors.js";
import { onAbort } from "../clock/on-abort.js";
import { scopeWithin } from "./call-options.js";

/** Longest pause of one read, in milliseconds. If many reads wait, the turn may come later. */
const LONGEST_PAUSE_MS = 30_000;
/** The next pause as a part of the time waited so far. */
const PAUSE_SHARE = 1 / 4;
/**
 * The part of a pause that is random. Reads that began together would otherwise ask for their boxes
 * together each time, and whoever sees the boxes' IDs could tell that one person waits for them.
 */
const RANDOM_PART = 1 / 4;
/** Packets per attempt: one that brings the envelope, and one that fetches the answer. */
const PACKETS_PER_QUESTION = 2;
/**
 * The part of the client's packets, and of the daemon's time for the client, that waiting reads may
 * take.
 */
const SHARE = 1 / 2;
/**
 * Our packets per millisecond if the document does not say: one a second, as in the usual
 * configuration.
 */
const DEFAULT_RATE = 0.001;
/** The highest rate that a document can specify (spec/mixnet §8.1). */
const HIGHEST_RATE = 1;
/** The weight of a new round-trip measurement against the earlier ones. */
const NEWEST = 1 / 4;
/** How many past sealings are remembered; the quickest of them shows how long one takes. */
const SEALINGS_KEPT = 8;
/** The total sealing time of the requests that the daemon is given at once, in milliseconds. */
const SEALING_MS = 100;
const MOST_SEALINGS = 16;
/** How many to give at once before anything was measured. */
const FIRST_SEALINGS = 4;

/** What the scheduler needs. */
export interface WaitingReadsOptions {
  readonly clock: Clock;
  /** LambdaP of the current document, in packets per millisecond; null without a document. */
  readonly lambdaP: () => number | null;
}

/** One read that may have to wait. It reports when it asks, and learns when it may ask again. */
export interface WaitingRead {
  /** Reports that an attempt is made. */
  asks(): void;
  /** Whether the attempt failed for a temporary reason. */
  mayAskAgain(error: unknown): boolean;
  /** Pauses and waits for its turn. @throws the signal's reason. */
  turn(signal: AbortSignal): Promise<void>;
}

/** The right to have one envelope sealed. */
export interface SealingTurn {
  /** Reports that the envelope is sealed. */
  sealed(): void;
  /** Gives the right back, whether or not it was used. */
  end(): void;
}

/**
 * Whether an attempt failed for a temporary reason. If the daemon could seal the first envelope but
 * not a later one, it has no document at the moment, or too few replicas are listed; a waiting read
 * waits for them too.
 */
function isForNow(error: unknown, first: boolean): boolean {
  if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) return true;
  return !first && hasCode(error, "THIN_CLIENT_ERROR_INTERNAL_ERROR");
}

/** A place in a queue; calling it lets the owner continue. */
type Place = () => void;

/** First come, first served. A caller who gives up leaves the queue. */
class Line {
  readonly #waiting = new Set<Place>();

  get length(): number {
    return this.#waiting.size;
  }

  /** Resolves when it is the caller's turn; rejects with the signal's reason. */
  join(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const place = (): void => {
        leave();
        resolve();
      };
      const leave = onAbort(signal, () => {
        this.#waiting.delete(place);
        reject(signal.reason);
      });
      this.#waiting.add(place);
    });
  }

  /** Lets the first one continue. */
  call(): void {
    const [first] = this.#waiting;
    if (!first) return;
    this.#waiting.delete(first);
    first();
  }
}

/**
 * The waiting reads of one client. Together they use at most half of the packets that the
 * document's LambdaP allows, and at most half of the daemon's time for this client: a real daemon
 * computes for seconds on each envelope and does not serve the client meanwhile.
 */
export class WaitingReads {
  readonly #clock: Clock;
  readonly #lambdaP: () => number | null;
  /** How long an attempt takes, smoothed, in milliseconds; null before the first answer. */
  #roundTripMs: number | null = null;
  /** How long the last sealings took, in milliseconds. */
  readonly #sealingsMs: number[] = [];
  /** Reads whose pause is over. */
  readonly #due = new Line();
  /** Reads that wait for sealing. */
  readonly #toSeal = new Line();
  #sealings = 0;
  #lastSealedAt = -Infinity;
  /** When the next attempt may be made, by the monotonic clock. */
  #free = -Infinity;
  #timer: Timer | null = null;
  /** Each entry ends the pause of one read. */
  readonly #pausing = new Set<(reason: unknown) => void>();

  constructor({ clock, lambdaP }: WaitingReadsOptions) {
    this.#clock = clock;
    this.#lambdaP = lambdaP;
  }

  /** How many reads pause between two attempts. */
  get pausing(): number {
    return this.#pausing.size;
  }

  /** Ends all pauses, because nothing can be asked. */
  close(reason: unknown): void {
    for (const end of this.#pausing) end(reason);
  }

  /** Registers a read that may have to wait. */
  begin(): WaitingRead {
    const began = this.#clock.monotonic();
    let asked = began;
    let questions = 0;
    return {
      asks: () => {
        questions++;
        asked = this.#clock.monotonic();
      },
      mayAskAgain: (error) => isForNow(error, questions === 1),
      turn: async (signal) => {
        const now = this.#clock.monotonic();
        // An attempt that outlived a lost connection says nothing about the network.
        this.#measured(Math.min(now - asked, LONGEST_PAUSE_MS));
        // Only now is it known that the read has to wait; reads that succeed at once do not count.
        if (questions === 1) this.#spend(now);
        await this.#pause(this.#pauseMs(now - began), signal);
      },
    };
  }

  async #pause(ms: number, outer: AbortSignal): Promise<void> {
    const { signal, abort, leave } = scopeWithin(outer);
    this.#pausing.add(abort);
    try {
      await this.#clock.sleep(ms, signal);
      await this.#turn(signal);
    } finally {
      this.#pausing.delete(abort);
      leave();
    }
  }

  /**
   * Waits until an envelope may be sealed. Only a few are sealed at a time, so that the daemon
   * stays free for other calls; the time that sealing takes is measured.
   */
  async sealingTurn(signal: AbortSignal): Promise<SealingTurn> {
    if (this.#sealings >= this.#sealingsAtOnce) await this.#toSeal.join(signal);
    this.#sealings++;
    const began = this.#clock.monotonic();
    return {
      sealed: () => {
        const now = this.#clock.monotonic();
        // The daemon seals one after the other: the time before this belonged to the previous one.
        this.#sealingsMs.push(now - Math.max(began, this.#lastSealedAt));
        if (this.#sealingsMs.length > SEALINGS_KEPT) this.#sealingsMs.shift();
        this.#lastSealedAt = now;
      },
      end: () => {
        this.#sealings--;
        for (let free = this.#sealingsAtOnce - this.#sealings; free > 0; free--) {
          this.#toSeal.call();
        }
      },
    };
  }

  /**
   * The daemon's time to seal one envelope, in milliseconds: the least of the recent measurements,
   * because the others may include other requests or a start that had to wait.
   */
  get #sealingMs(): number {
    return this.#sealingsMs.length === 0 ? 0 : Math.min(...this.#sealingsMs);
  }

  get #sealingsAtOnce(): number {
    if (this.#sealingsMs.length === 0) return FIRST_SEALINGS;
    return Math.max(1, Math.min(MOST_SEALINGS, Math.floor(SEALING_MS / this.#sealingMs)));
  }

  #measured(ms: number): void {
    const before = this.#roundTripMs ?? ms;
    this.#roundTripMs = before + (ms - before) * NEWEST;
  }

  #pauseMs(waitedMs: number): number {
    const longest = Math.min(waitedMs * PAUSE_SHARE, LONGEST_PAUSE_MS);
    const wanted = longest * (1 - RANDOM_PART * Math.random());
    return Math.min(Math.max(this.#roundTripMs ?? 0, wanted), LONGEST_PAUSE_MS);
  }

  /** Time between two attempts that leaves other calls their share of packets and of the daemon. */
  get #intervalMs(): number {
    const told = this.#lambdaP() ?? 0;
    const rate = told > 0 ? Math.min(told, HIGHEST_RATE) : DEFAULT_RATE;
    return Math.max(PACKETS_PER_QUESTION / rate, this.#sealingMs) / SHARE;
  }

  #spend(now: number): void {
    this.#free = Math.max(this.#free, now) + this.#intervalMs;
  }

  /** Waits in the queue until an attempt may be made. */
  async #turn(signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic();
    if (this.#due.length === 0 && this.#free <= now) {
      this.#spend(now);
      return;
    }
    const turn = this.#due.join(signal);
    this.#callNext();
    try {
      await turn;
    } finally {
      if (this.#due.length === 0) {
        this.#timer?.cancel();
        this.#timer = null;
      }
    }
  }

  #callNext(): void {
    if (this.#timer) return;
    // Whole milliseconds: rounding in a sum could make the wait slightly too short.
    const wait = Math.max(0, Math.ceil(this.#free - this.#clock.monotonic()));
    this.#timer = this.#clock.after(wait, () => {
      this.#timer = null;
      const now = this.#clock.monotonic();
      // The time may have moved because other reads made their first attempt meanwhile.
      if (this.#free <= now) {
        this.#spend(now);
        this.#due.call();
      }
      this.#callNext();
    });
  }
}
