/** Characters that control a terminal, or are invisible, are escaped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { toJson } from "../../src/cli/json.js";
import { STEERING, printable } from "../../src/cli/printable.js";
import { problemOfName } from "../../src/cli/transfer/file-name.js";

/** Invisible characters, by their category in Unicode. */
const unseen: Readonly<Record<string, readonly number[]>> = {
  "terminal controls": [0x00, 0x07, 0x0a, 0x1b, 0x7f, 0x9b],
  "line separators": [0x2028, 0x2029],
  "direction controls": [0x061c, 0x200e, 0x200f, 0x202a, 0x202e, 0x2066, 0x2069],
  "zero-width characters": [0x200b, 0x200c, 0x2060, 0x2064, 0x180e, 0xfeff],
  "soft hyphens and grapheme joiners": [0x00ad, 0x034f],
  "Hangul fillers": [0x115f, 0x1160, 0x3164, 0xffa0],
  "annotation and music controls": [0xfff9, 0x1d173],
  tags: [0xe0001, 0xe0020, 0xe0041, 0xe007f],
  "variation selectors other than for emoji": [0xfe00, 0xe0100, 0xe01ef],
};

for (const [name, codes] of Object.entries(unseen)) {
  test(`escapes ${name}`, () => {
    for (const code of codes) {
      const text = `a${String.fromCodePoint(code)}b`;
      const hex = code.toString(16);
      assert.equal(printable(text), `a\\u{${hex}}b`);
      assert.notEqual(problemOfName(text), null, hex);
      const json = toJson({ text });
      assert.doesNotMatch(json, STEERING, hex);
      assert.deepEqual(JSON.parse(json), { text });
    }
  });
}

test("shows letters of all scripts and composed emoji unchanged", () => {
  for (const text of ["Straße", "日本語", "한국어", "עברית", "हिन्दी", "👩‍👩‍👧‍👦 ❤️ 🏳️‍🌈 1️⃣ ☎︎"]) {
    assert.equal(printable(text), text);
    assert.equal(toJson({ text }), `{"text":${JSON.stringify(text)}}`);
    assert.equal(problemOfName(text), null);
  }
});

test("any text survives JSON, and the JSON cannot control a terminal", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const json = toJson({ text });
      assert.doesNotMatch(json, STEERING);
      assert.deepEqual(JSON.parse(json), { text });
    }),
  );
});

test("JSON shows bytes in hex, also as keys of maps", () => {
  const map = new Map([[Uint8Array.of(1, 2, 255), Uint8Array.of(0, 16)]]);
  const keyBase64 = Uint8Array.of(1, 2);
  const epochs = new Map([[7, 1n]]);
  const json = '{"map":{"0102ff":"0010"},"keyBase64":"AQI=","epochs":{"7":"1"}}';
  assert.equal(toJson({ map, keyBase64, epochs }), json);
});
