import assert from "node:assert/strict";
import { test } from "node:test";
import { Geometry, type GeometryFields, SphinxGeometry } from "../../src/pki/geometry.js";
import type { CborValue } from "../../src/cbor/cbor.js";
import { PigeonholeGeometry } from "../../src/pki/pigeonhole-geometry.js";

const geometry = Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 2000 });

test("a geometry is read from exactly its own members, and others are ignored", () => {
  const entries: [string, CborValue][] = Object.entries(geometry.toWire());
  assert.equal(entries.length, 14);
  const read = Geometry.fromWire(new Map([...entries, ["New", true]]));
  assert.deepEqual(read, geometry);
  for (const [key] of entries) {
    const without = new Map(entries.filter(([name]) => name !== key));
    assert.throws(() => Geometry.fromWire(without), { code: "ERR_PROTOCOL" }, key);
    for (const wrong of [null, true, -1, 1.5, new Uint8Array(1)]) {
      const other = new Map<string, CborValue>([...entries, [key, wrong]]);
      assert.throws(() => Geometry.fromWire(other), { code: "ERR_PROTOCOL" }, key);
    }
  }
  assert.throws(() => Geometry.fromWire([]), { code: "ERR_PROTOCOL" });
});

test("a Pigeonhole geometry is read from exactly its own members, and others are ignored", () => {
  const made = PigeonholeGeometry.fromSphinx(geometry, "x25519");
  const entries = Object.entries(made.toWire());
  assert.equal(entries.length, 7);
  assert.deepEqual(PigeonholeGeometry.fromWire(new Map([...entries, ["New", 1]])), made);
  for (const [key] of entries) {
    const without = new Map(entries.filter(([name]) => name !== key));
    assert.throws(() => PigeonholeGeometry.fromWire(without), { code: "ERR_PROTOCOL" }, key);
  }
});

test("the text form of a geometry lists every member by its name on the wire", () => {
  const lines = geometry.toString().split("\n");
  assert.equal(lines.length, 14);
  assert.equal(lines[0], "PacketLength: 3082");
  assert.ok(lines.includes("SURBLength: 572"));
  assert.ok(lines.includes("SPRPKeyMaterialLength: 64"));
  assert.deepEqual(lines.slice(12), ["NIKEName: x25519", "KEMName: "]);
  const pigeonhole = String(PigeonholeGeometry.fromSphinx(geometry, "CTIDH1024-X25519"));
  assert.deepEqual(pigeonhole.split("\n"), [
    "MaxPlaintextPayloadLength: 1549 bytes",
    "CourierQueryReadLength: 2000 bytes",
    "CourierQueryWriteLength: 2000 bytes",
    "CourierQueryReplyReadLength: 1718 bytes",
    "CourierQueryReplyWriteLength: 1718 bytes",
    "NIKEName: CTIDH1024-X25519",
    "SignatureSchemeName: Ed25519",
  ]);
});

test("constructors refuse invalid lengths and names, and SphinxGeometry is the same class", () => {
  assert.equal(SphinxGeometry, Geometry);
  const rest: Partial<GeometryFields> = Object.fromEntries(Object.entries(geometry));
  const made = (packetLength: unknown): Geometry =>
    new Geometry({ ...rest, packetLength } as GeometryFields);
  assert.deepEqual(made(3082), geometry);
  for (const value of [undefined, "3082", 3082n]) {
    assert.throws(() => made(value), { name: "TypeError", message: /`packetLength`/ });
  }
  for (const value of [-1, 1.5, NaN]) {
    assert.throws(() => made(value), { name: "RangeError", message: /`packetLength`/ });
  }
  assert.throws(() => new Geometry({ ...rest, nikeName: 1 as never } as GeometryFields), TypeError);
  assert.throws(() => new PigeonholeGeometry({ maxPlaintextPayloadLength: -1 }), RangeError);
  assert.throws(() => new PigeonholeGeometry({ nikeName: 1 as never }), TypeError);
  const nope = { nike: "nope", nrHops: 5, userForwardPayloadLength: 1 };
  assert.throws(() => Geometry.forNike(nope), { name: "RangeError", message: /`nike`.*"nope"/ });
  const hqc = { kem: "HQC-128", nrHops: 5, userForwardPayloadLength: 1 };
  assert.throws(() => Geometry.forKem(hqc), { name: "RangeError", message: /`kem`/ });
});

test("a Pigeonhole geometry may start empty, and names what is missing", () => {
  const words = (fields: object): string => {
    try {
      new PigeonholeGeometry(fields).validate();
      return "";
    } catch (error) {
      assert.ok(error instanceof RangeError);
      return error.message;
    }
  };
  const empty = new PigeonholeGeometry();
  assert.deepEqual([empty.nikeName, empty.signatureSchemeName], ["", "Ed25519"]);
  assert.equal(empty.paddedPayloadLength(), PigeonholeGeometry.LENGTH_PREFIX_SIZE);
  assert.equal(words({}), "max_plaintext_payload_length must be positive");
  assert.equal(words({ maxPlaintextPayloadLength: 5 }), "nike_name must be set");
  const named = { maxPlaintextPayloadLength: 5, nikeName: "x25519" };
  assert.equal(
    words({ ...named, signatureSchemeName: "" }),
    "signature_scheme_name must be 'Ed25519'",
  );
  assert.equal(words(named), "");
  assert.throws(() => PigeonholeGeometry.fromMaxPlaintext(0, "x25519"), RangeError);
});
