/** Tabs that share one connection, with a real daemon of the embedded network. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { randomBytes, utf8ToText } from "../../src/bytes/bytes.js";
import { ThinClient } from "../../src/client/thin-client.js";
import type { ThinClientOptions } from "../../src/client/options.js";
import {
  ClientClosedError,
  ConnectError,
  StartResendingCancelledError,
} from "../../src/errors/errors.js";
import { EmbeddedDaemon } from "../../src/network/index.js";
import type { Listener, Transport } from "../../src/transport/transport.js";
import { memoryListener, memoryPair } from "../../src/transport/memory.js";
import {
  type DaemonDialler,
  type MessagePortLike,
  type SharedConnection,
  type SharedWorkerLike,
  dialShared,
  listenForPorts,
  shareConnection,
} from "../../src/workers/index.js";

const unused = { dial: { ws: { address: "ws://in-this-page:1" } } };

interface Scene {
  readonly embedded: EmbeddedDaemon;
  readonly shared: SharedConnection;
  /** A new tab's client. */
  tab(options?: ThinClientOptions): Promise<ThinClient>;
}

async function scene(t: TestContext): Promise<Scene> {
  const embedded = await EmbeddedDaemon.start();
  const listener = memoryListener();
  const shared = shareConnection(listener, embedded);
  const clients: ThinClient[] = [];
  t.after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await shared.close();
    await embedded[Symbol.asyncDispose]();
  });
  return {
    embedded,
    shared,
    async tab(options = {}) {
      const client = await ThinClient.connect(unused, { dial: listener.dial, ...options });
      clients.push(client);
      return client;
    },
  };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let turns = 0; !holds(); turns++) {
    assert.ok(turns < 24_000, `not within two minutes: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function echo(client: ThinClient, text: string): Promise<string> {
  const service = client.getService("echo");
  const reply = await client.blockingSendMessage(text, ...service.toDestination());
  return utf8ToText(reply).replace(/\0+$/, "");
}

/** Starts a read that does not end, because its box stays empty. Returns its outcome. */
async function endlessRead(client: ThinClient): Promise<{ readonly outcome: Promise<unknown> }> {
  const { readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
  const envelope = await client.encryptRead(readCap, firstMessageIndex);
  const request = { ...envelope, readCap, messageBoxIndex: firstMessageIndex };
  return { outcome: client.startResendingEncryptedMessage(request).catch((error) => error) };
}

test("three tabs share one connection, and each gets its own answers", async (t) => {
  const { embedded, shared, tab } = await scene(t);
  const tabs = await Promise.all([tab(), tab(), tab()]);
  assert.equal(embedded.daemon.load.connections, 1);
  assert.equal(embedded.daemon.load.sessions, 1);
  assert.equal(shared.load.tabs, 3);
  const texts = Array.from({ length: 30 }, (_, i) => `message ${i}`);
  const echoes = await Promise.all(texts.map((text, i) => echo(tabs[i % 3]!, text)));
  assert.deepEqual(echoes, texts);
  const [alice, bob] = tabs as [ThinClient, ThinClient, ThinClient];
  const { writeCap, readCap, firstMessageIndex } = await alice.newKeypair(randomBytes(32));
  const heard = bob.read(readCap, firstMessageIndex);
  await alice.write(writeCap, firstMessageIndex, "hello Bob");
  assert.equal(utf8ToText((await heard).plaintext), "hello Bob");
  assert.equal(shared.load.unanswered, 0);
  assert.equal(shared.load.awaitedReplies, 0);
});

test("every tab receives status and documents, including one that joins later", async (t) => {
  const { embedded, tab } = await scene(t);
  const [first, second] = await Promise.all([tab(), tab()]);
  embedded.network.faults.setOnline(false);
  await until("both tabs are offline", () => !first.isConnected() && !second.isConnected());
  const third = await tab();
  assert.equal(third.isConnected(), false);
  assert.deepEqual(third.pkiDocument(), first.pkiDocument());
  embedded.network.faults.setOnline(true);
  await Promise.all([first, second, third].map((client) => client.waitUntilOnline()));
  assert.equal(await echo(third, "online"), "online");
});

test("what a tab started is cancelled at the daemon when the tab goes away", async (t) => {
  const { embedded, shared, tab } = await scene(t);
  const [leaving, staying] = await Promise.all([tab(), tab()]);
  const reads = await Promise.all([1, 2, 3].map(() => endlessRead(leaving)));
  const kept = await endlessRead(staying);
  await until("all reads began", () => embedded.daemon.load.operations === 4);
  await leaving.stop();
  await until("only one is left", () => embedded.daemon.load.operations === 1);
  for (const { outcome } of reads) assert.ok((await outcome) instanceof ClientClosedError);
  await until("nothing else is pending", () => shared.load.unanswered === 1);
  assert.equal(embedded.daemon.load.connections, 1);
  assert.equal(await echo(staying, "still here"), "still here");
  await staying.stop();
  assert.ok((await kept.outcome) instanceof ClientClosedError);
  await until("the session has ended", () => embedded.daemon.load.sessions === 0);
  await until("the connection has ended", () => embedded.daemon.load.connections === 0);
  assert.equal(embedded.daemon.load.operations, 0);
  assert.deepEqual(shared.load, {
    tabs: 0,
    sessions: 0,
    unanswered: 0,
    waiting: 0,
    awaitedReplies: 0,
  });
});

test("a start that still waits for its tick is cancelled too", async (t) => {
  const { embedded, shared, tab } = await scene(t);
  const [leaving, staying] = await Promise.all([tab(), tab()]);
  // Until the network is back, no packet leaves and no start begins.
  const prepared = await leaving.newKeypair(randomBytes(32));
  const envelope = await leaving.encryptRead(prepared.readCap, prepared.firstMessageIndex);
  embedded.network.faults.setOnline(false);
  await until("it is offline", () => !leaving.isConnected());
  const outcome = leaving
    .startResendingEncryptedMessage({
      ...envelope,
      readCap: prepared.readCap,
      messageBoxIndex: prepared.firstMessageIndex,
    })
    .catch((error) => error);
  await until("the daemon has the start", () => shared.load.unanswered === 1);
  await leaving.disconnect();
  assert.ok((await outcome) instanceof ClientClosedError);
  embedded.network.faults.setOnline(true);
  await staying.waitUntilOnline();
  await until("nothing is pending", () => shared.load.unanswered === 0);
  assert.equal(embedded.daemon.load.operations, 0);
});

test("an operation that another tab waits for is not cancelled", async (t) => {
  const { embedded, tab } = await scene(t);
  const [leaving, staying] = await Promise.all([tab(), tab()]);
  const { writeCap, readCap, firstMessageIndex } = await staying.newKeypair(randomBytes(32));
  const envelope = await staying.encryptRead(readCap, firstMessageIndex);
  const request = { ...envelope, readCap, messageBoxIndex: firstMessageIndex };
  const waiting = staying.startResendingEncryptedMessage(request);
  const abort = new AbortController();
  const given = leaving
    .startResendingEncryptedMessage(request, { signal: abort.signal })
    .catch((error) => error);
  await until("both began", () => embedded.daemon.load.operations === 2);
  abort.abort(new Error("given up"));
  assert.match(String(await given), /given up/);
  await until("the cancel is done", () => leaving.load.cancelling === 0);
  await leaving.cancelResendingEncryptedMessage(envelope.envelopeHash);
  await leaving.stop();
  await staying.write(writeCap, firstMessageIndex, "at last");
  assert.equal(utf8ToText((await waiting).plaintext!), "at last");
  await until("nothing runs on", () => embedded.daemon.load.operations === 0);
});

test("a tab's own cancel ends its start", async (t) => {
  const { embedded, tab } = await scene(t);
  const client = await tab();
  const { readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
  const envelope = await client.encryptRead(readCap, firstMessageIndex);
  const started = client
    .startResendingEncryptedMessage({ ...envelope, readCap, messageBoxIndex: firstMessageIndex })
    .catch((error) => error);
  await until("it began", () => embedded.daemon.load.operations === 1);
  await client.cancelResendingEncryptedMessage(envelope.envelopeHash);
  assert.ok((await started) instanceof StartResendingCancelledError);
  assert.equal(embedded.daemon.load.operations, 0);
});

test("every tab sees a restarted daemon as a lost connection, and calls continue", async (t) => {
  const { embedded, tab } = await scene(t);
  const [alice, bob] = await Promise.all([tab(), tab()]);
  const reconnects: boolean[] = [];
  for (const client of [alice, bob]) {
    client.on("reconnected", ({ resumed }) => void reconnects.push(resumed));
  }
  const { writeCap, readCap, firstMessageIndex } = await alice.newKeypair(randomBytes(32));
  const heard = bob.read(readCap, firstMessageIndex);
  await until("the read began", () => embedded.daemon.load.operations > 0);
  await embedded.restart();
  await alice.write(writeCap, firstMessageIndex, "after the restart");
  assert.equal(utf8ToText((await heard).plaintext), "after the restart");
  assert.deepEqual(reconnects, [false, false]);
  assert.equal(embedded.daemon.load.connections, 1);
});

test("a reply that arrives while the connection is away reaches its tab", async (t) => {
  const { embedded, tab } = await scene(t);
  const [alice, bob] = await Promise.all([tab(), tab()]);
  const resumed: boolean[] = [];
  for (const client of [alice, bob]) {
    client.on("reconnected", (event) => void resumed.push(event.resumed));
  }
  embedded.network.faults.setExtraDelay(300);
  const sent = new Promise<void>((resolve) => alice.on("messageSent", () => resolve()));
  const reply = echo(alice, "while away");
  await sent;
  embedded.daemon.dropConnections();
  assert.equal(await reply, "while away");
  await until("both are back", () => resumed.length === 2);
  assert.deepEqual(resumed, [true, true]);
});

test("operations of a tab that does not return are cancelled after a resumed session", async (t) => {
  const { embedded, tab } = await scene(t);
  const [gone, staying] = await Promise.all([tab({ reconnect: false }), tab()]);
  await endlessRead(gone);
  await until("the read began", () => embedded.daemon.load.operations === 1);
  const back = new Promise<void>((resolve) => staying.on("reconnected", () => resolve()));
  embedded.daemon.dropConnections();
  await back;
  await until("it was cancelled", () => embedded.daemon.load.operations === 0);
  assert.equal(embedded.daemon.load.sessions, 1);
});

test("a tab with another tab's token takes its session over", async (t) => {
  const { shared, tab } = await scene(t);
  const sessionToken = randomBytes(16);
  const older = await tab({ sessionToken, reconnect: false });
  const newer = await tab({ sessionToken });
  await older.closed;
  assert.equal(shared.load.sessions, 1);
  assert.equal(await echo(newer, "mine"), "mine");
});

/** A page and its shared worker: a worker whose port leads to a listener. */
function workerOf(t: TestContext): {
  readonly listener: Listener;
  readonly worker: SharedWorkerLike & EventTarget;
} {
  const { port1, port2 } = new MessageChannel();
  const worker = Object.assign(new EventTarget(), { port: { ...endpoint(port1), close() {} } });
  t.after(() => {
    port1.close();
    port2.close();
  });
  return { listener: listenForPorts(port2), worker };
}

/** The port does not end, because the test dials it several times. */
function endpoint(port: MessagePort): Omit<MessagePortLike, "close"> {
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer),
    addEventListener: (type, listener) => port.addEventListener(type, listener),
    removeEventListener: (type, listener) => port.removeEventListener(type, listener),
    start: () => port.start(),
  };
}

test("tabs are told that a daemon closed the connection during the handshake", async (t) => {
  const { listener, worker } = workerOf(t);
  const daemon: DaemonDialler = {
    async dial() {
      const [near, far] = memoryPair();
      far.open({ onData: () => {}, onClose: () => {} });
      setImmediate(() => far.end());
      return near;
    },
  };
  const shared = shareConnection(listener, daemon);
  const connecting = ThinClient.connect(unused, {
    dial: ({ signal }) => dialShared(() => worker, daemon, { signal }),
  });
  await assert.rejects(connecting, /the daemon closed the connection during the handshake/);
  await shared.close();
});

test("an unreachable daemon gives a ConnectError with the reason", async (t) => {
  const { listener, worker } = workerOf(t);
  let embedded: EmbeddedDaemon | null = null;
  const daemon: DaemonDialler = {
    async dial() {
      if (embedded === null) throw new ConnectError("cannot connect to ws://x: nobody listens");
      return embedded.dial();
    },
  };
  const shared = shareConnection(listener, daemon);
  const connect = (): Promise<ThinClient> =>
    ThinClient.connect(unused, {
      dial: ({ signal }) => dialShared(() => worker, daemon, { signal }),
    });
  await assert.rejects(connect(), {
    name: "ConnectError",
    message: "shared connection: cannot connect to ws://x: nobody listens",
  });
  embedded = await EmbeddedDaemon.start();
  const [client, other] = await Promise.all([connect(), connect()]);
  assert.equal(await echo(client, "now"), "now");
  assert.equal(shared.load.tabs, 2);
  assert.equal(embedded.daemon.load.connections, 1);
  await Promise.all([client.stop(), other.stop()]);
  await shared.close();
  await embedded[Symbol.asyncDispose]();
});

test("a tab connects alone if shared workers are missing or fail", async (t) => {
  await using embedded = await EmbeddedDaemon.start();
  const { worker, listener } = workerOf(t);
  await listener.close(); // its program does not run
  const starts: readonly (() => SharedWorkerLike)[] = [
    () => {
      throw new ReferenceError("SharedWorker is not defined");
    },
    () => {
      // A script that does not exist: the browser reports it to the page.
      setImmediate(() => worker.dispatchEvent(new Event("error")));
      return worker;
    },
  ];
  for (const start of starts) {
    const client = await ThinClient.connect(unused, {
      dial: ({ signal }) => dialShared(start, embedded, { signal }),
    });
    assert.equal(await echo(client, "alone"), "alone");
    await client.stop();
  }
});

test("dialling a worker ends with its signal, and then does not connect", async (t) => {
  const { worker } = workerOf(t);
  const abort = new AbortController();
  let dials = 0;
  const daemon = {
    dial(): Promise<Transport> {
      dials++;
      return Promise.reject(new ConnectError("unwanted"));
    },
  };
  const dialled = dialShared(() => worker, daemon, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(dialled, /enough/);
  assert.equal(dials, 0);
});

test("wrong arguments are refused by name", async () => {
  const listener = memoryListener();
  const wrong = shareConnection as (...args: unknown[]) => unknown;
  assert.throws(() => wrong(null, { dial() {} }), /`listener` must be a listener, got null/);
  assert.throws(
    () => wrong(listener, "ws://x"),
    /`daemon` must have a method `dial`, got a string/,
  );
  assert.throws(
    () => wrong(listener, { dial() {} }, { clok: 1 }),
    /`options.clok` is not an option/,
  );
  const dial = dialShared as (...args: unknown[]) => Promise<unknown>;
  await assert.rejects(
    dial("worker.js", { dial() {} }),
    /`start` must be a function, got a string/,
  );
  await assert.rejects(
    dial(() => {}, null),
    /`daemon` must have a method `dial`, got null/,
  );
  await assert.rejects(
    dial(() => {}, { dial() {} }, { adress: "x" }),
    /`options.adress` is not/,
  );
});
