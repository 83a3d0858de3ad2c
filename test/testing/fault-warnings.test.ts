import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { warnOfFaults } from "../../src/testing/fault-warnings.js";
import { ProtocolError } from "../../src/errors/errors.js";

test("a fault without a listener gives one warning, and a peer's mistake gives none", async () => {
  const warnings: Error[] = [];
  const collect = (warning: Error): void => void warnings.push(warning);
  process.on("warning", collect);
  const warn = warnOfFaults();
  warn(new ProtocolError("a client sent an invalid frame"));
  const first = once(process, "warning");
  warn(new TypeError("Unsupported digest: blake2b512"));
  warn(new TypeError("Unsupported digest: blake2b512"));
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", collect);
  assert.deepEqual(
    warnings.map(({ name, message }) => [name, message]),
    [
      [
        "DevDaemonFault",
        "internal failure of the embedded network: Unsupported digest: blake2b512",
      ],
    ],
  );
});
