/** The primitives if `node:crypto` lacks some: they are selected by testing them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { lackable } from "./lacking-runtime.js";

const primitives = fileURLToPath(new URL("primitives.test.js", import.meta.url));
const preload = new URL("lacking-runtime.js", import.meta.url).href;

for (const lacking of lackable) {
  test(`every primitive works in a runtime that lacks ${lacking}`, () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ["--import", preload, "--test-reporter=tap", primitives],
      {
        encoding: "utf8",
        env: { ...process.env, KATZ_LACKS: lacking, NODE_TEST_CONTEXT: undefined },
      },
    );
    const failed = stdout.match(/^not ok .*$/gm) ?? [];
    assert.deepEqual(failed, []);
    assert.equal(status, 0, stdout);
    const passed = Number(/^# pass (\d+)$/m.exec(stdout)?.[1]);
    assert.ok(passed >= 14, `${passed} tests passed`);
  });
}
