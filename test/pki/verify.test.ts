import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { fromHex, toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { Geometry } from "../../src/pki/geometry.js";
import { decodePublicKeyPem } from "../../src/pki/pem.js";
import { decodeCertificate } from "../../src/pki/certificate.js";
import { type DocumentChecks, verifyCertificate, verifyPkiDocument } from "../../src/pki/verify.js";
import type { AuthorityInput } from "../../src/pki/authority-keys.js";

const recorded = JSON.parse(
  readFileSync(
    new URL("../../../test/reference/transcripts/pki-document.json", import.meta.url),
    "utf8",
  ),
);
const certificate = fromHex(recorded.certificate);
const [first, second, third]: { identityPublicKeyPem: string }[] = recorded.authorities;
const raw = recorded.authorities.map((authority: { identityPublicKeyPem: string }) => ({
  publicKey: decodePublicKeyPem(authority.identityPublicKeyPem).publicKey,
}));

function reasons(authorities: AuthorityInput[], checks?: DocumentChecks): readonly string[] {
  try {
    verifyPkiDocument(certificate, authorities, checks);
    return [];
  } catch (error) {
    if (hasCode(error, "ERR_PKI_VERIFICATION")) return error.reasons;
    throw error;
  }
}

test("authorities are accepted as raw keys, as PEM or as the daemon lists them", () => {
  const pem = { publicKey: first!.identityPublicKeyPem, identifier: "one" };
  for (const authorities of [raw, recorded.authorities, [pem, raw[1], third]]) {
    assert.equal(verifyPkiDocument(certificate, authorities).signers.length, 3);
  }
  const { signers } = verifyPkiDocument(certificate, [pem, raw[1]]);
  assert.deepEqual(
    signers.map((s) => s.identifier),
    ["one", "5af7b9daf980b04f"],
  );
});

test("by default more than half of the authorities must have signed", () => {
  const strangers = [1, 2, 3, 4].map((byte) => ({ publicKey: new Uint8Array(32).fill(byte) }));
  assert.equal(reasons([...raw, ...strangers.slice(0, 2)]).length, 0);
  const few = reasons([...raw, ...strangers.slice(0, 3)]);
  assert.equal(few[0], "3 of 6 authorities signed, 4 are needed");
  assert.deepEqual(
    few.slice(1).map((r) => r.split(": ")[1]),
    Array(3).fill("no signature"),
  );
  assert.deepEqual(reasons([...raw, ...strangers], { threshold: 3 }), []);
  assert.equal(reasons([...raw, ...strangers], { threshold: 4 }).length, 5);
});

test("if one signer has several signatures, the first counts", () => {
  const { signatures, ...rest } = decodeCertificate(certificate);
  const bad = signatures.map(({ publicKeySum256, payload }) => {
    return { publicKeySum256, payload: new Uint8Array(payload.length) };
  });
  const check = { currentEpoch: recorded.epoch as number };
  const goodFirst = { ...rest, signatures: [...signatures, ...bad] };
  assert.equal(verifyCertificate(goodFirst, raw, check).signers.length, 3);
  const badFirst = { ...rest, signatures: [...bad, ...signatures] };
  assert.throws(() => verifyCertificate(badFirst, raw, check), /0 of 3 authorities signed/);
});

test("wrong arguments give other errors than wrong documents", () => {
  const verify = (authorities: unknown, checks?: DocumentChecks): unknown =>
    verifyPkiDocument(certificate, authorities as AuthorityInput[], checks);
  assert.throws(() => verify([]), RangeError);
  assert.throws(() => verify("x"), TypeError);
  assert.throws(() => verify([{ publicKey: 7 }]), TypeError);
  assert.throws(() => verify(raw, { threshold: 0 }), RangeError);
  assert.throws(() => verify(raw, { threshold: 4 }), RangeError);
  assert.throws(() => verify([{ publicKey: "not PEM" }]), { code: "ERR_PROTOCOL" });
  const garbage = new Uint8Array([0xff]);
  assert.throws(() => verifyPkiDocument(garbage, raw), { code: "ERR_PROTOCOL" });
});

test("the error about an authority's key says which authority", () => {
  const noPem = { identityPublicKeyPem: "" };
  assert.throws(() => verifyPkiDocument(certificate, [raw[0], noPem]), {
    name: "ProtocolError",
    message: "`authorities[1]`: failed to decode PEM data",
  });
  const noKey = { publicKey: 7 as never };
  assert.throws(() => verifyPkiDocument(certificate, [raw[0], raw[1], noKey]), {
    name: "TypeError",
    message: /^`authorities\[2\]\.publicKey` must be/,
  });
});

test("epoch, expiration and geometry are checked on request", () => {
  const { epoch } = recorded;
  assert.deepEqual(reasons(raw, { epoch }), []);
  assert.deepEqual(reasons(raw, { epoch: epoch + 1 }), [
    `document of epoch ${epoch}, wanted ${epoch + 1}`,
  ]);
  assert.deepEqual(reasons(raw, { epoch, currentEpoch: epoch + 4 }), []);
  assert.deepEqual(reasons(raw, { epoch, currentEpoch: epoch + 5 }), [
    `expired in epoch ${epoch + 5}, the current epoch is ${epoch + 5}`,
  ]);
  const other = Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 1872 });
  assert.deepEqual(reasons(raw, { geometry: other }), ["document of another Sphinx geometry"]);
});

