import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Terminal } from "../../src/cli/terminal.js";
import { table, wrap } from "../../src/cli/text.js";

// Each character takes two cells on a terminal; the last one is composed of five.
const wide = ["日本語", "한국", "😀", "👨‍👩‍👧"] as const;

describe("characters that take two cells", () => {
  test("columns stay aligned", () => {
    const rows = table([
      [wide[0], "a"],
      ["name", "b"],
      [wide[3], "c"],
    ]);
    assert.deepEqual(rows, ["日本語  a", "name    b", "👨‍👩‍👧      c"]);
  });

  test("lines are wrapped by the cells that they take", () => {
    assert.deepEqual(wrap("日本語 한국 plain", 10), ["日本語", "한국 plain"]);
    assert.deepEqual(wrap("日本語 한국 plain", 11), ["日本語 한국", "plain"]);
  });

  test("the status line is never wider than the terminal", () => {
    for (const text of [wide[0].repeat(10), `${wide[2]}${wide[2]}x`, `ab${wide[0]}`]) {
      let shown = "";
      const output = { write: (more: string) => (shown += more), isTTY: true, columns: 6 };
      new Terminal(output, { TERM: "xterm" }).status(text);
      const erase = "\r\x1b[K";
      assert.ok(shown.startsWith(erase));
      const line = shown.slice(erase.length);
      assert.ok(text.startsWith(line));
      assert.ok(Array.from(line).length <= 3, line);
      assert.ok(line.length > 0);
    }
  });
});

test("a word longer than a line stays whole, and an empty text is one line", () => {
  assert.deepEqual(wrap("a much-too-long-word b", 6), ["a", "much-too-long-word", "b"]);
  assert.deepEqual(wrap("", 10), [""]);
});
