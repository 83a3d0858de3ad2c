import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { concatBytes } from "../../src/bytes/bytes.js";
import { ProtocolError } from "../../src/errors/errors.js";
import { encodeCbor } from "../../src/cbor/cbor.js";
import {
  FrameDecoder,
  FrameEncoder,
  MAX_MESSAGE_SIZE,
  encodeFrame,
} from "../../src/wire/framing.js";

/** The bodies that a decoder returns for these chunks. */
function bodiesOf(chunks: Iterable<Uint8Array>, decoder = new FrameDecoder()): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  for (const chunk of chunks) decoder.push(chunk, (body) => bodies.push(body.slice()));
  return bodies;
}

const body = (length: number, fill = 7): Uint8Array => new Uint8Array(length).fill(fill);

const never = (): never => assert.fail("no body is complete");

/** A prefix that announces `length` bytes. */
const prefix = (length: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
};

test("a frame is a 4-byte big-endian length and the body", () => {
  assert.deepEqual(encodeFrame(Uint8Array.of(1, 2, 3)), Uint8Array.of(0, 0, 0, 3, 1, 2, 3));
  assert.deepEqual(encodeFrame(body(258)).subarray(0, 4), Uint8Array.of(0, 0, 1, 2));
});

test("two frames are decoded wherever the stream is cut in two", () => {
  const stream = concatBytes(encodeFrame(body(9, 1)), encodeFrame(body(300, 2)));
  for (let cut = 0; cut <= stream.length; cut++) {
    const decoder = new FrameDecoder();
    const got = bodiesOf([stream.subarray(0, cut), stream.subarray(cut)], decoder);
    assert.deepEqual(got, [body(9, 1), body(300, 2)], `cut at ${cut}`);
    assert.equal(decoder.atBoundary, true);
  }
});

test("frames that arrive byte by byte are decoded, and only their ends are boundaries", () => {
  const stream = concatBytes(encodeFrame(body(3)), encodeFrame(body(5)));
  const decoder = new FrameDecoder();
  const boundaries: number[] = [];
  const bodies: number[] = [];
  for (let at = 0; at < stream.length; at++) {
    decoder.push(stream.subarray(at, at + 1), (whole) => bodies.push(whole.length));
    if (decoder.atBoundary) boundaries.push(at);
  }
  assert.deepEqual(
    [bodies, boundaries],
    [
      [3, 5],
      [6, 15],
    ],
  );
});

test("any sequence of bodies survives any splitting", () => {
  const bodies = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 12 });
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(50), { minLength: 1 }), (wanted, cuts) => {
      const stream = concatBytes(...wanted.map((one) => encodeFrame(one)));
      const chunks: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        // Cuts of 0 are empty chunks; every second one is larger so that the loop ends.
        const size = cuts[i % cuts.length]! + (i % 2);
        chunks.push(stream.subarray(at, at + size));
        at += size;
      }
      assert.deepEqual(
        bodiesOf(chunks),
        wanted.map((one) => Uint8Array.from(one)),
      );
    }),
    { numRuns: 300 },
  );
});

test("many frames in one chunk are decoded in order", () => {
  const frames = Array.from({ length: 5000 }, (_, i) => encodeFrame(Uint8Array.of(i >> 8, i)));
  const bodies = bodiesOf([concatBytes(...frames)]);
  assert.equal(bodies.length, 5000);
  bodies.forEach((got, i) => assert.deepEqual(got, Uint8Array.of(i >> 8, i)));
});

test("a length of zero is refused as soon as the prefix has arrived", () => {
  const decoder = new FrameDecoder();
  assert.throws(() => decoder.push(prefix(0), never), /1 to 41943040 bytes, got 0/);
  assert.throws(() => decoder.push(encodeFrame(body(1)), never), ProtocolError);
});

test("a frame longer than 40 MiB is refused before memory is allocated", () => {
  assert.equal(MAX_MESSAGE_SIZE, 41_943_040);
  new FrameDecoder().push(prefix(MAX_MESSAGE_SIZE), never);
  for (const length of [MAX_MESSAGE_SIZE + 1, 2 ** 32 - 1]) {
    const before = process.memoryUsage().arrayBuffers;
    const decoder = new FrameDecoder();
    assert.throws(() => decoder.push(prefix(length), never), ProtocolError);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  }
});

test("announcing 40 MiB takes no more memory than the bytes sent", () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 50 }, () => new FrameDecoder());
  for (const decoder of decoders) {
    decoder.push(prefix(MAX_MESSAGE_SIZE), never);
    for (let i = 0; i < 10; i++) decoder.push(body(100), never);
    assert.equal(decoder.atBoundary, false);
  }
  // 50 decoders hold 1000 bytes each; a buffer of the announced size would be 2 GB.
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 5_000_000, `${grown} bytes`);
});

test("a custom limit applies in both directions", () => {
  assert.equal(encodeFrame(body(1024), 1024).length, 1028);
  assert.throws(() => encodeFrame(body(1025), 1024), {
    name: "RangeError",
    message: "message must be at most 1024 bytes, got 1025",
  });
  assert.deepEqual(bodiesOf([encodeFrame(body(1024))], new FrameDecoder(1024)), [body(1024)]);
  const decoder = new FrameDecoder(1024);
  assert.throws(() => decoder.push(encodeFrame(body(1025)), never), ProtocolError);
});

test("frames before a wrong length are delivered, and nothing after it is", () => {
  const decoder = new FrameDecoder();
  const bodies: number[] = [];
  const stream = concatBytes(encodeFrame(body(2)), prefix(0), encodeFrame(body(3)));
  assert.throws(() => decoder.push(stream, (whole) => bodies.push(whole.length)), ProtocolError);
  assert.deepEqual(bodies, [2]);
});

test("a body stays as it was when later frames arrive in parts", () => {
  const stream = concatBytes(encodeFrame(body(9, 1)), encodeFrame(body(9, 2)));
  const decoder = new FrameDecoder();
  const bodies: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += 3) {
    decoder.push(stream.slice(at, at + 3), (whole) => bodies.push(whole));
  }
  assert.deepEqual(bodies, [body(9, 1), body(9, 2)]);
});

test("an encoder keeps nothing of a body that is too long or cannot be encoded", () => {
  // A byte string of 20 bytes takes 21.
  const encoder = new FrameEncoder(21);
  encoder.add(body(20));
  assert.throws(() => encoder.add(body(21)), RangeError);
  assert.throws(() => encoder.add([1, (() => {}) as never]), TypeError);
  encoder.add(1);
  const frames = [encodeFrame(encodeCbor(body(20))), encodeFrame(encodeCbor(1))];
  assert.deepEqual(encoder.take(), concatBytes(...frames));
  assert.equal(encoder.length, 0);
});
