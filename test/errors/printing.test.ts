/**
 * Applications log errors unchanged: an error must not contain a secret, and must not break a
 * logger.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { ConnectError, CopyCommandFailedError } from "../../src/errors/errors.js";
import { CopyFailedError } from "../../src/errors/partial-results.js";
import { errorSamples } from "../docs/error-samples.js";

test("no error shows bytes, because they may be capabilities or keys", () => {
  for (const [code, error] of Object.entries(errorSamples)) {
    const json = JSON.stringify(error);
    assert.match(json, new RegExp(`"code":"${code}"`));
    assert.doesNotMatch(json, /"0":/);
    assert.doesNotMatch(inspect(error, { depth: null }), /Uint8Array|ArrayBuffer/);
  }
});

test("a failed copy can be converted to JSON, with the bigint of its cause as digits", () => {
  const cause = new CopyCommandFailedError(10, 2n ** 60n);
  const place = { phase: "copy", destination: null, boxesCopied: null } as const;
  const json = JSON.parse(JSON.stringify(new CopyFailedError(cause, place)));
  assert.equal(json.cause.failedEnvelopeIndex, "1152921504606846976");
  assert.equal(json.cause.code, "THIN_CLIENT_ERROR_COPY_COMMAND_FAILED");
});

test("the JSON of every error has its name and message, and those of its cause", () => {
  for (const error of Object.values(errorSamples)) {
    const json = JSON.parse(JSON.stringify(error));
    assert.deepEqual([json.name, json.message], [error.name, error.message]);
    assert.deepEqual([json.code, json.retryable], [error.code, error.retryable]);
  }
  const cause = Object.assign(new Error("nothing listens there"), { code: "ECONNREFUSED" });
  const json = JSON.parse(JSON.stringify(new ConnectError("cannot connect", { cause })));
  assert.deepEqual(json.cause, {
    name: "Error",
    message: "nothing listens there",
    code: "ECONNREFUSED",
  });
});
