import assert from "node:assert/strict";
import { test } from "node:test";
import * as cborg from "cborg";
import { type Bytes, toHex, utf8, utf8ToText } from "../../src/bytes/bytes.js";
import { type CborMap, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import type { ClientEvent } from "../../src/config/events.js";
import { encodeCertificate } from "../../src/pki/certificate.js";
import { epochStart } from "../../src/pki/epoch.js";
import { PkiCache, randomBelow } from "../../src/client/documents.js";
import {
  DaemonRequestError,
  NotEnoughCouriersError,
  PkiDocumentUnavailableError,
  ServiceNotFoundError,
} from "../../src/errors/errors.js";
import { PkiDocument } from "../../src/pki/document.js";
import { identityHash } from "../../src/pki/services.js";
import { encodeFrame } from "../../src/wire/framing.js";
import type { AuthorityRecord } from "../../src/wire/responses.js";
import { connectedPair, pair, pkiDocument, reasonOf, serviceNode, turn } from "./fixture.js";

const ofEpoch = (epoch: number): PkiDocument => PkiDocument.decode(pkiDocument({ Epoch: epoch }));

test("asking for a document when there is none gives an error that says so", () => {
  const { client } = pair();
  assert.equal(client.pkiDocument(), null);
  assert.throws(
    () => client.pkiDocumentForEpoch(5),
    (error: Error) =>
      error instanceof PkiDocumentUnavailableError &&
      /no PKI document available for the requested epoch/.test(error.message),
  );
});

test("returns the document of the requested epoch, else the current one", async () => {
  const { client, connection } = await connectedPair();
  for (const Epoch of [20, 21]) {
    connection.send({ kind: "newPkiDocumentEvent", payload: pkiDocument({ Epoch }) });
  }
  await turn();
  assert.equal(client.pkiDocumentForEpoch(20).epoch, 20);
  assert.equal(client.pkiDocumentForEpoch(21).epoch, 21);
  assert.equal(client.pkiDocumentForEpoch(99).epoch, 21);
});

test("six documents are kept: 5 to 10 of ten documents (upstream: 1 to 3 are gone)", () => {
  const cache = new PkiCache();
  for (let epoch = 1; epoch <= 10; epoch++) {
    cache.add(ofEpoch(epoch));
    assert.ok(cache.size <= 6);
    assert.equal(cache.forEpoch(epoch).epoch, epoch);
  }
  assert.equal(cache.size, 6);
  for (const gone of [1, 2, 3, 4]) assert.equal(cache.forEpoch(gone).epoch, 10);
  for (const kept of [5, 6, 7, 8, 9, 10]) assert.equal(cache.forEpoch(kept).epoch, kept);
});

test("a newer document of an epoch replaces the older, and the last to arrive is the current one", () => {
  const cache = new PkiCache();
  const [first, second, old] = [ofEpoch(4), ofEpoch(4), ofEpoch(3)];
  cache.add(first);
  cache.add(second);
  assert.equal(cache.forEpoch(4), second);
  assert.equal(cache.size, 1);
  cache.add(old);
  assert.equal(cache.current, old);
  assert.equal(cache.forEpoch(4), second);
});

test("kept documents are limited by decoded size: the oldest go first, the current one stays", () => {
  const cache = new PkiCache();
  // Each takes 22 MB decoded, and the cache keeps 64 MiB.
  const junk = Array.from({ length: 100_000 }, () => new Map());
  const large = (Epoch: number): PkiDocument => PkiDocument.decode(pkiDocument({ Epoch, junk }));
  cache.add(ofEpoch(5));
  for (const epoch of [6, 7]) cache.add(large(epoch));
  assert.equal(cache.size, 3);
  for (const epoch of [8, 9]) cache.add(large(epoch));
  assert.equal(cache.size, 2);
  assert.equal(cache.forEpoch(8).epoch, 8);
  // A single document may take more.
  const two = { junk, more: junk, most: junk.concat(junk.slice(0, 30_000)) };
  cache.add(PkiDocument.decode(pkiDocument({ Epoch: 10, ...two })));
  assert.deepEqual([cache.size, cache.current?.epoch], [1, 10]);
});

test("documents of low epochs and after a jump do not confuse the cache", () => {
  const cache = new PkiCache();
  cache.add(ofEpoch(0));
  cache.add(ofEpoch(1));
  assert.equal(cache.forEpoch(0).epoch, 0);
  cache.add(ofEpoch(1000));
  assert.equal(cache.size, 1);
  cache.add(ofEpoch(2));
  assert.equal(cache.current?.epoch, 2);
  assert.equal(cache.size, 1);
});

test("services are found by capability, each with node hash and endpoint", async () => {
  const { client } = await connectedPair({}, { document: pkiDocument() });
  const couriers = client.getServices("courier");
  assert.equal(couriers.length, 3);
  for (const courier of couriers) {
    const [node, queue] = courier.toDestination();
    assert.deepEqual(node, identityHash(courier.mixDescriptor.identityKey));
    assert.equal(utf8ToText(queue), "courier");
  }
  assert.deepEqual(
    client.getAllCouriers(),
    couriers.map((courier) => courier.toDestination()),
  );
});

test("getService chooses among all services", async () => {
  const { client } = await connectedPair({}, { document: pkiDocument() });
  const chosen = new Set<string>();
  for (let i = 0; i < 200; i++) chosen.add(client.getService("courier").mixDescriptor.name);
  assert.equal(chosen.size, 3);
});

test("a random choice is uniform and stays below its bound", () => {
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < 10_000; i++) counts[randomBelow(5)]!++;
  // 2000 are expected, with a standard deviation of 40; a deviation of seven times that does not
  // occur in practice.
  for (const count of counts) assert.ok(Math.abs(count - 2000) < 280, counts.join());
  assert.equal(randomBelow(1), 0);
});

