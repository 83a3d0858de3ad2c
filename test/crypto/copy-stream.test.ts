import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { CopyStreamDecoder } from "../../src/crypto/copy-stream/decoder.js";
import { encodeCopyStreamElement } from "../../src/crypto/copy-stream/element.js";
import { CopyStreamEncoder } from "../../src/crypto/copy-stream/encoder.js";
import {
  chunkCopyPayload,
  copyChunkLength,
  planCopyPayload,
  planCopyStream,
} from "../../src/pki/copy-stream-plan.js";
import { encodeCourierEnvelope } from "../../src/crypto/envelope/courier-messages.js";
import { pigeonholeSizes } from "../../src/pki/pigeonhole-sizes.js";

const sizes = pigeonholeSizes(100, "x25519");
const protocolError = (text: RegExp) => (e: unknown) =>
  hasCode(e, "ERR_PROTOCOL") && text.test(e.message);
const envelope = encodeCourierEnvelope({
  intermediateReplicas: [1, 2],
  deks: [new Uint8Array(60), new Uint8Array(60)],
  replyIndex: 0,
  epoch: 7n,
  senderPublicKey: new Uint8Array(0),
  ciphertext: new Uint8Array(0),
});

test("a stream without an end is stopped at 65,536 boxes", () => {
  const decoder = new CopyStreamDecoder(sizes);
  const emptyElement = encodeCopyStreamElement({ flags: 0, data: new Uint8Array(0) });
  for (let i = 0; i < 65_536; i++) decoder.addBox(emptyElement);
  assert.equal(decoder.remaining, 0);
  assert.equal(decoder.boxes, 65_536);
  assert.throws(() => decoder.addBox(emptyElement), protocolError(/exceeds 65536 boxes/));
});

test("a stream of too many envelopes is stopped at 65,536", () => {
  const wide = pigeonholeSizes(20_000, "x25519");
  const decoder = new CopyStreamDecoder(wide);
  const one = concatBytes(Uint8Array.of(0, 0, 0, envelope.length), envelope);
  const many = encodeCopyStreamElement({
    flags: 0,
    data: concatBytes(...Array.from({ length: 128 }, () => one)),
  });
  const drain = () => {
    for (let next = decoder.next(); next !== null; next = decoder.next());
  };
  for (let i = 0; i < 512; i++) {
    decoder.addBox(many);
    drain();
  }
  assert.equal(decoder.envelopes, 65_536);
  decoder.addBox(many);
  assert.throws(drain, protocolError(/exceeds 65536 envelopes/));
});

test("a box longer than the maximum is refused before it is stored", () => {
  const decoder = new CopyStreamDecoder(sizes);
  assert.throws(() => decoder.addBox(new Uint8Array(101)), protocolError(/101 bytes exceeds 100/));
  assert.equal(decoder.remaining, 0);
});

test("the decoder waits for more data if a stream is cut anywhere", () => {
  const encoder = new CopyStreamEncoder(sizes);
  const elements = [...encoder.add(envelope), ...encoder.flush()];
  const stream = concatBytes(...elements);
  for (let cut = 0; cut < stream.length; cut++) {
    const decoder = new CopyStreamDecoder(sizes);
    for (let at = 0; at < cut; at += 100)
      decoder.addBox(stream.subarray(at, Math.min(cut, at + 100)));
    assert.equal(decoder.next(), null);
  }
});

test("only bytes not yet emitted are kept between calls, as a copy", () => {
  const encoder = new CopyStreamEncoder(sizes);
  encoder.add(envelope);
  const kept = encoder.buffer;
  const length = kept.length;
  kept.fill(255);
  assert.equal(encoder.buffer.length, length);
  assert.notEqual(toHex(encoder.buffer), toHex(kept));
  const given = new Uint8Array(10);
  const continued = new CopyStreamEncoder(sizes, { buffer: given, isStart: false });
  given.fill(9);
  assert.equal(toHex(continued.buffer), "00".repeat(10));
});

test("geometries that leave no room are refused", () => {
  assert.throws(() => new CopyStreamEncoder(pigeonholeSizes(5, "x25519")), /more than 5, got 5/);
  assert.throws(() => chunkCopyPayload(pigeonholeSizes(4, "x25519"), new Uint8Array(1)), /got 4/);
  assert.throws(() => new CopyStreamEncoder(sizes).add("x" as never), TypeError);
  assert.throws(() => new CopyStreamEncoder(sizes, { buffer: "x" as never }), TypeError);
});

test("chunks are 4 bytes shorter than a box's message and join to the payload", () => {
  const payload = Uint8Array.from({ length: 500 }, (_, i) => i & 255);
  const chunks = chunkCopyPayload(sizes, payload);
  assert.deepEqual(
    chunks.map((chunk) => chunk.length),
    [96, 96, 96, 96, 96, 20],
  );
  assert.equal(copyChunkLength(sizes), 96);
  assert.equal(toHex(concatBytes(...chunks)), toHex(payload));
  assert.deepEqual(chunkCopyPayload(sizes, new Uint8Array(0)), []);
  assert.equal(planCopyPayload(sizes, 500).envelopes, 6);
  assert.equal(planCopyPayload(sizes, 0).envelopes, 0);
});

test("a plan predicts exactly the output of the encoder", () => {
  for (const count of [0, 1, 2, 3, 17]) {
    const encoder = new CopyStreamEncoder(sizes);
    const plan = planCopyStream(sizes, count);
    const one = new Uint8Array(sizes.courierEnvelopeLength);
    const elements = Array.from({ length: count }, () => encoder.add(one)).flat();
    elements.push(...encoder.flush());
    assert.equal(elements.length, plan.elements);
    assert.equal(elements.at(-1)?.length ?? 0, plan.lastElementLength);
  }
});

test("a plan refuses a missing geometry, and wrong lengths and destinations, by name", () => {
  const cases: [unknown[], typeof TypeError | typeof RangeError, string][] = [
    [[null, 5], TypeError, "`sizes` must be a network's geometry, got null"],
    [[sizes, "5"], TypeError, "`payloadLength` must be a number, got a string of 1 characters"],
    [[sizes, -1], RangeError, "`payloadLength` must be an integer from 0 to 2^53 - 1, got -1"],
    [[sizes, 0.5], RangeError, "`payloadLength` must be an integer from 0 to 2^53 - 1, got 0.5"],
    [[sizes, 5, 0], RangeError, "`destinations` must be at least 1, got 0"],
    [[sizes, 5, NaN], RangeError, "`destinations` must be an integer from 0 to 2^53 - 1, got NaN"],
  ];
  for (const [args, kind, message] of cases) {
    const plan = (): unknown => planCopyPayload(...(args as Parameters<typeof planCopyPayload>));
    assert.throws(plan, (error) => error instanceof kind && error.message === message);
  }
});
