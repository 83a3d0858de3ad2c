import assert from "node:assert/strict";
import { test } from "node:test";
import { commandName } from "../../src/cli/command-name.js";

test("texts name the command that the user can type: katz only if it is on the PATH", () => {
  const name = (path: string, env = {}): string => commandName(["node", path], env);
  assert.equal(name("/usr/local/bin/katz"), "katz");
  assert.equal(name("C:/bin/katz.cmd"), "katz");
  const npx = { npm_command: "exec" };
  assert.equal(name("/app/node_modules/.bin/katz", npx), "npx katzenpost-thinclient");
  assert.equal(name("/app/dist/src/cli/main.js"), "npx katzenpost-thinclient");
});
