import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, utf8 } from "../../src/bytes/bytes.js";
import { decodePoint, encodeMultiple } from "../../src/bacap/blinding.js";
import { PIGEONHOLE_CONTEXT, boxIdFor, encryptBox, verifyBox } from "../../src/bacap/box.js";
import { keypairFromSeed } from "../../src/bacap/capabilities.js";
import { nextMessageBoxIndex } from "../../src/bacap/message-box-index.js";
import { CopyStreamEncoder } from "../../src/crypto/copy-stream/encoder.js";
import { pigeonholeSizes } from "../../src/pki/pigeonhole-sizes.js";
import { chacha20Random } from "../../src/bacap/seeded-random.js";
import {
  boxIdTwin,
  decode,
  encode,
  encryptBoxTwin,
  multiply,
  nextIndexTwin,
  verifyTwin,
} from "../oracles/blinded-ed25519.js";
import { elementsTwin } from "../oracles/copy-stream.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

test("boxes agree with the oracle, for writer and reader, before and after a table is built", () => {
  const { writeCap, readCap, firstMessageIndex } = keypairFromSeed(new Uint8Array(32).fill(7));
  let index = firstMessageIndex;
  for (let step = 0; step < 20; step++) {
    const fromReader = toHex(boxIdFor(readCap, index));
    assert.equal(fromReader, toHex(boxIdFor(writeCap, index)));
    if (step % 10 === 0 || step === 16) {
      assert.equal(
        fromReader,
        toHex(boxIdTwin(readCap.subarray(0, 32), index, PIGEONHOLE_CONTEXT)),
      );
    }
    if (step < 2) {
      const plaintext = utf8("message ".repeat(step));
      const box = encryptBox(writeCap, index, plaintext);
      const twin = encryptBoxTwin(writeCap.slice(0, 32), index, plaintext, PIGEONHOLE_CONTEXT);
      assert.deepEqual(
        [box.boxId, box.ciphertext, box.signature].map(toHex),
        [twin.boxId, twin.ciphertext, twin.signature].map(toHex),
      );
      assert.ok(verifyTwin(box.signature, box.ciphertext, box.boxId));
    }
    assert.equal(toHex(nextMessageBoxIndex(index)), toHex(nextIndexTwin(index)));
    index = nextMessageBoxIndex(index);
  }
});

test("verification agrees with the oracle on every edge case", () => {
  const edges = loadVectors("bacap").verify_edge;
  for (const v of edges) {
    const [boxId, ciphertext, signature] = [hex(v.box_id), hex(v.message), hex(v.signature)];
    assert.equal(verifyTwin(signature, ciphertext, boxId), v.valid, v.name);
    assert.equal(verifyBox({ boxId, ciphertext, signature }), v.valid, v.name);
  }
  assert.equal(edges.length, 10);
});

test("points are decoded and multiplied as by the oracle, and off-curve points refused", () => {
  const random = chacha20Random(new Uint8Array(32).fill(3));
  let onCurve = 0;
  for (let i = 0; i < 16; i++) {
    const bytes = random(32);
    const twin = decode(bytes);
    if (twin === null) {
      assert.throws(() => decodePoint(bytes));
      continue;
    }
    onCurve++;
    // Random points are not in the group of the base point: torsion must not matter.
    const scalar = 0x1234_5678_9abc_def0n + BigInt(i);
    assert.equal(
      toHex(encodeMultiple(decodePoint(bytes), scalar)),
      toHex(encode(multiply(scalar, twin))),
    );
  }
  assert.ok(onCurve > 3 && onCurve < 13);
});

test("copy streams agree with the oracle", () => {
  const random = chacha20Random(new Uint8Array(32).fill(9));
  let compared = 0;
  for (const boxLength of [6, 7, 40, 64]) {
    const lengths = [[1], [0, 0, 3], [35], [31, 31], [Math.max(0, boxLength - 9)], [200, 5]];
    for (const some of lengths) {
      const envelopes = some.map((length) => random(length));
      const encoder = new CopyStreamEncoder(pigeonholeSizes(boxLength, "x25519"));
      const elements = [...envelopes.flatMap((one) => encoder.add(one)), ...encoder.flush()];
      assert.deepEqual(elements.map(toHex), elementsTwin(envelopes, boxLength).map(toHex));
      compared++;
    }
  }
  assert.equal(compared, 24);
});
