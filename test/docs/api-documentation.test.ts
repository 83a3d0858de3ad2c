/** Everything that the package exports says what it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import ts from "typescript";
import { ENTRIES, type Entry, PublicApi } from "./public-api.js";

// Names that say all there is to say: levels of a log, and what `pause` is ended by.
const selfEvident = new Set(["toString", "debug", "info", "warn", "error", "resume"]);

const isOurs = (symbol: ts.Symbol): boolean =>
  (symbol.declarations ?? []).some((declaration) =>
    declaration.getSourceFile().fileName.includes("/dist/src/"),
  );

test("every export of every entry is documented", () => {
  const api = new PublicApi();
  const missing: string[] = [];
  let symbols = 0;
  for (const entry of Object.keys(ENTRIES) as Entry[]) {
    for (const [name, symbol] of api.exportsOf(entry)) {
      symbols++;
      const documented = symbol.getDocumentationComment(api.checker).length > 0;
      // Constants of the protocol are documented as the tables they stand in.
      if (!documented && !/^(THIN_CLIENT|REPLICA)_/.test(name)) missing.push(`${entry} ${name}`);
    }
  }
  assert.ok(symbols > 350, String(symbols));
  assert.deepEqual(missing, []);
});

test("every public method is documented, by words or by what it throws", () => {
  const api = new PublicApi();
  const missing = new Set<string>();
  let methods = 0;
  for (const entry of [".", "./wire", "./bacap"] as const) {
    for (const [name, symbol] of api.exportsOf(entry)) {
      for (const member of api.membersOf(symbol)) {
        const isMethod = (member.flags & (ts.SymbolFlags.Method | ts.SymbolFlags.Accessor)) !== 0;
        if (!isMethod || !isOurs(member) || selfEvident.has(member.name)) continue;
        methods++;
        const words = member.getDocumentationComment(api.checker).length;
        if (words + member.getJsDocTags(api.checker).length === 0) {
          missing.add(`${name}.${member.name}`);
        }
      }
    }
  }
  assert.ok(methods > 100, String(methods));
  assert.deepEqual([...missing].sort(), []);
});
