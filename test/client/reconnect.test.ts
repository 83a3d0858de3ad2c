import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { ClientCore } from "../../src/client/client-core.js";
import { resolveOptions, type ThinClientOptions } from "../../src/client/options.js";
import type { RequestSettings } from "../../src/client/calls.js";
import { ThinClient } from "../../src/client/thin-client.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { Config } from "../../src/config/config.js";
import { ClientClosedError, ConnectError, ConnectionLostError } from "../../src/errors/errors.js";
import { type ScriptedConnection, ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import type { Transport } from "../../src/transport/transport.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import { connectedPair, isPending, reasonOf, turn, unused } from "./fixture.js";

/** All requests that a client has sent on a connection up to now. */
async function drain(connection: ScriptedConnection): Promise<DaemonRequest[]> {
  await turn();
  return connection.requests.splice(0);
}

const kinds = (requests: DaemonRequest[]): string[] => requests.map(({ kind }) => kind);

test("pauses before reconnecting grow from 1 s to 60 s, each shortened randomly by up to half", async () => {
  const daemon = new ScriptedDaemon();
  const clock = new VirtualClock();
  const times: number[] = [];
  const dial = async (): Promise<Transport> => {
    if (daemon.connections.length === 0) return daemon.dial();
    times.push(clock.monotonic());
    throw new ConnectError("nobody there");
  };
  const client = new ThinClient(unused, { dial, clock });
  const [connection] = await Promise.all([daemon.shakeHands(), client.start()]);
  const lost = clock.monotonic();
  connection.transport.end();
  await turn();
  while (times.length < 10) await clock.advance(100);
  let before = lost;
  times.forEach((at, i) => {
    const longest = Math.min(1000 * 2 ** i, 60_000);
    const wait = at - before;
    assert.ok(wait >= longest / 2 && wait <= longest, `try ${i} after ${wait} ms`);
    before = at;
  });
  assert.equal(client.state, "reconnecting");
  await client.stop();
  assert.equal(clock.pending, 0);
});

test("custom pauses are used, and start over after each success", async () => {
  const reconnect = { initialDelayMs: 10, maxDelayMs: 20 };
  const { daemon, connection, clock, of } = await connectedPair({ reconnect });
  let current = connection;
  for (let round = 0; round < 3; round++) {
    current.transport.end();
    await turn();
    await clock.advance(10);
    current = await daemon.shakeHands();
    await turn();
  }
  assert.equal(of("reconnected").length, 3);
});

test("a failed handshake counts as a failed reconnect, whatever its cause", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  connection.transport.end();
  const plays: ((c: ScriptedConnection) => void)[] = [
    (c) => c.transport.end(),
    (c) => c.sendRaw(Uint8Array.of(0, 0, 0, 0)),
    (c) => {
      for (let i = 0; i < 17; i++) c.send(daemon.documentEvent());
    },
    (c) => c.send({ ...daemon.status(), sphinxGeometry: null }),
    () => {},
  ];
  const dialled = async (): Promise<void> => {
    const before = daemon.connections.length;
    while (daemon.connections.length === before) await clock.advance(500);
  };
  for (const play of plays) {
    await dialled();
    play(await daemon.accept());
    await turn();
    assert.equal(client.state, "reconnecting");
  }
  // The last connection stayed silent, so its handshake first runs into the deadline.
  const silent = clock.monotonic();
  await dialled();
  assert.ok(clock.monotonic() - silent > 40_000);
  await daemon.shakeHands();
  await turn();
  assert.equal(client.state, "ready");
  assert.equal(of("reconnected").length, 1);
});

test("a dial that never ends does not stop reconnecting", async () => {
  const daemon = new ScriptedDaemon();
  const clock = new VirtualClock();
  let dials = 0;
  const client = new ThinClient(unused, {
    clock,
    liveness: false,
    dial: () => (++dials === 2 ? new Promise<Transport>(() => {}) : daemon.dial()),
  });
  const [connection] = await Promise.all([daemon.shakeHands(), client.start()]);
  connection.transport.end();
  const back = daemon.shakeHands(true);
  await clock.runUntil(back, 60_000);
  await turn();
  assert.deepEqual([dials, client.state], [3, "ready"]);
  await client.stop();
});

