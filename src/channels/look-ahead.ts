/**
 * Looks for later boxes of a channel while one is missing. A later box can prove that the missing
 * one had been stored; then it is gone for good, and reading can continue after it.
 */
import { nextMessageBoxIndex } from "../bacap/message-box-index.js";
import type { MessageBoxIndex } from "../bytes/opaque.js";
import type { BoxResult } from "./channel-client.js";
import { NATIVE_WINDOW, parseBox } from "./framing.js";
import { type ReadSource, STEPS_A_TURN, type Scheduler, type Task } from "./scheduler.js";

/** Every look visits the boxes at distance 1, 2, 4, … up to this one. */
const FARTHEST_MARK = 1024;
/**
 * How many places a look visits after those at distance 1, 2, 4, …: usually, and if later boxes are
 * likely. A longer look would be late to notice a box that was stored after it began.
 */
const PLACES = { usual: 16, likely: 48 };
/** Distances that are visited in their order: above `from`, below `to`, with so many significant bits. */
interface Round {
  readonly least: number;
  readonly most: number;
  readonly from: number;
  readonly to: number;
}

/** Distances with up to so many significant bits are dense enough for most channels. */
const FEW_BITS = 6;
const roundsOf = (least: number, from: number, to: number): Round[] =>
  Array.from({ length: FEW_BITS + 1 - least }, (_, i) => {
    return { least: least + i, most: least + i, from, to };
  });

/** After these, each run of near boxes was found that is at least 1/32 as long as it is far. */
const NEAR_ROUNDS = roundsOf(2, 0, FARTHEST_MARK);
/** The same for boxes that are farther away. Computing their indices takes a second in all. */
const FAR_ROUNDS = roundsOf(1, FARTHEST_MARK, 8 * FARTHEST_MARK);
/** After this, every near box was found. */
const LAST_ROUND: Round = { least: FEW_BITS + 1, most: Infinity, from: 0, to: FARTHEST_MARK };

/**
 * A look can wait for its turn several times as long as an attempt of its reader, and at least this
 * long: it seldom finds a box.
 */
const PATIENCE = { factor: 4, leastMs: 60_000 };

/** A box after the missing one. */
interface Place {
  readonly index: MessageBoxIndex;
  readonly distance: number;
}

/**
 * What the looks for one missing box have learned.
 *
 * Looks visit round distances first: those with one significant bit (1, 2, 4, …) in every look, and
 * in between, from look to look, those with two (3, 6, 12, …), with three (5, 7, 10, 14, …) and so
 * on up to six, then the others. Distances with up to `n` significant bits are so dense that they hit
 * each run of boxes whose length is at least its distance divided by 2^(n − 1). How many boxes are
 * left grows with how many are gone, unless a channel was used seldom of late; and it does not take
 * many to have visited all near ones.
 */
export class Horizon {
  /**
   * The boxes at distance 1, 2, 4, … from the missing one, as far as needed. They are kept because
   * computing them takes long.
   */
  readonly marks: Place[] = [];
  #rounds: readonly Round[];
  #round = 0;
  #isNearDone = false;
  #isDone = false;
  #distance = distanceAfter(0, NEAR_ROUNDS[0]!)!;
  /** A place before it, whose index is known; null if there is none but the missing box. */
  #from: Place | null = null;
  /** The places of the near rounds, by distance, kept like the marks. */
  readonly #near = new Map<number, Place>();

  /**
   * @param goesFar whether thousands of boxes may be gone. Only the first looks go far: what is
   * stored later is read in its order.
   */
  constructor(goesFar: boolean) {
    this.#rounds = [...NEAR_ROUNDS, ...(goesFar ? FAR_ROUNDS : []), LAST_ROUND];
  }

  /** The next distance to visit. */
  get distance(): number {
    return this.#distance;
  }

  /** The place at the next distance, or one before it; null if none but the missing box is known. */
  get from(): Place | null {
    return this.#near.get(this.#distance) ?? this.#from;
  }

  /** Whether the near rounds were done; in a channel in steady use, the others seldom find a box. */
  get isNearDone(): boolean {
    return this.#isNearDone;
  }

