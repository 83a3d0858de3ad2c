import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionLostError } from "../../src/errors/errors.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import { type DaemonResponse, encodeResponse } from "../../src/wire/responses.js";
import type { ThinClient } from "../../src/client/thin-client.js";
import { Liveness } from "../../src/client/liveness.js";
import { Unread } from "../../src/client/unread.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { encodeFrame } from "../../src/wire/framing.js";
import { connectedPair, pair, reasonOf, turn } from "./fixture.js";
import { courier, hashOf, index, readCap, sealedRead, writeCap } from "./pigeonhole-fixture.js";

/** A daemon's answer to a probe, which has no index. */
function answerTo({ queryId }: DaemonRequest<"nextMessageBoxIndex">): DaemonResponse {
  return { kind: "nextMessageBoxIndexReply", queryId, nextMessageBoxIndex: null, errorCode: 3 };
}

const unlimited = { timeoutMs: Infinity };
const payload = {
  payload: new Uint8Array(9),
  destWriteCap: writeCap,
  destStartIndex: index,
  isStart: true,
  isLast: true,
};
const settings = { liveness: { intervalMs: 30_000, timeoutMs: 15_000 } };

test("a silent daemon is probed, and a responsive one is not", async () => {
  const { client, clock, connection } = await connectedPair(settings);
  for (let round = 0; round < 3; round++) {
    await clock.advance(round === 0 ? 30_000 : 45_000);
    const probe = await connection.expect("nextMessageBoxIndex");
    assert.equal(probe.messageBoxIndex, null);
    connection.send(answerTo(probe));
    await turn();
  }
  assert.equal(client.state, "ready");
  await client.stop();
  assert.equal(clock.pending, 0);
});

test("the client dials again if the daemon does not answer the probe", async () => {
  const { client, daemon, clock, of } = await connectedPair(settings);
  await clock.advance(45_000);
  assert.equal(client.state, "reconnecting");
  const [lost] = of("daemonDisconnected");
  assert.ok(lost?.error instanceof ConnectionLostError);
  assert.match(lost.error.message, /silent for 45000 ms/);
  await clock.advance(1000);
  await daemon.shakeHands(true);
  await turn();
  assert.equal(client.state, "ready");
  await client.stop();
});

test("any message counts as a sign of life", async () => {
  const { client, daemon, clock, connection } = await connectedPair(settings);
  for (let round = 0; round < 10; round++) {
    await clock.advance(29_000);
    connection.send(daemon.status());
    await turn();
  }
  assert.deepEqual(connection.requests, []);
  await client.stop();
});

test("a daemon at work on a local request is not probed, and gets the time that it may take", async () => {
  for (const [work, patienceMs] of [
    [(client: ThinClient) => client.newKeypair(new Uint8Array(32), unlimited), 60_000],
    [(client: ThinClient) => client.encryptRead(readCap, index, unlimited), 300_000],
    [(client: ThinClient) => client.createCourierEnvelopesFromPayload(payload), 1_500_000],
  ] as const) {
    const { client, clock, connection } = await connectedPair(settings);
    const call = reasonOf(work(client));
    await connection.next();
    await clock.advance(45_000 + patienceMs - 15_000);
    assert.deepEqual([connection.requests, client.state], [[], "ready"]);
    await clock.advance(15_000);
    assert.equal(client.state, "reconnecting");
    await client.stop();
    await call;
  }
});

test("an unresponsive daemon is detected although a local request is always outstanding", async () => {
  const { client, clock, connection } = await connectedPair(settings);
  for (let seconds = 0; seconds < 120; seconds += 10) {
    client.getDirectoryAuthorities().catch(() => {});
    await clock.advance(10_000);
  }
  assert.ok(connection.requests.length > 5);
  assert.equal(client.state, "reconnecting");
  await client.stop();
});

test("a daemon that may work on a request that was given up here gets its time as well", async () => {
  const { client, clock, connection } = await connectedPair(settings);
  await reasonOf(
    Promise.all([client.encryptRead(readCap, index, { timeoutMs: 10 }), clock.advance(10)]),
  );
  await connection.expect("encryptRead");
  await clock.advance(300_000);
  assert.equal(client.state, "ready");
  await connection.expect("nextMessageBoxIndex");
  await client.stop();
});