test("a loss is reported once, with its cause, and as graceful only after a shutdown event", async () => {
  for (const graceful of [true, false]) {
    const logged: unknown[] = [];
    const warn = (message: string, fields?: object): void => void logged.push(message, fields);
    const ignore = (): void => {};
    const logger = { debug: ignore, info: ignore, warn, error: ignore };
    const { client, connection, of } = await connectedPair({ logger });
    if (graceful) connection.send({ kind: "shutdownEvent" });
    await turn();
    connection.transport.end();
    await turn();
    const { type, isGraceful, error } = of("daemonDisconnected")[0]!;
    assert.deepEqual([type, isGraceful, error], ["daemonDisconnected", graceful, null]);
    assert.equal(of("daemonDisconnected").length, 1);
    const how = graceful
      ? "the daemon said goodbye and closed the connection"
      : "the daemon closed the connection without a goodbye";
    assert.deepEqual(logged, [
      "connection to the daemon lost",
      { isGraceful: graceful, error: how },
    ]);
    assert.equal(client.isConnected(), false);
    assert.equal(client.state, "reconnecting");
    await client.stop();
  }
});

test("a shutdown event applies only to its own connection", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  connection.send({ kind: "shutdownEvent" });
  await turn();
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.shakeHands();
  await turn();
  again.transport.end();
  await turn();
  assert.deepEqual(
    of("daemonDisconnected").map((event) => event.isGraceful),
    [true, false],
  );
  await client.stop();
});

test("an unreadable frame ends the connection with a reason, and the client reconnects", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  connection.sendRaw(Uint8Array.of(0, 0, 0, 1, 0xff));
  await turn();
  assert.match(of("daemonDisconnected")[0]!.error?.message ?? "", /not well-formed CBOR/);
  assert.equal(connection.closed, true);
  await clock.advance(1000);
  await daemon.shakeHands();
  await turn();
  assert.equal(client.state, "ready");
  const [, second] = daemon.connections;
  second!.sendRaw(Uint8Array.of(0, 0, 0, 9, 0xa0));
  second!.transport.end();
  await turn();
  assert.match(of("daemonDisconnected")[1]!.error?.message ?? "", /in the middle of a frame/);
  await client.stop();
});

test("reconnected says whether the session was resumed and whether it is another process", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  let current = connection;
  for (const [resumed, newProcess] of [
    [true, false],
    [false, false],
    [false, true],
  ] as const) {
    current.transport.end();
    if (newProcess) daemon.instanceToken = new Uint8Array(16).fill(1);
    await clock.advance(1000);
    current = await daemon.shakeHands(resumed);
    await turn();
    const event = of("reconnected").at(-1)!;
    assert.deepEqual([event.resumed, event.newInstance], [resumed, newProcess]);
  }
  await client.stop();
});

test("every connection sends the same session token", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.accept();
  again.send(daemon.status());
  again.send(daemon.documentEvent());
  const { clientInstanceToken } = await again.expect("sessionToken");
  assert.deepEqual(clientInstanceToken, client.sessionToken);
  await client.stop();
});

test("status and document of the new connection are reported before reconnected", async () => {
  const { client, daemon, connection, clock, heard } = await connectedPair();
  connection.transport.end();
  await clock.advance(1000);
  await daemon.shakeHands();
  await turn();
  assert.deepEqual(
    heard.slice(2).map(({ type }) => type),
    ["daemonDisconnected", "connectionStatus", "newPkiDocument", "reconnected"],
  );
  assert.equal(client.isConnected(), true);
  await client.stop();
});

test("with reconnect: false a loss closes the client, and every error names the loss", async () => {
  for (const [lose, wanted] of [
    [(c: ScriptedConnection) => c.sendRaw(Uint8Array.of(0, 0, 0, 0)), /frame length/],
    [(c: ScriptedConnection) => c.transport.end(), /the daemon closed the connection/],
  ] as const) {
    const { client, connection, heard } = await connectedPair({ reconnect: false });
    const calls = [
      client.getDirectoryAuthorities(),
      client.blockingSendMessage("x", new Uint8Array(32) as never, Uint8Array.of(43)),
      client.recv(),
    ].map(reasonOf);
    await turn();
    lose(connection);
    const { reason, error } = await client.closed;
    assert.equal(reason, "failed");
    assert.match(error?.message ?? "", wanted);
    const [local, echo, frame] = await Promise.all(calls);
    for (const call of [local, frame, await reasonOf(client.getDirectoryAuthorities())]) {
      assert.ok(call instanceof ClientClosedError);
      assert.match(call.message, /the client is closed: .*connection/);
      assert.match(call.message, wanted);
      assert.equal(call.cause, error);
    }
    assert.ok(echo instanceof ConnectionLostError);
    assert.deepEqual(
      heard.slice(-2).map(({ type }) => type),
      ["daemonDisconnected", "closed"],
    );
    const last = heard.at(-1);
    assert.ok(last?.type === "closed" && last.error === error);
    assert.equal(client.state, "closed");
  }
});

