import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { PkiDocument } from "../../src/pki/document.js";
import type { MixDescriptor } from "../../src/pki/mix-descriptor.js";
import { identityHash } from "../../src/pki/services.js";
import { type DocumentChecks, verifyPkiDocument } from "../../src/pki/verify.js";
import { wellFormednessProblems } from "../../src/pki/well-formed.js";
import type { CborValue } from "../../src/cbor/cbor.js";
import { decodeCertificate } from "../../src/pki/certificate.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-pki-document");
const authorities = vectors.authorities.map((a: { publicKeyPEM: string }) => ({
  publicKey: a.publicKeyPEM,
}));

/** Decoded values in the form of the vector file: bytes in hex, maps as objects. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, member]) => [String(key), plain(member)]));
}

function plainNode(node: MixDescriptor): unknown {
  const fields = new Map<unknown, CborValue>(node.fields);
  fields.set("identityKeyHash", toHex(identityHash(node.identityKey)));
  return plain(fields);
}

function verify(signed: string, checks: DocumentChecks = {}): PkiDocument {
  return verifyPkiDocument(hex(signed), authorities, checks).document;
}

test("the reference's consensus verifies, and is the document that clients receive", () => {
  const { document, signers, certificate, threshold, rejected } = verifyPkiDocument(
    hex(vectors.signedConsensus),
    authorities,
    { epoch: vectors.decoded.Epoch },
  );
  assert.deepEqual(
    signers.map((s) => toHex(s.hash)).toSorted(),
    vectors.decoded.signers.toSorted(),
  );
  assert.deepEqual([rejected.length, threshold], [0, vectors.threshold]);
  assert.equal(certificate.expiration, vectors.certificate.Expiration);
  assert.equal(toHex(document.raw), vectors.certifiedDocumentCBOR);
});

test("every member of a document and of its descriptors is decoded", () => {
  const document = PkiDocument.decode(hex(vectors.certifiedDocumentCBOR));
  const fields = new Map<unknown, unknown>(document.fields);
  fields.set(
    "Topology",
    document.topology.map((layer) => layer.map(plainNode)),
  );
  fields.set("GatewayNodes", document.gatewayNodes.map(plainNode));
  fields.set("ServiceNodes", document.serviceNodes.map(plainNode));
  fields.set("ConfiguredReplicaIDs", document.configuredReplicaIds);
  const { signers: _, ...decoded } = vectors.decoded;
  // The vector file has the number of entries of these two.
  decoded.SharedRandomCommit = null;
  decoded.SharedRandomReveal = null;
  assert.deepEqual(plain(fields), decoded);
});

test("a document's typed members equal those on the wire", () => {
  const document = PkiDocument.decode(hex(vectors.certifiedDocumentCBOR));
  const { decoded } = vectors;
  assert.deepEqual(
    {
      Epoch: document.epoch,
      GenesisEpoch: document.genesisEpoch,
      Mu: document.mu,
      LambdaP: document.lambdaP,
      LambdaL: document.lambdaL,
      LambdaM: document.lambdaM,
      LambdaG: document.lambdaG,
      LambdaR: document.lambdaR,
      Version: document.version,
      PKISignatureScheme: document.pkiSignatureScheme,
      SharedRandomValue: toHex(document.sharedRandomValue),
      SphinxGeometryHash: toHex(document.sphinxGeometryHash),
      PriorSharedRandom: document.priorSharedRandom.map(toHex),
      ConfiguredReplicaIDs: document.configuredReplicaIds,
      ConfiguredReplicaIdentityKeys: document.configuredReplicaIdentityKeys.map(toHex),
    },
    Object.fromEntries(
      "Epoch GenesisEpoch Mu LambdaP LambdaL LambdaM LambdaG LambdaR Version PKISignatureScheme"
        .split(" ")
        .concat("SharedRandomValue", "SphinxGeometryHash", "PriorSharedRandom")
        .concat("ConfiguredReplicaIDs", "ConfiguredReplicaIdentityKeys")
        .map((key) => [key, decoded[key]]),
    ),
  );
  const node = document.serviceNodes[0];
  const wanted = decoded.ServiceNodes[0];
  assert.ok(node);
  assert.equal(node.name, wanted.Name);
  assert.equal(node.epoch, wanted.Epoch);
  assert.equal(toHex(node.linkKey), wanted.LinkKey);
  assert.equal(node.isServiceNode, true);
  assert.equal(node.isGatewayNode, false);
  assert.equal(node.version, "v0");
  assert.deepEqual(plain(node.mixKeys), wanted.MixKeys);
  assert.deepEqual(plain(node.addresses), wanted.Addresses);
  assert.deepEqual(plain(node.kaetzchen), wanted.Kaetzchen);
  assert.deepEqual(plain(node.kaetzchenAdvertizedData), wanted.KaetzchenAdvertizedData);
  assert.equal(document.topology[0]?.[0]?.kaetzchen, null);
  assert.deepEqual(
    document.storageReplicas.map((r) => [r.name, r.replicaId, toHex(r.linkKey)]),
    decoded.StorageReplicas.map((r: Record<string, unknown>) => [
      r["Name"],
      r["ReplicaID"],
      r["LinkKey"],
    ]),
  );
});

test("the document contains a descriptor as the bytes of a separate map", () => {
  const document = PkiDocument.decode(hex(vectors.certifiedDocumentCBOR));
  const gateways = document.fields.get("GatewayNodes") as Bytes[];
  assert.equal(toHex(gateways[0]!), vectors.gateway1DescriptorCBOR);
});

test("variants are accepted and refused as by the reference", () => {
  let accepted = 0;
  let refused = 0;
  for (const variant of vectors.variants) {
    const signed: string = variant.signedConsensus;
    const sound = variant.verifyThresholdError === null && variant.wellFormedError === null;
    if (sound) {
      assert.equal(verify(signed).epoch, variant.epoch);
      accepted++;
    } else {
      assert.throws(() => verify(signed), { code: "ERR_PKI_VERIFICATION" }, variant.name);
      refused++;
    }
    if (variant.verifyThresholdError === null) verify(signed, { wellFormed: false });
    if (variant.wellFormedError !== undefined) {
      const { certified } = decodeCertificate(hex(signed));
      const problems = wellFormednessProblems(PkiDocument.decode(certified));
      assert.equal(problems.length > 0, variant.wellFormedError !== null, variant.name);
    }
  }
  assert.deepEqual([accepted, refused], [1, 5]);
});

test("the error names what is not well-formed", () => {
  const reasons = (index: number): readonly string[] => {
    try {
      verify(vectors.variants[index].signedConsensus);
    } catch (error) {
      if (hasCode(error, "ERR_PKI_VERIFICATION")) return error.reasons;
    }
    return [];
  };
  assert.deepEqual(reasons(2), ["no GatewayNodes"]);
  assert.match(reasons(3)[0] ?? "", /^mix ".+": no MixKey of epoch 50000000$/);
});

test("a certificate is valid until its expiration epoch", () => {
  const { signedConsensus, epoch, firstEpochAtWhichItIsExpired } = vectors.current;
  verify(signedConsensus, { epoch, currentEpoch: firstEpochAtWhichItIsExpired - 1 });
  for (const currentEpoch of [firstEpochAtWhichItIsExpired, firstEpochAtWhichItIsExpired + 9]) {
    assert.throws(() => verify(signedConsensus, { epoch, currentEpoch }), /expired in epoch/);
  }
});

test("a document of another epoch is refused", () => {
  assert.throws(
    () => verify(vectors.signedConsensus, { epoch: 50_000_001, currentEpoch: 50_000_000 }),
    /document of epoch 50000000, wanted 50000001/,
  );
});
