import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type Bytes, toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { Sphinx } from "../../src/sphinx/sphinx.js";
import { hex, loadVectors } from "../reference/load-vectors.js";
import { commandVector, failureOf, geometryOf, pathOf, scripted } from "./sphinx-cases.js";

const vectors = loadVectors("mixnet-sphinx-surb");
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("reply blocks, their keys and the packets made with them match the reference", () => {
  for (const v of vectors.cases) {
    const random = scripted(
      hex(v.surbPayloadKey),
      hex(v.clientEphemeralPrivateKey),
      ...(v.skippedHopsFiller === undefined ? [] : [hex(v.skippedHopsFiller)]),
    );
    const sphinx = new Sphinx(geometryOf(v.geometry), { random });
    const { surb, keys } = sphinx.newSurb(pathOf(v.path));
    assert.equal(toHex(surb), v.surb, v.name);
    assert.equal(toHex(keys), v.surbKeys, v.name);
    const { packet, firstHop } = sphinx.newPacketFromSurb(surb, hex(v.replyPayload));
    assert.equal(toHex(packet), v.replyPacket, v.name);
    assert.equal(toHex(firstHop), v.firstHopID);
    const short = sphinx.newPacketFromSurb(surb, hex(v.replyPayload.replace(/(00)+$/, "")));
    assert.equal(toHex(short.packet), v.replyPacket, "padded with zeros");
  }
  assert.equal(vectors.cases.length, 4);
});

test("replies pass every hop as in the reference, and are read at the end", () => {
  for (const v of vectors.cases) {
    const sphinx = new Sphinx(geometryOf(v.geometry));
    let packet: Bytes = hex(v.replyPacket);
    for (const [i, hop] of v.hops.entries()) {
      const found = sphinx.unwrap(hex(v.path[i].privateKey), packet);
      assert.equal(toHex(found.replayTag), hop.replayTag);
      assert.deepEqual(found.commands.map(commandVector), hop.commands);
      if (i < v.hops.length - 1) {
        assert.equal(sha256(found.packet!), hop.forwardedPacketSHA256);
        packet = found.packet!;
        continue;
      }
      assert.equal(found.packet, null);
      assert.equal(toHex(found.payload!), v.deliveredCiphertext);
      assert.equal(found.payload!.length, v.deliveredLength);
    }
    const reply = sphinx.decryptSurbPayload(hex(v.deliveredCiphertext), hex(v.surbKeys));
    assert.equal(toHex(reply), v.decrypted);
  }
});

test("replies that the reference does not read are refused", () => {
  let refused = 0;
  for (const v of vectors.cases) {
    const sphinx = new Sphinx(geometryOf(v.geometry));
    const [ciphertext, keys, surb] = [hex(v.deliveredCiphertext), hex(v.surbKeys), hex(v.surb)];
    const flipped = ciphertext.slice();
    flipped[100]! ^= 1;
    const tries: Record<string, () => unknown> = {
      "flipped bit in ciphertext": () => sphinx.decryptSurbPayload(flipped, keys),
      "keys one byte short": () => sphinx.decryptSurbPayload(ciphertext, keys.slice(1)),
      "no keys": () => sphinx.decryptSurbPayload(ciphertext, new Uint8Array(0)),
      "payload shorter than the tag": () =>
        sphinx.decryptSurbPayload(ciphertext.slice(0, 31), keys),
      "SURB one byte short (service side)": () => sphinx.newPacketFromSurb(surb.slice(1), surb),
    };
    for (const { name, error } of v.failures) {
      const failure = failureOf(tries[name]!);
      // The keys are our own, so a wrong length is a mistake of ours, not input from outside.
      if (error.includes("decryption keys")) assert.ok(failure instanceof RangeError, name);
      else {
        assert.ok(hasCode(failure, "ERR_PROTOCOL"), name);
        assert.equal(failure.message, error);
      }
      refused++;
    }
  }
  assert.equal(refused, 20);
});
