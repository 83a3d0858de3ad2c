import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type Bytes, toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { xwingKem } from "../../src/kem/xwing.js";
import { decodeForwardPayload, encodeForwardPayload } from "../../src/sphinx/payload.js";
import { Sphinx } from "../../src/sphinx/sphinx.js";
import { hex, loadVectors } from "../reference/load-vectors.js";
import {
  type HopVector,
  commandOf,
  commandVector,
  failureOf,
  geometryOf,
  pathOf,
  scripted,
} from "./sphinx-cases.js";

const vectors = loadVectors("mixnet-sphinx-packets");
const kemVectors = loadVectors("mixnet-sphinx-kem-packets");
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("packets match the reference byte for byte", () => {
  for (const v of vectors.cases) {
    const random = scripted(
      hex(v.clientEphemeralPrivateKey),
      ...(v.skippedHopsFiller === undefined ? [] : [hex(v.skippedHopsFiller)]),
    );
    const sphinx = new Sphinx(geometryOf(v.geometry), { random });
    const packet = sphinx.newPacket(pathOf(v.path), hex(v.payload));
    assert.equal(toHex(packet), v.packet, v.name);
    assert.equal(sha256(packet), v.packetSHA256);
    assert.ok(v.packet.startsWith(v.header));
  }
  assert.equal(vectors.cases.length, 5);
});

test("every hop finds the same as the reference's hops", () => {
  let hops = 0;
  for (const v of vectors.cases) {
    const sphinx = new Sphinx(geometryOf(v.geometry));
    let packet: Bytes = hex(v.packet);
    for (const [i, hop] of v.hops.entries()) {
      const given = toHex(packet);
      const found = sphinx.unwrap(hex(v.path[i].privateKey), packet);
      assert.equal(toHex(packet), given, "the packet must stay as it is");
      assert.equal(toHex(found.replayTag), hop.replayTag);
      assert.deepEqual(found.commands.map(commandVector), hop.commands);
      hops++;
      if (i < v.hops.length - 1) {
        assert.equal(found.payload, null);
        assert.equal(sha256(found.packet!), hop.forwardedPacketSHA256);
        assert.ok(toHex(found.packet!).startsWith(hop.forwardedHeader));
        packet = found.packet!;
        continue;
      }
      assert.equal(found.packet, null);
      assert.equal(toHex(found.payload!), hop.payload);
      assert.equal(toHex(found.payload!), v.payload);
    }
  }
  assert.equal(hops, 18);
});

test("packets that the reference's hops refuse are refused for the same reason", () => {
  const last = vectors.unwrapFailures.at(-1);
  assert.equal(last.name, "flipped bit in payload: last hop");
  const threeHops = vectors.cases[2];
  const sphinx = new Sphinx(geometryOf(threeHops.geometry));
  let refused = 0;
  for (const v of vectors.unwrapFailures.slice(0, -1)) {
    const unwrap = () => sphinx.unwrap(hex(v.privateKey), hex(v.packet));
    const tag = () => sphinx.replayTag(hex(v.packet));
    if (v.replayTagReturned) assert.equal(tag().length, 32, v.name);
    else assert.ok(hasCode(failureOf(tag), "ERR_PROTOCOL"), v.name);
    if (v.error === null) {
      assert.notEqual(unwrap().packet, null, v.name);
      continue;
    }
    const failure = failureOf(unwrap);
    assert.ok(hasCode(failure, "ERR_PROTOCOL"), v.name);
    assert.equal(failure.message, v.error, v.name);
    refused++;
  }
  let packet: Bytes = hex(threeHops.packet);
  packet[packet.length - 1]! ^= 1;
  for (const hop of threeHops.path.slice(0, -1)) {
    packet = sphinx.unwrap(hex(hop.privateKey), packet).packet!;
  }
  const failure = failureOf(() => sphinx.unwrap(hex(threeHops.path[2].privateKey), packet));
  assert.equal(failure.message, last.error);
  assert.deepEqual([vectors.unwrapFailures.length, refused + 1], [7, 6]);
});

