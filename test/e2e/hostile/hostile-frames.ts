/**
 * Frames that no honest peer sends: at least half of them are well-formed messages with one to
 * three modified fields; the rest are random bytes, and truncated or flipped frames. All come from
 * one seed.
 */
import { type Bytes, concatBytes, toHex } from "../../../src/bytes/bytes.js";
import { type CborValue, type Encodable, decodeCbor, encodeCbor } from "../../../src/cbor/cbor.js";
import { FrameDecoder, encodeFrame } from "../../../src/wire/framing.js";

/** Numbers from a seed; mulberry32. */
export class SeededNumbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 to `bound` - 1. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  /** One of them. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** `length` random bytes. */
  bytes(length: number): Bytes {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** The seed of this run: KATZ_SEED, or a random one. */
export function chosenSeed(): number {
  const wanted = process.env["KATZ_SEED"];
  return wanted === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(wanted);
}

// A decoded message in a form that can be damaged: maps may have a key twice, and anything may be
// raw bytes.
type Tree = { pairs: [Tree, Tree][] } | { items: Tree[] } | { raw: Uint8Array };

function treeOf(value: CborValue): Tree {
  if (value instanceof Map) {
    return { pairs: [...value].map(([k, v]) => [treeOf(k as CborValue), treeOf(v)]) };
  }
  if (Array.isArray(value)) return { items: value.map(treeOf) };
  return { raw: encodeCbor(value as Encodable) };
}

function head(major: number, count: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = (major << 5) | 26;
  new DataView(bytes.buffer).setUint32(1, count);
  return bytes;
}

function write(tree: Tree): Uint8Array {
  if ("raw" in tree) return tree.raw;
  if ("items" in tree) return concatBytes(head(4, tree.items.length), ...tree.items.map(write));
  return concatBytes(
    head(5, tree.pairs.length),
    ...tree.pairs.flatMap(([k, v]) => [write(k), write(v)]),
  );
}

interface Slot {
  get(): Tree;
  set(tree: Tree): void;
  /** The map that contains the slot, and the slot's position in it. */
  readonly pairs?: [Tree, Tree][];
  readonly at?: number;
}

/** Every value in a message, with its own fields more often than their contents. */
function slotsOf(tree: Tree, into: Slot[] = []): Slot[] {
  if ("items" in tree) {
    tree.items.forEach((item, i) => {
      into.push({ get: () => tree.items[i]!, set: (value) => (tree.items[i] = value) });
      slotsOf(item, into);
    });
  } else if ("pairs" in tree) {
    tree.pairs.forEach(([, value], at) => {
      into.push({
        get: () => tree.pairs[at]![1],
        set: (changed) => (tree.pairs[at]![1] = changed),
        pairs: tree.pairs,
        at,
      });
      slotsOf(value, into);
    });
  }
  return into;
}

const lengths = [
  0, 1, 2, 15, 16, 17, 31, 32, 33, 103, 104, 105, 135, 136, 137, 167, 168, 169, 2000,
];
const numbers: Encodable[] = [
  0,
  1,
  2,
  23,
  24,
  255,
  256,
  -1,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
  -(2n ** 63n),
  1.5,
  Number.NaN,
  Infinity,
];
const raws = [
  "f7",
  "f0",
  "ff",
  "1c",
  "9b7fffffffffffffff",
  "bbffffffffffffffff",
  "9affffffff00",
  "ba00020001f6f6",
  "5bffffffffffffffff",
  "7affffffff",
  "5f4101ff",
  "5f4101",
  "7f6161ff",
  "9fff",
  "9f01",
  "bfff",
  "bf616101ff",
  "bf6161ff",
  "62c328",
  "d9ffff40",
  "c1c1c1f6",
];

function change(slot: Slot, random: SeededNumbers): void {
  const raw = (value: Encodable): void => slot.set({ raw: encodeCbor(value) });
  switch (random.below(11)) {
    case 0:
      return raw(null);
    case 1:
      return raw(random.pick(numbers));
    case 2:
      return raw(random.pick(["", "x", "\ufffd", "a".repeat(300), true, false, {}, []]));
    case 3:
    case 4:
      return raw(random.bytes(random.pick(lengths)));
    case 5:
      return slot.set({ raw: Uint8Array.from(Buffer.from(random.pick(raws), "hex")) });
    case 6: {
      const depth = random.pick([1, 30, 33, 5000]);
      const around = new Uint8Array(depth).fill(random.pick([0x81, 0xc1, 0x9f]));
      return slot.set({ raw: concatBytes(around, write(slot.get())) });
    }
    case 7: {
      const copies = write(slot.get()).length > 50 ? [2, 40] : [2, 40, 3000];
      const one = { raw: write(slot.get()) };
      return slot.set({ items: Array.from({ length: random.pick(copies) }, () => one) });
    }
    case 8:
      if (slot.pairs) slot.pairs.push(slot.pairs[random.below(slot.pairs.length)]!);
      return undefined;
    case 9:
      if (slot.pairs)
        slot.pairs[slot.at!]![0] = { raw: encodeCbor(random.pick(["x", 5, random.bytes(4)])) };
      return undefined;
    default:
      if (slot.pairs) slot.pairs.push([{ raw: encodeCbor("unknown") }, slot.get()]);
      return undefined;
  }
}

/** A message with one to three modified fields, as a complete frame. */
export function changedMessage(body: Uint8Array, random: SeededNumbers): Bytes {
  const tree = treeOf(decodeCbor(body));
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    change(random.pick(slotsOf(tree)), random);
  }
  return encodeFrame(write(tree));
}

