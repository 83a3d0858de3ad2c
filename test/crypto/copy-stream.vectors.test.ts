import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { CopyStreamDecoder } from "../../src/crypto/copy-stream/decoder.js";
import { isFinalElement, isStartElement } from "../../src/crypto/copy-stream/element.js";
import { CopyStreamEncoder } from "../../src/crypto/copy-stream/encoder.js";
import { chunkCopyPayload, planCopyPayload } from "../../src/pki/copy-stream-plan.js";
import { encodeCourierEnvelope } from "../../src/crypto/envelope/courier-messages.js";
import { pigeonholeSizes, pigeonholeSizesFromSphinx } from "../../src/pki/pigeonhole-sizes.js";
import { hasCode } from "../../src/errors/errors.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("copystream");

test("streams are split as in the reference, in one call or several", () => {
  const ends = new Set<string>();
  for (const v of vectors.encode) {
    const sizes = pigeonholeSizes(v.geometry_max_plaintext, v.nike);
    const encoder = new CopyStreamEncoder(sizes, {
      buffer: hex(v.initial_buffer),
      isStart: !v.suppress_start,
    });
    for (const [i, envelope] of v.envelopes.entries()) {
      assert.deepEqual(encoder.add(hex(envelope)).map(toHex), v.elements_per_add[i], v.name);
    }
    ends.add(v.end);
    if (v.end === "flush") assert.deepEqual(encoder.flush().map(toHex), v.end_elements, v.name);
    if (v.end === "flush_without_final") {
      assert.deepEqual(encoder.flushWithoutFinal().map(toHex), v.end_elements ?? [], v.name);
    }
    assert.equal(toHex(encoder.buffer), v.residual_buffer, v.name);
  }
  assert.equal(vectors.encode.length, 29);
  assert.deepEqual([...ends].sort(), ["flush", "flush_without_final", "get_buffer"]);
});

// oxlint-disable-next-line typescript/no-explicit-any
function runDecoder(v: any): void {
  const sizes = pigeonholeSizes(v.geometry_max_plaintext, v.nike);
  assert.equal(sizes.courierQueryWriteLength, v.max_envelope_size);
  const decoder = new CopyStreamDecoder(sizes);
  for (const [i, step] of v.steps.entries()) {
    const envelopes: string[] = [];
    let message = "";
    try {
      decoder.addBox(hex(v.boxes[i]));
      for (let next = decoder.next(); next !== null; next = decoder.next()) {
        envelopes.push(toHex(encodeCourierEnvelope(next)));
      }
    } catch (error) {
      assert.ok(hasCode(error, "ERR_PROTOCOL"));
      message = error.message;
    }
    assert.deepEqual(envelopes, step.envelopes, v.name);
    assert.equal(message, step.error, v.name);
    assert.equal(decoder.remaining, step.remaining, v.name);
    assert.equal(decoder.sawFinal, step.saw_final, v.name);
  }
}

test("streams are decoded as by the reference", () => {
  for (const v of vectors.decode) runDecoder(v);
  assert.equal(vectors.decode.length, 15);
});

test("malformed and unusual streams have the reference's outcome, step by step", () => {
  for (const v of vectors.negative_decode) runDecoder(v);
  assert.equal(vectors.negative_decode.length, 12);
});

test("flags have the same meaning as in the reference", () => {
  for (const v of vectors.flags) {
    assert.equal(isStartElement(v.flags), v.is_start);
    assert.equal(isFinalElement(v.flags), v.is_final);
  }
  assert.equal(vectors.flags.length, 7);
});

test("boxes per payload match the reference", () => {
  for (const v of vectors.plans) {
    const sizes = pigeonholeSizesFromSphinx(v.user_forward_payload_length, v.nike);
    assert.equal(sizes.maxPlaintextPayloadLength, v.max_plaintext);
    assert.deepEqual(planCopyPayload(sizes, v.payload_length), {
      envelopes: v.envelopes,
      envelopeLength: v.envelope_size,
      elements: v.elements,
      lastElementLength: v.last_element_size,
    });
    assert.equal(chunkCopyPayload(sizes, new Uint8Array(v.payload_length)).length, v.envelopes);
  }
  assert.equal(vectors.plans.length, 37);
});