test("stop while reconnecting ends it during a pause, a dial or a handshake", async () => {
  for (const phase of ["waiting", "shaking hands"]) {
    const { client, daemon, connection, clock } = await connectedPair();
    connection.transport.end();
    await turn();
    if (phase !== "waiting") {
      await clock.advance(1000);
      (await daemon.accept()).send(daemon.status());
      await turn();
    }
    await client.stop();
    assert.deepEqual([client.state, clock.pending], ["closed", 0]);
    assert.equal(daemon.connections.at(-1)!.closed, true);
    await clock.advance(100_000);
    assert.equal(daemon.connections.length, phase === "waiting" ? 1 : 2);
  }
});

test("stop in the handler of the loss prevents another dial", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  client.on("daemonDisconnected", () => client.stop());
  connection.transport.end();
  await client.closed;
  await clock.advance(100_000);
  assert.equal(daemon.connections.length, 1);
});

test("local calls are sent again with a new query ID, and answers to the old one are dropped", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = client.getDirectoryAuthorities();
  const first = await connection.expect("getDirectoryAuthorities");
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.shakeHands(true);
  const second = await again.expect("getDirectoryAuthorities");
  assert.notDeepEqual(second.queryId, first.queryId);
  const reply = { kind: "getDirectoryAuthoritiesReply", authorities: null } as const;
  again.send({ ...reply, queryId: first.queryId, errorCode: 4 });
  assert.equal(await isPending(call), true);
  again.send({ ...reply, queryId: second.queryId, errorCode: 0 });
  assert.deepEqual(await call, []);
});

test("a call made without a connection is sent when there is one", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  connection.transport.end();
  await turn();
  const call = client.getDirectoryAuthorities();
  assert.equal(client.pendingCalls, 1);
  await clock.advance(1000);
  const again = await daemon.shakeHands();
  const { queryId } = await again.expect("getDirectoryAuthorities");
  again.send({ kind: "getDirectoryAuthoritiesReply", queryId, authorities: [], errorCode: 0 });
  await call;
});

// The tests below use the core, where all operations that the daemon continues by itself meet.

const envelope = (fill: number): Uint8Array<ArrayBuffer> => new Uint8Array(32).fill(fill);

function operations(options: ThinClientOptions = {}) {
  const daemon = new ScriptedDaemon();
  const clock = new VirtualClock();
  const core = new ClientCore(
    new Config(unused),
    resolveOptions({ dial: daemon.dial, clock, liveness: false, ...options }),
  );
  const start = (hash: Uint8Array<ArrayBuffer>, settings: Partial<RequestSettings> = {}) =>
    core.calls.request(
      "startResendingEncryptedMessage",
      {
        readCap: null,
        writeCap: new Uint8Array(168),
        messageBoxIndex: null,
        replyIndex: null,
        envelopeDescriptor: hash,
        messageCiphertext: hash,
        envelopeHash: hash,
        noRetryOnBoxIdNotFound: false,
        noIdempotentBoxAlreadyExists: false,
      },
      {
        operation: "write",
        defaultTimeoutMs: Infinity,
        cancellation: {
          key: toHex(hash),
          onlyForReply: false,
          request: (queryId) => ({
            kind: "cancelResendingEncryptedMessage",
            queryId,
            envelopeHash: hash,
          }),
        },
        ...settings,
      },
    );
  return { daemon, clock, core, start };
}

const done = (queryId: Uint8Array | null, errorCode = 0) =>
  ({
    kind: "startResendingEncryptedMessageReply",
    queryId: queryId as Uint8Array<ArrayBuffer>,
    plaintext: null,
    errorCode,
    courierIdentityHash: null,
    courierQueueId: null,
  }) as const;