test("only requests that the daemon still has give it more time", async () => {
  const { client, clock, connection, daemon } = await connectedPair(settings);
  const built = reasonOf(client.createCourierEnvelopesFromPayload(payload));
  const { queryId } = await connection.expect("createCourierEnvelopesFromPayload");
  connection.send({
    kind: "createCourierEnvelopesFromPayloadReply",
    queryId,
    envelopes: null,
    nextDestIndex: null,
    errorCode: 4,
  });
  await built;
  await clock.advance(75_000);
  assert.equal(client.state, "reconnecting", "the request was answered");
  await clock.advance(1000);
  const second = await daemon.shakeHands(true);
  await turn();
  await reasonOf(
    Promise.all([
      client.createCourierEnvelopesFromPayload(payload, { timeoutMs: 10 }),
      clock.advance(10),
    ]),
  );
  second.transport.end();
  await clock.advance(1000);
  const third = await daemon.shakeHands(true);
  await turn();
  await clock.advance(30_000);
  await third.expect("nextMessageBoxIndex");
  await clock.advance(15_000);
  assert.equal(client.state, "reconnecting", "the request was lost with its connection");
  await client.stop();
});

/** A clock whose timers fire when the test says so, and whose `soon` waits for the test. */
class HandClock extends VirtualClock {
  readonly soonCalls: (() => void)[] = [];
  override soon(callback: () => void): void {
    this.soonCalls.push(callback);
  }
  turn(): void {
    for (const callback of this.soonCalls.splice(0)) callback();
  }
}

test("the client reads pending data before it judges a deadline that its own busy loop delayed", async () => {
  const clock = new HandClock();
  const dead: number[] = [];
  const sent: DaemonRequest[] = [];
  const liveness = new Liveness({
    clock,
    intervalMs: 30_000,
    timeoutMs: 15_000,
    load: { localInFlight: 0, localWorkMs: 0, operationsInFlight: 0, unread: new Unread() },
    isOnline: () => true,
    send: (request) => sent.push(request),
    onDead: (silentMs) => dead.push(silentMs),
  });
  liveness.start();
  await clock.advance(30_000);
  clock.turn();
  clock.turn();
  assert.equal(sent.length, 1);
  // The answer stays in the socket for an hour while the program computes; the timer fires first.
  await clock.advance(3_600_000);
  assert.deepEqual(dead, []);
  // Platforms that pass messages on in a task of its own have it after the first turn.
  clock.turn();
  liveness.heardBytes();
  clock.turn();
  assert.deepEqual(dead, []);
  // This time nothing arrives.
  for (let i = 0; i < 3; i++) {
    await clock.advance(30_000);
    clock.turn();
    clock.turn();
  }
  assert.equal(dead.length, 1);
  // A watch that ends between the timer and its look does nothing more.
  liveness.stop();
  liveness.start();
  await clock.advance(30_000);
  liveness.stop();
  clock.turn();
  clock.turn();
  assert.equal(sent.length, 1);
});

test("a part of a frame counts as a sign of life", async () => {
  const { client, daemon, clock, connection } = await connectedPair(settings);
  const frame = encodeFrame(encodeResponse(daemon.status()));
  for (const byte of frame.subarray(0, 10)) {
    connection.sendRaw(Uint8Array.of(byte));
    await clock.advance(29_000);
  }
  assert.deepEqual([client.state, connection.requests], ["ready", []]);
  await client.stop();
});

/** A client that has sent `count` messages, none of which the daemon has confirmed. */
async function withMessages(count: number) {
  const made = await connectedPair(settings);
  const { client, connection } = made;
  for (let i = 0; i < count; i++) {
    await client.sendMessage(client.newSurbId(), "hello", courier[0], courier[1]);
    await connection.expect("sendMessage");
  }
  return made;
}

