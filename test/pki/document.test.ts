import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as fc from "fast-check";
import { fromHex, toHex, utf8ToText } from "../../src/bytes/bytes.js";
import { isThinClientError } from "../../src/errors/errors.js";
import { decodeCertificate } from "../../src/pki/certificate.js";
import { PkiDocument } from "../../src/pki/document.js";
import { Geometry } from "../../src/pki/geometry.js";
import { PigeonholeGeometry } from "../../src/pki/pigeonhole-geometry.js";
import { prettyPrintPkiDoc } from "../../src/pki/pretty-print.js";
import { findServices, identityHash } from "../../src/pki/services.js";
import { verifyPkiDocument } from "../../src/pki/verify.js";
import { type CborMap, type Encodable, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";

const recorded = JSON.parse(
  readFileSync(
    new URL("../../../test/reference/transcripts/pki-document.json", import.meta.url),
    "utf8",
  ),
);
const certificate = fromHex(recorded.certificate);
const raw = decodeCertificate(certificate).certified;

/** The recorded document with some members changed; `undefined` removes a member. */
function changed(members: Record<string, Encodable>): Uint8Array {
  const map = decodeCbor(raw) as CborMap;
  return encodeCbor({ ...Object.fromEntries(map), ...members } as Encodable);
}

/** The recorded document with members of its first gateway changed. */
function changedGateway(members: Record<string, Encodable>): Uint8Array {
  const map = decodeCbor(raw) as CborMap;
  const [gateway] = map.get("GatewayNodes") as Uint8Array[];
  const fields = Object.fromEntries(decodeCbor(gateway!) as CborMap);
  return changed({ GatewayNodes: [encodeCbor({ ...fields, ...members } as Encodable)] });
}

test("a live network's document verifies with the authorities that its daemon lists", () => {
  const geometry = Geometry.fromWire(new Map(Object.entries(recorded.sphinxGeometry)) as CborMap);
  const { document, signers, rejected, threshold } = verifyPkiDocument(
    certificate,
    recorded.authorities,
    { epoch: recorded.epoch, geometry },
  );
  assert.deepEqual(
    signers.map((s) => [s.identifier, toHex(s.hash)]),
    recorded.authorities.map((a: Record<string, string>) => [
      a["identifier"],
      a["identityKeyHash"],
    ]),
  );
  assert.deepEqual([signers.length, rejected.length, threshold], [3, 0, 2]);
  assert.equal(document.epoch, recorded.epoch);
  assert.deepEqual(
    [document.topology.map((layer) => layer.length), document.gatewayNodes.length],
    [[1, 1, 1], 1],
  );
  assert.deepEqual(document.configuredReplicaIds, [1, 4, 3, 2, 0]);
  assert.deepEqual([...document.storageReplicas[0]!.envelopeKeys.keys()], [494, 495]);
  assert.equal(document.gatewayNodes[0]!.version, "");
  assert.equal(document.gatewayNodes[0]!.kaetzchen, null);
});

test("a live network's geometries equal those from the formulas", () => {
  const sphinx = Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 2000 });
  assert.deepEqual(sphinx.toWire(), recorded.sphinxGeometry);
  const pigeonhole = PigeonholeGeometry.fromSphinx(sphinx, "CTIDH1024-X25519");
  assert.deepEqual(pigeonhole.toWire(), recorded.pigeonholeGeometry);
});

test("any changed byte makes a signed document unusable", () => {
  const at = fc.integer({ min: 0, max: certificate.length - 1 });
  fc.assert(
    fc.property(at, fc.integer({ min: 1, max: 255 }), (i, difference) => {
      const damaged = Uint8Array.from(certificate);
      damaged[i]! ^= difference;
      let result;
      try {
        result = verifyPkiDocument(damaged, recorded.authorities, { epoch: recorded.epoch });
      } catch (error) {
        return isThinClientError(error);
      }
      // A change in one authority's signature, or in a map key that nobody reads, may go unnoticed.
      return result.signers.length >= 2 && toHex(result.document.raw) === toHex(raw);
    }),
    { numRuns: 60 },
  );
});

test("services are found by capability, with the node's hash and the endpoint's bytes", () => {
  const doc = PkiDocument.decode(raw);
  for (const [capability, endpoint] of [
    ["echo", "+echo"],
    ["courier", "courier"],
  ] as const) {
    const services = findServices(capability, doc);
    assert.deepEqual(
      services.map((s) => s.mixDescriptor.name),
      ["servicenode3", "servicenode1", "servicenode2"],
    );
    for (const service of services) {
      const [node, queue] = service.toDestination();
      assert.deepEqual(node, identityHash(service.mixDescriptor.identityKey));
      assert.equal(utf8ToText(queue), endpoint);
    }
  }
  assert.deepEqual(findServices("no such service", doc), []);
});

test("a document without ServiceNodes offers no search for services", () => {
  for (const ServiceNodes of [undefined, null]) {
    const doc = PkiDocument.decode(changed({ ServiceNodes }));
    assert.deepEqual(doc.serviceNodes, []);
    assert.throws(() => findServices("echo", doc), { code: "ERR_PROTOCOL" });
  }
});

test("a service without a usable endpoint is refused by name", () => {
  for (const endpoint of [null, "", "x".repeat(33), 5]) {
    const map = decodeCbor(raw) as CborMap;
    const [node] = map.get("ServiceNodes") as Uint8Array[];
    const fields = Object.fromEntries(decodeCbor(node!) as CborMap);
    const broken = encodeCbor({ ...fields, Kaetzchen: { echo: { endpoint } } } as Encodable);
    const doc = PkiDocument.decode(changed({ ServiceNodes: [broken] }));
    assert.throws(() => findServices("echo", doc), /service "echo" of node "servicenode3"/);
  }
});

