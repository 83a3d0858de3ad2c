import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  ONE,
  P,
  PRIME_COUNT,
  canonical,
  fromLittleEndian,
  invert,
  isSquare,
  isZero,
  multiply,
  power,
  primes,
  toLittleEndian,
} from "../../../src/crypto/ctidh/field.js";
import { inverse, mod, p, pow, twinPrimes } from "../../oracles/ctidh-twin.js";

const R = 1n << 1024n;
const fromMontgomery = (a: bigint): bigint => mod(a * inverse(R));
const element = fc.bigInt({ min: 0n, max: P - 1n });
const loose = fc.oneof(
  fc.bigInt({ min: -4n * P, max: 4n * P }),
  fc.constantFrom(0n, 1n, -1n, P, -P, 4n * P, -4n * P, 4n * P - 1n, 1n << 448n, -(1n << 576n)),
);

test("p is the prime of 1020 bits whose successor is 4 times 130 odd primes", () => {
  assert.equal(P, p);
  assert.equal(P.toString(2).length, 1020);
  assert.deepEqual(primes.map(BigInt), twinPrimes);
  assert.equal(primes.length, PRIME_COUNT);
  assert.deepEqual([primes[0], primes[128], primes[129]], [3, 733, 983]);
  for (const base of [2n, 3n, 5n]) assert.equal(pow(base, P - 1n), 1n);
});

test("Montgomery products agree with plain arithmetic and stay within their bounds", () => {
  const inverseR = inverse(R);
  fc.assert(
    fc.property(loose, loose, (a, b) => {
      const product = multiply(a, b);
      assert.equal(mod(product), mod(a * b * inverseR));
      assert.ok(product > -P && product < 2n * P);
      assert.ok(multiply(a, a) >= 0n);
    }),
    { numRuns: 500 },
  );
});

test("one, powers and inverses agree with plain arithmetic", () => {
  assert.equal(fromMontgomery(ONE), 1n);
  assert.equal(power(5n, 0n), ONE);
  fc.assert(
    fc.property(
      element.filter((a) => a !== 0n),
      fc.bigInt({ min: 0n, max: 1n << 70n }),
      (a, exponent) => {
        assert.equal(canonical(multiply(a, invert(a))), ONE);
        const expected = pow(fromMontgomery(a), exponent);
        assert.equal(fromMontgomery(power(a, exponent)), expected);
      },
    ),
    { numRuns: 10 },
  );
  assert.equal(canonical(invert(0n)), 0n);
});

test("squares are recognised as by Euler's criterion", () => {
  fc.assert(
    fc.property(fc.oneof(element, fc.bigInt({ min: 0n, max: 1000n })), (a) => {
      assert.equal(isSquare(a), pow(a, (P - 1n) / 2n) === 1n);
      assert.equal(isSquare(a - P), isSquare(a));
    }),
    { numRuns: 30 },
  );
  assert.equal(isSquare(0n), false);
  assert.equal(isSquare(P), false);
  for (const shift of [31n, 32n, 33n, 63n, 64n]) {
    assert.equal(isSquare(1n << shift), pow(1n << shift, (P - 1n) / 2n) === 1n);
    assert.equal(isSquare(3n << shift), pow(3n << shift, (P - 1n) / 2n) === 1n);
  }
});

test("unreduced elements have one canonical form, which bytes preserve", () => {
  fc.assert(
    fc.property(loose, (a) => {
      assert.equal(canonical(a), mod(a));
      assert.equal(isZero(a), mod(a) === 0n);
      const bytes = toLittleEndian(a);
      assert.equal(bytes.length, 128);
      assert.equal(fromLittleEndian(bytes), mod(a));
    }),
  );
  assert.equal(fromLittleEndian(Uint8Array.of(1, 2)), 0x0201n);
  assert.deepEqual([...toLittleEndian(0x0201n).subarray(0, 3)], [1, 2, 0]);
});
