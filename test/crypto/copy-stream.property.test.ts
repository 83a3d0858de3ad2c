import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { concatBytes, toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { CopyStreamDecoder } from "../../src/crypto/copy-stream/decoder.js";
import { CopyStreamEncoder } from "../../src/crypto/copy-stream/encoder.js";
import { encodeCourierEnvelope } from "../../src/crypto/envelope/courier-messages.js";
import { pigeonholeSizes } from "../../src/pki/pigeonhole-sizes.js";
import { elementsTwin } from "../oracles/copy-stream.js";

const boxLength = fc.integer({ min: 30, max: 400 });
const envelopes = fc.array(
  fc.uint8Array({ maxLength: 60 }).map((ciphertext) =>
    encodeCourierEnvelope({
      intermediateReplicas: [1, 2],
      deks: [new Uint8Array(60).fill(1), new Uint8Array(60).fill(2)],
      replyIndex: 0,
      epoch: 3n,
      senderPublicKey: new Uint8Array(32),
      ciphertext: new Uint8Array(ciphertext),
    }),
  ),
  { maxLength: 8 },
);

function decodeAll(sizes: ReturnType<typeof pigeonholeSizes>, boxes: Iterable<Uint8Array>) {
  const decoder = new CopyStreamDecoder(sizes);
  const decoded: string[] = [];
  for (const box of boxes) {
    decoder.addBox(box);
    for (let next = decoder.next(); next !== null; next = decoder.next()) {
      decoded.push(toHex(encodeCourierEnvelope(next)));
    }
  }
  return { decoder, decoded };
}

test("a stream encoded in several calls equals a stream encoded in one, and decodes", () => {
  fc.assert(
    fc.property(
      boxLength,
      envelopes,
      fc.array(fc.boolean(), { maxLength: 8 }),
      (length, all, cuts) => {
        const sizes = pigeonholeSizes(length, "x25519");
        let encoder = new CopyStreamEncoder(sizes);
        const elements: Uint8Array[] = [];
        for (const [i, envelope] of all.entries()) {
          elements.push(...encoder.add(envelope));
          if (cuts[i]) {
            encoder = new CopyStreamEncoder(sizes, {
              buffer: encoder.buffer,
              isStart: elements.length === 0,
            });
          }
        }
        elements.push(...encoder.flush());
        assert.deepEqual(elements.map(toHex), elementsTwin(all, length).map(toHex));
        assert.ok(elements.every((element) => element.length <= length));
        const { decoder, decoded } = decodeAll(sizes, elements);
        assert.deepEqual(decoded, all.map(toHex));
        assert.equal(decoder.sawFinal, all.length > 0);
        assert.equal(decoder.remaining, 0);
      },
    ),
    { numRuns: 100 },
  );
});

test("elements decode wherever the boxes split them", () => {
  fc.assert(
    fc.property(
      boxLength,
      envelopes,
      fc.array(fc.integer({ min: 1 }), { minLength: 1 }),
      (length, all, steps) => {
        const sizes = pigeonholeSizes(length, "x25519");
        const stream = concatBytes(...elementsTwin(all, length));
        const boxes: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const take = 1 + (steps[i % steps.length]! % length);
          boxes.push(stream.subarray(at, at + take));
          at += take;
        }
        assert.deepEqual(decodeAll(sizes, boxes).decoded, all.map(toHex));
      },
    ),
    { numRuns: 100 },
  );
});

test("modified streams give envelopes or a protocol error, and need little memory", () => {
  fc.assert(
    fc.property(
      boxLength,
      envelopes,
      fc.array(fc.tuple(fc.nat(), fc.nat(255))),
      (length, all, changes) => {
        const sizes = pigeonholeSizes(length, "x25519");
        const elements = elementsTwin(all, length);
        for (const [at, value] of changes) {
          const element = elements[at % Math.max(1, elements.length)];
          if (element !== undefined) element[(at * 7) % element.length] = value;
        }
        try {
          const { decoder } = decodeAll(sizes, elements);
          assert.ok(decoder.remaining <= length + 4 + sizes.courierQueryWriteLength);
        } catch (error) {
          assert.ok(hasCode(error, "ERR_PROTOCOL"), String(error));
        }
      },
    ),
    { numRuns: 200 },
  );
});
