/**
 * CTIDH1024: how much a group action costs beyond its field multiplications, and how long it delays
 * the event loop when it runs in a worker. Run alone: `node dist/bench/ctidh.js`.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { realClock } from "../src/clock/real.js";
import {
  publicKeyOf,
  generatePrivateKey,
  validatePublicKey,
} from "../src/crypto/ctidh/ctidh1024.js";
import { P, multiply } from "../src/crypto/ctidh/field.js";
import { CtidhPool } from "../src/crypto/ctidh/pool.js";
import { shake256Random } from "../src/bacap/seeded-random.js";
import { spawnCtidhWorker } from "../src/platform/node-worker.js";
import { type BenchLine, table } from "./report.js";

const module = (path: string): string =>
  fileURLToPath(new URL(`../src/crypto/ctidh/${path}`, import.meta.url));

/**
 * How many field multiplications a key's action takes: the same code, with a field that counts. (It
 * does not count the thousand multiplications of the final inversion, which is inside the field.)
 */
async function countMultiplications(privateKey: Uint8Array): Promise<number> {
  const real = JSON.stringify(module("field.js"));
  const counting = `
    import { multiply as plain } from ${real};
    export * from ${real};
    export let multiplications = 0;
    export const multiply = (a, b) => (multiplications++, plain(a, b));`;
  const bundle = await build({
    stdin: {
      contents: `export { publicKeyOf } from "./ctidh1024.js";
        export { multiplications } from "./field.js";`,
      resolveDir: module("."),
    },
    bundle: true,
    format: "esm",
    write: false,
    plugins: [
      {
        name: "counting-field",
        setup(plugin) {
          plugin.onResolve({ filter: /\/field\.js$/ }, ({ path, namespace }) =>
            namespace === "counting" || path.startsWith("/")
              ? { path: module("field.js") }
              : { path: "field", namespace: "counting" },
          );
          plugin.onLoad({ filter: /.*/, namespace: "counting" }, () => ({
            contents: counting,
            resolveDir: module("."),
          }));
        },
      },
    ],
  });
  const source = Buffer.from(bundle.outputFiles[0]!.contents).toString("base64");
  const counted = await import(`data:text/javascript;base64,${source}`);
  counted.publicKeyOf(privateKey);
  return counted.multiplications;
}

const R = 1n << 1024n;
const negatedInverse = ((): bigint => {
  let inverse = 1n;
  for (let bits = 1; bits < 1024; bits *= 2) inverse = (inverse * (2n - P * inverse)) % R;
  return BigInt.asUintN(1024, -inverse);
})();

/** Montgomery's reduction as in textbooks. */
function multiplyPlainly(a: bigint, b: bigint): bigint {
  const product = a * b;
  const factor = BigInt.asUintN(1024, BigInt.asUintN(1024, product) * negatedInverse);
  const reduced = (product + factor * P) >> 1024n;
  return reduced >= P ? reduced - P : reduced;
}

function millisecondsOf(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function bareLoop(product: (a: bigint, b: bigint) => bigint, count: number): number {
  return millisecondsOf(() => {
    let [a, b] = [P - 12345n, P / 3n];
    for (let i = 0; i < count; i++) [a, b] = [product(a, b), a];
    if (a === b) throw new Error("the products must differ");
  });
}

/**
 * The longest time in milliseconds that the event loop was blocked during one action in a worker.
 */
async function worstDelayDuringAction(privateKey: Uint8Array): Promise<number> {
  const pool = new CtidhPool(spawnCtidhWorker, { clock: realClock });
  const resolution = 1;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  await pool.publicKeyOf(privateKey);
  delay.disable();
  pool.close();
  return Math.max(0, delay.max / 1e6 - resolution);
}

/** Takes the minimum of several runs, which alternate. */
export async function benchCtidh(runs = 5): Promise<BenchLine[]> {
  const privateKey = generatePrivateKey(shake256Random(Uint8Array.of(1)));
  const publicKey = publicKeyOf(privateKey);
  const count = await countMultiplications(privateKey);
  const least = { action: Infinity, own: Infinity, plain: Infinity, validation: Infinity };
  for (let run = 0; run < runs; run++) {
    least.action = Math.min(
      least.action,
      millisecondsOf(() => publicKeyOf(privateKey)),
    );
    least.own = Math.min(least.own, bareLoop(multiply, count));
    least.plain = Math.min(least.plain, bareLoop(multiplyPlainly, count));
    least.validation = Math.min(
      least.validation,
      millisecondsOf(() => validatePublicKey(publicKey)),
    );
  }
  return [
    { name: "field multiplications of one action", value: count, unit: "" },
    {
      name: "one action",
      value: least.action,
      unit: "ms",
      peer: { name: "as many multiplications of this field", value: least.own },
    },
    {
      name: "one action",
      value: least.action,
      unit: "ms",
      peer: { name: "as many textbook Montgomery multiplications", value: least.plain },
      wanted: { atMost: 1.5 },
    },
    { name: "validation of a public key", value: least.validation, unit: "ms" },
    {
      name: "worst event-loop delay during an action in a worker",
      value: await worstDelayDuringAction(privateKey),
      unit: "ms",
      wanted: { atMost: 20 },
    },
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${table(await benchCtidh())}\n`);
}
