/**
 * Keeps the client's PKI document the current one. A daemon tells of a new document when it has
 * fetched it, which with a real one is late: about 0.7 of an epoch (spec/thin-protocol §10, fact
 * 31). Asked for it, it has it from the epoch's beginning.
 */
import type { Clock, Timer } from "../clock/clock.js";
import type { PkiDocument } from "../pki/document.js";
import { epochLengthOf, epochStart } from "../pki/epoch.js";

/** The clock of the machine may be set, or may have slept: it is looked at this often, in ms. */
const LOOK_AGAIN_MS = 60_000;
/** Part of an epoch after which a document that was not there is asked for again. */
const RETRY = 1 / 8;
/** Part of an epoch over which clients spread their questions. */
const SPREAD = 1 / 100;

/** What following needs. */
export interface DocumentFollowerOptions {
  readonly clock: Clock;
  /** Whether there is a connection to ask by. */
  readonly canAsk: () => boolean;
  /** Asks for the current document, and takes it in if it is newer. May reject. */
  readonly fetch: () => Promise<void>;
}

/** Asks for the current document when the epoch of the last one is over. */
export class DocumentFollower {
  readonly #options: DocumentFollowerOptions;
  #timer: Timer | null = null;
  /** When to ask, in milliseconds since 1970; null when nobody knows. */
  #dueAt: number | null = null;
  #retryMs = 0;
  #asking = false;
  #ended = false;

  constructor(options: DocumentFollowerOptions) {
    this.#options = options;
  }

  /** `document` is the client's current one. */
  follow(document: PkiDocument): void {
    if (this.#ended) return;
    const now = this.#options.clock.now();
    const lengthMs = epochLengthOf(document.epoch, now);
    if (lengthMs === null) {
      // Nothing on the wire tells how long its epochs are: the daemon's own news must do.
      this.#dueAt = null;
      this.#timer?.cancel();
      return;
    }
    this.#retryMs = lengthMs * RETRY;
    const overAt = epochStart(document.epoch + 1, lengthMs);
    this.#dueAt = overAt > now ? overAt + lengthMs * SPREAD * Math.random() : now;
    this.#look();
  }

  /** Asks no more. */
  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer?.cancel();
    if (this.#dueAt === null || this.#ended) return;
    const { clock, canAsk } = this.#options;
    const leftMs = this.#dueAt - clock.now();
    if (leftMs <= 0 && canAsk()) void this.#ask();
    const waitMs = leftMs <= 0 ? this.#retryMs : leftMs;
    this.#timer = clock.after(Math.min(waitMs, LOOK_AGAIN_MS), () => this.#look(), {
      background: true,
    });
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    this.#dueAt = this.#options.clock.now() + this.#retryMs;
    try {
      await this.#options.fetch();
    } catch {
      // Not there yet, or the connection was lost: asked again later, unless the daemon tells
      // first.
    } finally {
      this.#asking = false;
    }
  }
}
