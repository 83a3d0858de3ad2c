import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import { MessageBoxIndex, ReadCap } from "../../src/bytes/opaque.js";
import { ThinClient } from "../../src/client/thin-client.js";
import { ClientClosedError, InvalidStateError } from "../../src/errors/errors.js";
import { ScriptedConnection } from "../../src/testing/scripted-daemon.js";
import { memoryPair } from "../../src/transport/memory.js";
import { hashOf, sealedRead, sealedWrite, writeCap } from "./pigeonhole-fixture.js";
import { connectedPair, isPending, pair, pkiDocument, reasonOf, turn, unused } from "./fixture.js";

const node = new Uint8Array(32) as never;
const queue = new Uint8Array(5).fill(43);

/** The requests of a client on a connection until it closed it, without the handshake. */
async function lastWords(connection: ScriptedConnection): Promise<string[]> {
  const words: string[] = [];
  for (let next = await connection.next(); next; next = await connection.next()) {
    words.push(next.kind);
  }
  return words;
}

test("a client goes from idle through connecting to ready, and ends closed", async () => {
  const { client, daemon } = pair();
  const states: string[] = [client.state];
  const started = client.start();
  states.push(client.state);
  await daemon.shakeHands();
  await started;
  states.push(client.state);
  assert.equal(client.isState("ready"), true);
  await client.stop();
  states.push(client.state);
  assert.deepEqual(states, ["idle", "connecting", "ready", "closed"]);
});

test("every call before start says that start is missing", async () => {
  const { client } = pair();
  const calls: [string, () => Promise<unknown>][] = [
    ["getPkiDocumentRaw", () => client.getPkiDocumentRaw()],
    ["getDirectoryAuthorities", () => client.getDirectoryAuthorities()],
    ["waitUntilOnline", () => client.waitUntilOnline()],
    ["recv", () => client.recv()],
    ["workerLoop", () => client.workerLoop()],
    ["sendMessage", () => client.sendMessage(client.newSurbId(), "x", node, queue)],
    ["sendMessageWithoutReply", () => client.sendMessageWithoutReply("x", node, queue)],
    ["blockingSendMessage", () => client.blockingSendMessage("x", node, queue)],
  ];
  for (const [operation, call] of calls) {
    const error = await reasonOf(call());
    assert.ok(error instanceof InvalidStateError, operation);
    assert.equal(error.message, `${operation}: the client is not started; call start() first`);
    assert.equal(error.operation, operation);
  }
  assert.equal(client.isConnected(), false);
});

test("after stop every call rejects as closed, and so does start", async () => {
  const { client } = await connectedPair();
  await client.stop();
  const calls = [
    client.start(),
    client.getPkiDocumentRaw(),
    client.getDirectoryAuthorities(),
    client.waitUntilOnline(),
    client.recv(),
    client.workerLoop(),
    client.sendMessage(client.newSurbId(), "x", node, queue),
    client.blockingSendMessage("x", node, queue),
  ];
  for (const call of calls) assert.ok((await reasonOf(call)) instanceof ClientClosedError);
  assert.equal(client.isConnected(), false);
});

test("stop sends thin_close and hangs up, and the closed event says that it was stopped", async () => {
  const { client, connection, heard } = await connectedPair();
  const words = lastWords(connection);
  await client.stop();
  assert.deepEqual(await words, ["thinClose"]);
  assert.deepEqual(await client.closed, { reason: "stopped", error: null });
  assert.deepEqual(heard.at(-1), { type: "closed", reason: "stopped", error: null });
});

test("disconnect hangs up without a message (upstream: zero bytes too)", async () => {
  const { client, connection } = await connectedPair();
  const words = lastWords(connection);
  await client.disconnect();
  assert.deepEqual(await words, []);
  assert.deepEqual(await client.closed, { reason: "disconnected", error: null });
});

