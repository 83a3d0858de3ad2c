/** The part of `node:assert/strict` that the examples use, for use in a page. */
function show(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes ${[...value.subarray(0, 16)].join(" ")}`;
  if (typeof value === "bigint") return `${value}n`;
  return JSON.stringify(value) ?? "undefined";
}

function fail(message: string | undefined, otherwise: string): never {
  throw new Error(message ?? otherwise);
}

function isDeepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Map || a instanceof Set) {
    return isDeepEqual([...a], [...(b as Iterable<unknown>)]);
  }
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  if (keys.length !== others.length) return false;
  return keys.every(
    (key) => Object.hasOwn(b, key) && isDeepEqual(a[key as never], b[key as never]),
  );
}

type Expected = RegExp | ((error: never) => unknown) | object | undefined;

function matches(error: unknown, expected: Expected): void {
  if (expected === undefined) return;
  if (expected instanceof RegExp) assert.match(String(error), expected);
  else if (typeof expected === "function") {
    if (expected.prototype instanceof Error || expected === Error) {
      assert.ok(error instanceof (expected as never), `got ${String(error)}`);
    } else assert.ok((expected as (error: unknown) => unknown)(error), `got ${String(error)}`);
  } else {
    for (const [key, value] of Object.entries(expected)) {
      const got = (error as Record<string, unknown>)[key];
      if (value instanceof RegExp) assert.match(String(got), value);
      else assert.deepEqual(got, value);
    }
  }
}

function assert(value: unknown, message?: string): void {
  assert.ok(value, message);
}
assert.ok = (value: unknown, message?: string): void => {
  if (!value) fail(message, `${show(value)} is not true`);
};
assert.equal = (got: unknown, wanted: unknown, message?: string): void => {
  if (!Object.is(got, wanted)) fail(message, `got ${show(got)}, wanted ${show(wanted)}`);
};
assert.notEqual = (got: unknown, other: unknown, message?: string): void => {
  if (Object.is(got, other)) fail(message, `got ${show(got)}, wanted another value`);
};
assert.deepEqual = (got: unknown, wanted: unknown, message?: string): void => {
  if (!isDeepEqual(got, wanted)) fail(message, `got ${show(got)}, wanted ${show(wanted)}`);
};
assert.notDeepEqual = (got: unknown, other: unknown, message?: string): void => {
  if (isDeepEqual(got, other)) fail(message, `got ${show(got)}, wanted another value`);
};
assert.match = (text: string, pattern: RegExp, message?: string): void => {
  if (!pattern.test(text)) fail(message, `${show(text)} does not match ${pattern}`);
};
assert.fail = (message?: string): never => fail(message, "failed");
assert.throws = (run: () => unknown, expected?: Expected): void => {
  try {
    run();
  } catch (error) {
    matches(error, expected);
    return;
  }
  fail(undefined, "nothing was thrown");
};
assert.rejects = async (
  promise: Promise<unknown> | (() => Promise<unknown>),
  expected?: Expected,
): Promise<void> => {
  try {
    await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    matches(error, expected);
    return;
  }
  fail(undefined, "nothing was rejected");
};

export default assert;
