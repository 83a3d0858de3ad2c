import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/bytes/bytes.js";
import { VirtualClock } from "../../../src/clock/virtual.js";
import { publicKeyOf } from "../../../src/crypto/ctidh/ctidh1024.js";
import { CtidhPool, type CtidhPoolOptions } from "../../../src/crypto/ctidh/pool.js";
import { ctidh1024Nike, inlineCtidh } from "../../../src/crypto/ctidh/provider.js";
import {
  type CtidhOutcome,
  type CtidhRequest,
  type CtidhResponse,
  type WorkerLike,
  answerCtidhRequest,
} from "../../../src/crypto/ctidh/worker-protocol.js";
import { hasCode } from "../../../src/errors/errors.js";
import { twinEncode } from "../../oracles/ctidh-twin.js";

const key = (...exponents: number[]): Uint8Array<ArrayBuffer> => {
  const bytes = new Int8Array(130);
  bytes.set(exponents, 3);
  return new Uint8Array(bytes.buffer);
};

/** A worker whose answers the test determines. */
class ScriptedWorker implements WorkerLike {
  readonly requests: CtidhRequest[] = [];
  alive = true;
  terminated = false;
  #onMessage: (response: CtidhResponse) => void = () => {};
  #onError: (error: Error) => void = () => {};

  postMessage(message: CtidhRequest, transfer: readonly ArrayBuffer[]): void {
    this.requests.push(structuredClone(message, { transfer: [...transfer] }));
  }
  onMessage(handler: (response: CtidhResponse) => void): void {
    this.#onMessage = handler;
  }
  onError(handler: (error: Error) => void): void {
    this.#onError = handler;
  }
  terminate(): void {
    this.terminated = true;
  }
  keepAlive(wanted: boolean): void {
    this.alive = wanted;
  }

  answer(outcome: CtidhOutcome): void {
    this.#onMessage({ id: this.requests.at(-1)!.id, outcome });
  }
  answerAgain(id: number, outcome: CtidhOutcome): void {
    this.#onMessage({ id, outcome });
  }
  fail(error: Error): void {
    this.#onError(error);
  }
}

function scripted(options: Partial<CtidhPoolOptions> = {}) {
  const workers: ScriptedWorker[] = [];
  const clock = new VirtualClock();
  const spawn = (): WorkerLike => {
    const worker = new ScriptedWorker();
    workers.push(worker);
    return worker;
  };
  return { workers, clock, pool: new CtidhPool(spawn, { clock, ...options }) };
}

const curve = (value: number): CtidhOutcome => ({
  kind: "done",
  curve: new Uint8Array(128).fill(value),
});
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("work is handed out in order, to as many workers as allowed", async () => {
  const { workers, pool } = scripted({ maxWorkers: 2 });
  const results = [1, 2, 3].map((exponent) => pool.publicKeyOf(key(exponent)));
  await settled();
  assert.equal(workers.length, 2);
  assert.deepEqual(
    workers.map((worker) => worker.requests.length),
    [1, 1],
  );
  workers[1]!.answer(curve(2));
  await settled();
  assert.equal(workers.length, 2);
  assert.equal(workers[1]!.requests.length, 2);
  const third = workers[1]!.requests[1]!;
  assert.ok(third.operation === "groupAction" && third.privateKey[3] === 3);
  workers[0]!.answer(curve(1));
  workers[1]!.answer(curve(3));
  assert.deepEqual(
    (await Promise.all(results)).map((bytes) => bytes[0]),
    [1, 2, 3],
  );
});

test("a worker keeps the process alive while it works, and ends after a long idle time", async () => {
  const { workers, clock, pool } = scripted({ idleMs: 5000 });
  const first = pool.publicKeyOf(key(1));
  await settled();
  assert.equal(workers[0]!.alive, true);
  workers[0]!.answer(curve(1));
  await first;
  assert.equal(workers[0]!.alive, false);
  await clock.advance(4000);
  const second = pool.publicKeyOf(key(1));
  await clock.advance(4000);
  assert.equal(workers.length, 1);
  assert.equal(workers[0]!.terminated, false);
  workers[0]!.answer(curve(1));
  await second;
  await clock.advance(5000);
  assert.equal(workers[0]!.terminated, true);
  assert.equal(pool.workerCount, 0);
  assert.equal(clock.pending, 0);
  const third = pool.publicKeyOf(key(1));
  await settled();
  assert.equal(workers.length, 2);
  workers[1]!.answer(curve(1));
  await third;
});