  /** Whether all rounds were done. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** The next place was visited. */
  visited(place: Place): void {
    this.#from = place;
    if (this.#round < NEAR_ROUNDS.length) this.#near.set(place.distance, place);
    let next = distanceAfter(place.distance, this.#rounds[this.#round]!);
    if (next === null) {
      this.#from = null;
      this.#round++;
      if (this.#round === NEAR_ROUNDS.length) this.#isNearDone = true;
      if (this.#round === this.#rounds.length) {
        this.#isDone = true;
        this.#rounds = [...NEAR_ROUNDS, LAST_ROUND];
        this.#round = 0;
      }
      next = distanceAfter(0, this.#rounds[this.#round]!)!;
    }
    this.#distance = next;
  }
}

/** The first distance of a round after `distance`; null if there is none. */
function distanceAfter(distance: number, { least, most, from, to }: Round): number | null {
  for (let at = Math.max(distance, from) + 1; at < to; at++) {
    const bits = 1 + Math.clz32(at & -at) - Math.clz32(at);
    if (bits >= least && bits <= most) return at;
  }
  return null;
}

/** What a look needs from its reader. */
export interface LookContext {
  readonly scheduler: Scheduler;
  /** The missing box. */
  readonly missing: MessageBoxIndex;
  readonly horizon: Horizon;
  /** Whether there are likely to be later boxes. */
  readonly isLikely: boolean;
  /** Reads a box of the channel. */
  readonly read: (index: MessageBoxIndex, signal: AbortSignal) => Promise<BoxResult>;
  /**
   * Whether the look may read now. While it is held, this must be false as long as an attempt of
   * the reader is in progress.
   */
  readonly mayRead: (isHeld: boolean) => boolean;
  /** How long an attempt of the reader can wait for its turn. */
  readonly patienceMs: () => number;
  /** The missing box was stored meanwhile. */
  readonly onStored: () => void;
  /** The missing box and those after it, `lost` boxes in all, are gone; `next` comes after them. */
  readonly onGone: (lost: number, next: MessageBoxIndex) => Promise<void>;
  /** The look came to its end (null), or a read failed. Not called after {@link LookAhead.end}. */
  readonly onEnd: (error: unknown) => void;
}

/**
 * A look ahead. It makes one read per turn, beside the reader's own attempts and those of other
 * readers: on a network with round trips of seconds it takes minutes.
 */
export class LookAhead implements ReadSource {
  readonly #context: LookContext;
  #steps: AsyncGenerator<undefined, void> | null = null;
  #isReading = false;
  #isHeld = false;
  #isEnded = false;
  #dueAt: number;

  constructor(context: LookContext) {
    this.#context = context;
    this.#dueAt = this.#nextAt();
    context.scheduler.addReader(this);
  }

  /** Whether it is about to find out how many boxes are gone, so nothing else may be read. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  get isWanted(): boolean {
    return !this.#isReading && this.#context.mayRead(this.#isHeld);
  }

  get dueAt(): number {
    return this.#dueAt;
  }

  get patienceMs(): number {
    if (this.#isHeld) return 0;
    return Math.max(PATIENCE.leastMs, PATIENCE.factor * this.#context.patienceMs());
  }

  /** A read that fails ends the look. */
  retry(): void {}

  readonly isLikely = false;

  takeQuestion(): Task {
    this.#isReading = true;
    return { run: (signal) => this.#step(signal) };
  }

  /** Ends the look, because the reader has moved on. */
  end(): void {
    this.#isEnded = true;
    this.#context.scheduler.remove(this);
  }

  #nextAt(): number {
    const { scheduler } = this.#context;
    return scheduler.now() + scheduler.basePauseMs;
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { onEnd } = this.#context;
    this.#steps ??= this.#look(signal);
    try {
      const { done } = await this.#steps.next();
      this.#dueAt = this.#nextAt();
      if (done && !this.#isEnded) onEnd(null);
    } catch (error) {
      if (!signal.aborted && !this.#isEnded) onEnd(error);
    } finally {
      this.#isReading = false;
    }
  }

  /** The steps of the look; each ends after one read. */
  async *#look(signal: AbortSignal): AsyncGenerator<undefined, void> {
    const { horizon, isLikely, read, missing, onStored, onGone } = this.#context;
    /** Every box before this distance was stored at some time. */
    let proven = 0;
    /** The nearest box that was there. It may prove nothing; then a later one can. */
    let first = null as Place | null;
    /** The distance before which a box proves that (see framing.ts); null if it is missing. */
    const proofOf = async ({ index, distance }: Place): Promise<number | null> => {
      const result = await read(index, signal);
      if (result.kind === "missing") return null;
      const behind =
        result.kind === "found" ? parseBox(result.plaintext).behind : NATIVE_WINDOW - 1;
      return distance - behind;
    };
    const isThere = async (place: Place): Promise<boolean> => (await proofOf(place)) !== null;
    /** Resolves with whether the missing box is known to have been stored. */
    const visit = async (place: Place): Promise<boolean> => {
      const proof = await proofOf(place);
      if (proof === null) return false;
      proven = Math.max(proven, proof);
      if (!first || place.distance < first.distance) first = place;
      return proven > 0;
    };
    const start: Place = { index: missing, distance: 0 };
    let isProven = false;
    for (let at = start, n = 0; at.distance < FARTHEST_MARK && !isProven; n++) {
      at = horizon.marks[n] ??= await this.#stepTo(at, Math.max(1, at.distance * 2), signal);
      isProven = await visit(at);
      yield;
    }
    const places = isLikely ? PLACES.likely : PLACES.usual;
    for (let n = 0; n < places && !isProven; n++) {
      const place = await this.#stepTo(horizon.from ?? start, horizon.distance, signal);
      isProven = await visit(place);
      horizon.visited(place);
      yield;
    }
    if (!first || !isProven) return;
    this.#isHeld = true;
    // An attempt of the reader may be in progress. If it finds its box, the look ends.
    yield;
    // The missing box was stored, but the answer that it is missing may be older than that, so ask
    // again.
    for (let tries = 0; tries < 2; tries++) {
      const isThereNow = await isThere(start);
      yield;
      if (!isThereNow) continue;
      onStored();
      return;
    }
    // Boxes expire in the order in which they were stored, so a binary search finds the first one
    // left. Those that were missing before the proof may have been stored since, so the search asks
    // for them again. It asks for nothing that may not have been stored yet.
    let absent = start;
    let lost = Math.min(first.distance, proven);
    while (lost - absent.distance > 1) {
      const halfway = Math.floor((absent.distance + lost) / 2);
      const middle = await this.#stepTo(absent, halfway, signal);
      if (await isThere(middle)) lost = halfway;
      else absent = middle;
      yield;
    }
    const { index } = await this.#stepTo(start, lost, signal);
    await onGone(lost, index);
  }

  /** The place at that distance; `from` is a known place before it. */
  async #stepTo(from: Place, distance: number, signal: AbortSignal): Promise<Place> {
    let { index } = from;
    for (let at = from.distance; at < distance; at++) {
      index = nextMessageBoxIndex(index);
      if (at % STEPS_A_TURN === 0) await this.#context.scheduler.sleep(0, signal);
    }
    return { index, distance };
  }
}