test("the error for an unknown service lists the available ones, or says that there is no document", async () => {
  const { client } = await connectedPair({}, { document: pkiDocument() });
  const error = await reasonOf((async () => client.getServices("nope"))());
  assert.ok(error instanceof ServiceNotFoundError);
  assert.match(error.message, /no service "nope" in epoch 2492556; it offers: .*courier.*echo/);
  assert.throws(() => client.getService("nope"), ServiceNotFoundError);
  for (const wrong of ["", null, 5] as never[]) {
    assert.throws(() => client.getServices(wrong), TypeError);
  }
  const { client: without } = await connectedPair();
  for (const call of [
    () => without.getServices("echo"),
    () => without.getService("echo"),
    () => without.getAllCouriers(),
    () => without.getDistinctCouriers(1),
  ]) {
    // Upstream's Go client panics here.
    assert.throws(call, PkiDocumentUnavailableError);
  }
});

test("a node with null in place of its services is skipped", async () => {
  const document = pkiDocument({
    ServiceNodes: [serviceNode({ Kaetzchen: null }), serviceNode({ Name: "other" })],
  });
  const { client } = await connectedPair({}, { document });
  assert.deepEqual(
    client.getServices("courier").map((s) => s.mixDescriptor.name),
    ["other"],
  );
});

test("couriers are distinct, each is chosen sometimes, and too high a count is an error", async () => {
  const { client } = await connectedPair({}, { document: pkiDocument() });
  const first = new Map<string, number>();
  for (let i = 0; i < 300; i++) {
    const chosen = client.getDistinctCouriers(2).map(([node]) => toHex(node));
    assert.equal(new Set(chosen).size, 2);
    first.set(chosen[0]!, (first.get(chosen[0]!) ?? 0) + 1);
  }
  assert.equal(first.size, 3);
  for (const count of first.values()) assert.ok(count > 50, [...first.values()].join());
  assert.equal(client.getDistinctCouriers(3).length, 3);
  assert.deepEqual(client.getDistinctCouriers(0), []);
  assert.throws(
    () => client.getDistinctCouriers(4),
    (error: Error) =>
      error instanceof NotEnoughCouriersError &&
      error.message === "not enough couriers available: 4 wanted, 3 in the PKI document",
  );
  for (const wrong of [-1, 1.5, Number.NaN, "2", null] as never[]) {
    assert.throws(() => client.getDistinctCouriers(wrong), RangeError);
  }
});

