import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { EventHub } from "../../src/client/event-hub.js";
import { silentLogger } from "../../src/client/options.js";
import { type ClientEvent, eventTypes } from "../../src/config/events.js";
import { SlowConsumerError } from "../../src/errors/errors.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import { connectedPair, isPending, pkiDocument, reasonOf, turn } from "./fixture.js";

const id = new Uint8Array(16).fill(3) as never;
const shutdown: ClientEvent = { type: "shutdown" };
const hubWith = (handler?: (event: ClientEvent) => void | Promise<void>): EventHub =>
  new EventHub(() => handler, silentLogger);

test("every event message from the daemon reaches all three kinds of subscribers", async () => {
  const byConfig: string[] = [];
  const configured = (event: ClientEvent): void => void byConfig.push(event.type);
  const { client, daemon, connection, heard } = await connectedPair(
    {},
    {},
    {
      onConnectionStatus: configured,
      onNewPkiDocument: configured,
      onMessageSent: configured,
      onMessageReply: configured,
      onDaemonDisconnected: configured,
    },
  );
  heard.length = 0;
  byConfig.length = 0;
  const events = client.events();
  const messages: DaemonResponse[] = [
    daemon.status(),
    { kind: "newPkiDocumentEvent", payload: pkiDocument() },
    {
      kind: "messageSentEvent",
      messageId: id,
      surbId: id,
      sentAt: 1_700_000_000,
      replyEta: 1_500_000_000,
      err: null,
    },
    {
      kind: "messageReplyEvent",
      messageId: id,
      surbId: id,
      payload: Uint8Array.of(1),
      replyIndex: 1,
      errorCode: 0,
    },
    { kind: "messageIdGarbageCollected", messageId: id },
    { kind: "shutdownEvent" },
  ];
  for (const message of messages) connection.send(message);
  connection.transport.end();
  await turn();
  await client.stop();
  const expected = [
    "connectionStatus",
    "newPkiDocument",
    "messageSent",
    "messageReply",
    "messageIdGarbageCollected",
    "shutdown",
    "daemonDisconnected",
    "closed",
  ];
  assert.deepEqual(
    heard.map(({ type }) => type),
    expected,
  );
  const read: string[] = [];
  for await (const event of events) read.push(event.type);
  assert.deepEqual(read, expected);
  assert.deepEqual(byConfig, [
    "connectionStatus",
    "newPkiDocument",
    "messageSent",
    "messageReply",
    "daemonDisconnected",
  ]);
});

test("events carry times in ms and sizes in bytes", async () => {
  const { connection, of } = await connectedPair();
  connection.send({
    kind: "messageSentEvent",
    messageId: id,
    surbId: id,
    sentAt: 1_700_000_000,
    replyEta: 1_500_000_000,
    err: "no route",
  });
  await turn();
  assert.deepEqual(of("messageSent"), [
    {
      type: "messageSent",
      messageId: id,
      surbId: id,
      sentAt: new Date("2023-11-14T22:13:20Z"),
      replyEtaMs: 1500,
      err: "no route",
    },
  ]);
});

test("sent and reply events with null IDs and a null payload are delivered unchanged", async () => {
  const { connection, of } = await connectedPair();
  connection.send({
    kind: "messageSentEvent",
    messageId: null,
    surbId: null,
    sentAt: 0,
    replyEta: 0,
    err: null,
  });
  connection.send({
    kind: "messageReplyEvent",
    messageId: null,
    surbId: null,
    payload: null,
    replyIndex: null,
    errorCode: 2,
  });
  connection.send({ kind: "messageIdGarbageCollected", messageId: null });
  await turn();
  assert.deepEqual([of("messageSent").length, of("messageIdGarbageCollected").length], [1, 0]);
  assert.deepEqual(of("messageReply"), [
    {
      type: "messageReply",
      messageId: null,
      surbId: null,
      payload: new Uint8Array(0),
      replyIndex: null,
      errorCode: 2,
    },
  ]);
});

test("an unreadable PKI document is skipped, and the next one is announced", async () => {
  const { client, connection, of } = await connectedPair();
  connection.send({ kind: "newPkiDocumentEvent", payload: Uint8Array.of(0xff) });
  connection.send({ kind: "newPkiDocumentEvent", payload: pkiDocument({ Epoch: 7 }) });
  await turn();
  assert.deepEqual(
    of("newPkiDocument").map(({ document }) => document?.epoch),
    [undefined, 7],
  );
  assert.equal(client.pkiDocument()?.epoch, 7);
  assert.equal(client.state, "ready");
});