/** Bytes that are not a message, or that are a damaged message. */
function damagedBytes(body: Uint8Array, random: SeededNumbers): Uint8Array {
  switch (random.below(6)) {
    case 0:
      return encodeFrame(random.bytes(1 + random.below(60)));
    case 1:
      // A complete frame whose message lacks its end.
      return encodeFrame(body.subarray(0, 1 + random.below(body.length - 1)));
    case 2: {
      const flipped = body.slice();
      for (let flips = 1 + random.below(4); flips > 0; flips--) {
        flipped[random.below(flipped.length)]! ^= 1 << random.below(8);
      }
      return encodeFrame(flipped);
    }
    case 3:
      return encodeFrame(concatBytes(body, random.bytes(1 + random.below(5))));
    case 4:
      // A length of zero, a length above 40 MiB, or the start of an HTTP request.
      return random.pick([
        Uint8Array.of(0, 0, 0, 0),
        concatBytes(Uint8Array.of(2, 128, 0, 1), body),
        Uint8Array.of(255, 255, 255, 255),
        new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
      ]);
    default:
      return random.bytes(5 + random.below(60));
  }
}

/** Counts of the sent frames. */
export interface Tally {
  frames: number;
  changedMessages: number;
}

/** The next hostile frame from `body`; three out of five are modified messages. */
export function hostileFrame(body: Uint8Array, random: SeededNumbers, tally: Tally): Uint8Array {
  tally.frames++;
  if (random.below(5) < 3) {
    tally.changedMessages++;
    return changedMessage(body, random);
  }
  return damagedBytes(body, random);
}

/** Whether a stream of these bytes ends at the end of a frame, or where nothing more is read. */
export function endsInFrame(bytes: Uint8Array): boolean {
  const decoder = new FrameDecoder();
  try {
    decoder.push(bytes, () => {});
  } catch {
    return true;
  }
  return decoder.atBoundary;
}

/**
 * Waits until `settled`, but only for some turns of the event loop: a hang is a failure with a
 * name.
 */
export async function withinTurns(
  settled: () => boolean,
  seed: number,
  last: Uint8Array,
): Promise<void> {
  for (let turns = 0; !settled(); turns++) {
    if (turns > 2000) {
      throw new Error(`hangs; KATZ_SEED=${seed}, last frame ${toHex(last.subarray(0, 400))}`);
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