test("disconnect cancels each read once, and lets writes and copies continue", async () => {
  const { client, connection } = await connectedPair({ maxInFlight: 5 });
  const read = { ...sealedRead, kind: "read" } as const;
  const write = { ...sealedWrite, kind: "write" } as const;
  const waits = [
    client.startResendingEncryptedMessage(read),
    client.startResendingEncryptedMessage(read),
    client.startResendingEncryptedMessage({ ...read, envelopeHash: hashOf(3) }),
    client.startResendingEncryptedMessage(write),
    client.startResendingCopyCommand(writeCap),
    // This call exceeds maxInFlight, so the daemon does not know it.
    client.startResendingEncryptedMessage({ ...read, envelopeHash: hashOf(4) }),
  ].map(reasonOf);
  for (let i = 0; i < 5; i++) await connection.next();
  const hashes: unknown[] = [];
  const said = (async () => {
    for (let next = await connection.next(); next; next = await connection.next()) {
      assert.equal(next.kind, "cancelResendingEncryptedMessage");
      hashes.push("envelopeHash" in next && next.envelopeHash);
    }
  })();
  await client.disconnect();
  await said;
  assert.deepEqual(hashes, [read.envelopeHash, hashOf(3)]);
  for (const reason of await Promise.all(waits)) assert.ok(reason instanceof ClientClosedError);
});

test("stop and disconnect are idempotent, concurrent calls join, and the first one decides", async () => {
  const { client, connection, of } = await connectedPair();
  const words = lastWords(connection);
  const first = client.stop();
  await Promise.all([first, client.stop(), client.disconnect(), client.stop()]);
  await client.stop();
  await client.disconnect();
  assert.deepEqual(await words, ["thinClose"]);
  assert.equal(of("closed").length, 1);
  assert.equal((await client.closed).reason, "stopped");
});

test("stop without start succeeds, sends nothing, and closes the client", async () => {
  const { client, daemon } = pair();
  await client.stop();
  assert.deepEqual([client.state, daemon.connections.length], ["closed", 0]);
  assert.deepEqual(await client.closed, { reason: "stopped", error: null });
  const { client: other } = pair();
  await other.disconnect();
  assert.equal((await other.closed).reason, "disconnected");
});

test("the connection to a peer that ignores thin_close is closed after 2 s (upstream: waits forever)", async () => {
  const [theirs, ours] = memoryPair();
  const { daemon, clock } = pair();
  // This end reads nothing after the handshake, so nothing that the client sends is taken.
  const connection = new ScriptedConnection(theirs);
  const client = new ThinClient(unused, { dial: () => Promise.resolve(ours), clock });
  const started = client.start();
  connection.send(daemon.status());
  connection.send(daemon.documentEvent());
  await connection.expect("sessionToken");
  connection.send({ kind: "sessionTokenReply", appId: null, resumed: false });
  await started;
  theirs.pause();
  const stopped = client.stop();
  assert.equal(client.state, "closed");
  await clock.advance(1999);
  assert.equal(await isPending(stopped), true);
  await clock.advance(1);
  await stopped;
  assert.equal(clock.pending, 0);
});

test("await using stops the client", async () => {
  const { daemon, clock } = pair();
  let words: Promise<string[]>;
  {
    await using client = new ThinClient(unused, { dial: daemon.dial, clock });
    const [connection] = await Promise.all([daemon.shakeHands(), client.start()]);
    words = lastWords(connection);
  }
  assert.deepEqual(await words, ["thinClose"]);
});

test("stop during start ends it: start rejects as closed, and the connection is closed", async () => {
  for (const steps of [0, 1, 2]) {
    const { client, daemon, clock } = pair();
    const started = reasonOf(client.start());
    const connection = await daemon.accept();
    if (steps > 0) connection.send(daemon.status());
    if (steps > 1) connection.send(daemon.documentEvent());
    await turn();
    await client.stop();
    assert.ok((await started) instanceof ClientClosedError);
    assert.deepEqual([connection.closed, client.state, clock.pending], [true, "closed", 0]);
  }
});

