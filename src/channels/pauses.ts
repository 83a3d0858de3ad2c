/** The pauses of a source of reads between its attempts, while nothing comes. */
import type { Scheduler } from "./scheduler.js";

/**
 * Each pause is longer than the one before by this factor, so it is about a quarter of the silence:
 * what comes after it is late by an eighth of the silence on average.
 */
const GROWTH = 1.25;
/**
 * Pauses grow up to this multiple of the first one: five minutes on a network with round trips of
 * seconds.
 */
const LONGEST_FACTOR = 150;
/**
 * The part of a pause that is random, except that none is shorter than the first. Readers that all
 * began when the store was opened would otherwise ask for their boxes together each time, and whoever
 * sees the boxes' IDs could tell that one person reads these channels.
 */
const RANDOM_PART = 1 / 4;

/** The pauses of one source. */
export class Pauses {
  readonly #scheduler: Scheduler;
  #factor = 1;
  #lengthMs = 0;
  #dueAt = 0;
  #waited = 0;
  #hasFailed = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** When the next attempt is due, by `Scheduler.now`. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** The length of the pause before the next attempt, in ms; 0 if there is none. */
  get lengthMs(): number {
    return this.#lengthMs;
  }

  /** All pauses since something was found, as a multiple of the shortest one. */
  get waited(): number {
    return this.#waited;
  }

  /** Nothing was there: a pause begins. */
  missed(): void {
    this.#hasFailed = false;
    this.#waited += this.#begin();
  }

  /** The attempt failed, so it is not known whether something was there: a pause begins. */
  failed(): void {
    this.#hasFailed = true;
    this.#begin();
  }

  /** Returns the length of the pause, as a multiple of the shortest one. */
  #begin(): number {
    const length = Math.max(1, this.#factor * (1 - RANDOM_PART * Math.random()));
    this.#lengthMs = length * this.#scheduler.basePauseMs;
    this.#dueAt = this.#scheduler.now() + this.#lengthMs;
    this.#factor = Math.min(this.#factor * GROWTH, LONGEST_FACTOR);
    return length;
  }

  /** Attempts may succeed again: ends the pause after one that failed. */
  retry(): void {
    if (!this.#hasFailed) return;
    this.#factor = 1;
    this.end();
  }

  /** Something was found: the next attempt is due at once. */
  found(): void {
    this.#factor = 1;
    this.#waited = 0;
    this.end();
  }

  /** Something is likely to come soon: the next pauses are short. */
  shorten(): void {
    this.#factor = 1;
    this.#lengthMs = Math.min(this.#lengthMs, this.#scheduler.basePauseMs);
    this.#dueAt = Math.min(this.#dueAt, this.#scheduler.now() + this.#lengthMs);
  }

  /** Ends the pause. */
  end(): void {
    this.#lengthMs = 0;
    this.#dueAt = this.#scheduler.now();
  }
}