test("a status with a wrong geometry is skipped, and one without geometries keeps the known ones", async () => {
  const { client, daemon, connection, of } = await connectedPair();
  const before = client.geometry;
  connection.send({ ...daemon.status(false), sphinxGeometry: new Map([["PacketLength", "x"]]) });
  connection.send({ ...daemon.status(false), sphinxGeometry: null, pigeonholeGeometry: null });
  await turn();
  assert.deepEqual(
    of("connectionStatus").map((event) => event.sphinxGeometry === null),
    [false, true],
  );
  assert.equal(client.geometry, before);
  assert.equal(client.isConnected(), false);
});

test("a configuration's handler may be assigned and removed later", async () => {
  const { client, daemon, connection } = await connectedPair();
  let calls = 0;
  client.getConfig().onConnectionStatus = () => void calls++;
  connection.send(daemon.status());
  await turn();
  client.getConfig().onConnectionStatus = undefined;
  connection.send(daemon.status());
  await turn();
  assert.equal(calls, 1);
});

test("a handler that throws is reported and does not affect other handlers", async () => {
  const { client, daemon, connection, of } = await connectedPair();
  const failure = new Error("mine");
  client.getConfig().onConnectionStatus = () => {
    throw failure;
  };
  let others = 0;
  client.on("connectionStatus", () => void others++);
  connection.send(daemon.status());
  await turn();
  assert.deepEqual([others, client.state], [1, "ready"]);
  const [report] = of("handlerError");
  assert.equal(report?.error, failure);
  assert.equal(report?.event.type, "connectionStatus");
});

test("an async handler that rejects is reported, and does not delay the next event", async () => {
  const { client, daemon, connection, of } = await connectedPair();
  const failure = new Error("later");
  let release: () => void = () => {};
  let calls = 0;
  client.on("connectionStatus", async () => {
    calls++;
    await new Promise<void>((resolve) => (release = resolve));
    throw failure;
  });
  connection.send(daemon.status());
  connection.send(daemon.status());
  await turn();
  assert.deepEqual([calls, of("handlerError").length], [2, 0]);
  release();
  await turn();
  assert.equal(of("handlerError")[0]?.error, failure);
});

test("a rejection of a thenable that is not a Promise is reported too", async () => {
  const hub = hubWith();
  const errors: unknown[] = [];
  hub.on("handlerError", (event) => void errors.push(event.error));
  const failure = new Error("not a Promise");
  const thenable = {
    // oxlint-disable-next-line unicorn/no-thenable -- that is what this test is about
    then: (_: unknown, reject: (reason: unknown) => void) => reject(failure),
  };
  hub.on("shutdown", () => thenable as unknown as Promise<void>);
  hub.emit(shutdown);
  await turn();
  assert.deepEqual(errors, [failure]);
});

test("a failing handler of handlerError does not trigger itself", async () => {
  const hub = hubWith();
  let calls = 0;
  hub.on("handlerError", () => {
    calls++;
    throw new Error("again");
  });
  hub.on("shutdown", () => {
    throw new Error("first");
  });
  hub.emit(shutdown);
  await turn();
  assert.equal(calls, 1);
});

test("a logger that throws changes nothing", async () => {
  const fail = (): never => {
    throw new Error("disk full");
  };
  const logger = { debug: fail, info: fail, warn: fail, error: fail };
  const { client, connection, of } = await connectedPair({ logger });
  client.on("shutdown", () => fail());
  connection.send({ kind: "shutdownEvent" });
  await turn();
  assert.equal(of("handlerError").length, 1);
  assert.equal(client.state, "ready");
});

test("handlers are called in registration order, and one with `once` is called a single time", () => {
  const hub = hubWith();
  const calls: string[] = [];
  hub.on("shutdown", () => void calls.push("a"));
  hub.on("shutdown", () => void calls.push("b"), { once: true });
  hub.on("shutdown", () => void calls.push("c"));
  hub.emit(shutdown);
  hub.emit(shutdown);
  assert.deepEqual(calls.join(""), "abcac");
});

test("one function may be registered twice, and each registration ends separately", () => {
  const hub = hubWith();
  let calls = 0;
  const handler = (): void => void calls++;
  const first = hub.on("shutdown", handler);
  hub.on("shutdown", handler);
  hub.emit(shutdown);
  first();
  first();
  hub.emit(shutdown);
  assert.equal(calls, 3);
});

