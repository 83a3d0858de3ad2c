import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toBase64, toHex } from "../../src/bytes/bytes.js";
import { MessageBoxIndex, type OpaqueCompanion, ReadCap, WriteCap } from "../../src/index.js";

/** What each way of making the type says about bytes of that length. */
function refused(type: OpaqueCompanion<never>, bytes: Uint8Array<ArrayBuffer>, text: RegExp): void {
  for (const make of [
    () => type.from(bytes),
    () => type.fromHex(toHex(bytes)),
    () => type.fromBase64(toBase64(bytes)),
  ]) {
    assert.throws(make, (error: unknown) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, text);
      return true;
    });
  }
}

describe("opaque byte types", () => {
  it("say when one capability is passed in place of the other", () => {
    refused(
      ReadCap as OpaqueCompanion<never>,
      new Uint8Array(168),
      /^`readCap` must be a ReadCap of 136 bytes, got 168, the length of a WriteCap, which gives the right to write$/,
    );
    refused(
      WriteCap as OpaqueCompanion<never>,
      new Uint8Array(136),
      /^`writeCap` must be a WriteCap of 168 bytes, got 136, the length of a ReadCap, which does not give the right to write$/,
    );
  });

  it("name the type, the wanted length and the one they got", () => {
    refused(ReadCap as OpaqueCompanion<never>, new Uint8Array(0), /`readCap` .*136 bytes, got 0/);
    refused(WriteCap as OpaqueCompanion<never>, new Uint8Array(9), /`writeCap` .*168 bytes, got 9/);
    refused(
      MessageBoxIndex as OpaqueCompanion<never>,
      new Uint8Array(136),
      /`messageBoxIndex` must be 104 bytes, got 136/,
    );
    assert.throws(() => ReadCap.from("text" as never), TypeError);
  });
});
