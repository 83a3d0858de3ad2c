/** Recorded bytes and their counterparts on the live side. */
import { type Bytes, equalBytes, toHex } from "../../../src/bytes/bytes.js";
import type { CborValue } from "../../../src/cbor/cbor.js";

/** Shorter values are not identifiers; they stay unchanged. */
const SHORTEST_NAME = 16;

/** The mapping of recorded values to live ones, as learned so far. */
export class Substitution {
  readonly #pairs = new Map<string, { readonly recorded: Bytes; readonly live: Bytes }>();
  readonly #numbers = new Map<number, number>();

  /** From now on `live` replaces `recorded`. */
  learn(recorded: Uint8Array, live: Uint8Array): void {
    this.#pairs.set(toHex(recorded), {
      recorded: recorded.slice() as Bytes,
      live: live.slice() as Bytes,
    });
  }

  /** From now on the number `live` replaces `recorded`. */
  learnNumber(recorded: number, live: number): void {
    this.#numbers.set(recorded, live);
  }

  /** The replacement of `recorded`; undefined if it was never seen. */
  known(recorded: Uint8Array): Bytes | undefined {
    return this.#pairs.get(toHex(recorded))?.live;
  }

  /** The live form of a recorded number. */
  number(recorded: number): number {
    return this.#numbers.get(recorded) ?? recorded;
  }

  /**
   * The live form of recorded bytes. A value that a client deliberately damaged or truncated is
   * damaged or truncated in the same way on the live side.
   */
  bytes(recorded: Uint8Array): Bytes {
    const exact = this.known(recorded);
    if (exact) return exact;
    if (recorded.length >= SHORTEST_NAME) {
      for (const pair of this.#pairs.values()) {
        const damaged = sameDamage(recorded, pair.recorded, pair.live);
        if (damaged) return damaged;
      }
    }
    return recorded.slice() as Bytes;
  }

  /** The live form of a whole message. */
  value(recorded: CborValue): CborValue {
    if (recorded instanceof Uint8Array) return this.bytes(recorded);
    if (typeof recorded === "number") return this.number(recorded);
    if (Array.isArray(recorded)) return recorded.map((member) => this.value(member));
    if (recorded instanceof Map) {
      return new Map([...recorded].map(([key, member]) => [key, this.value(member)]));
    }
    return recorded;
  }
}

function sameDamage(damaged: Uint8Array, original: Bytes, live: Bytes): Bytes | null {
  if (damaged.length > original.length || original.length - damaged.length > 1) return null;
  const result = live.slice(0, live.length - (original.length - damaged.length));
  let differences = 0;
  for (let i = 0; i < damaged.length; i++) {
    const change = damaged[i]! ^ original[i]!;
    if (change === 0) continue;
    if (++differences > 4 || i >= result.length) return null;
    result[i]! ^= change;
  }
  return equalBytes(result, live) ? null : result;
}
