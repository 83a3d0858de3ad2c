/**
 * Whether two ReadCaps read the same stream. Lists of members may start a member's stream at different
 * boxes, so indices must be compared, step by step.
 */
import { equalBytes, toHex } from "../bytes/bytes.js";
import type { ReadCap, WriteCap } from "../bytes/opaque.js";
import { firstIndexOf, rootPublicKeyOf } from "../bacap/capabilities.js";
import { messageBoxCounter, nextMessageBoxIndex } from "../bacap/message-box-index.js";
import { STEPS_A_TURN } from "./scheduler.js";

/**
 * How many steps from index to index may be made to compare the streams of one root key: a second
 * of computation. A stranger chooses the indices, and how often he introduces one.
 */
const MAX_STEPS = 50_000;
/**
 * The most streams that are read for one root key. A member of katzenqt may have two: see
 * `Group.members`. A stranger could announce any number, each of which must be compared with
 * all others.
 */
const MAX_STREAMS = 3;
/** Identifies a member: different lists may start its stream at different places. */
export function rootOf(cap: ReadCap | WriteCap): string {
  return toHex(rootPublicKeyOf(cap));
}

/** The comparisons of one group. */
export class KnownStreams {
  /** The steps that were made so far, by root key. */
  readonly #steps = new Map<string, number>();

  /**
   * Whether a stream is one of those with the same root key, starting at any of its boxes, or there are
   * too many of them, or comparing them has taken too long. It yields now and then.
   * @param caps the capabilities with that root key.
   */
  *has(readCap: ReadCap, caps: readonly ReadCap[]): Generator<undefined, boolean> {
    const root = rootOf(readCap);
    if (caps.length >= MAX_STREAMS) return true;
    for (const cap of caps) {
      const steps = (this.#steps.get(root) ?? 0) + stepsBetween(cap, readCap);
      if (steps > MAX_STEPS) return true;
      this.#steps.set(root, steps);
      if (yield* isSameStream(cap, readCap)) return true;
    }
    return false;
  }
}

/** How many boxes lie between the first ones of two ReadCaps. */
function stepsBetween(one: ReadCap, other: ReadCap): number {
  const [first, second] = [firstIndexOf(one), firstIndexOf(other)].map(messageBoxCounter);
  return Math.abs(Number(second! - first!));
}

/**
 * Whether two ReadCaps with the same root key read the same boxes, starting at any of them. It
 * yields now and then.
 */
function* isSameStream(one: ReadCap, other: ReadCap): Generator<undefined, boolean> {
  const [first, second] = [firstIndexOf(one), firstIndexOf(other)];
  const isInOrder = messageBoxCounter(first) <= messageBoxCounter(second);
  const [from, to] = isInOrder ? [first, second] : [second, first];
  let index = from;
  for (let at = messageBoxCounter(from), steps = 1; at < messageBoxCounter(to); at++, steps++) {
    index = nextMessageBoxIndex(index);
    if (steps % STEPS_A_TURN === 0) yield;
  }
  return equalBytes(index, to);
}

/** The result of work that yields now and then, without a pause. */
export function resultOf<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