test("calls made during start fail with it, and start may be called again", async () => {
  const { client, daemon, clock } = pair();
  const readCap = ReadCap.from(new Uint8Array(136));
  const index = MessageBoxIndex.from(new Uint8Array(104));
  const abort = new AbortController();
  const options = { signal: abort.signal };
  const waits = () =>
    [
      client.encryptRead(readCap, index, options),
      client.read(readCap, index, options),
      client.getDirectoryAuthorities(options),
      client.waitUntilOnline(options),
      client.recv(options),
    ].map(reasonOf);
  for (let times = 0; times < 2; times++) {
    const started = reasonOf(client.start());
    const waiting = waits();
    const connection = await daemon.accept();
    connection.transport.end();
    const error = await started;
    for (const reason of await Promise.all(waiting)) assert.equal(reason, error);
    await turn();
    assert.deepEqual([client.state, client.pendingCalls, clock.pending], ["idle", 0, 0]);
    assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  }
  const started = client.start();
  const call = client.getDirectoryAuthorities();
  const connection = await daemon.shakeHands();
  await started;
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  const kind = "getDirectoryAuthoritiesReply";
  connection.send({ kind, queryId, authorities: [], errorCode: 0 });
  assert.deepEqual(await call, []);
});

test("calls made during the dial fail with it", async () => {
  const { clock } = pair();
  const why = new Error("no such place");
  const client = new ThinClient(unused, { dial: () => Promise.reject(why), clock });
  const started = reasonOf(client.start());
  const waits = [client.waitUntilOnline(), client.recv(), client.newKeypair(new Uint8Array(32))];
  for (const reason of await Promise.all([started, ...waits.map(reasonOf)])) {
    assert.equal(reason, why);
  }
  assert.equal(clock.pending, 0);
});

test("stop during the dial ends start, and a transport that arrives too late is closed", async () => {
  const { clock } = pair();
  const [ours, theirs] = memoryPair();
  let answer: (transport: typeof theirs) => void = () => {};
  const dial = (): Promise<typeof theirs> => new Promise((resolve) => (answer = resolve));
  const client = new ThinClient(unused, { dial, clock });
  const started = reasonOf(client.start());
  await client.stop();
  let closed = false;
  ours.open({ onData: () => assert.fail("nothing is sent"), onClose: () => (closed = true) });
  answer(theirs);
  assert.ok((await started) instanceof ClientClosedError);
  await turn();
  assert.equal(closed, true);
});

test("stop at any moment after the dial closes the transport that it made", async () => {
  for (let ticks = 0; ticks < 10; ticks++) {
    const [ours, theirs] = memoryPair();
    let closed = false;
    ours.open({ onData: () => {}, onClose: () => (closed = true) });
    const dial = async (): Promise<typeof theirs> => theirs;
    const client = new ThinClient(unused, { dial, clock: pair().clock });
    const started = reasonOf(client.start());
    for (let i = 0; i < ticks; i++) await Promise.resolve();
    await client.stop();
    assert.ok((await started) instanceof ClientClosedError);
    await turn();
    assert.equal(closed, true, `after ${ticks} microtasks`);
  }
});

test("stop in a handler of the handshake's events closes the client", async () => {
  for (const type of ["connectionStatus", "newPkiDocument"] as const) {
    const { client, daemon, heard } = pair();
    client.on(type, () => void client.stop());
    const started = reasonOf(client.start());
    await daemon.shakeHands();
    assert.ok((await started) instanceof ClientClosedError);
    assert.equal(client.state, "closed");
    assert.equal(heard.filter((event) => event.type === "closed").length, 1);
    assert.equal(heard.at(-1)?.type, "closed");
  }
});

test("stop in a handler of any later event works, and nothing is reported after closed", async () => {
  const { client, daemon, connection, heard } = await connectedPair();
  client.on("connectionStatus", () => client.stop());
  const words = lastWords(connection);
  connection.send(daemon.status());
  connection.send(daemon.status());
  assert.deepEqual(await words, ["thinClose"]);
  await client.closed;
  assert.deepEqual(
    heard.slice(2).map(({ type }) => type),
    ["connectionStatus", "closed"],
  );
});