test("an aborted call rejects at once, and is skipped or its result dropped", async () => {
  const { workers, pool } = scripted({ maxWorkers: 1 });
  const [running, waiting] = [new AbortController(), new AbortController()];
  const first = pool.publicKeyOf(key(1), { signal: running.signal });
  const second = pool.publicKeyOf(key(2), { signal: waiting.signal });
  const third = pool.publicKeyOf(key(3));
  await settled();
  waiting.abort(new Error("enough waited"));
  await assert.rejects(second, /enough waited/);
  running.abort(new Error("enough run"));
  await assert.rejects(first, /enough run/);
  assert.equal(workers[0]!.alive, false);
  assert.equal(workers[0]!.requests.length, 1);
  workers[0]!.answer(curve(1));
  await settled();
  assert.equal(workers[0]!.alive, true);
  const request = workers[0]!.requests[1]!;
  assert.ok(request.operation === "groupAction" && request.privateKey[3] === 3);
  // Nobody waits for the answer to an earlier request.
  workers[0]!.answerAgain(workers[0]!.requests[0]!.id, curve(1));
  workers[0]!.answer(curve(3));
  assert.equal((await third)[0], 3);
  const late = AbortSignal.abort(new Error("too late"));
  await assert.rejects(pool.publicKeyOf(key(1), { signal: late }), /too late/);
  assert.equal(workers[0]!.requests.length, 2);
});

test("a failing worker affects only its own work", async () => {
  const { workers, pool } = scripted({ maxWorkers: 1 });
  const cause = new Error("out of memory");
  const first = pool.publicKeyOf(key(1));
  const second = pool.publicKeyOf(key(2));
  await settled();
  workers[0]!.fail(cause);
  await assert.rejects(first, (error: Error) => error.cause === cause);
  assert.equal(workers[0]!.terminated, true);
  await settled();
  assert.equal(workers.length, 2);
  workers[0]!.fail(cause);
  workers[1]!.answer({ kind: "failed", message: "something odd" });
  await assert.rejects(second, /the CTIDH worker failed: something odd/);
  assert.equal(pool.workerCount, 1);
});

test("a worker that cannot be started or reached rejects the call and keeps the pool usable", async () => {
  let spawned = 0;
  const pool = new CtidhPool(
    () => {
      spawned++;
      if (spawned === 1) throw new RangeError("no threads here");
      const worker = new ScriptedWorker();
      worker.postMessage = () => {
        throw new Error("no way there");
      };
      return worker;
    },
    { clock: new VirtualClock() },
  );
  // This is not a RangeError, which would mean that the key is damaged.
  await assert.rejects(pool.publicKeyOf(key(1)), {
    name: "Error",
    message: "a CTIDH worker could not be started: no threads here",
  });
  await assert.rejects(pool.publicKeyOf(key(1)), /no way there/);
  assert.equal(pool.workerCount, 0);
});

test("closing rejects waiting calls and ends the workers", async () => {
  const { workers, pool } = scripted({ maxWorkers: 1 });
  const calls = [pool.publicKeyOf(key(1)), pool.validate(new Uint8Array(128))];
  await settled();
  pool.close();
  pool[Symbol.dispose]();
  for (const call of [...calls, pool.publicKeyOf(key(1))]) {
    await assert.rejects(call, (error) => hasCode(error, "ERR_INVALID_STATE"));
  }
  assert.equal(workers.length, 1);
  assert.equal(workers[0]!.terminated, true);
  assert.equal(pool.workerCount, 0);
});

test("verdicts on public keys are remembered, valid or not", async () => {
  const { workers, pool } = scripted({ maxWorkers: 1 });
  const [good, bad] = [twinEncode(6n), twinEncode(5n)];
  const operations = (): string[] => workers[0]!.requests.map((request) => request.operation);
  const first = pool.sharedSecret(key(1), good);
  await settled();
  workers[0]!.answer(curve(1));
  await first;
  const second = pool.sharedSecret(key(1), good);
  await settled();
  workers[0]!.answer(curve(1));
  await second;
  assert.equal(await pool.validate(good), true);
  const third = pool.sharedSecret(key(1), bad);
  await settled();
  workers[0]!.answer({ kind: "invalidPublicKey" });
  await assert.rejects(third, /^RangeError: `publicKey` must be a supersingular curve/);
  assert.equal(await pool.validate(bad), false);
  await assert.rejects(pool.sharedSecret(key(1), bad), RangeError);
  assert.deepEqual(operations(), ["sharedSecret", "groupAction", "sharedSecret"]);
});