test("a daemon that may have stopped reading because packets wait gets more time", async () => {
  const { client, clock } = await withMessages(20);
  // All 20 messages may be unread, so the daemon gets 20 times 5 s more.
  await clock.advance(45_000 + 99_000);
  assert.equal(client.state, "ready");
  await clock.advance(15_000);
  assert.equal(client.state, "reconnecting");
  await client.stop({ drain: false });
});

test("fewer packets than a daemon accepts do not block each other", async () => {
  for (const [count, state] of [
    [15, "reconnecting"],
    [16, "ready"],
  ] as const) {
    const { client, clock } = await withMessages(count);
    await clock.advance(45_000);
    assert.equal(client.state, state);
    await client.stop({ drain: false });
  }
});

test("no second probe follows an unread one, and a late answer does not count for another probe", async () => {
  const { client, clock, connection, daemon } = await withMessages(20);
  await clock.advance(30_000);
  const probe = await connection.expect("nextMessageBoxIndex");
  for (let round = 0; round < 3; round++) {
    connection.send(daemon.status());
    await turn();
    await clock.advance(45_000);
  }
  assert.deepEqual(connection.requests, []);
  const next = client.recv({ timeoutMs: 1000 });
  connection.send(answerTo(probe));
  connection.send(daemon.status());
  assert.equal((await next).kind, "connectionStatusEvent");
  await client.stop({ drain: false });
});

test("an answer shows that earlier packets were read, so the daemon gets no extra time", async () => {
  const { client, clock, connection } = await withMessages(20);
  await clock.advance(30_000);
  const probe = await connection.expect("nextMessageBoxIndex");
  connection.send(answerTo(probe));
  await turn();
  await clock.advance(15_000);
  assert.equal(client.state, "ready");
  await clock.advance(45_000);
  assert.equal(client.state, "reconnecting");
  await client.stop({ drain: false });
});

test("starts that the daemon has read give it no extra time", async () => {
  const { client, clock, connection } = await connectedPair(settings);
  const starts = Array.from({ length: 20 }, (_, i) =>
    reasonOf(client.startResendingEncryptedMessage({ ...sealedRead, envelopeHash: hashOf(i) })),
  );
  // An answer shows after each start that the daemon has read it.
  for (let sent = 0; sent < starts.length;) {
    const request = await connection.next();
    if (request?.kind === "nextMessageBoxIndex") connection.send(answerTo(request));
    else sent++;
  }
  await clock.advance(60_000);
  connection.send(answerTo(await connection.expect("nextMessageBoxIndex")));
  await turn();
  await clock.advance(60_000);
  assert.equal(client.state, "reconnecting");
  await client.stop();
  await Promise.all(starts);
});

test("a probe that was lost with its connection does not count for the next one", async () => {
  const { client, clock, connection, daemon } = await connectedPair(settings);
  await clock.advance(30_000);
  await connection.expect("nextMessageBoxIndex");
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.shakeHands(true);
  await turn();
  await clock.advance(30_000);
  again.send(answerTo(await again.expect("nextMessageBoxIndex")));
  await turn();
  await clock.advance(15_000);
  assert.equal(client.state, "ready");
  await client.stop();
});

test("without the mixnet, waiting packets delay the verdict on a daemon by five minutes at most", async () => {
  const { client, clock, connection, daemon } = await withMessages(500);
  connection.send({ ...daemon.status(), isConnected: false });
  await turn();
  await clock.advance(300_000);
  assert.equal(client.state, "ready");
  await clock.advance(75_000);
  assert.equal(client.state, "reconnecting");
  await client.stop({ drain: false });
});

test("no probe is sent without liveness", async () => {
  const { client, clock, connection } = await connectedPair({ liveness: false });
  await clock.advance(86_400_000);
  assert.deepEqual(connection.requests, []);
  await client.stop({ drain: false });
});

test("liveness settings are checked by name", () => {
  assert.throws(() => pair({ liveness: { every: 5 } as never }), /`options.liveness.every` is not/);
  assert.throws(() => pair({ liveness: { intervalMs: 0 } }), /`options.liveness.intervalMs`/);
});