test("absent or null members are empty, and unknown ones are kept", () => {
  const doc = PkiDocument.decode(encodeCbor({ Epoch: 7, Topology: null, NewThing: "x" }));
  assert.equal(doc.epoch, 7);
  assert.deepEqual([doc.mu, doc.version, doc.sharedRandomCommit], [0, "", null]);
  assert.deepEqual([doc.topology, doc.gatewayNodes, doc.storageReplicas], [[], [], []]);
  assert.deepEqual(doc.configuredReplicaIds, []);
  assert.equal(doc.fields.get("NewThing"), "x");
  const node = PkiDocument.decode(changedGateway({ Extra: 1 })).gatewayNodes[0];
  assert.equal(node?.fields.get("Extra"), 1);
});

test("a member of another type is refused by name", () => {
  const documents: [string, Uint8Array][] = [
    ["Epoch", changed({ Epoch: undefined })],
    ["Epoch", changed({ Epoch: "7" })],
    ["Epoch", changed({ Epoch: -1 })],
    ["Mu", changed({ Mu: "fast" })],
    ["Topology", changed({ Topology: [7] })],
    ["Topology", changed({ Topology: [[7]] })],
    ["GatewayNodes", changed({ GatewayNodes: [encodeCbor(7)] })],
    ["GatewayNodes", changed({ GatewayNodes: {} })],
    ["StorageReplicas", changed({ StorageReplicas: [encodeCbor({})] })],
    ["IdentityKey", changed({ StorageReplicas: [{}] })],
    ["ReplicaID", changed({ StorageReplicas: [{ ReplicaID: 256 }] })],
    ["ConfiguredReplicaIDs", changed({ ConfiguredReplicaIDs: ["1"] })],
    ["ConfiguredReplicaIdentityKeys", changed({ ConfiguredReplicaIdentityKeys: ["1"] })],
    ["SharedRandomCommit", changed({ SharedRandomCommit: { text: new Uint8Array(1) } })],
    ["Version", changed({ Version: 1 })],
    ["Name", changedGateway({ Name: 1 })],
    ["IdentityKey", changedGateway({ IdentityKey: new Uint8Array(0) })],
    ["MixKeys", changedGateway({ MixKeys: { "1": new Uint8Array(32) } })],
    ["Addresses", changedGateway({ Addresses: { tcp: "tcp://127.0.0.1:1" } })],
    ["Addresses", changedGateway({ Addresses: { tcp: [1] } })],
    ["Kaetzchen", changedGateway({ Kaetzchen: { echo: "+echo" } })],
    ["IsGatewayNode", changedGateway({ IsGatewayNode: 1 })],
  ];
  for (const [name, bytes] of documents) {
    assert.throws(
      () => PkiDocument.decode(bytes),
      (error: Error) => isThinClientError(error) && error.message.includes(name),
      name,
    );
  }
  assert.equal(documents.length, 22);
});

test("a document keeps its own copy of its bytes", () => {
  const mine = Uint8Array.from(raw);
  const doc = PkiDocument.decode(mine);
  mine.fill(0);
  assert.equal(toHex(doc.raw), toHex(raw));
  assert.throws(() => PkiDocument.decode("text" as unknown as Uint8Array), TypeError);
});

test("pretty printing shows decoded descriptors and does not change the document", () => {
  const doc = PkiDocument.decode(raw);
  const text = prettyPrintPkiDoc(doc);
  assert.match(text, /^\{\n {4}Mu: 0\.005,\n {4}Epoch: 2492556,\n/);
  for (const name of ["gateway1", "servicenode1", "mix1", "mix2", "mix3", "replica5"]) {
    assert.ok(text.includes(`Name: "${name}"`), name);
  }
  assert.ok(text.includes(toHex(doc.sharedRandomValue)));
  assert.ok(Array.isArray(doc.fields.get("Topology")));
  assert.ok((doc.fields.get("GatewayNodes") as unknown[])[0] instanceof Uint8Array);
  assert.equal(prettyPrintPkiDoc(doc), text);
  assert.throws(() => prettyPrintPkiDoc({} as PkiDocument), TypeError);
});

test("a document and the descriptors in it share one budget of items", () => {
  // Each descriptor alone is within the limit; all together took more than a gigabyte.
  const [node] = (decodeCbor(raw) as CborMap).get("ServiceNodes") as Uint8Array[];
  const fields = Object.fromEntries(decodeCbor(node!) as CborMap);
  const emptyMaps = Array.from({ length: 100_000 }, () => ({}));
  const large = encodeCbor({ ...fields, more: emptyMaps } as Encodable);
  for (const [place, wrap] of [
    ["ServiceNodes", (nodes: unknown[]) => nodes],
    ["GatewayNodes", (nodes: unknown[]) => nodes],
    ["Topology", (nodes: unknown[]) => nodes.map((one) => [one])],
  ] as const) {
    const three = changed({ [place]: wrap([large, large, large]) as Encodable });
    assert.doesNotThrow(() => PkiDocument.decode(three));
    const four = changed({ [place]: wrap([large, large, large, large]) as Encodable });
    assert.throws(() => PkiDocument.decode(four), /CBOR holds more than 400000 items/);
  }
});