test("operations in flight are first all cancelled, and then started again", async () => {
  const { daemon, clock, core, start } = operations();
  const [connection] = await Promise.all([daemon.shakeHands(), core.session.start()]);
  const calls = [start(envelope(1)), start(envelope(2)), start(envelope(1))];
  const local = core.calls.request("getDirectoryAuthorities", {}, { operation: "local" });
  const before = await drain(connection);
  assert.equal(before.length, 4);
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.shakeHands(true);
  const requests = await drain(again);
  // One cancel for each start: the first and the third have the same name, and a cancel ends only
  // the newest.
  assert.deepEqual(kinds(requests), [
    "cancelResendingEncryptedMessage",
    "cancelResendingEncryptedMessage",
    "cancelResendingEncryptedMessage",
    "startResendingEncryptedMessage",
    "startResendingEncryptedMessage",
    "startResendingEncryptedMessage",
    "getDirectoryAuthorities",
  ]);
  const ids = [...before, ...requests].map((request) =>
    "queryId" in request ? toHex(request.queryId!) : "",
  );
  assert.equal(new Set(ids).size, 11);
  // The daemon's late answers to the cancelled operations arrive in order and settle nothing.
  for (const request of before.slice(0, 3)) {
    again.send(done("queryId" in request ? request.queryId : null, 24));
  }
  again.send({
    kind: "cancelResendingEncryptedMessageReply",
    queryId: (requests[0] as DaemonRequest<"getDirectoryAuthorities">).queryId,
    errorCode: 0,
  });
  await turn();
  assert.equal(core.calls.size, 4);
  for (const request of requests.slice(3, 6)) {
    again.send(done("queryId" in request ? request.queryId : null));
  }
  const replies = await Promise.all(calls);
  assert.deepEqual(
    replies.map(({ errorCode }) => errorCode),
    [0, 0, 0],
  );
  await core.session.close(true);
  await reasonOf(local);
});

test("a resumed operation is identical except for its query ID, whatever the daemon is", async () => {
  for (const [resumed, newProcess] of [
    [true, false],
    [false, false],
    [false, true],
  ]) {
    const { daemon, clock, core, start } = operations();
    const [connection] = await Promise.all([daemon.shakeHands(), core.session.start()]);
    const call = start(envelope(3));
    const first = await connection.expect("startResendingEncryptedMessage");
    connection.transport.end();
    if (newProcess) daemon.instanceToken = new Uint8Array(16).fill(9);
    await clock.advance(1000);
    const again = await daemon.shakeHands(resumed);
    await again.expect("cancelResendingEncryptedMessage");
    const second = await again.expect("startResendingEncryptedMessage");
    assert.deepEqual({ ...second, queryId: null }, { ...first, queryId: null });
    again.send(done(second.queryId));
    await call;
    await core.session.close(true);
  }
});

test("an operation started without a connection is not cancelled first", async () => {
  const { daemon, clock, core, start } = operations();
  const started = core.session.start();
  const call = start(envelope(4));
  const connection = await daemon.shakeHands();
  await started;
  assert.deepEqual(kinds(await drain(connection)), ["startResendingEncryptedMessage"]);
  connection.transport.end();
  await turn();
  const later = start(envelope(5));
  await clock.advance(1000);
  const again = await daemon.shakeHands();
  assert.deepEqual(kinds(await drain(again)), [
    "cancelResendingEncryptedMessage",
    "startResendingEncryptedMessage",
    "startResendingEncryptedMessage",
  ]);
  await core.session.close(true);
  for (const one of [call, later]) assert.ok((await reasonOf(one)) instanceof ClientClosedError);
});

test("an operation that is answered or given up is not resumed", async () => {
  const { daemon, clock, core, start } = operations();
  const [connection] = await Promise.all([daemon.shakeHands(), core.session.start()]);
  const answered = start(envelope(1));
  const { queryId } = await connection.expect("startResendingEncryptedMessage");
  connection.send(done(queryId));
  await answered;
  const abort = new AbortController();
  const given = reasonOf(start(envelope(2), { options: { signal: abort.signal } }));
  abort.abort(new Error("enough"));
  await given;
  const second = await connection.expect("startResendingEncryptedMessage");
  const cancel = await connection.expect("cancelResendingEncryptedMessage");
  connection.send(done(second.queryId, 24));
  connection.send({ kind: `${cancel.kind}Reply`, queryId: cancel.queryId, errorCode: 0 });
  await turn();
  connection.transport.end();
  await clock.advance(1000);
  assert.deepEqual(await drain(await daemon.shakeHands()), []);
  await core.session.close(true);
});

