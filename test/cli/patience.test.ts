import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import type { Output } from "../../src/cli/output.js";
import { Patience } from "../../src/cli/patience.js";

test("reports a long wait in one line, once per wait", async () => {
  const said: string[] = [];
  const output = {
    remark: (text: string) => said.push(text),
    status: () => {},
  } as unknown as Output;
  let box = 0;
  using patience = new Patience(output, () => `box ${box}`, 20);
  while (said.length < 1) await sleep(5);
  await sleep(60);
  assert.deepEqual(said, ["still waiting for box 0"]);
  box = 1;
  patience.came();
  while (said.length < 2) await sleep(5);
  assert.deepEqual(said.slice(1), ["still waiting for box 1"]);
});