test("the caller's keys stay unchanged, and the worker's copy is wiped", async () => {
  const { workers, pool } = scripted();
  const mine = key(1);
  const call = pool.publicKeyOf(mine);
  mine[3] = 2;
  await settled();
  const request = workers[0]!.requests[0]!;
  assert.ok(request.operation === "groupAction");
  assert.equal(request.privateKey[3], 1);
  workers[0]!.answer(answerCtidhRequest(request).outcome);
  assert.ok(request.privateKey.every((byte) => byte === 0));
  assert.equal(toHex(await call), toHex(publicKeyOf(key(1))));
  assert.equal(mine[3], 2);
});

test("wrong keys and options are refused by name without a worker", async () => {
  const { workers, pool } = scripted();
  const inline = inlineCtidh();
  const short = new Uint8Array(3);
  for (const provider of [pool, inline]) {
    await assert.rejects(provider.publicKeyOf(short), /`privateKey` must be 130 bytes, got 3/);
    await assert.rejects(provider.sharedSecret(short, short), /`privateKey` must be 130 bytes/);
    await assert.rejects(provider.sharedSecret(key(1), short), /`publicKey` must be 128 bytes/);
    await assert.rejects(provider.validate(short), /`publicKey` must be 128 bytes, got 3/);
  }
  assert.equal(workers.length, 0);
  assert.throws(() => scripted({ maxWorkers: 0 }), /`maxWorkers` must be an integer of 1 or more/);
  assert.throws(() => scripted({ idleMs: -1 }), /`idleMs` must be an integer of 0 or more, got -1/);
});

test("inline computation agrees with the plain functions", async () => {
  const nike = ctidh1024Nike(inlineCtidh());
  const [a, b] = [key(1, 0, -1), key(-1, 1)];
  const [publicA, publicB] = [await nike.publicKeyOf(a), await nike.publicKeyOf(b)];
  assert.equal(toHex(publicA), toHex(publicKeyOf(a)));
  await nike.checkPublicKey(publicA);
  const [one, other] = [await nike.sharedSecret(a, publicB), await nike.sharedSecret(b, publicA)];
  assert.equal(toHex(one), toHex(other));
  const ordinary = twinEncode(5n);
  await assert.rejects(async () => nike.checkPublicKey(ordinary), RangeError);
  await assert.rejects(async () => nike.sharedSecret(a, ordinary), RangeError);
  const aborted = { signal: AbortSignal.abort(new Error("no more")) };
  const inline = inlineCtidh();
  await assert.rejects(inline.generate(undefined, aborted), /no more/);
  await assert.rejects(inline.publicKeyOf(a, aborted), /no more/);
  await assert.rejects(inline.sharedSecret(a, publicB, aborted), /no more/);
  await assert.rejects(inline.validate(publicA, aborted), /no more/);
});

test("answers to requests never throw, and describe the error", () => {
  const bad = twinEncode(5n) as Uint8Array<ArrayBuffer>;
  const base = new Uint8Array(128);
  const answers = [
    answerCtidhRequest({ id: 1, operation: "validate", publicKey: base }),
    answerCtidhRequest({ id: 2, operation: "validate", publicKey: bad }),
    answerCtidhRequest({ id: 3, operation: "sharedSecret", publicKey: bad, privateKey: key(1) }),
    answerCtidhRequest({ id: 4, operation: "sharedSecret", publicKey: base, privateKey: key(0) }),
    answerCtidhRequest({ id: 5, operation: "validate", publicKey: new Uint8Array(1) }),
  ];
  assert.deepEqual(
    answers.map(({ id, outcome }) => [id, outcome.kind]),
    [
      [1, "done"],
      [2, "invalidPublicKey"],
      [3, "invalidPublicKey"],
      [4, "done"],
      [5, "failed"],
    ],
  );
});
