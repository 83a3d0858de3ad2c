/**
 * Boxes: the cost of their cryptography compared with the bare library operations, and of whole
 * writes and reads.
 */
import { createHash, hkdfSync, randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gcmsiv } from "@noble/ciphers/aes.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { ThinClient } from "katzenpost-thinclient";
import {
  boxIdFor,
  encryptBox,
  keypairFromSeed,
  nextMessageBoxIndex,
} from "katzenpost-thinclient/bacap";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { type BenchLine, pairedRates, syncRatePerSecond } from "./report.js";
import { whereTimeGoes } from "./where-time-goes.js";

const PAIRS_IN_FLIGHT = 32;
const { Point } = ed25519;
const scalar = Point.Fn.create(2n ** 251n + 1234567890123456789n);
const bytes32 = new Uint8Array(32).fill(3);
const bytes64 = new Uint8Array(64).fill(5);
/** With a table and without the library's blinding, as in the code for boxes. */
const base = Point.fromBytes(Point.BASE.toBytes()).precompute(7);
/** More indices than a stream's cached box IDs. */
const INDICES = 64;

const hkdf = (ikm: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync("blake2b512", ikm, bytes32, new Uint8Array(0), 32));
const sha512 = (input: Uint8Array): Uint8Array => createHash("sha512").update(input).digest();

/** Different inputs for the library each time, as with real boxes. */
let turn = 0;
function nextScalar(): bigint {
  return scalar + BigInt(turn++);
}
function nextKey(): Uint8Array {
  const key = bytes32.slice();
  key[turn++ % 32]! += 1;
  return hkdf(key);
}

/**
 * The minimum work for one box: two keys, a blinding factor, two base multiplications, a cipher.
 */
function bareEncryption(plaintext: Uint8Array): void {
  const key = nextKey();
  const blinding = nextKey();
  createHash("sha512-256").update(blinding).digest();
  base.multiply(nextScalar()).toBytes();
  const ciphertext = gcmsiv(key, blinding.subarray(0, 12), blinding).encrypt(plaintext);
  sha512(bytes32);
  sha512(ciphertext);
  base.multiply(nextScalar()).toBytes();
  sha512(ciphertext);
  Point.Fn.add(Point.Fn.mul(scalar, scalar), scalar);
}

/** The minimum work for a reader's next box ID: a step, a key, a factor, one multiplication. */
function bareBoxId(): void {
  hkdfSync("blake2b512", bytes32, bytes32, bytes32.subarray(8), 96);
  createHash("sha512-256").update(nextKey()).digest();
  point.multiply(nextScalar()).toBytes();
}
const point = Point.BASE.multiply(scalar);

async function cryptography(): Promise<BenchLine[]> {
  const { writeCap, readCap, firstMessageIndex } = keypairFromSeed(bytes64.subarray(32));
  const plaintext = new Uint8Array(1553);
  // A different index each time, because recently used IDs are cached.
  const indices = [firstMessageIndex];
  while (indices.length < INDICES) indices.push(nextMessageBoxIndex(indices.at(-1)!));
  let box = 0;
  const encrypt = (): unknown => encryptBox(writeCap, indices[box++ % INDICES]!, plaintext);
  const [encrypted, bareEncrypted] = await pairedRates(
    () => syncRatePerSecond(encrypt, 600),
    () => syncRatePerSecond(() => bareEncryption(plaintext), 600),
  );
  let index = firstMessageIndex;
  const [ids, bareIds] = await pairedRates(
    () =>
      syncRatePerSecond(() => {
        index = nextMessageBoxIndex(index);
        boxIdFor(readCap, index);
      }, 600),
    () => syncRatePerSecond(bareBoxId, 600),
  );
  const peer = "bare library operations";
  const wanted = { atLeast: 0.8 };
  return [
    {
      name: "box encryption with signature",
      value: encrypted,
      unit: "/s",
      peer: { name: peer, value: bareEncrypted },
      wanted,
    },
    {
      name: "box ID of a reader",
      value: ids,
      unit: "/s",
      peer: { name: peer, value: bareIds },
      wanted,
    },
  ];
}

async function pairsPerSecond(client: ThinClient, ms: number): Promise<number> {
  const plaintext = randomBytes(client.pigeonholeGeometry.maxPlaintextPayloadLength);
  const full = new Uint8Array(plaintext);
  let pairs = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: PAIRS_IN_FLIGHT }, async () => {
      const keys = await client.newKeypair(randomBytes(32));
      let index = keys.firstMessageIndex;
      while (performance.now() - start < ms) {
        const written = await client.write(keys.writeCap, index, full);
        const { plaintext: got } = await client.read(keys.readCap, index);
        if (got.length !== full.length) throw new Error("the box that was read is too short");
        index = written.nextMessageBoxIndex;
        pairs++;
      }
    }),
  );
  return (pairs / (performance.now() - start)) * 1000;
}

/** Runs the measurements. */
export async function benchBoxes(): Promise<BenchLine[]> {
  const lines = await cryptography();
  const socket = join(tmpdir(), `katz-bench-${process.pid}-boxes.sock`);
  await using daemon = await DevDaemon.start({ listen: `unix:${socket}` });
  await using client = await ThinClient.connect(daemon.config());
  await pairsPerSecond(client, 1000);
  lines.push({
    name: `write and read of a full box, ${PAIRS_IN_FLIGHT} pairs in flight`,
    value: await pairsPerSecond(client, 5000),
    unit: "pairs/s",
    wanted: { atLeast: 120 },
  });
  console.log("where a write and a read of a full box spend their time:");
  for (const [kind, share] of await whereTimeGoes(() => pairsPerSecond(client, 2000))) {
    console.log(`  ${(share * 100).toFixed(0).padStart(3)} %  ${kind}`);
  }
  return lines;
}
