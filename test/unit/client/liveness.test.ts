import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionLostError } from "../../../src/errors/errors.js";
import { connectedPair, pair, turn } from "./fixture.js";

const settings = { liveness: { intervalMs: 30_000, timeoutMs: 15_000 } };

test("a daemon that says nothing is asked, and one that answers is left alone", async () => {
  const { client, clock, connection } = await connectedPair(settings);
  for (let round = 0; round < 3; round++) {
    await clock.advance(round === 0 ? 30_000 : 45_000);
    const probe = await connection.expect("nextMessageBoxIndex");
    assert.equal(probe.messageBoxIndex, null);
    connection.send({
      kind: "nextMessageBoxIndexReply",
      queryId: probe.queryId,
      nextMessageBoxIndex: null,
      errorCode: 3,
    });
    await turn();
  }
  assert.equal(client.state, "ready");
  await client.stop();
  assert.equal(clock.pending, 0);
});

test("one that does not answer is given up and dialled anew", async () => {
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

test("a daemon at work on a local request is not asked: a real one takes its time", async () => {
  const { client, clock, connection } = await connectedPair(settings);
  const call = client.newKeypair(new Uint8Array(32), { timeoutMs: Infinity });
  call.catch(() => {});
  await connection.expect("newKeypair");
  await clock.advance(600_000);
  assert.deepEqual(connection.requests, []);
  assert.equal(client.state, "ready");
  await client.stop();
});

test("without liveness nothing is ever asked", async () => {
  const { client, clock, connection } = await connectedPair({ liveness: false });
  await clock.advance(86_400_000);
  assert.deepEqual(connection.requests, []);
  await client.stop();
});

test("its settings are checked by name", () => {
  assert.throws(() => pair({ liveness: { every: 5 } as never }), /`options.liveness.every` is not/);
  assert.throws(() => pair({ liveness: { intervalMs: 0 } }), /`options.liveness.intervalMs`/);
});
