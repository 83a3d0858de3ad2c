/** A Python user's calls of `ThinClient`, on a whole network. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Config,
  type ConnectionStatusEvent,
  type DirectoryAuthority,
  Geometry,
  InvalidStateError,
  MessageId,
  type NewPkiDocumentEvent,
  NotEnoughCouriersError,
  PigeonholeGeometry,
  PkiDocument,
  type RawPkiDocument,
  ServiceDescriptor,
  ServiceNotFoundError,
  ThinClient,
  findServices,
  utf8,
  utf8ToText,
  verifyPkiDocument,
} from "../../../src/index.js";
import { startTestNetwork } from "../../../src/testing/index.js";

const textOf = (padded: Uint8Array): string => utf8ToText(padded).replace(/\0+$/, "");

test("a client is created from a Config, started once, stopped, and reports its state", async () => {
  await using network = await startTestNetwork();
  const config = new Config({ dial: { unix: { address: "@unused" } } });
  const client = new ThinClient(config, { dial: network.dial });
  assert.equal(client.getConfig(), config);
  assert.equal(config.geometry, null);
  assert.throws(() => client.geometry, InvalidStateError);
  assert.throws(() => client.pigeonholeGeometry, InvalidStateError);
  assert.equal(client.isConnected(), false);
  await client.start();
  assert.equal(client.isConnected(), true);
  assert.ok(client.geometry instanceof Geometry);
  assert.ok(client.pigeonholeGeometry instanceof PigeonholeGeometry);
  assert.equal(config.geometry, client.geometry);
  const worker = client.workerLoop();
  await client.stop();
  await worker;
  assert.equal(client.isConnected(), false);
  assert.equal((await client.closed).reason, "stopped");
});

test("disconnect keeps the session, and its token resumes it", async () => {
  await using network = await startTestNetwork();
  const first = await network.client();
  await first.disconnect();
  assert.equal(network.daemon.daemon.load.sessions, 1);
  const second = await network.client({ sessionToken: first.sessionToken });
  assert.deepEqual(second.sessionToken, first.sessionToken);
  assert.equal(network.daemon.daemon.load.sessions, 1);
  await second.stop();
  assert.equal(network.daemon.daemon.load.sessions, 0);
});

test("the five handlers of the configuration receive every event", async () => {
  await using network = await startTestNetwork();
  const heard = new Set<string>();
  const client = await network.client({
    handlers: {
      onConnectionStatus: ({ isConnected, err, instanceToken }) => {
        if (isConnected && err === "" && instanceToken?.length === 16) heard.add("status");
      },
      onNewPkiDocument: ({ document }) => void heard.add(document ? "document" : "nothing"),
      onMessageSent: ({ surbId, sentAt, replyEtaMs, err }) => {
        if (surbId && sentAt instanceof Date && replyEtaMs >= 0 && err === "") heard.add("sent");
      },
      onMessageReply: ({ payload, errorCode }) => {
        if (textOf(payload) === "hi" && errorCode === 0) heard.add("reply");
      },
    },
  });
  client.getConfig().onDaemonDisconnected = ({ isGraceful }) =>
    void heard.add(isGraceful ? "graceful" : "lost");
  await client.blockingSendMessage("hi", ...client.getService("echo").toDestination());
  await network.daemon.crash();
  const status = ["document", "lost", "reply", "sent", "status"];
  while (heard.size < status.length) await network.clock.sleep(1);
  assert.deepEqual([...heard].sort(), status);
});

test("messages are sent with and without a reply, and awaited", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const destination = client.getService("echo").toDestination();
  const padded = await client.blockingSendMessage(utf8("awaited"), ...destination);
  assert.equal(padded.length, client.geometry.forwardPayloadLength);
  assert.equal(textOf(padded), "awaited");

  const replies = client.events({ types: ["messageReply"] });
  const surbId = client.newSurbId();
  await client.sendMessage(surbId, "by event", ...destination);
  const { value: reply } = await replies.next();
  assert.deepEqual(reply?.surbId, surbId);
  assert.equal(textOf(reply!.payload), "by event");

  const { delivered } = network.daemon.network.describe().traffic;
  await client.sendMessageWithoutReply("into the void", ...destination);
  while (network.daemon.network.describe().traffic.delivered === delivered) {
    await network.clock.sleep(1);
  }
});

test("a client draws random IDs for messages, reply blocks and requests", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const names = [ThinClient.newMessageId(), client.newSurbId(), client.newQueryId()];
  assert.equal(new Set(names.map(MessageId.toHex as (id: Uint8Array) => string)).size, 3);
  for (const name of names) assert.equal(name.length, 16);
});

test("PKI documents can be fetched parsed, by epoch and raw, and printed", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const document = client.pkiDocument();
  assert.ok(document instanceof PkiDocument);
  assert.equal(client.pkiDocumentForEpoch(document.epoch), document);
  assert.equal(client.pkiDocumentForEpoch(1), document);
  const raw: RawPkiDocument = await client.getPkiDocumentRaw();
  assert.equal(raw.epoch, document.epoch);
  const authorities: DirectoryAuthority[] = await client.getDirectoryAuthorities();
  const verified = verifyPkiDocument(raw.payload, authorities);
  assert.equal(verified.document.epoch, document.epoch);
  assert.match(client.prettyPrintPkiDoc(document), /ServiceNodes/);
});

test("services and couriers are found in the document", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const all = client.getServices("echo");
  assert.equal(all.length, 3);
  const one = client.getService("echo");
  assert.ok(one instanceof ServiceDescriptor);
  assert.equal(utf8ToText(one.recipientQueueId), "+echo");
  assert.ok(all.some(({ mixDescriptor }) => mixDescriptor.name === one.mixDescriptor.name));
  const found = findServices("echo", client.pkiDocument()!);
  assert.deepEqual(found, all);
  assert.equal(one.toDestination()[0].length, 32);
  assert.throws(() => client.getServices("nothing"), ServiceNotFoundError);
  assert.equal(client.getAllCouriers().length, 3);
  assert.equal(new Set(client.getDistinctCouriers(3).map(String)).size, 3);
  assert.throws(() => client.getDistinctCouriers(4), NotEnoughCouriersError);
});

test("the inner calls of the Python client are available too", async () => {
  await using network = await startTestNetwork();
  const events: { status?: ConnectionStatusEvent; document?: NewPkiDocumentEvent } = {};
  const client = await network.client({
    handlers: {
      onConnectionStatus: (event) => void (events.status ??= event),
      onNewPkiDocument: (event) => void (events.document ??= event),
    },
  });
  client.parseStatus({ ...events.status!, isConnected: false });
  assert.equal(client.isConnected(), false);
  client.parsePkiDoc(events.document!);
  assert.equal(client.pkiDocument(), events.document!.document);
  const { payload } = events.document!;
  client.parsePkiDoc({ payload });
  assert.deepEqual(client.pkiDocument()!.raw, payload);
  assert.throws(() => client.parsePkiDoc({ payload: new Uint8Array(3) }), { code: "ERR_PROTOCOL" });
  const frame = client.recv();
  void client.newKeypair(new Uint8Array(32));
  assert.equal((await frame).kind, "newKeypairReply");
  await client.handleResponse({
    kind: "connectionStatusEvent",
    isConnected: true,
    err: null,
    instanceToken: events.status!.instanceToken,
    sphinxGeometry: null,
    pigeonholeGeometry: null,
  });
  assert.equal(client.isConnected(), true);
});
