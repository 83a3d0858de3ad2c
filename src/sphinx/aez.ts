/**
 * AEZ v5 as Sphinx uses it for payloads: a wide-block cipher for messages of 32 bytes and more,
 * without associated data and without a tag. A ciphertext is as long as its plaintext, and every
 * bit of one depends on every bit of the other. The names follow the symbols of spec/mixnet §5.
 *
 * It is not constant-time: the AES rounds use lookup tables (docs/security.md, "AEZ").
 */
import { type Bytes, checkBytes, copyBytes } from "../bytes/bytes.js";

/** Length of a key in bytes. */
export const AEZ_KEY_LENGTH = 48;
/** Length of a nonce in bytes. */
const AEZ_NONCE_LENGTH = 16;
/**
 * The shortest message. AEZ has another construction for shorter ones, which Sphinx never needs.
 */
const shortestMessage = 32;

// Tables of an AES round: S-box and MixColumns of one byte, for each of its four positions in a
// word.
const t0 = new Int32Array(256);
const t1 = new Int32Array(256);
const t2 = new Int32Array(256);
const t3 = new Int32Array(256);

function doubleByte(value: number): number {
  return ((value << 1) ^ (value & 0x80 ? 0x11b : 0)) & 0xff;
}

// The S-box is the inverse in GF(2^8), then an affine map; 3 generates all elements but zero.
function fillTables(): void {
  const powers = new Uint8Array(256);
  const logarithms = new Uint8Array(256);
  for (let i = 0, x = 1; i < 255; i++, x ^= doubleByte(x)) {
    powers[i] = x;
    logarithms[x] = i;
  }
  powers[255] = 1;
  for (let value = 0; value < 256; value++) {
    const inverse = value === 0 ? 0 : powers[255 - logarithms[value]!]!;
    let s = 0x63;
    for (let turn = 0; turn < 5; turn++) s ^= (inverse << turn) | (inverse >> (8 - turn));
    s &= 0xff;
    const s2 = doubleByte(s);
    const s3 = s2 ^ s;
    t0[value] = (s2 << 24) | (s << 16) | (s << 8) | s3;
    t1[value] = (s3 << 24) | (s2 << 16) | (s << 8) | s;
    t2[value] = (s << 24) | (s3 << 16) | (s2 << 8) | s;
    t3[value] = (s << 24) | (s << 16) | (s3 << 8) | s2;
  }
}
fillTables();

/** The result of a block cipher call; the caller reads it at once. */
const out = new Int32Array(4);

/** Runs `count` AES rounds, with the round keys at `order` in `keys`, and writes to {@link out}. */
function rounds(
  a: number,
  b: number,
  c: number,
  d: number,
  keys: Int32Array,
  order: readonly number[],
): void {
  for (const at of order) {
    const e =
      t0[a >>> 24]! ^ t1[(b >>> 16) & 255]! ^ t2[(c >>> 8) & 255]! ^ t3[d & 255]! ^ keys[at]!;
    const f =
      t0[b >>> 24]! ^ t1[(c >>> 16) & 255]! ^ t2[(d >>> 8) & 255]! ^ t3[a & 255]! ^ keys[at + 1]!;
    const g =
      t0[c >>> 24]! ^ t1[(d >>> 16) & 255]! ^ t2[(a >>> 8) & 255]! ^ t3[b & 255]! ^ keys[at + 2]!;
    d = t0[d >>> 24]! ^ t1[(a >>> 16) & 255]! ^ t2[(b >>> 8) & 255]! ^ t3[c & 255]! ^ keys[at + 3]!;
    a = e;
    b = f;
    c = g;
  }
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
}

