import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { toHex } from "../../src/bytes/bytes.js";
import { realClock } from "../../src/clock/real.js";
import { publicKeyOf, sharedSecret } from "../../src/crypto/ctidh/ctidh1024.js";
import { CtidhPool } from "../../src/crypto/ctidh/pool.js";
import { shake256Random } from "../../src/bacap/seeded-random.js";
import type { CtidhResponse } from "../../src/crypto/ctidh/worker-protocol.js";
import { spawnCtidhWorker } from "../../src/platform/node-worker.js";

test("timers keep ticking while a worker computes a key pair", async () => {
  using pool = new CtidhPool(spawnCtidhWorker, { clock: realClock });
  let ticks = 0;
  let done = false;
  const timer = setInterval(() => {
    if (!done) ticks++;
  }, 5);
  const pair = await pool.generate(shake256Random(Uint8Array.of(1)));
  done = true;
  clearInterval(timer);
  assert.ok(ticks >= 5, `${ticks} ticks`);
  assert.equal(toHex(pair.publicKey), toHex(publicKeyOf(pair.privateKey)));
});

test("two workers agree on a secret, and refuse an invalid key", async () => {
  using pool = new CtidhPool(spawnCtidhWorker, { clock: realClock });
  const cheap = (place: number): Uint8Array => {
    const key = new Uint8Array(130);
    key[place] = 1;
    return key;
  };
  const [a, b] = [cheap(3), cheap(9)];
  const [publicA, publicB] = await Promise.all([pool.publicKeyOf(a), pool.publicKeyOf(b)]);
  assert.equal(pool.workerCount, 2);
  const [one, other] = await Promise.all([
    pool.sharedSecret(a, publicB),
    pool.sharedSecret(b, publicA),
  ]);
  assert.equal(toHex(one), toHex(other));
  assert.equal(toHex(one), toHex(sharedSecret(a, publicB)));
  const noKey = new Uint8Array(128).fill(1);
  await assert.rejects(pool.sharedSecret(a, noKey), /^RangeError: `publicKey`/);
  assert.equal(await pool.validate(noKey), false);
  assert.equal(await pool.validate(publicA), true);
});

test("an error in a worker is passed back, and so is its end", async () => {
  const worker = spawnCtidhWorker();
  const response = new Promise<CtidhResponse>((resolve) => worker.onMessage(resolve));
  const failure = new Promise<Error>((resolve) => worker.onError(resolve));
  const privateKey = new Uint8Array(3);
  worker.postMessage(
    { id: 7, operation: "groupAction", publicKey: new Uint8Array(128), privateKey },
    [privateKey.buffer],
  );
  assert.equal(privateKey.length, 0);
  const { id, outcome } = await response;
  assert.equal(id, 7);
  assert.ok(outcome.kind === "failed" && /`privateKey` must be 130 bytes/.test(outcome.message));
  // Input that is not a request causes a fault that ends the worker.
  worker.postMessage(null as never, []);
  assert.match((await failure).message, /null/);
});

test("closing the pool ends a worker in the middle of its work", async () => {
  const pool = new CtidhPool(spawnCtidhWorker, { clock: realClock });
  const pair = pool.generate();
  pool.close();
  await assert.rejects(pair, /the CTIDH pool is closed/);
});

test("a process with only idle workers ends by itself", async () => {
  const url = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href;
  const program = `
    import { CtidhPool } from ${JSON.stringify(url("crypto/ctidh/pool.js"))};
    import { realClock } from ${JSON.stringify(url("clock/real.js"))};
    import { spawnCtidhWorker } from ${JSON.stringify(url("platform/node-worker.js"))};
    const pool = new CtidhPool(spawnCtidhWorker, { clock: realClock, idleMs: 3_600_000 });
    const key = await pool.publicKeyOf(new Uint8Array(130));
    console.log(key.length, pool.workerCount);`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program]);
  assert.equal(stdout.trim(), "128 1");
});
