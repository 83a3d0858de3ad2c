import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { decodeCertificate, certificateMessage } from "../../src/pki/certificate.js";
import { decodePublicKeyPem } from "../../src/pki/pem.js";
import { signatureSchemeNames } from "../../src/pki/scheme-names.js";
import { signatureSchemeByName, signatureSchemes } from "../../src/pki/signature-schemes.js";
import { verifyCertificateWith } from "../../src/pki/verify-with.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const noPause = () => Promise.resolve();
const falcon = loadVectors("mixnet-falcon");
const sphincs = loadVectors("mixnet-cert-ed25519-sphincs");
const sphincs2 = loadVectors("mixnet-cert-ed25519-sphincs-2");

// oxlint-disable-next-line typescript/no-explicit-any -- cases of the vector files
type Case = any;

test("schemes have the reference's sizes and names", () => {
  for (const v of falcon.schemes) {
    const scheme = signatureSchemeByName(v.name);
    assert.equal(scheme.name, v.name);
    assert.equal(scheme.publicKeyLength, v.publicKeySize);
    assert.equal(scheme.signatureLength, v.signatureSize);
  }
  const hybrid = signatureSchemeByName("ED25519 SPHINCS+");
  assert.equal(hybrid.name, sphincs.scheme);
  assert.equal(hybrid.publicKeyLength, sphincs.publicKeySize);
  assert.equal(hybrid.signatureLength, sphincs.signatureSize);
  assert.throws(() => signatureSchemeByName("Ed448"), {
    name: "RangeError",
    message:
      'there is no signature scheme with the name "Ed448" (known: ' +
      `${signatureSchemes.map(({ name }) => name).join(", ")})`,
  });
});

test("the synchronous functions know the name of every scheme that can be verified", () => {
  assert.deepEqual(
    signatureSchemeNames,
    signatureSchemes.map(({ name }) => name),
  );
});

test("Falcon and its hybrids verify what the reference signed, and nothing else", async () => {
  let good = 0;
  for (const v of falcon.cases) {
    const scheme = signatureSchemeByName(v.scheme);
    const verdict = await scheme.verify(
      hex(v.signature),
      hex(v.message),
      hex(v.publicKey),
      noPause,
    );
    assert.equal(verdict, v.verify, `${v.scheme}: ${v.name}`);
    if (verdict) good++;
  }
  assert.deepEqual([falcon.cases.length, good], [59, 13]);
});

test("certificates under a Falcon hybrid are accepted and refused as by the reference", async () => {
  const keys = new Map<string, Case>();
  for (const key of [...falcon.certificates.authorities, falcon.certificates.stranger]) {
    keys.set(key.publicKeyHash, key);
    const { scheme, publicKey } = decodePublicKeyPem(key.publicKeyPEM);
    assert.equal(scheme, key.scheme.toUpperCase());
    assert.equal(toHex(publicKey), key.publicKey);
  }
  const currentEpoch = 50_000_000;
  const counts = { accepted: 0, refused: 0 };
  for (const v of falcon.certificates.cases) {
    const certificate = decodeCertificate(hex(v.certificate));
    const authorities = v.verifiers.map((hash: string) => ({
      publicKey: keys.get(hash).publicKeyPEM,
    }));
    const found = verifyCertificateWith(
      certificate,
      authorities,
      { currentEpoch, threshold: v.threshold },
      noPause,
    );
    // A wrong length that crashed the reference gives a bad signature here, and the others count.
    const isCrash = v.error?.startsWith("PANIC:");
    if (v.error !== "" && !isCrash) {
      await assert.rejects(
        found,
        (error) => hasCode(error, "ERR_PKI_VERIFICATION") || error instanceof RangeError,
        v.name,
      );
      counts.refused++;
      continue;
    }
    const { signers, rejected } = await found;
    const hashes = signers.map(({ hash }) => toHex(hash)).toSorted();
    if (isCrash) assert.deepEqual([hashes.length, rejected.length], [2, 1], v.name);
    else {
      assert.deepEqual(hashes, v.good.toSorted(), v.name);
      assert.deepEqual(
        rejected.map(({ authority }) => toHex(authority.hash)).toSorted(),
        v.bad.toSorted(),
      );
    }
    counts.accepted++;
  }
  assert.equal(counts.accepted + counts.refused, 18);
  assert.deepEqual(counts, { accepted: 8, refused: 10 });
});

test("a certificate under Ed25519 Sphincs+ verifies with many pauses", async () => {
  const certificate = decodeCertificate(hex(sphincs.certificate));
  assert.equal(toHex(certificateMessage(certificate)), sphincs.signedMessage);
  let pauses = 0;
  const { signers } = await verifyCertificateWith(
    certificate,
    [{ publicKey: sphincs.publicKeyPEM }],
    { currentEpoch: 1 },
    () => {
      pauses++;
      return Promise.resolve();
    },
  );
  assert.deepEqual(
    signers.map(({ hash }) => toHex(hash)),
    [sphincs.publicKeyHash],
  );
  assert.ok(pauses > 1000, `${pauses} pauses`);
});

test("signatures under Ed25519 Sphincs+ verify and fail as in the reference", async () => {
  const scheme = signatureSchemeByName(sphincs2.scheme);
  const certificate = decodeCertificate(hex(sphincs2.certificate));
  const signature = certificate.signatures[0]!.payload;
  const whole = hex(sphincs2.certificate);
  const cut = whole.slice(sphincs2.signatureOffset, sphincs2.signatureOffset + 49_920);
  assert.deepEqual(signature, cut);
  let good = 0;
  for (const v of sphincs2.cases) {
    const changed = new Uint8Array(v.length);
    changed.set(signature.subarray(0, v.length));
    for (const { offset, xor } of v.edits) changed[offset]! ^= xor;
    const verdict = await scheme.verify(changed, hex(v.message), hex(v.publicKey), noPause);
    assert.equal(verdict, v.verify, v.name);
    if (verdict) good++;
    if (v.certificateError === undefined) continue;
    const signatures = [{ ...certificate.signatures[0]!, payload: changed }];
    const found = verifyCertificateWith(
      { ...certificate, signatures },
      [{ publicKey: sphincs2.publicKeyPEM }],
      { currentEpoch: 1 },
      noPause,
    );
    if (v.certificateError === "") assert.equal((await found).signers.length, 1);
    else await assert.rejects(found, { name: "PkiVerificationError" }, v.name);
  }
  assert.deepEqual([sphincs2.cases.length, good], [21, 1]);
});

test("no scheme throws, whatever it is given", async () => {
  for (const scheme of signatureSchemes) {
    const { publicKeyLength, signatureLength } = scheme;
    for (const [key, signature] of [
      [0, 0],
      [publicKeyLength, 0],
      [0, signatureLength],
      [publicKeyLength - 1, signatureLength],
      [publicKeyLength, signatureLength + 1],
      [publicKeyLength, signatureLength],
    ] as const) {
      // Not zero: an Ed25519 key of zeros is a low-order point, under which zeros verify.
      for (const value of [7, 255]) {
        const verdict = await scheme.verify(
          new Uint8Array(signature).fill(value),
          new Uint8Array(9),
          new Uint8Array(key).fill(value),
          noPause,
        );
        assert.equal(verdict, false, `${scheme.name}, ${key}, ${signature}`);
      }
    }
  }
});