test("a raw document is returned with its epoch, and epoch 0 asks for the current one", async () => {
  const { client, connection } = await connectedPair();
  const call = client.getPkiDocumentRaw();
  const { queryId, epoch } = await connection.expect("getPkiDocument");
  assert.equal(epoch, 0n);
  const payload = Uint8Array.of(1, 2);
  connection.send({ kind: "getPkiDocumentReply", queryId, payload, epoch: 77n, errorCode: 0 });
  assert.deepEqual(await call, { payload, epoch: 77 });
});

test("the error for a document that the daemon does not have names the epoch", async () => {
  const { client, connection } = await connectedPair();
  const replies = [
    { payload: null, errorCode: 10 },
    { payload: new Uint8Array(0), errorCode: 10 },
    { payload: null, errorCode: 0 },
  ];
  for (const reply of replies) {
    const call = reasonOf(client.getPkiDocumentRaw(3));
    const { queryId } = await connection.expect("getPkiDocument");
    connection.send({ kind: "getPkiDocumentReply", queryId, epoch: 3n, ...reply });
    const error = await call;
    assert.ok(error instanceof PkiDocumentUnavailableError);
    assert.match(error.message, /no PKI document for epoch 3/);
  }
  const current = reasonOf(client.getPkiDocumentRaw(0));
  const { queryId } = await connection.expect("getPkiDocument");
  connection.send({ kind: "getPkiDocumentReply", queryId, epoch: 3n, ...replies[0]! });
  assert.match(String(await current), /has no current PKI document yet; wait with waitUntilOnline/);
  for (const wrong of [-1, 1.5, 2 ** 53, "1", null] as never[]) {
    assert.ok((await reasonOf(client.getPkiDocumentRaw(wrong))) instanceof RangeError);
  }
});

test("an empty list means no configured authorities; anything but a list is an error", async () => {
  const { client, connection } = await connectedPair();
  const authority: AuthorityRecord = {
    identifier: "auth1",
    pkiSignatureScheme: "Ed25519",
    wireKemScheme: "xwing",
    addresses: null,
    identityPublicKeyPem: "-----BEGIN",
    linkPublicKeyPem: "",
    identityKeyHash: new Uint8Array(32).fill(1),
  };
  const answer = async (authorities: AuthorityRecord[] | null, errorCode: number) => {
    const call = client.getDirectoryAuthorities();
    const { queryId } = await connection.expect("getDirectoryAuthorities");
    connection.send({ kind: "getDirectoryAuthoritiesReply", queryId, authorities, errorCode });
    return call;
  };
  assert.deepEqual(await answer([authority], 0), [{ ...authority, addresses: [] }]);
  assert.deepEqual(await answer([], 10), []);
  assert.deepEqual(await answer(null, 10), []);
  assert.ok((await reasonOf(answer([], 4))) instanceof DaemonRequestError);
});

test("pretty printing returns text and does not change the document (upstream: prints nothing)", () => {
  const { client } = pair();
  const document = ofEpoch(5);
  const before = toHex(document.raw);
  const text = client.prettyPrintPkiDoc(document);
  assert.ok(text.length > 1000);
  for (const { name } of document.gatewayNodes) assert.ok(text.includes(name));
  assert.equal(toHex(document.raw), before);
  assert.equal(document.epoch, 5);
});

test("the endpoint of a service is 1 to 32 bytes of UTF-8", async () => {
  const withEndpoint = (endpoint: string) =>
    pkiDocument({ ServiceNodes: [serviceNode({ Kaetzchen: { echo: { endpoint } } })] });
  const { client } = await connectedPair({}, { document: withEndpoint("+é") });
  assert.deepEqual(client.getService("echo").toDestination()[1], utf8("+é"));
  const { client: other } = await connectedPair({}, { document: withEndpoint("") });
  assert.throws(() => other.getService("echo"), /endpoint of 1 to 32 bytes/);
});

