/**
 * Boxes: the cost of their cryptography compared with the bare library operations, and of whole
 * writes and reads.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
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
import { hash256 } from "../src/bytes/hash.js";
import { type BenchLine, cpuMicroseconds, pairedRates, syncRatePerSecond } from "./report.js";
import { whereTimeGoes } from "./where-time-goes.js";

const PAIRS_IN_FLIGHT = 32;
/** Until then compilers take a tenth of the processor time. */
const WARMING_MS = 5000;
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

/** Pairs per second of processor time, so other processes of the machine do not count. */
async function pairsPerSecond(client: ThinClient, ms: number): Promise<number> {
  const plaintext = randomBytes(client.pigeonholeGeometry.maxPlaintextPayloadLength);
  const full = new Uint8Array(plaintext);
  let pairs = 0;
  const start = performance.now();
  const cpu = process.cpuUsage();
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
  const { user, system } = process.cpuUsage(cpu);
  return (pairs / (user + system)) * 1_000_000;
}

const jwk = (crv: string, x: Uint8Array, d?: Uint8Array) => {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  return { kty: "OKP", crv, x: text(x), ...(d ? { d: text(d) } : {}) };
};

/**
 * The primitives of one write and one read of a full box, each in the form of the library that we
 * use, and how often one pair calls it: counted in a network of five replicas, whose couriers,
 * intermediate replicas and shards also run in this process.
 */
function bareOperations(): readonly (readonly [what: string, count: number, run: () => unknown])[] {
  const x25519 = generateKeyPairSync("x25519");
  const { x, d } = x25519.privateKey.export({ format: "jwk" });
  const [publicHalf, privateHalf] = [x, d].map((text) => Buffer.from(text!, "base64url"));
  const signer = generateKeyPairSync("ed25519");
  const edwards = Buffer.from(signer.publicKey.export({ format: "jwk" }).x!, "base64url");
  const message = randomBytes(1600);
  const signature = sign(null, message, signer.privateKey);
  const [key, nonce, envelope] = [randomBytes(32), randomBytes(12), randomBytes(1734)];
  const plaintext = envelope.subarray(0, 1553);
  const sealed = gcmsiv(key, nonce).encrypt(plaintext);
  const options = { authTagLength: 16 };
  const chacha = createCipheriv("chacha20-poly1305", key, nonce, options);
  const ciphertext = chacha.update(envelope);
  chacha.final();
  const tag = chacha.getAuthTag();
  return [
    [
      "X25519 private key: import, public half",
      2,
      () =>
        createPrivateKey({ key: jwk("X25519", publicHalf!, privateHalf), format: "jwk" }).export({
          format: "jwk",
        }),
    ],
    [
      "X25519 public key: import",
      2,
      () => createPublicKey({ key: jwk("X25519", publicHalf!), format: "jwk" }),
    ],
    ["X25519 secret", 8, () => diffieHellman(x25519)],
    [
      "Ed25519 public key: import",
      1,
      () => createPublicKey({ key: jwk("Ed25519", edwards), format: "jwk" }),
    ],
    ["Ed25519 check", 3, () => verify(null, message, signer.publicKey, signature)],
    [
      "ChaCha20-Poly1305 seal",
      22,
      () => {
        const cipher = createCipheriv("chacha20-poly1305", key, nonce, options);
        cipher.update(envelope);
        cipher.final();
        return cipher.getAuthTag();
      },
    ],
    [
      "ChaCha20-Poly1305 open",
      21,
      () => {
        const cipher = createDecipheriv("chacha20-poly1305", key, nonce, options);
        cipher.setAuthTag(tag);
        cipher.update(ciphertext);
        return cipher.final();
      },
    ],
    ["HKDF-BLAKE2b-512", 7, () => hkdfSync("blake2b512", bytes32, bytes32, nonce, 96)],
    ["multiplication of the base point", 2, () => base.multiply(nextScalar()).toBytes()],
    ["AES-256-GCM-SIV encrypt", 1, () => gcmsiv(key, nonce).encrypt(plaintext)],
    ["AES-256-GCM-SIV decrypt", 1, () => gcmsiv(key, nonce).decrypt(sealed)],
    ["BLAKE2b-256 of an envelope", 17, () => hash256(envelope)],
    ["BLAKE2b-256 of 32 or 64 bytes", 20, () => hash256(bytes64)],
    ["SHA-512 of a box", 3, () => sha512(message)],
  ];
}

/** Processor time of each bare operation, in microseconds. */
function bareMicroseconds(): number[] {
  return bareOperations().map(([, , run]) => cpuMicroseconds(run));
}

/** The sum of one pair's bare operations, which is printed operation by operation. */
function sumOfBare(before: readonly number[], after: readonly number[]): number {
  let sum = 0;
  console.log("bare operations of a write and a read of a full box, in microseconds of CPU:");
  for (const [i, [what, count]] of bareOperations().entries()) {
    // The machine may be busier or warmer than before.
    const once = (before[i]! + after[i]!) / 2;
    sum += count * once;
    const numbers = `${String(count).padStart(3)} x ${once.toFixed(1).padStart(6)}`;
    console.log(`  ${numbers} = ${(count * once).toFixed(0).padStart(5)}  ${what}`);
  }
  console.log(`  in all ${sum.toFixed(0)}`);
  return sum;
}

/** Runs the measurements. */
export async function benchBoxes(): Promise<BenchLine[]> {
  const lines = await cryptography();
  const socket = join(tmpdir(), `katz-bench-${process.pid}-boxes.sock`);
  await using daemon = await DevDaemon.start({ listen: `unix:${socket}` });
  await using client = await ThinClient.connect(daemon.config());
  await pairsPerSecond(client, WARMING_MS);
  const before = bareMicroseconds();
  const value = await pairsPerSecond(client, 5000);
  const bare = sumOfBare(before, bareMicroseconds());
  lines.push({
    name: `write and read of a full box, ${PAIRS_IN_FLIGHT} pairs in flight`,
    value,
    unit: "pairs/s of CPU",
    peer: { name: "the pair's bare operations", value: 1_000_000 / bare },
    wanted: { atLeast: 0.8 },
  });
  console.log("where a write and a read of a full box spend their time:");
  for (const [kind, share] of await whereTimeGoes(() => pairsPerSecond(client, 2000))) {
    console.log(`  ${(share * 100).toFixed(0).padStart(3)} %  ${kind}`);
  }
  return lines;
}
