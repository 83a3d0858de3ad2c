import assert from "node:assert/strict";
import { test } from "node:test";
import {
  pigeonholeSizes,
  pigeonholeSizesFromSphinx,
  pigeonholeSizesOf,
} from "../../src/pki/pigeonhole-sizes.js";
import { asReference } from "./pigeonhole-fields.js";
import { loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("geometry");

test("sizes from a Sphinx geometry match the reference", () => {
  for (const v of vectors.from_sphinx) {
    const sizes = pigeonholeSizesFromSphinx(v.sphinx.UserForwardPayloadLength, v.nike);
    assert.deepEqual(asReference(sizes), v.pigeonhole);
    assert.equal(sizes.userForwardPayloadLength, v.sphinx.UserForwardPayloadLength);
  }
  assert.equal(vectors.from_sphinx.length, 47);
});

test("sizes from the message length match the reference, and lead back to Sphinx", () => {
  for (const v of vectors.direct) {
    const sizes = pigeonholeSizes(v.box_payload_length, v.nike);
    assert.deepEqual(asReference(sizes), v.pigeonhole);
    const sphinx = v.to_sphinx_5_hops_with_surb;
    assert.equal(sizes.userForwardPayloadLength, sphinx.UserForwardPayloadLength);
    assert.deepEqual(pigeonholeSizesOf(sizes), sizes);
  }
  assert.equal(vectors.direct.length, 24);
});

test("a Sphinx geometry without room is refused with the reference's error text", () => {
  for (const v of vectors.too_small) {
    const length = v.sphinx_user_forward_payload_length;
    const message = v.error;
    assert.throws(() => pigeonholeSizesFromSphinx(length, v.nike), { name: "RangeError", message });
    assert.equal(pigeonholeSizesFromSphinx(length + 1, v.nike).maxPlaintextPayloadLength, 1);
  }
  assert.equal(vectors.too_small.length, 7);
});

test("published geometries are checked in the reference's order", () => {
  for (const v of vectors.validate) {
    const run = () =>
      pigeonholeSizesOf(
        v.nil
          ? (null as never)
          : {
              maxPlaintextPayloadLength: v.MaxPlaintextPayloadLength,
              nikeName: v.NIKEName,
              signatureSchemeName: v.SignatureSchemeName,
            },
      );
    if (v.error === "") {
      assert.equal(run().nikeName, "x25519");
      continue;
    }
    assert.throws(run, (error) => {
      assert.ok(error instanceof Error);
      assert.ok(error.message.startsWith(v.error.replace("PANIC: ", "")), error.message);
      return true;
    });
  }
  assert.equal(vectors.validate.length, 6);
});

test("the size of wire commands matches the reference, whatever the scheme", () => {
  for (const v of vectors.wire_command_size) {
    const sizes = pigeonholeSizesFromSphinx(v.sphinx_user_forward_payload_length, v.nike);
    assert.equal(sizes.wireCommandLength, v.max_command_size);
  }
  assert.equal(vectors.wire_command_size.length, 23);
});

test("the published example matches the reference", () => {
  const field = (name: string) =>
    new RegExp(`${name} = "?([^"\\n]+)`).exec(vectors.toml_example)![1]!;
  const sizes = pigeonholeSizes(Number(field("MaxPlaintextPayloadLength")), field("NIKEName"));
  assert.equal(sizes.courierQueryReadLength, Number(field("CourierQueryReadLength")));
  assert.equal(sizes.courierQueryWriteLength, Number(field("CourierQueryWriteLength")));
  assert.equal(sizes.courierQueryReplyReadLength, Number(field("CourierQueryReplyReadLength")));
  assert.equal(sizes.courierQueryReplyWriteLength, Number(field("CourierQueryReplyWriteLength")));
  assert.equal(sizes.signatureSchemeName, field("SignatureSchemeName"));
});

test("the real reply to a query is 25 bytes longer than the published length", () => {
  const sizes = pigeonholeSizes(1549, "CTIDH1024-X25519");
  assert.equal(sizes.courierQueryReplyLength, 1549 + 194);
  assert.equal(sizes.courierQueryReplyLength - sizes.courierQueryReplyReadLength, 25);
});
