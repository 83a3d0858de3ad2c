import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { Geometry } from "../../src/pki/geometry.js";
import { PigeonholeGeometry } from "../../src/pki/pigeonhole-geometry.js";
import { isKemScheme, isNikeScheme } from "../../src/pki/scheme-names.js";
import { type CborValue, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";
import { loadVectors } from "../reference/load-vectors.js";

const sphinx = loadVectors("mixnet-sphinx-geometry");
const pigeonhole = loadVectors("geometry");

function wire(record: Record<string, CborValue>): CborValue {
  return new Map(Object.entries(record));
}

test("Sphinx geometries follow from their parameters as in the reference", () => {
  for (const { input, geometry, canonicalCBOR, hash } of sphinx.cases) {
    const { nike, kem, nrHops, userForwardPayloadLength, withSURB: withSurb } = input;
    const parameters = { nrHops, userForwardPayloadLength, withSurb };
    const made = nike
      ? Geometry.forNike({ nike, ...parameters })
      : Geometry.forKem({ kem, ...parameters });
    assert.deepEqual(made.toWire(), geometry);
    assert.equal(toHex(encodeCbor(made.toWire())), canonicalCBOR);
    assert.equal(toHex(made.hash()), hash);
    assert.deepEqual(Geometry.fromWire(decodeCbor(encodeCbor(geometry))), made);
    made.validate();
  }
  assert.equal(sphinx.cases.length, 9);
});

test("Sphinx geometries are refused with the reference's error texts", () => {
  for (const { geometry, validateError } of sphinx.validation) {
    const read = Geometry.fromWire(wire(geometry));
    assert.throws(() => read.validate(), { name: "RangeError", message: validateError });
  }
  assert.equal(sphinx.validation.length, 9);
});

test("every scheme that the reference registers is known", () => {
  const nikes: string[] = loadVectors("mixnet-keys-pem").nikeSchemes;
  const kems: string[] = loadVectors("mixnet-kem").registeredNames;
  assert.deepEqual(
    nikes.filter((name) => !isNikeScheme(name)),
    [],
  );
  assert.deepEqual(
    kems.filter((name) => !isKemScheme(name)),
    [],
  );
  assert.deepEqual([nikes.length, kems.length], [12, 44]);
  assert.equal(isNikeScheme("X25519"), true);
  assert.equal(isNikeScheme("XWING"), false);
  assert.equal(isKemScheme("nope"), false);
});

const pigeonholeKeys = Object.keys(new PigeonholeGeometry().toWire());

/** The members that are on the wire; the vector file lists more. */
function wireMembers(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(pigeonholeKeys.map((key) => [key, record[key]]));
}

test("Pigeonhole geometries are derived from Sphinx geometries as in the reference", () => {
  for (const entry of pigeonhole.from_sphinx) {
    const outer = Geometry.fromWire(wire(entry.sphinx));
    const made = PigeonholeGeometry.fromSphinx(outer, entry.nike);
    assert.deepEqual(made.toWire(), wireMembers(entry.pigeonhole));
    assert.equal(made.paddedPayloadLength(), entry.pigeonhole.PaddedPayloadLength);
    const k = entry.pigeonhole.CourierQueryReadLength - made.maxPlaintextPayloadLength - 291;
    assert.deepEqual(PigeonholeGeometry.fromSphinx(outer, entry.nike, k), made);
  }
  assert.equal(pigeonhole.from_sphinx.length, 47);
});

test("Pigeonhole geometries follow from the box size, and Sphinx geometries from them", () => {
  for (const entry of pigeonhole.direct) {
    const made = PigeonholeGeometry.fromMaxPlaintext(entry.box_payload_length, entry.nike);
    assert.deepEqual(made.toWire(), wireMembers(entry.pigeonhole));
    assert.deepEqual(made.toSphinx(5).toWire(), entry.to_sphinx_5_hops_with_surb);
    assert.deepEqual(PigeonholeGeometry.fromWire(wire(made.toWire())), made);
  }
  assert.equal(pigeonhole.direct.length, 24);
});

test("a Sphinx payload without room for a box is refused with the reference's error text", () => {
  for (const entry of pigeonhole.too_small) {
    const outer = Geometry.forNike({
      nike: "x25519",
      nrHops: 5,
      userForwardPayloadLength: entry.sphinx_user_forward_payload_length,
    });
    assert.throws(() => PigeonholeGeometry.fromSphinx(outer, entry.nike), {
      name: "RangeError",
      message: entry.error,
    });
  }
  assert.equal(pigeonhole.too_small.length, 7);
});
