import assert from "node:assert/strict";
import { test } from "node:test";
import { prettyPrintObj } from "../../src/pki/pretty-print.js";

test("values print as readable text, bytes in hex", () => {
  const rows: [unknown, string][] = [
    [null, "null"],
    [undefined, "undefined"],
    [1.5, "1.5"],
    [2n ** 64n, "18446744073709551616"],
    [true, "true"],
    ['a "b"\n', '"a \\"b\\"\\n"'],
    [Uint8Array.of(0, 255), "00ff"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [Symbol("s"), "Symbol(s)"],
    [function named() {}, "[function named]"],
    [[], "[]"],
    [{}, "{}"],
    [new Map(), "{}"],
    [new Set([1]), "[\n    1\n]"],
  ];
  for (const [value, text] of rows) assert.equal(prettyPrintObj(value), text);
  assert.equal(rows.length, 14);
});

test("every level is indented by four more spaces", () => {
  const value = {
    list: [1, { key: Uint8Array.of(7) }],
    map: new Map([[Uint8Array.of(1, 2), "x"]]),
  };
  assert.equal(
    prettyPrintObj(value),
    [
      "{",
      "    list: [",
      "        1,",
      "        {",
      "            key: 07",
      "        }",
      "    ],",
      "    map: {",
      '        0102: "x"',
      "    }",
      "}",
    ].join("\n"),
  );
});

test("a value that contains itself is marked, and one that occurs twice is not", () => {
  const shared = { a: 1 };
  const loop: Record<string, unknown> = { one: shared, two: shared };
  loop["self"] = loop;
  const text = prettyPrintObj(loop);
  assert.equal(text.split("a: 1").length, 3);
  assert.match(text, /self: \[circular\]/);
});
