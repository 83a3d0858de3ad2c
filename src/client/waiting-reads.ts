/**
 * Reads that wait for their box. A courier keeps the answer "no such box" to an envelope for five
 * minutes and gives it again (spec/pigeonhole §9.1), so nobody may sit on one envelope: each
 * question has an envelope of its own, and between two of them there is a pause. One scheduler for
 * each client decides the pauses and whose turn it is.
 */
import type { Clock, Timer } from "../clock/clock.js";
import { hasCode } from "../errors/errors.js";
import { onAbort } from "../clock/on-abort.js";
import { scopeWithin } from "./call-options.js";

/** Longest pause of one read, in milliseconds, unless so many wait that its turn comes later. */
const LONGEST_PAUSE_MS = 30_000;
/** Part of the time waited so far that the next pause takes. */
const PAUSE_SHARE = 1 / 4;
/** What one question costs: a packet that brings the envelope, and one that fetches the answer. */
const PACKETS_PER_QUESTION = 2;
/** Part of the client's packets, and of the daemon's time for it, that waiting reads may take. */
const SHARE = 1 / 2;
/**
 * Packets of ours a millisecond where the document does not say: one a second, as on networks of
 * the usual configuration.
 */
const DEFAULT_RATE = 0.001;
/** The most that a document can say (spec/mixnet §8.1). */
const HIGHEST_RATE = 1;
/** How much a new measurement of a round trip counts against those before. */
const NEWEST = 1 / 4;
/** How many sealings are looked at: the quickest of them shows what one takes. */
const SEALINGS_KEPT = 8;
/** Requests to seal that the daemon is given at once may take so long together, in milliseconds. */
const SEALING_MS = 100;
const MOST_SEALINGS = 16;
/** The same while nothing is known. */
const FIRST_SEALINGS = 4;

/** What the scheduler goes by. */
export interface WaitingReadsOptions {
  readonly clock: Clock;
  /** LambdaP of the current document, in packets a millisecond; null where there is none. */
  readonly lambdaP: () => number | null;
}

/** One read that may have to wait: says when it asks, and is told when it may ask again. */
export interface WaitingRead {
  /** A question is asked now. */
  asks(): void;
  /** Whether the question failed in a way that passes. */
  mayAskAgain(error: unknown): boolean;
  /** Pauses and waits for its turn. @throws the signal's reason. */
  turn(signal: AbortSignal): Promise<void>;
}

/** The right to have one envelope sealed. */
export interface SealingTurn {
  /** It was. */
  sealed(): void;
  /** Gives the right back, whether it was or not. */
  end(): void;
}

/**
 * Whether a question failed in a way that passes. Once one was asked, a daemon that cannot make
 * another has no document just now, or too few replicas are there: a read that waits waits for
 * them, too.
 */
function isForNow(error: unknown, first: boolean): boolean {
  if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) return true;
  return !first && hasCode(error, "THIN_CLIENT_ERROR_INTERNAL_ERROR");
}

/** Somebody in a queue; calling it lets them go on. */
type Ticket = () => void;

/** First come, first served; who gives up is not waited for. */
class Line {
  readonly #waiting = new Set<Ticket>();

  get length(): number {
    return this.#waiting.size;
  }

  /** Resolves when it is the caller's turn; rejects with the signal's reason. */
  join(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const ticket = (): void => {
        leave();
        resolve();
      };
      const leave = onAbort(signal, () => {
        this.#waiting.delete(ticket);
        reject(signal.reason);
      });
      this.#waiting.add(ticket);
    });
  }

  /** Lets the first one go on. */
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
 * computes for seconds on each envelope, and serves nothing else of this client meanwhile.
 */
export class WaitingReads {
  readonly #clock: Clock;
  readonly #lambdaP: () => number | null;
  /** How long a question takes, smoothed, in milliseconds; null before one was answered. */
  #roundTripMs: number | null = null;
  /** How long the last sealings took, in milliseconds. */
  readonly #sealingsMs: number[] = [];
  /** Reads whose pause is over. */
  readonly #due = new Line();
  /** Reads that are to be sealed. */
  readonly #toSeal = new Line();
  #sealings = 0;
  #lastSealedAt = -Infinity;
  /** When the next question may be asked, by the monotonic clock. */
  #free = -Infinity;
  #timer: Timer | null = null;
  /** Each ends the pause of one read. */
  readonly #pausing = new Set<(reason: unknown) => void>();

  constructor({ clock, lambdaP }: WaitingReadsOptions) {
    this.#clock = clock;
    this.#lambdaP = lambdaP;
  }

  /** How many reads wait between two questions. */
  get pausing(): number {
    return this.#pausing.size;
  }

  /** Ends all pauses: nothing can be asked any more. */
  close(reason: unknown): void {
    for (const end of this.#pausing) end(reason);
  }

  /** A read begins that may have to wait. */
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
        // A question that outlived a lost connection says nothing of the network.
        this.#measured(Math.min(now - asked, LONGEST_PAUSE_MS));
        // Whether a read has to wait shows only now; those that need not are nobody's burden.
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
   * Waits until an envelope may be sealed: a few at a time, as few as keep the daemon free for other
   * calls, and what that takes is measured.
   */
  async sealingTurn(signal: AbortSignal): Promise<SealingTurn> {
    if (this.#sealings >= this.#sealingsAtOnce) await this.#toSeal.join(signal);
    this.#sealings++;
    const began = this.#clock.monotonic();
    return {
      sealed: () => {
        const now = this.#clock.monotonic();
        // The daemon makes one after the other: the time before that belonged to the one before.
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
   * What sealing one envelope costs the daemon, in milliseconds: the least of late, for it may have
   * had other requests to serve before, or a start to wait for.
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
    const wanted = Math.max(this.#roundTripMs ?? 0, waitedMs * PAUSE_SHARE);
    return Math.min(wanted, LONGEST_PAUSE_MS);
  }

  /** Time between two questions that leaves the others their share of packets and of the daemon. */
  get #intervalMs(): number {
    const told = this.#lambdaP() ?? 0;
    const rate = told > 0 ? Math.min(told, HIGHEST_RATE) : DEFAULT_RATE;
    return Math.max(PACKETS_PER_QUESTION / rate, this.#sealingMs) / SHARE;
  }

  #spend(now: number): void {
    this.#free = Math.max(this.#free, now) + this.#intervalMs;
  }

  /** Waits, behind those who came before, until a question may be asked. */
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
    if (this.#timer || this.#due.length === 0) return;
    // Whole milliseconds: a sum of small parts may be a hair short of what was waited for.
    const wait = Math.max(0, Math.ceil(this.#free - this.#clock.monotonic()));
    this.#timer = this.#clock.after(wait, () => {
      this.#timer = null;
      const now = this.#clock.monotonic();
      // Later than planned when others have asked for the first time meanwhile.
      if (this.#free <= now) {
        this.#spend(now);
        this.#due.call();
      }
      this.#callNext();
    });
  }
}
