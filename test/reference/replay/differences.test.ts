import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { kindnesses } from "../../../src/mixnet/kindness.js";
import { KINDNESSES } from "./differences.js";
import { renderDifferences } from "./render-differences.js";

test("docs/differences.md matches the table", () => {
  const url = new URL("../../../../docs/differences.md", import.meta.url);
  assert.equal(readFileSync(url, "utf8"), renderDifferences(), "run: npm run docs");
});

test("the page has a row for every kind option", () => {
  assert.deepEqual(
    KINDNESSES.map(({ option }) => option),
    [...kindnesses],
  );
});
