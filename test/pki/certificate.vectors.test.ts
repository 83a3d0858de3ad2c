import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import {
  certificateMessage,
  decodeCertificate,
  encodeCertificate,
} from "../../src/pki/certificate.js";
import { hash256 } from "../../src/bytes/hash.js";
import { decodePublicKeyPem } from "../../src/pki/pem.js";
import { verifyCertificate } from "../../src/pki/verify.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-cert");
const currentEpoch: number = vectors.generatedAtEpoch;

test("a certificate has the reference's layout, message and signer names", () => {
  const { certificate, decoded, signedMessage } = vectors.layoutExample;
  const read = decodeCertificate(hex(certificate));
  assert.equal(read.version, decoded.Version);
  assert.equal(read.expiration, decoded.Expiration);
  assert.equal(read.keyType, decoded.KeyType);
  assert.equal(toHex(read.certified), decoded.Certified);
  assert.deepEqual(
    read.signatures.map((s) => [toHex(s.publicKeySum256), toHex(s.payload)]),
    decoded.signatures.map((s: Record<string, string>) => [s["publicKeySum256"], s["payload"]]),
  );
  assert.equal(toHex(certificateMessage(read)), signedMessage);
  assert.equal(toHex(encodeCertificate(read)), certificate);
});

test("PEM texts and hashes of authorities match the reference", () => {
  const authorities = [...vectors.authorities, vectors.stranger];
  for (const authority of authorities) {
    const { scheme, publicKey } = decodePublicKeyPem(authority.publicKeyPEM);
    assert.equal(scheme, "ED25519");
    assert.equal(toHex(publicKey), authority.publicKey);
    assert.equal(toHex(hash256(publicKey)), authority.publicKeyHash);
  }
  assert.equal(authorities.length, 4);
});

// oxlint-disable-next-line typescript/no-explicit-any -- one case of the vector file
function check(entry: any): { good: string[]; threshold: number } {
  const verifiers = entry.verifiers.map((key: string) => ({ publicKey: hex(key) }));
  const certificate = decodeCertificate(hex(entry.certificate));
  const found = verifyCertificate(certificate, verifiers, {
    currentEpoch,
    threshold: entry.threshold,
  });
  return { good: found.signers.map((s) => toHex(s.publicKey)), threshold: found.threshold };
}

test("certificates are accepted and refused as by the reference", () => {
  let accepted = 0;
  let refused = 0;
  for (const entry of vectors.cases) {
    if (entry.error === null) {
      const { good, threshold } = check(entry);
      assert.deepEqual(good.toSorted(), entry.good.toSorted(), entry.name);
      assert.equal(threshold, entry.threshold);
      accepted++;
      continue;
    }
    assert.throws(
      () => check(entry),
      (error) => {
        if (entry.name === "not CBOR") return hasCode(error, "ERR_PROTOCOL");
        if (entry.name === "threshold above verifier count") return error instanceof RangeError;
        return hasCode(error, "ERR_PKI_VERIFICATION") && error.reasons.length > 0;
      },
      entry.name,
    );
    refused++;
  }
  assert.deepEqual([accepted, refused], [5, 13]);
});

test("each refusal gives its reason", () => {
  const reasonsOf = (name: string): readonly string[] => {
    const entry = vectors.cases.find((c: { name: string }) => c.name === name);
    try {
      check(entry);
    } catch (error) {
      if (hasCode(error, "ERR_PKI_VERIFICATION")) return error.reasons;
    }
    return assert.fail(`${name} must be refused`);
  };
  const wanted: [string, RegExp][] = [
    ["two signatures, threshold 3", /: no signature$/],
    ["signed by a stranger only", /: no signature$/],
    ["empty KeyType", /^certificate without a key type$/],
    ["KeyType changed after signing", /: bad signature$/],
    ["Expiration changed after signing", /: bad signature$/],
    ["Certified changed after signing", /: bad signature$/],
    ["empty Certified", /^certificate without a document$/],
    ["signature of wrong length", /: bad signature$/],
    ["same verifier listed twice counts once", /^1 of 1 authorities signed, 2 are needed$/],
  ];
  for (const [name, pattern] of wanted) assert.match(reasonsOf(name).at(-1) ?? "", pattern, name);
});

test("a hybrid signature gives an unsupported scheme, not a bad signature, and names its verifier", () => {
  const hybrid = loadVectors("mixnet-cert-ed25519-sphincs");
  const certificate = decodeCertificate(hex(hybrid.certificate));
  assert.equal(certificate.keyType, hybrid.scheme);
  assert.equal(toHex(certificateMessage(certificate)), hybrid.signedMessage);
  assert.throws(
    () => verifyCertificate(certificate, [{ publicKey: hybrid.publicKeyPEM }], { currentEpoch }),
    (error) =>
      hasCode(error, "ERR_PKI_VERIFICATION") &&
      error.reasons
        .at(-1)
        ?.endsWith(
          "unsupported scheme ED25519 SPHINCS+: verify with verifyPkiDocumentWith of " +
            "katzenpost-thinclient/join",
        ) === true,
  );
});