/** Four rounds with J, I, L, 0, unrolled, because most of the work is here. */
function aes4(a: number, b: number, c: number, d: number, keys: Int32Array): void {
  let e = t0[a >>> 24]! ^ t1[(b >>> 16) & 255]! ^ t2[(c >>> 8) & 255]! ^ t3[d & 255]! ^ keys[4]!;
  let f = t0[b >>> 24]! ^ t1[(c >>> 16) & 255]! ^ t2[(d >>> 8) & 255]! ^ t3[a & 255]! ^ keys[5]!;
  let g = t0[c >>> 24]! ^ t1[(d >>> 16) & 255]! ^ t2[(a >>> 8) & 255]! ^ t3[b & 255]! ^ keys[6]!;
  let h = t0[d >>> 24]! ^ t1[(a >>> 16) & 255]! ^ t2[(b >>> 8) & 255]! ^ t3[c & 255]! ^ keys[7]!;
  a = t0[e >>> 24]! ^ t1[(f >>> 16) & 255]! ^ t2[(g >>> 8) & 255]! ^ t3[h & 255]! ^ keys[0]!;
  b = t0[f >>> 24]! ^ t1[(g >>> 16) & 255]! ^ t2[(h >>> 8) & 255]! ^ t3[e & 255]! ^ keys[1]!;
  c = t0[g >>> 24]! ^ t1[(h >>> 16) & 255]! ^ t2[(e >>> 8) & 255]! ^ t3[f & 255]! ^ keys[2]!;
  d = t0[h >>> 24]! ^ t1[(e >>> 16) & 255]! ^ t2[(f >>> 8) & 255]! ^ t3[g & 255]! ^ keys[3]!;
  e = t0[a >>> 24]! ^ t1[(b >>> 16) & 255]! ^ t2[(c >>> 8) & 255]! ^ t3[d & 255]! ^ keys[8]!;
  f = t0[b >>> 24]! ^ t1[(c >>> 16) & 255]! ^ t2[(d >>> 8) & 255]! ^ t3[a & 255]! ^ keys[9]!;
  g = t0[c >>> 24]! ^ t1[(d >>> 16) & 255]! ^ t2[(a >>> 8) & 255]! ^ t3[b & 255]! ^ keys[10]!;
  h = t0[d >>> 24]! ^ t1[(a >>> 16) & 255]! ^ t2[(b >>> 8) & 255]! ^ t3[c & 255]! ^ keys[11]!;
  out[0] = t0[e >>> 24]! ^ t1[(f >>> 16) & 255]! ^ t2[(g >>> 8) & 255]! ^ t3[h & 255]!;
  out[1] = t0[f >>> 24]! ^ t1[(g >>> 16) & 255]! ^ t2[(h >>> 8) & 255]! ^ t3[e & 255]!;
  out[2] = t0[g >>> 24]! ^ t1[(h >>> 16) & 255]! ^ t2[(e >>> 8) & 255]! ^ t3[f & 255]!;
  out[3] = t0[h >>> 24]! ^ t1[(e >>> 16) & 255]! ^ t2[(f >>> 8) & 255]! ^ t3[g & 255]!;
}

// Offsets in the array of keys: I, J, L.
const atI = 0;
const atJ = 4;
const atL = 8;
const orderOfTen = [atI, atJ, atL, atI, atJ, atL, atI, atJ, atL, atI];

/** A block of four words. */
type Block = Int32Array;

function doubled(block: Block): Block {
  const result = new Int32Array(4);
  for (let i = 0; i < 3; i++) result[i] = (block[i]! << 1) | (block[i + 1]! >>> 31);
  result[3] = (block[3]! << 1) ^ (block[0]! < 0 ? 0x87 : 0);
  return result;
}

function sum(...blocks: readonly Block[]): Block {
  const result = new Int32Array(4);
  for (const block of blocks) for (let i = 0; i < 4; i++) result[i]! ^= block[i]!;
  return result;
}

/** The block of up to 16 bytes at `at`; a shorter one is padded with a one bit, then zeros. */
function blockAt(bytes: Uint8Array, at: number, length = 16): Block {
  const padded = new Uint8Array(16);
  padded.set(bytes.subarray(at, at + length));
  if (length < 16) padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  return Int32Array.from({ length: 4 }, (_, i) => view.getInt32(4 * i));
}

/** XORs the first `length` bytes of a block into `bytes` at `at`. */
function addTo(bytes: Uint8Array, at: number, block: Block, length = 16): void {
  for (let i = 0; i < length; i++) bytes[at + i]! ^= block[i >> 2]! >>> (24 - 8 * (i & 3));
}

