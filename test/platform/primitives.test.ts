import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { blake2b } from "@noble/hashes/blake2.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import * as fc from "fast-check";
import { fromHex, toHex } from "../../src/bytes/bytes.js";
import { blake2256Sum, hash256, hashLongInputsBy } from "../../src/bytes/hash.js";
import * as browser from "../../src/platform/browser-crypto.js";
import { blake2b256 } from "../../src/platform/node-blake2b.js";
import * as node from "../../src/platform/node-crypto.js";

// oxlint-disable-next-line typescript/no-explicit-any -- each test names the fields it reads
function loadVectors(name: string): any {
  const url = new URL(`../../../test/reference/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8"));
}

const platforms = { node, browser };
const runs = { numRuns: 40 };
const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

/** The result of a call, or the class and text of its error. */
function outcome(call: () => Uint8Array | boolean | null): string {
  try {
    const value = call();
    if (!(value instanceof Uint8Array)) return String(value);
    assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype);
    assert.equal(value.byteLength, value.buffer.byteLength, "a view into somebody's memory");
    return toHex(value);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    const { name, message } = error as Error;
    return `${name}: ${message}`;
  }
}

function sameOnBoth(call: (platform: typeof node | typeof browser) => Uint8Array | boolean | null) {
  const answer = outcome(() => call(node));
  assert.equal(
    outcome(() => call(browser)),
    answer,
  );
  return answer;
}

const lowOrderPoints = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

test("Ed25519 verdicts match the reference on the edge cases", () => {
  const cases = loadVectors("bacap").verify_edge;
  for (const [name, platform] of Object.entries(platforms)) {
    for (const v of cases) {
      const verdict = platform.ed25519Verify(
        fromHex(v.signature),
        fromHex(v.message),
        fromHex(v.box_id),
      );
      assert.equal(verdict, v.valid, `${name}: ${v.name}`);
    }
  }
  assert.equal(cases.length, 10);
});

test("X25519 gives the reference's secrets and refuses what it refuses", () => {
  const cases = loadVectors("mkem").x25519_dh;
  let refused = 0;
  for (const platform of Object.values(platforms)) {
    for (const v of cases) {
      const own = fromHex(v.private_key);
      assert.equal(toHex(platform.x25519PublicKey(own)), v.own_public_key);
      const secret = (): Uint8Array => platform.x25519SharedSecret(own, fromHex(v.peer_public_key));
      if (v.error === "") {
        assert.equal(toHex(secret()), v.shared_secret);
      } else {
        refused++;
        assert.throws(secret, RangeError);
      }
    }
  }
  assert.equal(cases.length, 15);
  assert.ok(refused > 0);
});

test("X25519 is the same on both platforms", () => {
  fc.assert(
    fc.property(bytes(32), bytes(32), (one, two) => {
      const publicKey = fromHex(sameOnBoth((p) => p.x25519PublicKey(one)));
      const secret = sameOnBoth((p) => p.x25519SharedSecret(two, publicKey));
      assert.equal(secret, toHex(x25519.getSharedSecret(two, publicKey)));
      // Any 32 bytes are a public key, even above the field's size and with the high bit set.
      sameOnBoth((p) => p.x25519SharedSecret(one, two));
    }),
    runs,
  );
});

test("X25519 refuses every low-order point on both platforms", () => {
  const own = new Uint8Array(32).fill(7);
  for (const point of lowOrderPoints) {
    assert.equal(
      sameOnBoth((p) => p.x25519SharedSecret(own, fromHex(point))),
      "RangeError: `publicKey` must not be of low order",
    );
  }
});

test("Ed25519 verdicts are the same on both platforms", () => {
  let accepted = 0;
  fc.assert(
    fc.property(
      bytes(32),
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(95),
      fc.nat(7),
      (seed, message, at, bit) => {
        const publicKey = ed25519.getPublicKey(seed);
        const signature = ed25519.sign(message, seed);
        if (sameOnBoth((p) => p.ed25519Verify(signature, message, publicKey)) === "true")
          accepted++;
        const joined = new Uint8Array([...signature, ...publicKey]);
        joined[at]! ^= 1 << bit;
        const verdict = sameOnBoth((p) =>
          p.ed25519Verify(joined.subarray(0, 64), message, joined.subarray(64)),
        );
        assert.equal(verdict, "false");
      },
    ),
    runs,
  );
  assert.equal(accepted, runs.numRuns);
});

test("Ed25519 verdicts are the same for S beyond the group's order and unusual points", () => {
  const order = ed25519.Point.Fn.ORDER;
  const identity = fromHex(`01${"00".repeat(31)}`);
  const scalar = (value: bigint): Uint8Array =>
    fromHex(value.toString(16).padStart(64, "0")).toReversed();
  const points = [...lowOrderPoints, "ff".repeat(32), `01${"00".repeat(30)}80`].map(fromHex);
  let cases = 0;
  for (const s of [0n, 1n, order - 1n, order, order + 1n, 2n ** 252n, 2n ** 256n - 1n]) {
    for (const a of points) {
      for (const r of points) {
        cases++;
        const verdict = sameOnBoth((p) =>
          p.ed25519Verify(new Uint8Array([...r, ...scalar(s)]), fromHex("00ff"), a),
        );
        if (s >= order) assert.equal(verdict, "false");
      }
    }
  }
  assert.equal(cases, 7 * 9 * 9);
  // The universal signature of the identity: S = 0, R = A = the identity.
  const universal = new Uint8Array([...identity, ...scalar(0n)]);
  assert.equal(
    sameOnBoth((p) => p.ed25519Verify(universal, identity, identity)),
    "true",
  );
});

test("Ed25519 verification returns false for a wrong length and never throws", () => {
  for (const [signatureLength, keyLength] of [
    [0, 32],
    [63, 32],
    [65, 32],
    [64, 0],
    [64, 31],
    [64, 33],
  ] as const) {
    const verdict = sameOnBoth((p) =>
      p.ed25519Verify(
        new Uint8Array(signatureLength),
        new Uint8Array(3),
        new Uint8Array(keyLength),
      ),
    );
    assert.equal(verdict, "false");
  }
});

test("ChaCha20-Poly1305 matches RFC 8439, section 2.8.2 without associated data", () => {
  const key = fromHex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const nonce = fromHex("070000004041424344454647");
  const plaintext = new TextEncoder().encode(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the " +
      "future, sunscreen would be it.",
  );
  const sealed = sameOnBoth((p) => p.chacha20Poly1305Seal(key, nonce, plaintext));
  assert.ok(sealed.startsWith("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"));
  assert.equal(sealed.length, 2 * (plaintext.length + 16));
});

test("ChaCha20-Poly1305 opens what it sealed, and nothing that was modified", () => {
  fc.assert(
    fc.property(
      bytes(32),
      bytes(12),
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(),
      (key, nonce, plaintext, where) => {
        const sealed = fromHex(sameOnBoth((p) => p.chacha20Poly1305Seal(key, nonce, plaintext)));
        const opened = sameOnBoth((p) => p.chacha20Poly1305Open(key, nonce, sealed));
        assert.equal(opened, toHex(plaintext));
        const prefixed = sameOnBoth((p) =>
          p.chacha20Poly1305Seal(key, nonce, plaintext, undefined, nonce),
        );
        assert.equal(prefixed, toHex(nonce) + toHex(sealed));
        sealed[where % sealed.length]! ^= 1;
        assert.equal(
          sameOnBoth((p) => p.chacha20Poly1305Open(key, nonce, sealed)),
          "null",
        );
        const short = sealed.subarray(0, sealed.length - 1);
        assert.equal(
          sameOnBoth((p) => p.chacha20Poly1305Open(key, nonce, short)),
          "null",
        );
      },
    ),
    runs,
  );
});

test("input too short for a tag does not open", () => {
  for (let length = 0; length < 16; length++) {
    const answer = sameOnBoth((p) =>
      p.chacha20Poly1305Open(new Uint8Array(32), new Uint8Array(12), new Uint8Array(length)),
    );
    assert.equal(answer, "null");
  }
});

test("HKDF-BLAKE2b-512 matches the reference", () => {
  const cases = loadVectors("primitives").hkdf_blake2b512;
  assert.equal(cases.length, 10);
  for (const v of cases) {
    const okm = sameOnBoth((p) =>
      p.hkdfBlake2b512(fromHex(v.secret), fromHex(v.salt), fromHex(v.info), v.length),
    );
    assert.equal(okm, v.okm);
  }
});

test("HKDF-BLAKE2b-512 is the same on both platforms, at its limits too", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: 300 }),
      (ikm, salt, info, length) => {
        const okm = sameOnBoth((p) => p.hkdfBlake2b512(ikm, salt, info, length));
        assert.equal(okm.length, 2 * length);
      },
    ),
    runs,
  );
  const none = new Uint8Array(0);
  const longest = sameOnBoth((p) => p.hkdfBlake2b512(none, none, new Uint8Array(1024), 16320));
  assert.equal(longest.length, 2 * 16320);
  for (const [infoLength, length] of [
    [1025, 1],
    [0, 0],
    [0, -1],
    [0, 1.5],
    [0, 16321],
    [0, Number.NaN],
  ] as const) {
    const answer = sameOnBoth((p) =>
      p.hkdfBlake2b512(none, none, new Uint8Array(infoLength), length),
    );
    assert.match(answer, /^RangeError: `(info|length)` must be /);
  }
});

test("BLAKE2b-512 is the same on both platforms, however its input is split", () => {
  const text = new TextEncoder().encode("abc");
  // RFC 7693, appendix A.
  assert.equal(
    sameOnBoth((p) => p.blake2b512(text)),
    "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1" +
      "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
  );
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }), (parts) => {
      const whole = new Uint8Array(parts.flatMap((part) => [...part]));
      assert.equal(
        sameOnBoth((p) => p.blake2b512(...parts)),
        sameOnBoth((p) => p.blake2b512(whole)),
      );
    }),
    runs,
  );
});

test("SHA-512 is the same on both platforms, however its input is split", () => {
  const text = new TextEncoder().encode("abc");
  // FIPS 180-4, with its published example values.
  assert.equal(
    sameOnBoth((p) => p.sha512(text)),
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  );
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }), (parts) => {
      const whole = new Uint8Array(parts.flatMap((part) => [...part]));
      const hashed = sameOnBoth((p) => p.sha512(...parts));
      assert.equal(
        hashed,
        sameOnBoth((p) => p.sha512(whole)),
      );
    }),
    runs,
  );
});

test("wrong key and nonce sizes are refused alike, without showing their contents", () => {
  const [key, nonce, none] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(0)];
  const answers = [
    sameOnBoth((p) => p.x25519PublicKey(new Uint8Array(31))),
    sameOnBoth((p) => p.x25519SharedSecret(new Uint8Array(33), key)),
    sameOnBoth((p) => p.x25519SharedSecret(key, none)),
    sameOnBoth((p) => p.chacha20Poly1305Seal(nonce, nonce, none)),
    sameOnBoth((p) => p.chacha20Poly1305Seal(key, key, none)),
    sameOnBoth((p) => p.chacha20Poly1305Open(nonce, nonce, key)),
    sameOnBoth((p) => p.chacha20Poly1305Open(key, key, key)),
  ];
  assert.deepEqual(answers, [
    "RangeError: `privateKey` must be 32 bytes, got 31",
    "RangeError: `privateKey` must be 32 bytes, got 33",
    "RangeError: `publicKey` must be 32 bytes, got 0",
    "RangeError: `key` must be 32 bytes, got 12",
    "RangeError: `nonce` must be 12 bytes, got 32",
    "RangeError: `key` must be 32 bytes, got 12",
    "RangeError: `nonce` must be 12 bytes, got 32",
  ]);
  const text = "x".repeat(32) as unknown as Uint8Array;
  assert.match(
    sameOnBoth((p) => p.x25519PublicKey(text)),
    /^TypeError: `privateKey` must be/,
  );
});

test("HMAC, counter mode and SHAKE are the same on both platforms", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 3 }),
      fc.integer({ min: 1, max: 300 }),
      (key, parts, length) => {
        sameOnBoth((platform) => platform.hmacSha256(key, ...parts));
        sameOnBoth((platform) => platform.shake256(length, ...parts));
      },
    ),
    runs,
  );
  fc.assert(
    fc.property(bytes(32), bytes(16), fc.uint8Array({ maxLength: 500 }), (key, iv, data) => {
      sameOnBoth((platform) => platform.aes256Ctr(key, iv, data));
    }),
    runs,
  );
  const carry = new Uint8Array(16).fill(255);
  sameOnBoth((platform) => platform.aes256Ctr(new Uint8Array(32), carry, new Uint8Array(64)));
  const wrong = sameOnBoth((platform) =>
    platform.aes256Ctr(new Uint8Array(31), carry, new Uint8Array(1)),
  );
  assert.equal(wrong, "RangeError: `key` must be 32 bytes, got 31");
});

test("BLAKE2b-256 in WebAssembly equals the library's at any length, and returns its own memory", async () => {
  // The module is not there at first; until then the library computes hashes.
  while (blake2b256([new Uint8Array(1)]) === null) await new Promise((r) => setTimeout(r, 5));
  const lengths = [0, 1, 127, 128, 129, 1734, 16 * 1024, 100_001];
  for (const input of lengths.map((length) => new Uint8Array(length).fill(length))) {
    assert.equal(
      outcome(() => blake2b256([input])),
      toHex(blake2b(input, { dkLen: 32 })),
    );
    const half = input.length >> 1;
    assert.equal(
      outcome(() => blake2b256([input.subarray(0, half), input.subarray(half)])),
      toHex(blake2b(input, { dkLen: 32 })),
    );
  }
  const inside = new Uint8Array(2000).fill(5).subarray(3, 1737);
  const first = blake2b256([inside])!;
  assert.equal(toHex(blake2b256([Buffer.from(inside)])!), toHex(first));
  blake2b256([new Uint8Array(3)]);
  assert.equal(toHex(first), toHex(blake2b(inside, { dkLen: 32 })));
});

test("a platform's hash gets only long inputs, and may decline", () => {
  const asked: number[] = [];
  const answer = new Uint8Array(32).fill(1);
  hashLongInputsBy((parts) => {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    asked.push(length);
    return length === 300 ? null : answer;
  });
  try {
    for (const length of [32, 168, 255, 300]) {
      const input = new Uint8Array(length);
      assert.deepEqual(hash256(input), blake2b(input, { dkLen: 32 }), `${length} bytes`);
    }
    assert.deepEqual(hash256(new Uint8Array(256)), answer);
    const input = new Uint8Array(300).fill(7);
    const inParts = hash256(input.subarray(0, 3), input.subarray(3, 3), input.subarray(3));
    assert.deepEqual(inParts, blake2b(input, { dkLen: 32 }));
    assert.deepEqual(hash256(new Uint8Array(100), new Uint8Array(156)), answer);
  } finally {
    hashLongInputsBy(blake2b256);
  }
  assert.deepEqual(asked, [300, 256, 300, 256]);
});

test("blake2256Sum takes one byte array of any length, and nothing else", () => {
  const data = new Uint8Array(300).fill(9);
  assert.deepEqual(blake2256Sum(data), blake2b(data, { dkLen: 32 }));
  for (const wrong of ["x", "x".repeat(300), undefined, [1, 2], new ArrayBuffer(4)]) {
    assert.throws(() => blake2256Sum(wrong as never), {
      name: "TypeError",
      message: /^`data` must be a Uint8Array, got /,
    });
  }
});
