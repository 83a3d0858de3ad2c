import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { derive, derivedRandom, seedBytes } from "../../src/network/random.js";
import { exponential, pick, uniform } from "../../src/mixnet/sampling.js";

test("any kind of seed gives the same 32 bytes each time, and no seed gives new ones", () => {
  for (const seed of ["text", 7, Uint8Array.of(1, 2)]) {
    assert.equal(seedBytes(seed).length, 32);
    assert.deepEqual(seedBytes(seed), seedBytes(seed));
  }
  assert.notDeepEqual(seedBytes("a"), seedBytes("b"));
  assert.notDeepEqual(seedBytes(1), seedBytes(2));
  assert.notDeepEqual(seedBytes(undefined), seedBytes(undefined));
});

test("parts with other labels have other streams, each the same for the same seed", () => {
  const seed = seedBytes("x");
  assert.notDeepEqual(derive(seed, "a"), derive(seed, "b"));
  const stream = (label: string): string => {
    const random = derivedRandom(seed, label);
    return toHex(random(5)) + toHex(random(70));
  };
  assert.equal(stream("a"), stream("a"));
  assert.notEqual(stream("a"), stream("b"));
  assert.equal(stream("a"), toHex(derivedRandom(seed, "a")(75)));
});

test("a stream is drawn in chunks of any length, each with its own memory", () => {
  const seed = seedBytes("pieces");
  const whole = toHex(derivedRandom(seed, "a")(20_000));
  const random = derivedRandom(seed, "a");
  const lengths = [0, 1, 4095, 1, 12, 5000, 32, 4096, 6763];
  const pieces = lengths.map((length) => random(length));
  assert.equal(pieces.map(toHex).join(""), whole);
  assert.ok(pieces.every(({ buffer, length }) => buffer.byteLength === length));
});

test("uniform numbers fill their range and use 53 bits", () => {
  const random = derivedRandom(seedBytes(1), "uniform");
  const numbers = Array.from({ length: 4000 }, () => uniform(random));
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  for (let tenth = 0; tenth < 10; tenth++) {
    const count = numbers.filter((number) => Math.floor(number * 10) === tenth).length;
    assert.ok(Math.abs(count - 400) < 100, `${count} in tenth ${tenth}`);
  }
  assert.equal(
    uniform((length) => new Uint8Array(length)),
    0,
  );
  assert.equal(
    uniform((length) => new Uint8Array(length).fill(255)),
    1 - 2 ** -53,
  );
  const low = Uint8Array.of(0, 0, 0, 0, 0, 0, 8, 0);
  assert.equal(
    uniform(() => low),
    2 ** -53,
  );
});

test("exponential samples are finite and have the rate's mean", () => {
  const random = derivedRandom(seedBytes(2), "exponential");
  const samples = Array.from({ length: 4000 }, () => exponential(random, 0.01));
  const mean = samples.reduce((a, b) => a + b, 0) / samples.length;
  assert.ok(Math.abs(mean - 100) < 8, `mean ${mean}`);
  assert.equal(
    exponential((length) => new Uint8Array(length), 1),
    0,
  );
  assert.ok(Number.isFinite(exponential((length) => new Uint8Array(length).fill(255), 1)));
});

test("a pick chooses every element equally often, and nothing from an empty list", () => {
  const random = derivedRandom(seedBytes(3), "pick");
  const counts = new Map<string, number>();
  for (let i = 0; i < 3000; i++) {
    const picked = pick(random, ["a", "b", "c"]);
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
  }
  assert.equal(counts.size, 3);
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 150, `${count}`);
  assert.throws(() => pick(random, []), RangeError);
});