test("an authority with an unsupported scheme does not count, and the error says so", () => {
  const pem = second!.identityPublicKeyPem.replaceAll("ED25519", "ML-DSA-44");
  const checked = verifyPkiDocument(certificate, [raw[0], { publicKey: pem }, raw[2]]);
  assert.deepEqual(
    checked.rejected.map((r) => r.reason),
    ["unsupported scheme ML-DSA-44"],
  );
  const named = { ...raw[1], scheme: "Falcon-padded-512" };
  assert.deepEqual(reasons([raw[0], named]), [
    "1 of 2 authorities signed, 2 are needed",
    "5af7b9daf980b04f: unsupported scheme Falcon-padded-512: verify with verifyPkiDocumentWith " +
      "of katzenpost-thinclient/join",
  ]);
});

test("an invalid epoch would disable the expiration check and is refused", () => {
  const decoded = decodeCertificate(certificate);
  for (const [epoch, kind] of [
    [NaN, RangeError],
    [-1, RangeError],
    [1.5, RangeError],
    [Infinity, RangeError],
    ["5", TypeError],
    [null, TypeError],
    [5n, TypeError],
  ] as const) {
    const wrong = epoch as unknown as number;
    assert.throws(() => verifyCertificate(decoded, raw, { currentEpoch: wrong }), kind);
    assert.throws(() => verifyPkiDocument(certificate, raw, { currentEpoch: wrong }), kind);
    assert.throws(() => verifyPkiDocument(certificate, raw, { epoch: wrong }), kind);
  }
  assert.throws(() => verifyCertificate(decoded, raw, {} as never), {
    name: "TypeError",
    message: "`checks.currentEpoch` must be an epoch's number, got undefined",
  });
  assert.throws(() => verifyCertificate(decoded, raw, undefined as never), TypeError);
});

test("a misspelt option of a verification is refused, not ignored", () => {
  const decoded = decodeCertificate(certificate);
  const misspelt = { currentEpoch: 0, treshold: 1 } as never;
  assert.throws(() => verifyCertificate(decoded, raw, misspelt), {
    name: "TypeError",
    message: "`checks.treshold` is not an option; known: currentEpoch, threshold",
  });
  assert.throws(
    () => verifyPkiDocument(certificate, raw, { curentEpoch: 9e9 } as never),
    TypeError,
  );
  assert.throws(() => verifyPkiDocument(certificate, raw, { geometry: {} } as never), TypeError);
  assert.throws(() => verifyPkiDocument(certificate, raw, { wellFormed: 1 } as never), TypeError);
  assert.throws(() => verifyPkiDocument(certificate, [{ ...raw[0], schema: "x" }]), {
    name: "TypeError",
    message: /`authorities\[0\]\.schema` is not an option/,
  });
});

test("a small-order key is refused, because anybody can sign for it", () => {
  const { Point } = ed25519;
  const encodings = new Set<string>();
  // Every encoding of y below 2^255 that a decoder may accept as a small-order point.
  for (const y of [0n, 1n, 2n ** 255n - 20n, 2n ** 255n - 19n, 2n ** 255n - 18n]) {
    for (const sign of [0, 0x80]) {
      const key = Uint8Array.from({ length: 32 }, (_, i) => Number((y >> BigInt(8 * i)) & 0xffn));
      key[31]! |= sign;
      encodings.add(toHex(key));
    }
  }
  // A point of order 8: any point times the large prime order.
  for (let i = 0; i < 40; i++) {
    const any = Point.BASE.multiply(BigInt(i + 1)).toBytes();
    for (let byte = 0; byte < 256; byte++) {
      any[0] = byte;
      try {
        const point = Point.fromBytes(any);
        encodings.add(
          toHex(
            point
              .multiplyUnsafe(Point.Fn.ORDER - 1n)
              .add(point)
              .toBytes(),
          ),
        );
        break;
      } catch {
        // This point is not on the curve.
      }
    }
  }
  assert.ok(encodings.size >= 14, String(encodings.size));
  for (const hex of encodings) {
    assert.throws(() => reasons([...raw, { publicKey: fromHex(hex) }]), {
      name: "RangeError",
      message: "`authorities[3]` must not have a key of small order: anybody can sign for it",
    });
  }
  assert.equal(reasons([...raw, { publicKey: Point.BASE.toBytes() }]).length, 0);
});