test("inputs that the reference refuses to pack are refused by name", () => {
  const v = vectors.cases[2];
  const sphinx = new Sphinx(geometryOf(v.geometry));
  const path = pathOf(v.path);
  const payload = hex(v.payload);
  const nextHop = { type: "NextNodeHop", id: path[0]!.id, mac: path[0]!.id } as const;
  const name = commandOf({ type: "Recipient", id: "00".repeat(32) });
  const withCommands = (at: number, commands: (typeof path)[0]["commands"]) =>
    path.map((hop, i) => (i === at ? { ...hop, commands } : hop));
  const wanted: Record<string, [() => unknown, RegExp]> = {
    "payload one byte short": [
      () => sphinx.newPacket(path, payload.slice(1)),
      /^`payload` must be 513 bytes, got 512$/,
    ],
    "path longer than NrHops": [
      () => sphinx.newPacket([...path, path[0]!], payload),
      /^`path` must have 1 to 3 hops, got 4$/,
    ],
    "NextNodeHop supplied by caller": [
      () => sphinx.newPacket(withCommands(1, [nextHop]), payload),
      /^`path\[1\]\.commands` must not have a NextNodeHop$/,
    ],
    "no room left for NextNodeHop": [
      () => sphinx.newPacket(withCommands(0, [name]), payload),
      /^`path\[0\]\.commands` must fit 17 bytes, got 33$/,
    ],
    "terminal commands oversized": [
      () => sphinx.newPacket(withCommands(2, [name, name, name]), payload),
      /^`path\[2\]\.commands` must fit 82 bytes, got 99$/,
    ],
  };
  for (const { name } of vectors.createFailures) {
    const [create, message] = wanted[name]!;
    assert.throws(create, { name: "RangeError", message }, name);
  }
  assert.equal(vectors.createFailures.length, 5);
});

test("a low-order point is refused in a packet and in a path", () => {
  const v = vectors.cases[0];
  const sphinx = new Sphinx(geometryOf(v.geometry));
  const points = ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`];
  for (const point of points) {
    const packet = hex(v.packet);
    packet.set(hex(point), 2);
    const failure = failureOf(() => sphinx.unwrap(hex(v.path[0].privateKey), packet));
    assert.equal(failure.message, "sphinx: invalid packet, unusable group element");
    assert.ok(hasCode(failure, "ERR_PROTOCOL"));
    const path = pathOf(
      v.path.map((hop: HopVector, i: number) => (i === 2 ? { ...hop, publicKey: point } : hop)),
    );
    assert.throws(() => sphinx.newPacket(path, hex(v.payload)), {
      name: "RangeError",
      message: "`path[2].publicKey` cannot be used",
    });
  }
});

test("KEM packets match the reference, and every hop finds the same as its hops", () => {
  for (const v of kemVectors.cases) {
    const keys = v.path.map((hop: { kemSeed: string }) =>
      xwingKem.generate(scripted(hex(hop.kemSeed))),
    );
    const path = v.path.map((hop: HopVector, i: number) => ({
      id: hex(hop.id),
      publicKey: keys[i].publicKey,
      commands: hop.commands.map(commandOf),
    }));
    for (const [i, { publicKeySHA256 }] of v.path.entries()) {
      assert.equal(sha256(keys[i].publicKey), publicKeySHA256);
    }
    const random = scripted(
      ...v.encapsulations.map(({ eseed }: { eseed: string }) => hex(eseed)),
      ...(v.skippedHopsFiller === undefined ? [] : [hex(v.skippedHopsFiller)]),
    );
    const sphinx = new Sphinx(geometryOf(v.geometry), { random });
    let packet = sphinx.newPacket(path, hex(v.payload));
    assert.equal(toHex(packet), v.packet);
    for (const [i, hop] of v.hops.entries()) {
      const found = sphinx.unwrap(keys[i].privateKey, packet);
      assert.equal(toHex(found.replayTag), hop.replayTag);
      assert.deepEqual(found.commands.map(commandVector), hop.commands);
      if (hop.payload === undefined) {
        assert.equal(sha256(found.packet!), hop.forwardedPacketSHA256);
        packet = found.packet!;
      } else assert.equal(toHex(found.payload!), hop.payload);
    }
  }
  assert.equal(kemVectors.cases.length, 2);
});

test("forward payloads are packed and read as by services", () => {
  const forward = loadVectors("mixnet-forward-payload");
  const shape = geometryOf(forward.geometry);
  let refused = 0;
  for (const v of forward.cases) {
    if (v.error !== null) {
      const failure = failureOf(() => decodeForwardPayload(shape, hex(v.block)));
      assert.ok(hasCode(failure, "ERR_PROTOCOL"), v.name);
      refused++;
      continue;
    }
    const { surb, payload } = decodeForwardPayload(shape, hex(v.block));
    assert.equal(surb && toHex(surb), v.surb, v.name);
    assert.equal(toHex(payload), v.userPayload, v.name);
    if (v.name.startsWith("the same when")) continue;
    assert.equal(toHex(encodeForwardPayload(shape, surb, payload)), v.block, v.name);
    assert.equal(toHex(encodeForwardPayload(shape, surb, payload.slice(0, 5))), v.block, v.name);
  }
  assert.deepEqual([forward.cases.length, refused], [7, 4]);
  const room = shape.userForwardPayloadLength;
  assert.throws(() => encodeForwardPayload(shape, null, new Uint8Array(room + 1)), {
    message: `\`payload\` must be at most ${room} bytes, got ${room + 1}`,
  });
});