test("an operation given up while disconnected is cancelled once, on the next connection", async () => {
  const { daemon, clock, core, start } = operations();
  const [connection] = await Promise.all([daemon.shakeHands(), core.session.start()]);
  const abort = new AbortController();
  const given = reasonOf(start(envelope(6), { options: { signal: abort.signal } }));
  await connection.expect("startResendingEncryptedMessage");
  connection.transport.end();
  await turn();
  abort.abort(new Error("enough"));
  await given;
  // That cancel must not affect a new start of the same envelope.
  const anew = start(envelope(6));
  await clock.advance(1000);
  const again = await daemon.shakeHands();
  assert.deepEqual(kinds(await drain(again)), [
    "cancelResendingEncryptedMessage",
    "startResendingEncryptedMessage",
  ]);
  again.transport.end();
  await clock.advance(1000);
  assert.equal((await drain(await daemon.shakeHands())).length, 2);
  await core.session.close(true);
  await reasonOf(anew);
});

test("giving up one of two operations on one envelope does not cancel it at the daemon", async () => {
  const { daemon, core, start } = operations();
  const [connection] = await Promise.all([daemon.shakeHands(), core.session.start()]);
  const abort = new AbortController();
  const given = reasonOf(start(envelope(7), { options: { signal: abort.signal } }));
  const going = start(envelope(7));
  const [, second] = await drain(connection);
  abort.abort(new Error("enough"));
  await given;
  assert.deepEqual(await drain(connection), []);
  connection.send(done((second as DaemonRequest<"startResendingEncryptedMessage">).queryId));
  assert.equal((await going).errorCode, 0);
  await core.session.close(true);
});

test("an operation without a deadline survives any number of losses", async () => {
  const { daemon, clock, core, start } = operations();
  const [connection] = await Promise.all([daemon.shakeHands(), core.session.start()]);
  const call = start(envelope(8));
  let current = connection;
  for (let round = 0; round < 5; round++) {
    await clock.advance(3_600_000);
    current.transport.end();
    await clock.advance(1000);
    current = await daemon.shakeHands();
    await turn();
  }
  assert.equal(await isPending(call), true);
  // One cancel, although none of the cancels before it was confirmed.
  const requests = await drain(current);
  assert.deepEqual(kinds(requests), [
    "cancelResendingEncryptedMessage",
    "startResendingEncryptedMessage",
  ]);
  const started = requests[1] as DaemonRequest<"startResendingEncryptedMessage">;
  current.send(done(started.queryId));
  await call;
  await core.session.close(true);
});

test("a loss in the middle of a handshake keeps the calls that wait for the next one", async () => {
  const { daemon, clock, core, start } = operations();
  const [connection] = await Promise.all([daemon.shakeHands(), core.session.start()]);
  const call = start(envelope(9));
  await connection.expect("startResendingEncryptedMessage");
  connection.transport.end();
  await clock.advance(1000);
  const broken = await daemon.accept();
  broken.send(daemon.status());
  broken.transport.end();
  await clock.advance(2000);
  const again = await daemon.shakeHands();
  await again.expect("cancelResendingEncryptedMessage");
  again.send(done((await again.expect("startResendingEncryptedMessage")).queryId));
  await call;
  await core.session.close(true);
});

test("a message that was sent before a loss is not sent again", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  await client.sendMessageWithoutReply("x", new Uint8Array(32) as never, Uint8Array.of(43));
  await connection.expect("sendMessage");
  connection.transport.end();
  await clock.advance(1000);
  assert.deepEqual(await drain(await daemon.shakeHands()), []);
  await client.stop();
});

test("ConnectionLostError has the documented code", () => {
  const error = new ConnectionLostError("x");
  assert.deepEqual([error.code, error.errorCode], ["THIN_CLIENT_ERROR_CONNECTION_LOST", 1]);
});
