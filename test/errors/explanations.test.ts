import assert from "node:assert/strict";
import { test } from "node:test";
import * as api from "../../src/index.js";
import { ERROR_CODES, explainError } from "../../src/errors/explanations.js";
import {
  type ErrorCode,
  ThinClientError,
  hasCode,
  isExpectedOutcome,
  isThinClientError,
} from "../../src/errors/errors.js";
import { errorSamples } from "../docs/error-samples.js";

test("every code has an error and an explanation with the same code", () => {
  assert.deepEqual(new Set(Object.keys(errorSamples)), new Set(ERROR_CODES));
  assert.ok(ERROR_CODES.length >= 60);
  for (const [code, error] of Object.entries(errorSamples)) {
    assert.equal(error.code, code);
    assert.ok(error instanceof ThinClientError);
    assert.ok(isThinClientError(error));
    assert.ok(ThinClientError.is(error, code as ErrorCode));
    assert.ok(hasCode(error, code as ErrorCode));
    assert.equal(error.name, error.constructor.name);
    assert.ok(error.name in api, `${error.name} is exported`);
  }
});

test("an explanation is whole sentences that say what happened and what to do", () => {
  const seen = new Map<string, ErrorCode>();
  for (const code of ERROR_CODES) {
    const { meaning, action } = explainError(code);
    for (const text of [meaning, action]) {
      assert.match(text, /^[A-Z`].*[.]$/, code);
      assert.ok(text.length > 10 && text.length < 260, `${code}: ${text.length}`);
    }
    assert.equal(seen.get(meaning), undefined, code);
    seen.set(meaning, code);
  }
});

test("an unknown code is refused", () => {
  assert.throws(() => explainError("ERR_NOTHING" as ErrorCode), /`code` must be .*"ERR_NOTHING"/);
  assert.throws(() => explainError("toString" as ErrorCode), RangeError);
});

test("only errors with a number on the wire have a number", () => {
  const numbers = Object.values(errorSamples).map(
    (error) => [error.code, error.errorCode] as const,
  );
  for (const [code, number] of numbers) {
    const causes = code === "ERR_TOMBSTONE_RANGE" || code === "ERR_COPY_FAILED";
    assert.equal(number === null, code.startsWith("ERR_") && !causes, code);
  }
  const expected = Object.values(errorSamples).filter(isExpectedOutcome);
  assert.deepEqual(
    expected.map(({ errorCode }) => errorCode),
    [1, 10, 11],
  );
});
