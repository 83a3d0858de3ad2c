import assert from "node:assert/strict";
import { test } from "node:test";
import { x25519Nike } from "../../../src/crypto/nike/x25519.js";
import { EnvelopeKeys } from "../../../src/network/replica/envelope-keys.js";

test("keys from before the previous epoch are erased, and not created again", async () => {
  const keys = new EnvelopeKeys(x25519Nike, new Uint8Array(32).fill(7));
  await keys.prepare(10);
  assert.equal(await keys.privateKey(8), null, "there was never a reason to create it");
  const held = new Map<number, Uint8Array>();
  for (const epoch of [9, 10, 11]) held.set(epoch, (await keys.privateKey(epoch))!);
  for (const [now, erased] of [
    [11, [9]],
    [12, [9, 10]],
    [13, [9, 10, 11]],
  ] as const) {
    await keys.prepare(now);
    for (const [epoch, key] of held) {
      const isErased = (erased as readonly number[]).includes(epoch);
      assert.equal((await keys.privateKey(epoch)) === null, isErased, `${epoch} in ${now}`);
      assert.equal(
        key.every((byte) => byte === 0),
        isErased,
        `the bytes of ${epoch} in ${now}`,
      );
    }
  }
});