test("a registration ends by call, by dispose, and by its signal, whose listener is removed", () => {
  const hub = hubWith();
  let calls = 0;
  const handler = (): void => void calls++;
  const abort = new AbortController();
  const byCall = hub.on("shutdown", handler);
  {
    using _ = hub.on("shutdown", handler);
    hub.on("shutdown", handler, { signal: abort.signal });
    hub.emit(shutdown);
    assert.equal(calls, 3);
  }
  byCall();
  abort.abort();
  hub.emit(shutdown);
  assert.equal(calls, 3);
  const other = new AbortController();
  hub.on("shutdown", handler, { signal: other.signal })();
  hub.on("shutdown", handler, { signal: other.signal, once: true });
  hub.emit(shutdown);
  assert.deepEqual([calls, getEventListeners(other.signal, "abort").length], [4, 0]);
  hub.on("shutdown", handler, { signal: AbortSignal.abort() });
  hub.emit(shutdown);
  assert.equal(calls, 4);
});

test("a handler that registers another one for the same event does not cause an endless loop", () => {
  const hub = hubWith();
  let calls = 0;
  const arm = (): void => {
    hub.on(
      "shutdown",
      () => {
        calls++;
        arm();
      },
      { once: true },
    );
  };
  arm();
  hub.emit(shutdown);
  assert.equal(calls, 1);
  hub.emit(shutdown);
  assert.equal(calls, 2);
});

test("a handler that an earlier one removed is no longer called", () => {
  const hub = hubWith();
  let calls = 0;
  hub.on("shutdown", () => second());
  const second = hub.on("shutdown", () => void calls++);
  hub.emit(shutdown);
  assert.equal(calls, 0);
});

test("every handler gets the current event before an event that a handler causes", async () => {
  const hub = hubWith();
  const heard: string[] = [];
  hub.on("shutdown", () => hub.emit({ type: "closed", reason: "stopped", error: null }));
  hub.on("shutdown", () => {
    throw new Error("x");
  });
  for (const type of eventTypes) hub.on(type, (event) => void heard.push(event.type));
  const reader = hub.events();
  hub.emit(shutdown);
  assert.deepEqual(heard, ["shutdown", "closed", "handlerError"]);
  const read = [await reader.next(), await reader.next(), await reader.next()];
  assert.deepEqual(
    read.map((next) => (next.value as ClientEvent).type),
    heard,
  );
});

test("an iterator yields events of the requested types in order, whether it waits or lags", async () => {
  const hub = hubWith();
  const reader = hub.events({ types: ["shutdown", "closed"] });
  const early = reader.next();
  for (let i = 0; i < 5; i++) {
    hub.emit({ type: "reconnected", resumed: true, newInstance: false });
    hub.emit(shutdown);
  }
  hub.emit({ type: "closed", reason: "stopped", error: null });
  hub.end();
  assert.deepEqual(await early, { done: false, value: shutdown });
  const rest: string[] = [];
  for await (const event of reader) rest.push(event.type);
  assert.deepEqual(rest, ["shutdown", "shutdown", "shutdown", "shutdown", "closed"]);
});

test("several reads may wait at once and get one event each", async () => {
  const hub = hubWith();
  const reader = hub.events();
  const reads = [reader.next(), reader.next(), reader.next()];
  hub.emit(shutdown);
  hub.emit({ type: "closed", reason: "stopped", error: null });
  hub.end();
  const results = await Promise.all(reads);
  assert.deepEqual(
    results.map(({ done }) => done),
    [false, false, true],
  );
});

test("a reader that lags gets all queued events, then SlowConsumerError, then the end", async () => {
  const hub = hubWith();
  const slow = hub.events({ maxQueue: 3 });
  const fast = hub.events();
  for (let i = 0; i < 5; i++) hub.emit(shutdown);
  for (let i = 0; i < 3; i++) assert.equal((await slow.next()).done, false);
  const error = await reasonOf(slow.next());
  assert.ok(error instanceof SlowConsumerError);
  assert.match(error.message, /more than 3 events were waiting/);
  assert.deepEqual(await slow.next(), { done: true, value: undefined });
  // A slow reader does not affect the others.
  for (let i = 0; i < 5; i++) assert.equal((await fast.next()).done, false);
});

