import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex } from "../../src/bytes/bytes.js";
import { decodeCertificate, encodeCertificate } from "../../src/pki/certificate.js";
import { PkiDocument } from "../../src/pki/document.js";
import { hash256 } from "../../src/bytes/hash.js";
import { wellFormednessProblems } from "../../src/pki/well-formed.js";
import { type CborMap, type Encodable, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";

const recorded = JSON.parse(
  readFileSync(
    new URL("../../../test/reference/transcripts/pki-document.json", import.meta.url),
    "utf8",
  ),
);
const raw = decodeCertificate(fromHex(recorded.certificate)).certified;
type Members = Record<string, Encodable>;

function members(): Members {
  return Object.fromEntries(decodeCbor(raw) as CborMap) as Members;
}

function problems(change: Members): string[] {
  return wellFormednessProblems(PkiDocument.decode(encodeCbor({ ...members(), ...change })));
}

/** The problems if the first node of a list has other members. */
function nodeProblems(list: "GatewayNodes" | "ServiceNodes", change: Members): string[] {
  const [first, ...others] = members()[list] as Uint8Array[];
  const fields = Object.fromEntries(decodeCbor(first!) as CborMap) as Members;
  return problems({ [list]: [encodeCbor({ ...fields, ...change }), ...others] });
}

test("a live network's document is well-formed", () => {
  assert.deepEqual(problems({}), []);
});

test("a document without a required member is not well-formed", () => {
  const epoch: number = recorded.epoch;
  const layers = members()["Topology"] as Encodable[];
  assert.deepEqual(problems({ Version: "v0" }), ['document version "v0"']);
  assert.deepEqual(problems({ GenesisEpoch: 0 }), ["no GenesisEpoch"]);
  assert.deepEqual(problems({ PriorSharedRandom: [] }), ["no PriorSharedRandom"]);
  assert.deepEqual(problems({ PriorSharedRandom: [], GenesisEpoch: epoch }), []);
  assert.deepEqual(problems({ Topology: [] }), ["no Topology"]);
  assert.deepEqual(problems({ Topology: [...layers, []] }), ["layer 3 of Topology is empty"]);
  assert.deepEqual(problems({ GatewayNodes: null }), ["no GatewayNodes"]);
  assert.deepEqual(problems({ ServiceNodes: [] }), ["no ServiceNodes"]);
});

test("the error names a node that breaks a rule, and the rule", () => {
  const key = new Uint8Array(32);
  const epoch: number = recorded.epoch;
  const keys = (...epochs: number[]): Encodable => new Map(epochs.map((e) => [e, key]));
  const rows: [Members, string][] = [
    [{ Name: "" }, "no Name"],
    [{ Name: "é".repeat(17) }, "Name longer than 32 bytes"],
    [{ LinkKey: null }, "no LinkKey"],
    [{ MixKeys: keys(epoch + 1) }, `no MixKey of epoch ${epoch}`],
    [{ MixKeys: keys(epoch, epoch + 3) }, `MixKey of epoch ${epoch + 3}`],
    [{ MixKeys: keys(epoch - 1, epoch) }, `MixKey of epoch ${epoch - 1}`],
    [{ IsGatewayNode: false }, "wrong IsGatewayNode"],
    [{ IsServiceNode: true }, "wrong IsServiceNode"],
    [{ Addresses: {} }, "no Addresses"],
    [{ Addresses: { tcp: [] } }, 'no address for "tcp"'],
    [{ Addresses: { carrier: ["tcp://127.0.0.1:1"] } }, 'transport "carrier"'],
    [{ Addresses: { tcp: ["tcp://127.0.0.1"] } }, 'address "tcp://127.0.0.1"'],
    [{ Addresses: { tcp: ["tcp://:1"] } }, 'address "tcp://:1"'],
    [{ Addresses: { tcp: ["tcp://h:65536"] } }, 'address "tcp://h:65536"'],
    [{ Addresses: { tcp: ["gopher://h:1"] } }, 'address "gopher://h:1"'],
    [
      { Kaetzchen: { echo: { endpoint: "+echo" } } },
      "Kaetzchen on a node that is not a service node",
    ],
  ];
  for (const [change, problem] of rows) {
    const name = JSON.stringify(change["Name"] ?? "gateway1");
    assert.deepEqual(nodeProblems("GatewayNodes", change), [`gateway ${name}: ${problem}`]);
  }
  assert.equal(rows.length, 16);
});

test("only gateways may have onion addresses; other forms suit all nodes", () => {
  const onion = { onion: ["onion://abcdef.onion:4242"] };
  assert.deepEqual(nodeProblems("GatewayNodes", { Addresses: onion }), []);
  assert.equal(nodeProblems("ServiceNodes", { Addresses: onion }).length, 1);
  const many = { tcp6: ["tcp://[::1]:30001"], quic: ["quic://example.net:1"], ws: ["ws://h:1/x"] };
  assert.deepEqual(nodeProblems("GatewayNodes", { Addresses: many }), []);
});

test("services need endpoints of 1 to 32 bytes", () => {
  for (const endpoint of ["", "x".repeat(33), 1, null]) {
    assert.deepEqual(nodeProblems("ServiceNodes", { Kaetzchen: { echo: { endpoint } } }), [
      'service node "servicenode3": service "echo" without an endpoint of 1 to 32 bytes',
    ]);
  }
});

test("an identity key or a replica ID occurs only once in a document", () => {
  const { GatewayNodes, StorageReplicas } = members();
  const [gateway] = GatewayNodes as Uint8Array[];
  assert.deepEqual(problems({ GatewayNodes: [gateway!, gateway!] }), [
    'gateway "gateway1": key used twice',
  ]);
  const [replica] = StorageReplicas as CborMap[];
  const twice = problems({ StorageReplicas: [replica!, replica!] });
  assert.deepEqual(twice, [
    'replica "replica2": key used twice',
    'replica "replica2": ReplicaID 1 used twice',
  ]);
  const bare = { ReplicaID: 9, IdentityKey: new Uint8Array(32) };
  assert.deepEqual(problems({ StorageReplicas: [bare] }), [
    'replica "": no Name',
    'replica "": no LinkKey',
    'replica "": no EnvelopeKeys',
    'replica "": no Addresses',
  ]);
});

test("a commit in a document must fit its reveal", () => {
  const certificateOf = (certified: Uint8Array): Uint8Array =>
    encodeCertificate({
      version: 0,
      expiration: 1,
      keyType: "Ed25519",
      certified: Uint8Array.from(certified),
      signatures: [],
    });
  const withEpoch = (tail: Uint8Array, epoch: number = recorded.epoch): Uint8Array => {
    const bytes = new Uint8Array(40);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(epoch));
    bytes.set(tail, 8);
    return bytes;
  };
  const authority = new Uint8Array(32).fill(1);
  const reveal = withEpoch(new Uint8Array(32).fill(7));
  const found = (commit: Uint8Array | null, revealed: Uint8Array | null): string[] =>
    problems({
      SharedRandomCommit: commit ? new Map([[authority, commit]]) : null,
      SharedRandomReveal: revealed ? new Map([[authority, revealed]]) : null,
    });
  const commit = certificateOf(withEpoch(hash256(reveal)));
  assert.deepEqual(found(null, null), []);
  assert.deepEqual(found(commit, certificateOf(reveal)), []);
  assert.match(found(commit, null)[0] ?? "", /^SharedRandomReveal of 0101/);
  const other = certificateOf(withEpoch(new Uint8Array(32)));
  assert.match(found(commit, other)[0] ?? "", /does not match its commit$/);
  const old = certificateOf(withEpoch(hash256(reveal), recorded.epoch - 1));
  assert.match(found(old, certificateOf(reveal))[0] ?? "", /^SharedRandomCommit of 0101/);
  assert.match(found(new Uint8Array(3), other)[0] ?? "", /^SharedRandomCommit of 0101/);
  assert.match(found(certificateOf(authority), other)[0] ?? "", /^SharedRandomCommit of 0101/);
});