/** Everything that is derived from a key. */
class Schedule {
  /** I, J, L. */
  readonly keys: Int32Array;
  /** 2I: the first offset. */
  readonly twoI: Block;
  /** 0L to 7L, four words each. */
  readonly multiplesOfL: Int32Array;
  readonly j: Block;
  readonly twoJ: Block;

  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    this.keys = Int32Array.from({ length: 12 }, (_, i) => view.getInt32(4 * i));
    const l = this.keys.slice(atL, atL + 4);
    this.j = this.keys.slice(atJ, atJ + 4);
    this.twoI = doubled(this.keys.subarray(atI, atI + 4));
    this.twoJ = doubled(this.j);
    const twoL = doubled(l);
    const threeL = sum(twoL, l);
    const fourL = doubled(twoL);
    const sixL = doubled(threeL);
    const multiples = [sum(), l, twoL, threeL, fourL, sum(fourL, l), sixL, sum(sixL, l)];
    this.multiplesOfL = new Int32Array(32);
    for (const [k, multiple] of multiples.entries()) this.multiplesOfL.set(multiple, 4 * k);
  }

  times(k: number): Block {
    return this.multiplesOfL.subarray(4 * k, 4 * k + 4);
  }

  aes4(block: Block): Block {
    aes4(block[0]!, block[1]!, block[2]!, block[3]!, this.keys);
    return out.slice();
  }

  /** F_k. */
  f(k: number, block: Block): Block {
    return this.aes4(sum(block, this.twoI, this.times(k)));
  }

  /** T_k. */
  t(k: number, block: Block): Block {
    const x = sum(block, this.times(k));
    rounds(x[0]!, x[1]!, x[2]!, x[3]!, this.keys, orderOfTen);
    return out.slice();
  }

  /** The part of the tweak from nonce and tau (0), for the last two blocks. */
  tweak(nonce: Uint8Array): Block {
    const common = sum(this.twoI, this.times(1));
    return sum(
      this.aes4(sum(this.j, this.twoJ, common)),
      this.aes4(sum(blockAt(nonce, 0), doubled(this.twoJ), common)),
    );
  }

  /**
   * The contribution to the sum over the pairs of the fragment between the pairs and the last two
   * blocks.
   */
  ofFragment(bytes: Uint8Array, at: number, length: number): Block {
    if (length === 0) return new Int32Array(4);
    if (length < 16) return this.f(4, blockAt(bytes, at, length));
    return sum(this.f(4, blockAt(bytes, at)), this.f(5, blockAt(bytes, at + 16, length - 16)));
  }
}

/** Pass 1 over the pairs: stores w and x of each in `kept`, and returns the sum X. */
function firstPass(schedule: Schedule, view: DataView, pairs: number, kept: Int32Array): Block {
  const { keys, multiplesOfL, j } = schedule;
  const [i0, i1, i2, i3] = [keys[0]!, keys[1]!, keys[2]!, keys[3]!];
  const total = new Int32Array(4);
  let offset = schedule.twoI;
  for (let i = 1; i <= pairs; i++) {
    const at = 32 * (i - 1);
    const to = 8 * (i - 1);
    const l = 4 * (i & 7);
    const b0 = view.getInt32(at + 16);
    const b1 = view.getInt32(at + 20);
    const b2 = view.getInt32(at + 24);
    const b3 = view.getInt32(at + 28);
    aes4(
      b0 ^ j[0]! ^ offset[0]! ^ multiplesOfL[l]!,
      b1 ^ j[1]! ^ offset[1]! ^ multiplesOfL[l + 1]!,
      b2 ^ j[2]! ^ offset[2]! ^ multiplesOfL[l + 2]!,
      b3 ^ j[3]! ^ offset[3]! ^ multiplesOfL[l + 3]!,
      keys,
    );
    const w0 = (kept[to] = view.getInt32(at) ^ out[0]!);
    const w1 = (kept[to + 1] = view.getInt32(at + 4) ^ out[1]!);
    const w2 = (kept[to + 2] = view.getInt32(at + 8) ^ out[2]!);
    const w3 = (kept[to + 3] = view.getInt32(at + 12) ^ out[3]!);
    aes4(w0 ^ i0, w1 ^ i1, w2 ^ i2, w3 ^ i3, keys);
    total[0]! ^= kept[to + 4] = b0 ^ out[0]!;
    total[1]! ^= kept[to + 5] = b1 ^ out[1]!;
    total[2]! ^= kept[to + 6] = b2 ^ out[2]!;
    total[3]! ^= kept[to + 7] = b3 ^ out[3]!;
    if ((i & 7) === 0) offset = doubled(offset);
  }
  return total;
}