test("unread events are limited by bytes too: 64 MiB by default, and always at least one event", async () => {
  const reply = (length: number): ClientEvent => ({
    type: "messageReply",
    messageId: null,
    surbId: null,
    payload: new Uint8Array(length),
    replyIndex: null,
    errorCode: 0,
  });
  const hub = hubWith();
  const one = hub.events({ maxQueueBytes: 1000 });
  hub.emit(reply(100_000));
  assert.equal((await one.next()).done, false);
  for (let i = 0; i < 3; i++) hub.emit(reply(100));
  assert.equal((await one.next()).done, false);
  const error = await reasonOf(one.next());
  assert.ok(error instanceof SlowConsumerError);
  assert.match(error.message, /events of more than 1000 bytes were waiting.*raise maxQueueBytes/);
  const many = hub.events();
  let given = 0;
  for (let i = 0; i < 100; i++) hub.emit(reply(1024 * 1024));
  while (!(await many.next().catch(() => ({ done: true }))).done) given++;
  assert.equal(given, 63);
});

test("an event that was read takes no room", async () => {
  const hub = hubWith();
  const reader = hub.events({ maxQueue: 2, maxQueueBytes: 1000 });
  for (let i = 0; i < 20; i++) {
    hub.emit(shutdown);
    assert.equal((await reader.next()).done, false);
  }
});

test("an iterator gets the closed event of a handler that ends the hub", async () => {
  const hub = hubWith();
  hub.on("shutdown", () => {
    hub.emit({ type: "closed", reason: "stopped", error: null });
    hub.end();
  });
  const reader = hub.events();
  hub.emit(shutdown);
  const types = [];
  for await (const { type } of reader) types.push(type);
  assert.deepEqual(types, ["shutdown", "closed"]);
});

test("up to 10,000 events may wait by default, and a slow reader loses none of them", async () => {
  const hub = hubWith();
  const reader = hub.events();
  for (let i = 0; i < 10_000; i++) hub.emit(shutdown);
  for (let i = 0; i < 10_000; i++) assert.equal((await reader.next()).done, false);
  assert.equal(await isPending(reader.next()), true);
});

test("break, dispose, abort and the end of the client end an iterator and free its queue", async () => {
  const hub = hubWith();
  const unused = new AbortController();
  const broken = hub.events({ signal: unused.signal });
  hub.emit(shutdown);
  for await (const event of broken) {
    assert.equal(event.type, "shutdown");
    break;
  }
  assert.equal(getEventListeners(unused.signal, "abort").length, 0);
  hub.emit(shutdown);
  assert.deepEqual(await broken.next(), { done: true, value: undefined });
  const abort = new AbortController();
  const aborted = hub.events({ signal: abort.signal });
  const waiting = aborted.next();
  abort.abort();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  let disposed;
  {
    await using reader = hub.events();
    hub.emit(shutdown);
    disposed = reader;
  }
  assert.equal((await disposed.next()).done, true);
  assert.equal((await hub.events({ signal: AbortSignal.abort() }).next()).done, true);
  hub.end();
  assert.equal((await hub.events().next()).done, true);
});

test("unknown types and wrong options are refused by name", () => {
  const hub = hubWith();
  const noop = (): void => {};
  assert.throws(
    () => hub.on("nope" as never, noop),
    /`type` must be one of connectionStatus, .*got "nope"/,
  );
  assert.throws(() => hub.on(5 as never, noop), TypeError);
  assert.throws(() => hub.on("shutdown", null as never), /`handler` must be a function, got null/);
  assert.throws(
    () => hub.on("shutdown", noop, { onse: true } as never),
    /`options.onse` is not an option/,
  );
  assert.throws(
    () => hub.on("shutdown", noop, { signal: {} as never }),
    /`options.signal` must be an AbortSignal/,
  );
  assert.throws(
    () => hub.events({ type: ["shutdown"] } as never),
    /`options.type` is not an option/,
  );
  assert.throws(() => hub.events({ types: ["x"] as never }), /`options.types\[0\]`/);
  for (const maxQueue of [0, -1, 1.5, "5", Number.NaN] as never[]) {
    assert.throws(() => hub.events({ maxQueue }), RangeError);
    assert.throws(() => hub.events({ maxQueueBytes: maxQueue }), /`options.maxQueueBytes`/);
  }
  assert.throws(() => hub.events({ signal: {} as never }), TypeError);
});

test("bursts of calls and events do not block each other (upstream: deadlock)", async () => {
  const { client, daemon, connection, of } = await connectedPair();
  const calls = Array.from({ length: 50 }, () => client.getDirectoryAuthorities());
  for (let i = 0; i < 50; i++) {
    const request = await connection.expect("getDirectoryAuthorities");
    connection.send(daemon.status());
    connection.send({
      kind: "getDirectoryAuthoritiesReply",
      queryId: request.queryId,
      authorities: [],
      errorCode: 0,
    });
    connection.send(daemon.status());
  }
  await Promise.all(calls);
  await turn();
  assert.equal(of("connectionStatus").length, 101);
});
