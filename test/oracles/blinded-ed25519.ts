/**
 * Blinded Ed25519 and BACAP boxes from their definitions: slow, no tables, no caches, no shortcuts.
 * Points are affine, (x, y) on −x² + y² = 1 + d·x²·y² over 2^255 − 19 (RFC 8032, section 5.1), and
 * only the hashes and the AEAD come from libraries.
 */
import { gcmsiv } from "@noble/ciphers/aes.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha512, sha512_256 } from "@noble/hashes/sha2.js";
import { concatBytes } from "../../src/bytes/bytes.js";

const p = 2n ** 255n - 19n;
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

export interface AffinePoint {
  readonly x: bigint;
  readonly y: bigint;
}

const modulo = (value: bigint, by: bigint) => ((value % by) + by) % by;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = modulo(base, p);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % p;
    square = (square * square) % p;
  }
  return result;
}

const inverse = (value: bigint) => power(value, p - 2n);
const d = modulo(-121665n * inverse(121666n), p);

function add(a: AffinePoint, b: AffinePoint): AffinePoint {
  const product = modulo(d * a.x * b.x * a.y * b.y, p);
  return {
    x: modulo((a.x * b.y + b.x * a.y) * inverse(1n + product), p),
    y: modulo((a.y * b.y + a.x * b.x) * inverse(1n - product), p),
  };
}

export function multiply(scalar: bigint, point: AffinePoint): AffinePoint {
  let result: AffinePoint = { x: 0n, y: 1n };
  let doubled = point;
  for (let left = scalar; left > 0n; left >>= 1n) {
    if (left & 1n) result = add(result, doubled);
    doubled = add(doubled, doubled);
  }
  return result;
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);
}

function toLittleEndian(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

export function encode(point: AffinePoint): Uint8Array {
  return toLittleEndian(point.y + ((point.x & 1n) << 255n), 32);
}

/** The point of an encoding; null if there is none. Accepts y of p or more, and "−0". */
export function decode(bytes: Uint8Array): AffinePoint | null {
  const value = littleEndian(bytes);
  const sign = value >> 255n;
  const y = modulo(value & (2n ** 255n - 1n), p);
  const square = modulo((y * y - 1n) * inverse(d * y * y + 1n), p);
  let x = power(square, (p + 3n) / 8n);
  if (modulo(x * x, p) !== square) x = modulo(x * power(2n, (p - 1n) / 4n), p);
  if (modulo(x * x, p) !== square) return null;
  if ((x & 1n) !== sign) x = modulo(-x, p);
  return { x, y };
}

/** The base point: y = 4/5, x even. */
const base: AffinePoint = decode(toLittleEndian(modulo(4n * inverse(5n), p), 32))!;

function clamp(bytes: Uint8Array): bigint {
  const integer = littleEndian(bytes.slice(0, 32)) & (2n ** 255n - 1n);
  return (integer - (integer & 7n)) | (2n ** 254n);
}

function hkdfTwin(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const key = hmac(blake2b, salt.length === 0 ? new Uint8Array(64) : salt, ikm);
  let block = new Uint8Array(0);
  let okm = new Uint8Array(0);
  for (let i = 1; okm.length < length; i++) {
    block = new Uint8Array(hmac(blake2b, key, concatBytes(block, info, Uint8Array.of(i))));
    okm = concatBytes(okm, block);
  }
  return okm.slice(0, length);
}

const nothing = new Uint8Array(0);

/** The next index: bytes in, bytes out. */
export function nextIndexTwin(index: Uint8Array): Uint8Array {
  const counter = littleEndian(index.slice(0, 8));
  const okm = hkdfTwin(index.slice(72), nothing, index.slice(0, 8), 96);
  return concatBytes(
    toLittleEndian(counter + 1n, 8),
    okm.slice(64, 96),
    okm.slice(32, 64),
    okm.slice(0, 32),
  );
}

function blindingFactor(index: Uint8Array, context: Uint8Array): bigint {
  return clamp(sha512_256(hkdfTwin(index.slice(8, 40), context, nothing, 32))) % groupOrder;
}

/** Box ID from the reader's side: f times the root public key. */
export function boxIdTwin(
  rootPublicKey: Uint8Array,
  index: Uint8Array,
  context: Uint8Array,
): Uint8Array {
  return encode(multiply(blindingFactor(index, context), decode(rootPublicKey)!));
}

/** An encrypted and signed box. */
export function encryptBoxTwin(
  seed: Uint8Array,
  index: Uint8Array,
  plaintext: Uint8Array,
  context: Uint8Array,
): { boxId: Uint8Array; ciphertext: Uint8Array; signature: Uint8Array } {
  const root = clamp(sha512(seed)) % groupOrder;
  const boxId = boxIdTwin(encode(multiply(root, base)), index, context);
  const key = hkdfTwin(index.slice(40, 72), context, nothing, 32);
  const ciphertext = gcmsiv(key, boxId.slice(0, 12), boxId).encrypt(plaintext);
  const scalar = (root * blindingFactor(index, context)) % groupOrder;
  return { boxId, ciphertext, signature: signTwin(scalar, boxId, ciphertext) };
}

function signTwin(scalar: bigint, publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = sha512(toLittleEndian(scalar, 32));
  const nonceInput = concatBytes(digest.slice(32, 64), message, digest.slice(33, 64));
  const r = littleEndian(sha512(nonceInput)) % groupOrder;
  const bigR = encode(multiply(r, base));
  const h = littleEndian(sha512(concatBytes(bigR, publicKey, message))) % groupOrder;
  return concatBytes(bigR, toLittleEndian((h * scalar + r) % groupOrder, 32));
}

/** Cofactorless verification: encode(S·B − h·A) must be R, byte for byte. */
export function verifyTwin(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const [r, s] = [signature.slice(0, 32), littleEndian(signature.slice(32))];
  const a = decode(publicKey);
  if (s >= groupOrder || a === null) return false;
  const h = littleEndian(sha512(concatBytes(r, publicKey, message))) % groupOrder;
  const minusA = { x: modulo(-a.x, p), y: a.y };
  const expected = encode(add(multiply(s, base), multiply(h, minusA)));
  return expected.every((byte, i) => byte === r[i]);
}