const EPOCH_MS = 120_000;

/** The certificate with the document of an epoch, as `get_pki_document` returns it. */
function certificateOf(epoch: number): Bytes {
  const certified = pkiDocument({ Epoch: epoch });
  return encodeCertificate({
    version: 0,
    expiration: epoch + 5,
    keyType: "Ed25519",
    certified,
    signatures: [],
  });
}

/** A client whose daemon has the document of the current epoch, which began 10 s ago. */
async function inEpoch(options: { readonly late?: boolean } = {}) {
  const start = epochStart(2_270_000, EPOCH_MS);
  const clock = new VirtualClock(start + 10_000);
  const Epoch = options.late ? 2_269_999 : 2_270_000;
  const made = await connectedPair({ clock }, { document: pkiDocument({ Epoch }) });
  const answer = async (epoch: number | null): Promise<void> => {
    const request = await made.connection.expect("getPkiDocument");
    assert.equal(request.epoch, 0n);
    made.connection.send({
      kind: "getPkiDocumentReply",
      queryId: request.queryId,
      payload: epoch === null ? null : certificateOf(epoch),
      epoch: BigInt(epoch ?? 2_270_001),
      errorCode: epoch === null ? 10 : 0,
    });
    await turn();
  };
  return { ...made, clock, answer };
}

const announced = (heard: readonly ClientEvent[]): (number | undefined)[] =>
  heard.flatMap((event) => (event.type === "newPkiDocument" ? [event.document?.epoch] : []));

test("the client fetches the document when the epoch turns, and does not announce it twice", async () => {
  const { client, clock, connection, heard, answer } = await inEpoch();
  await clock.advance(109_000);
  assert.deepEqual(connection.requests, []);
  await clock.advance(2500);
  await answer(2_270_001);
  assert.equal(client.pkiDocument()?.epoch, 2_270_001);
  assert.equal(client.pkiDocumentForEpoch(2_270_000).epoch, 2_270_000);
  assert.deepEqual(announced(heard), [2_270_000, 2_270_001]);
  const fetched = heard.at(-1);
  assert.ok(fetched?.type === "newPkiDocument");
  assert.deepEqual(fetched.payload, pkiDocument({ Epoch: 2_270_001 }));
  // The daemon later pushes the same content in another order.
  const fields = decodeCbor(pkiDocument({ Epoch: 2_270_001 })) as CborMap;
  const reversed = cborg.encode(new Map([...fields].reverse()), { mapSorter: () => 0 });
  assert.notDeepEqual(reversed, fetched.payload);
  connection.send({ kind: "newPkiDocumentEvent", payload: reversed as Bytes });
  await turn();
  assert.deepEqual(announced(heard), [2_270_000, 2_270_001]);
  // The next document works the same way.
  await clock.advance(EPOCH_MS);
  await answer(2_270_002);
  assert.deepEqual(announced(heard), [2_270_000, 2_270_001, 2_270_002]);
  await client.stop();
  assert.equal(clock.pending, 0);
});

test("a daemon that greets with the previous epoch's document is asked at once", async () => {
  const { client, connection, heard, answer } = await inEpoch({ late: true });
  await answer(2_270_000);
  assert.equal(client.pkiDocument()?.epoch, 2_270_000);
  assert.deepEqual(announced(heard), [2_269_999, 2_270_000]);
  // An old document that arrives again does not become the current one.
  connection.send({ kind: "newPkiDocumentEvent", payload: pkiDocument({ Epoch: 2_269_999 }) });
  await turn();
  assert.equal(client.pkiDocument()?.epoch, 2_270_000);
  await client.stop();
});

