/** Checks the package against the list of the reference's symbols. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import ts from "typescript";
import * as exported from "../../../src/index.js";
import { PublicApi } from "../../docs/public-api.js";
import { SEED_SYMBOLS } from "./seed-symbols.js";
import { type SeedSymbol, mechanicalName } from "./symbol.js";

const symbols = SEED_SYMBOLS.flatMap((group) => group.symbols);
const withTwin = symbols.filter(
  (symbol): symbol is SeedSymbol & { twin: string } => symbol.twin !== null,
);
const lastPart = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

test("the list has every symbol once, at least 260, and a reason for each without a counterpart", () => {
  const seeds = symbols.map(({ seed }) => seed);
  assert.equal(new Set(seeds).size, seeds.length);
  assert.ok(seeds.length >= 260, String(seeds.length));
  for (const { seed, twin, difference, renamed } of symbols) {
    if (twin === null || renamed) assert.ok(difference, `${seed} says why`);
  }
  assert.ok(withTwin.length >= seeds.length - 15);
});

test("every counterpart has the name that the rule gives, or is marked as renamed", () => {
  assert.equal(mechanicalName("ThinClient.new_surb_id"), "newSurbId");
  assert.equal(mechanicalName("blake2_256_sum"), "blake2256Sum");
  assert.equal(mechanicalName("SURB_ID_SIZE"), "SURB_ID_SIZE");
  assert.equal(mechanicalName("BoxIDNotFoundError"), "BoxIDNotFoundError");
  for (const { seed, twin, renamed } of withTwin) {
    const follows = lastPart(twin) === mechanicalName(seed);
    assert.equal(follows, !renamed, `${seed} is ${twin} here`);
  }
});

test("every counterpart is exported, or a member of an export", () => {
  const api = new PublicApi();
  const exports = api.exportsOf(".");
  for (const { seed, twin, kind } of withTwin) {
    const [owner, member] = twin.split(".") as [string, string | undefined];
    const symbol = exports.get(owner);
    assert.ok(symbol, `${seed}: ${owner} is exported`);
    const isValue = !["record", "field", "event"].includes(kind);
    if (isValue) assert.ok(owner in exported, `${seed}: ${owner} exists at run time`);
    if (member === undefined || member === "prototype") continue;
    const members = api.membersOf(symbol).map(({ name }) => name);
    assert.ok(members.includes(member), `${seed}: ${twin} is there`);
  }
});

/** The text of each test in a file of this folder, by its title. */
function testsOf(file: string): Map<string, string> {
  const url = new URL(`../../../../test/reference/parity/${file}`, import.meta.url);
  const source = ts.createSourceFile(file, readFileSync(url, "utf8"), ts.ScriptTarget.Latest);
  const tests = new Map<string, string>();
  for (const statement of source.statements) {
    if (!ts.isExpressionStatement(statement) || !ts.isCallExpression(statement.expression))
      continue;
    const {
      expression,
      arguments: [title],
    } = statement.expression;
    if (expression.getText(source) !== "test" || !title || !ts.isStringLiteral(title)) continue;
    tests.set(title.text, statement.getText(source));
  }
  return tests;
}

test("every counterpart has an existing test that uses it", () => {
  const files = new Map<string, Map<string, string>>();
  const unused: string[] = [];
  for (const { seed, twin, kind, test: reference } of withTwin) {
    assert.ok(reference, `${seed} has a test`);
    const { file, title } = reference;
    const tests = files.get(file) ?? testsOf(file);
    files.set(file, tests);
    const text = tests.get(title);
    assert.ok(text, `${seed}: ${file} has a test "${title}"`);
    // Fields of events that our code never fills, and the name of a constructor.
    if (kind === "event" || twin.endsWith(".prototype")) continue;
    if (!new RegExp(`\\b${lastPart(twin)}\\b`).test(text)) unused.push(`${twin} in "${title}"`);
  }
  assert.deepEqual(unused, []);
  assert.deepEqual([...files.keys()].sort(), [
    "client.test.ts",
    "names.test.ts",
    "pigeonhole.test.ts",
  ]);
});