test("stop rejects all waiting calls, and leaves no timer and no listener", async () => {
  const { client, clock, connection } = await connectedPair();
  const abort = new AbortController();
  const options = { signal: abort.signal };
  const waits = [
    client.getPkiDocumentRaw(0, options),
    client.getDirectoryAuthorities(options),
    client.waitUntilOnline(options),
    client.recv(options),
    client.blockingSendMessage("x", node, queue, options),
  ].map(reasonOf);
  await connection.expect("getPkiDocument");
  assert.equal(client.pendingCalls, 2);
  await client.stop();
  for (const reason of await Promise.all(waits)) assert.ok(reason instanceof ClientClosedError);
  assert.equal(client.pendingCalls, 0);
  await turn();
  assert.deepEqual([clock.pending, getEventListeners(abort.signal, "abort").length], [0, 0]);
});

test("workerLoop resolves when the client is closed", async () => {
  const { client } = await connectedPair();
  const loop = client.workerLoop();
  assert.equal(await isPending(loop), true);
  await client.stop();
  await loop;
});

test("waitUntilOnline waits for both mixnet and document", async () => {
  const { client, daemon, connection, clock } = await connectedPair({}, { isConnected: false });
  const online = client.waitUntilOnline();
  connection.send(daemon.status(true));
  assert.equal(await isPending(online), true);
  connection.send({ kind: "newPkiDocumentEvent", payload: pkiDocument() });
  await online;
  await client.waitUntilOnline();
  assert.equal(clock.pending, 0);
  connection.send(daemon.status(false));
  await turn();
  const abort = new AbortController();
  const again = reasonOf(client.waitUntilOnline({ signal: abort.signal, timeoutMs: 10 }));
  await clock.advance(10);
  assert.equal((await again).name, "RequestTimeoutError");
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
});

test("a waiting call with wrong options rejects and never throws", async () => {
  const { client } = await connectedPair();
  const wrong = { timeoutMS: 5 } as never;
  for (const call of [
    () => client.start(wrong),
    () => client.waitUntilOnline(wrong),
    () => client.recv(wrong),
    () => client.getPkiDocumentRaw(0, wrong),
    () => client.getDirectoryAuthorities(wrong),
    () => client.sendMessage(client.newSurbId(), "x", node, queue, wrong),
    () => client.blockingSendMessage("x", node, queue, wrong),
  ]) {
    const error = await reasonOf(call());
    assert.ok(error instanceof TypeError);
    assert.match(error.message, /`options.timeoutMS` is not an option/);
  }
  for (const timeoutMs of [0, -1, Number.NaN] as never[]) {
    assert.ok((await reasonOf(client.recv({ timeoutMs }))) instanceof RangeError);
  }
  for (const timeoutMs of ["5", null] as never[]) {
    assert.ok((await reasonOf(client.recv({ timeoutMs }))) instanceof TypeError);
  }
  for (const signal of [{}, null, "x"] as never[]) {
    assert.ok((await reasonOf(client.recv({ signal }))) instanceof TypeError);
  }
  assert.ok((await reasonOf(client.recv(5 as never))) instanceof TypeError);
  assert.ok((await reasonOf(client.recv(null as never))) instanceof TypeError);
});

test("a reply that arrives while disconnect closes the connection is reported before closed", async () => {
  const { client, connection, heard } = await connectedPair();
  const before = heard.length;
  connection.send({
    kind: "messageReplyEvent",
    messageId: null,
    surbId: null,
    payload: utf8("just in time"),
    replyIndex: null,
    errorCode: 0,
  });
  await client.disconnect();
  assert.deepEqual(
    heard.slice(before).map(({ type }) => type),
    ["messageReply", "closed"],
  );
  assert.equal((await client.closed).reason, "disconnected");
});