/** Pass 2 over the pairs: writes the output, and returns the sum Y. */
function secondPass(
  schedule: Schedule,
  kept: Int32Array,
  pairs: number,
  s: Block,
  view: DataView,
): Block {
  const { keys, multiplesOfL, j, twoJ } = schedule;
  const [i0, i1, i2, i3] = [keys[0]!, keys[1]!, keys[2]!, keys[3]!];
  const total = new Int32Array(4);
  let offset = schedule.twoI;
  for (let i = 1; i <= pairs; i++) {
    const at = 32 * (i - 1);
    const from = 8 * (i - 1);
    const l = 4 * (i & 7);
    const o0 = offset[0]! ^ multiplesOfL[l]!;
    const o1 = offset[1]! ^ multiplesOfL[l + 1]!;
    const o2 = offset[2]! ^ multiplesOfL[l + 2]!;
    const o3 = offset[3]! ^ multiplesOfL[l + 3]!;
    aes4(
      s[0]! ^ twoJ[0]! ^ o0,
      s[1]! ^ twoJ[1]! ^ o1,
      s[2]! ^ twoJ[2]! ^ o2,
      s[3]! ^ twoJ[3]! ^ o3,
      keys,
    );
    const y0 = kept[from]! ^ out[0]!;
    const y1 = kept[from + 1]! ^ out[1]!;
    const y2 = kept[from + 2]! ^ out[2]!;
    const y3 = kept[from + 3]! ^ out[3]!;
    const z0 = kept[from + 4]! ^ out[0]!;
    const z1 = kept[from + 5]! ^ out[1]!;
    const z2 = kept[from + 6]! ^ out[2]!;
    const z3 = kept[from + 7]! ^ out[3]!;
    total[0]! ^= y0;
    total[1]! ^= y1;
    total[2]! ^= y2;
    total[3]! ^= y3;
    aes4(z0 ^ i0, z1 ^ i1, z2 ^ i2, z3 ^ i3, keys);
    const b0 = y0 ^ out[0]!;
    const b1 = y1 ^ out[1]!;
    const b2 = y2 ^ out[2]!;
    const b3 = y3 ^ out[3]!;
    view.setInt32(at + 16, b0);
    view.setInt32(at + 20, b1);
    view.setInt32(at + 24, b2);
    view.setInt32(at + 28, b3);
    aes4(b0 ^ j[0]! ^ o0, b1 ^ j[1]! ^ o1, b2 ^ j[2]! ^ o2, b3 ^ j[3]! ^ o3, keys);
    view.setInt32(at, z0 ^ out[0]!);
    view.setInt32(at + 4, z1 ^ out[1]!);
    view.setInt32(at + 8, z2 ^ out[2]!);
    view.setInt32(at + 12, z3 ^ out[3]!);
    if ((i & 7) === 0) offset = doubled(offset);
  }
  return total;
}

function encipher(
  key: Uint8Array,
  nonce: Uint8Array,
  message: Uint8Array,
  direction: 0 | 1,
): Bytes {
  checkBytes("key", key, AEZ_KEY_LENGTH);
  checkBytes("nonce", nonce, AEZ_NONCE_LENGTH);
  checkBytes("message", message);
  if (message.length < shortestMessage) {
    throw new RangeError(
      `\`message\` must be at least ${shortestMessage} bytes, got ${message.length}`,
    );
  }
  const schedule = new Schedule(key);
  const tweak = schedule.tweak(nonce);
  const output = copyBytes(message);
  const view = new DataView(output.buffer);
  const fragment = message.length % 32;
  const pairs = (message.length - fragment - 32) / 32;
  const atFragment = 32 * pairs;
  const atLast = atFragment + fragment;
  const kept = new Int32Array(8 * pairs);
  const x = sum(
    firstPass(schedule, view, pairs, kept),
    schedule.ofFragment(output, atFragment, fragment),
  );
  const my = blockAt(output, atLast + 16);
  const s1 = sum(blockAt(output, atLast), x, tweak, schedule.f(1 + direction, my));
  const s2 = sum(my, schedule.t(1 + direction, s1));
  const s = sum(s1, s2);
  const fromPairs = secondPass(schedule, kept, pairs, s, view);
  if (fragment > 0) addTo(output, atFragment, schedule.t(4, s), Math.min(fragment, 16));
  if (fragment > 16) addTo(output, atFragment + 16, schedule.t(5, s), fragment - 16);
  const y = sum(fromPairs, schedule.ofFragment(output, atFragment, fragment));
  const cy = sum(s1, schedule.t(2 - direction, s2));
  const cx = sum(s2, schedule.f(2 - direction, cy), tweak, y);
  output.fill(0, atLast);
  addTo(output, atLast, cx);
  addTo(output, atLast + 16, cy);
  return output;
}

/**
 * Enciphers `message`; the result has the same length.
 * @param key 48 bytes, for one message only.
 * @param nonce 16 bytes.
 * @throws TypeError or RangeError for other sizes, and for a message of fewer than 32 bytes.
 */
export function aezEncrypt(key: Uint8Array, nonce: Uint8Array, message: Uint8Array): Bytes {
  return encipher(key, nonce, message, 0);
}

/** The inverse of {@link aezEncrypt}; it does not detect a damaged message. */
export function aezDecrypt(key: Uint8Array, nonce: Uint8Array, message: Uint8Array): Bytes {
  return encipher(key, nonce, message, 1);
}
