/** Points that keep a factor because a product was mistaken for infinity. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../../../src/bytes/bytes.js";
import { publicKeyOf, sharedSecret } from "../../../src/crypto/ctidh/ctidh1024.js";

// With these the action once took an isogeny from a point of another order, lost the curve, and
// never ended.
const first = fromHex(
  [
    "0000ffffff010000ff000302000003ffff00000000ffff02010101fe02ff0000ff01fe00ff000102000001ff03",
    "0002000001000000ff00feff02ff000201010000ff0000fd00000001feff0100ffffff00feff00ff00010001ff",
    "ff0000fffeff00000100000000ff02ff00fe00000000fffffe0000000000000200fe000000010100",
  ].join(""),
);
const second = fromHex(
  [
    "ff01fd00000000fd0200000000fb0000fe02ff00000101fe010101010000030100000001fd0001ff0002000001",
    "ff000102ff00fffe00ff0000000301fe0000000001feff00ffff030000ff0100010100fe0100fe0000ff010200",
    "ff0000fffe000100000200ff0000ff000100ff0002000000000101ff000100ff000000000000ff00",
  ].join(""),
);

test("keys whose points lack factors agree on a secret in finite time", () => {
  const [one, two] = [publicKeyOf(first), publicKeyOf(second)];
  assert.deepEqual(sharedSecret(second, one), sharedSecret(first, two));
});
