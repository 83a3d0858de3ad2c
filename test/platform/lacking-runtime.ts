/**
 * Loaded before a test with `--import`: removes from `node:crypto` the features that `KATZ_LACKS`
 * names, as in runtimes that lack them. This is a double: runtimes that really lack them run the
 * same test in the smoke set.
 */
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

const { createCipheriv, createDecipheriv, createHash, createPrivateKey, hkdfSync, verify } = crypto;
const never = (): never => {
  throw new TypeError("not in this runtime");
};
/** Encodings of points whose order divides 8, as newer Nodes refuse them as public keys. */
const refusedKeys = /^(0[01](00){30}[08]0|e[cde](ff){30}[7f]f)$/;

const lacks: Readonly<Record<string, () => void>> = {
  // Node 24.22 and newer, 26.
  "private JWK"() {
    crypto.createPrivateKey = ((input: crypto.JsonWebKeyInput) => {
      if (input.format === "jwk" && input.key.x === "") throw new Error("Invalid JWK OKP key");
      return createPrivateKey(input);
    }) as typeof createPrivateKey;
  },
  // Node 24.22 and newer, 26.
  "points of low order"() {
    crypto.verify = ((hash: null, message: Buffer, key: crypto.KeyObject, signature: Buffer) => {
      const point = Buffer.from(key.export({ format: "jwk" }).x!, "base64url").toString("hex");
      return !refusedKeys.test(point) && verify(hash, message, key, signature);
    }) as typeof verify;
  },
  // Deno, Bun.
  "blake2b512 for HKDF"() {
    crypto.hkdfSync = ((digest: string, ...rest: [Buffer, Buffer, Buffer, number]) =>
      digest.startsWith("blake2") ? never() : hkdfSync(digest, ...rest)) as typeof hkdfSync;
  },
  // Bun.
  "chacha20-poly1305"() {
    crypto.createCipheriv = ((name: string, ...rest: [Buffer, Buffer]) =>
      name.startsWith("chacha") ? never() : createCipheriv(name, ...rest)) as never;
    crypto.createDecipheriv = ((name: string, ...rest: [Buffer, Buffer]) =>
      name.startsWith("chacha") ? never() : createDecipheriv(name, ...rest)) as never;
  },
  everything() {
    Object.assign(crypto, {
      createCipheriv: never,
      createDecipheriv: never,
      createPrivateKey: never,
      createPublicKey: never,
      hkdfSync: never,
      verify: never,
      createHash: ((name: string) =>
        ["blake2b512", "sha512"].includes(name) ? never() : createHash(name)) as typeof createHash,
    });
  },
  "a right answer"() {
    crypto.hkdfSync = ((_digest: string, _ikm: Buffer, _salt: Buffer, _info: Buffer, n: number) =>
      new ArrayBuffer(n)) as typeof hkdfSync;
  },
};

/** The features that can be removed. */
export const lackable: readonly string[] = Object.keys(lacks);

const lacking = process.env["KATZ_LACKS"];
if (lacking !== undefined) {
  lacks[lacking]!();
  syncBuiltinESMExports();
}
