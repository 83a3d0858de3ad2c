import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { toHex } from "../../../src/bytes/bytes.js";
import { act } from "../../../src/crypto/ctidh/action.js";
import { canonical, primes } from "../../../src/crypto/ctidh/field.js";
import {
  generatePrivateKey,
  groupAction,
  publicKeyOf,
  sharedSecret,
} from "../../../src/crypto/ctidh/ctidh1024.js";
import { multiplyByPrimeCost } from "../../../src/crypto/ctidh/chains.js";
import { imagePointCost } from "../../../src/crypto/ctidh/isogeny.js";
import { type Strategy, planStrategy } from "../../../src/crypto/ctidh/strategy.js";
import { twinAction, twinEncode } from "../../oracles/ctidh-twin.js";

/** Keys with few nonzero exponents, whose actions are quick. */
const cheapKey = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -2, max: 2 })), {
    minLength: 1,
    maxLength: 3,
  })
  .map((entries) => {
    const exponents = new Int8Array(130);
    for (const [place, exponent] of entries) exponents[place] = exponent;
    return exponents;
  });

test("the action agrees with its oracle", () => {
  fc.assert(
    fc.property(cheapKey, (exponents) => {
      const key = new Uint8Array(exponents.buffer.slice(0));
      assert.equal(toHex(publicKeyOf(key)), toHex(twinEncode(twinAction(0n, [...exponents]))));
    }),
    { numRuns: 5 },
  );
});

test("the largest primes and several rounds agree with the oracle", () => {
  const exponents = new Int8Array(130);
  exponents[0] = 3;
  exponents[128] = -1;
  exponents[129] = 1;
  const key = new Uint8Array(exponents.buffer.slice(0));
  assert.equal(toHex(publicKeyOf(key)), toHex(twinEncode(twinAction(0n, [...exponents]))));
});

test("the action commutes, adds up and can be undone", () => {
  fc.assert(
    fc.property(cheapKey, cheapKey, (a, b) => {
      const [toA, toB] = [act(0n, a), act(0n, b)];
      const both = act(toA, b);
      assert.equal(act(toB, a), both);
      assert.equal(
        act(
          0n,
          a.map((exponent, i) => exponent + b[i]!),
        ),
        both,
      );
      assert.equal(
        act(
          both,
          a.map((exponent) => -exponent),
        ),
        toB,
      );
      // The inverse of a class takes the base curve to the quadratic twist.
      assert.equal(
        act(
          0n,
          a.map((exponent) => -exponent),
        ),
        canonical(-toA),
      );
    }),
    { numRuns: 5 },
  );
});

test("the zero key changes nothing, and no key is modified by its use", () => {
  assert.equal(act(0n, new Int8Array(130)), 0n);
  const key = new Uint8Array(130);
  key[4] = 0xff;
  const before = toHex(key);
  const publicKey = publicKeyOf(key);
  assert.equal(toHex(key), before);
  assert.equal(toHex(sharedSecret(new Uint8Array(130), publicKey)), toHex(publicKey));
});

test("wrong keys are refused by name", () => {
  const key = new Uint8Array(130);
  const noKey = new Uint8Array(128).fill(0xff);
  assert.throws(() => publicKeyOf(key.subarray(1)), /^RangeError: `privateKey` must be 130 bytes/);
  assert.throws(() => groupAction(key, key), /^RangeError: `publicKey` must be 128 bytes, got 130/);
  assert.throws(() => groupAction(noKey, key), /^RangeError: `publicKey` must be a supersingular/);
  assert.throws(() => sharedSecret(key, noKey), /^RangeError: `publicKey` must be a supersingular/);
  assert.throws(() => sharedSecret(noKey, noKey), /^RangeError: `privateKey` must be 130 bytes/);
  assert.throws(() => publicKeyOf("x" as unknown as Uint8Array), TypeError);
  const two = twinEncode(2n);
  assert.throws(() => groupAction(two, key), RangeError);
  // Only the bare action accepts a curve that is not supersingular.
  const ordinary = twinEncode(5n);
  assert.throws(() => sharedSecret(key, ordinary), RangeError);
  assert.deepEqual(groupAction(ordinary, key), new Uint8Array(ordinary));
  assert.equal(generatePrivateKey().length, 130);
});

/** The field multiplications for a range, without those that every strategy needs. */
function costOf(degrees: readonly number[], strategy: Strategy, from: number, to: number): number {
  if (to - from === 1) return 0;
  const middle = strategy(from, to);
  assert.ok(from < middle && middle < to);
  let cost = costOf(degrees, strategy, from, middle) + costOf(degrees, strategy, middle, to);
  for (let i = middle; i < to; i++) cost += multiplyByPrimeCost(degrees[i]!);
  for (let i = from; i < middle; i++) cost += imagePointCost(degrees[i]!);
  return cost;
}

/** Tries every way to split. */
function leastCost(degrees: readonly number[]): number {
  if (degrees.length < 2) return 0;
  let least = Infinity;
  for (let middle = 1; middle < degrees.length; middle++) {
    const [left, right] = [degrees.slice(0, middle), degrees.slice(middle)];
    let cost = leastCost(left) + leastCost(right);
    for (const degree of right) cost += multiplyByPrimeCost(degree);
    for (const degree of left) cost += imagePointCost(degree);
    least = Math.min(least, cost);
  }
  return least;
}

test("strategies have minimal cost, far below repeated halving", () => {
  for (const degrees of [
    [3, 5],
    [3, 5, 7, 11, 719, 727, 733, 983],
    [983, 3, 401, 5, 7, 409],
  ]) {
    const cost = costOf(degrees, planStrategy(degrees), 0, degrees.length);
    assert.equal(cost, leastCost(degrees));
  }
  const planned = costOf(primes, planStrategy(primes), 0, primes.length);
  const halving = costOf(primes, (from, to) => (from + to) >> 1, 0, primes.length);
  assert.ok(planned < 0.8 * halving, `${planned} against ${halving}`);
});