test("a missing document is requested again, but rarely, until the daemon announces it", async () => {
  const { client, clock, connection, heard, answer } = await inEpoch({ late: true });
  for (const epoch of [null, 2_269_999, null]) {
    await answer(epoch);
    assert.equal(client.pkiDocument()?.epoch, 2_269_999);
    await clock.advance(14_999);
    assert.deepEqual(connection.requests, []);
    await clock.advance(1);
  }
  await answer(null);
  connection.send({ kind: "newPkiDocumentEvent", payload: pkiDocument({ Epoch: 2_270_000 }) });
  await clock.advance(40_000);
  assert.deepEqual(connection.requests, []);
  assert.deepEqual(announced(heard), [2_269_999, 2_270_000]);
  await client.stop();
});

test("the machine's clock decides when an epoch is over, also after sleep", async () => {
  const { client, clock, answer } = await inEpoch();
  const now = clock.now();
  let ahead = 0;
  clock.now = () => now + clock.monotonic() - monotonic + ahead;
  const monotonic = clock.monotonic();
  ahead = 7_200_000;
  await clock.advance(60_000);
  await answer(2_270_060);
  assert.equal(client.pkiDocument()?.epoch, 2_270_060);
  await client.stop();
});

test("a known document is not announced again by a reconnect", async () => {
  const { client, daemon, clock, connection, heard, answer } = await inEpoch({ late: true });
  await answer(2_270_000);
  connection.transport.end();
  await clock.advance(1000);
  await daemon.shakeHands(true);
  await turn();
  assert.deepEqual(announced(heard), [2_269_999, 2_270_000]);
  assert.equal(client.pkiDocument()?.epoch, 2_270_000);
  await client.stop();
});

test("callers cannot change the geometries and documents that they get", async () => {
  const { client } = await connectedPair({}, { document: pkiDocument() });
  const document = client.pkiDocument()!;
  for (const change of [
    () => ((client.geometry as { packetLength: number }).packetLength = 5),
    () => ((client.pigeonholeGeometry as { nikeName: string }).nikeName = "x"),
    () => ((document as { epoch: number }).epoch = 5),
    () => (document.serviceNodes as unknown[]).pop(),
    () => ((document.serviceNodes[0] as { name: string }).name = "x"),
    () => ((document.storageReplicas[0] as { replicaId: number }).replicaId = 9),
    () => (document.topology[0] as unknown[]).pop(),
  ]) {
    assert.throws(change, TypeError);
  }
  await client.stop();
});

test("a frame, a certificate in it and the document in that share one budget of items", async () => {
  const { client, connection, clock, heard } = await inEpoch();
  const junk = (count: number): CborMap[] => Array.from({ length: count }, () => new Map());
  const Epoch = 2_270_001;
  const large = pkiDocument({ Epoch, junk: junk(130_000), more: junk(90_000) });
  // The document alone is within the limit of 400,000; together with `beside` it may exceed the
  // limit.
  for (const [beside, taken] of [
    [131_000, [2_270_000]],
    [100_000, [2_270_000, 2_270_001]],
  ] as const) {
    const event = { payload: large, junk: junk(beside), more: junk(60_000) };
    connection.sendRaw(encodeFrame(encodeCbor({ new_pki_document_event: event })));
    await turn();
    assert.deepEqual(announced(heard), taken);
  }
  // When the client asks for a document, the reply, the certificate and the document count.
  await clock.advance(232_000);
  const { queryId } = await connection.expect("getPkiDocument");
  const certified = pkiDocument({ Epoch: 2_270_002, junk: junk(130_000), more: junk(20_000) });
  const certificate = { Version: 0, Expiration: 2_270_009, KeyType: "Ed25519", Signatures: {} };
  const payload = encodeCbor({ ...certificate, Certified: certified, junk: junk(130_000) });
  const reply = {
    query_id: queryId,
    payload,
    epoch: 2_270_002,
    error_code: 0,
    junk: junk(130_000),
  };
  connection.sendRaw(encodeFrame(encodeCbor({ get_pki_document_reply: reply })));
  await turn();
  assert.equal(client.pkiDocument()?.epoch, 2_270_001);
  await client.stop();
});
