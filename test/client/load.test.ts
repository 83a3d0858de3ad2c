import assert from "node:assert/strict";
import { test } from "node:test";
import type { Metric } from "../../src/client/metrics.js";
import { RequestTimeoutError } from "../../src/errors/errors.js";
import { connectedPair, pair, reasonOf, turn } from "./fixture.js";
import { index, nextIndex, sealedRead } from "./pigeonhole-fixture.js";

test("local requests beyond maxInFlight wait their turn, and all are answered", async () => {
  const { client, connection } = await connectedPair({ maxInFlight: 3 });
  const calls = Array.from({ length: 10 }, () => client.nextMessageBoxIndex(index));
  await turn();
  assert.deepEqual(client.load, { inFlight: 3, queued: 7, pausing: 0, cancelling: 0 });
  for (let i = 0; i < 10; i++) {
    const { queryId } = await connection.expect("nextMessageBoxIndex");
    assert.ok(connection.requests.length <= 2, "no more than three at a time");
    connection.send({
      kind: "nextMessageBoxIndexReply",
      queryId,
      nextMessageBoxIndex: nextIndex,
      errorCode: 0,
    });
    await turn();
  }
  await Promise.all(calls);
  assert.deepEqual(client.load, { inFlight: 0, queued: 0, pausing: 0, cancelling: 0 });
  await client.stop();
});

test("operations that wait forever leave places for local requests", async () => {
  const { client, connection } = await connectedPair({ maxInFlight: 1 });
  const reads = [1, 2].map(() =>
    reasonOf(client.startResendingEncryptedMessage({ ...sealedRead, kind: "read" })),
  );
  const local = client.nextMessageBoxIndex(index);
  await connection.expect("startResendingEncryptedMessage");
  const { queryId } = await connection.expect("nextMessageBoxIndex");
  connection.send({
    kind: "nextMessageBoxIndexReply",
    queryId,
    nextMessageBoxIndex: nextIndex,
    errorCode: 0,
  });
  await local;
  assert.deepEqual(client.load, { inFlight: 1, queued: 1, pausing: 0, cancelling: 0 });
  await client.stop();
  await Promise.all(reads);
});

test("a call that is given up while it waits for a place is neither sent nor cancelled", async () => {
  const { client, connection } = await connectedPair({ maxInFlight: 1 });
  const first = reasonOf(client.startResendingEncryptedMessage({ ...sealedRead, kind: "read" }));
  const abort = new AbortController();
  const hash = sealedRead.envelopeHash.map((byte) => byte ^ 1) as typeof sealedRead.envelopeHash;
  const second = reasonOf(
    client.startResendingEncryptedMessage(
      { ...sealedRead, kind: "read", envelopeHash: hash },
      { signal: abort.signal },
    ),
  );
  await connection.expect("startResendingEncryptedMessage");
  abort.abort(new Error("enough"));
  assert.equal((await second).message, "enough");
  await turn();
  assert.deepEqual(connection.requests, []);
  await client.stop();
  await first;
});

test("the metrics hook receives the ends of calls, the queue, and reconnects", async () => {
  const metrics: Metric[] = [];
  const { client, daemon, clock, connection } = await connectedPair({
    metrics: (metric) => void metrics.push(metric),
  });
  const late = reasonOf(client.nextMessageBoxIndex(index, { timeoutMs: 500 }));
  await clock.advance(500);
  assert.ok((await late) instanceof RequestTimeoutError);
  const abort = new AbortController();
  const given = reasonOf(client.nextMessageBoxIndex(index, { signal: abort.signal }));
  abort.abort();
  await given;
  for (let i = 0; i < 2; i++) await connection.expect("nextMessageBoxIndex");
  const refused = reasonOf(client.nextMessageBoxIndex(index));
  const { queryId } = await connection.expect("nextMessageBoxIndex");
  connection.send({
    kind: "nextMessageBoxIndexReply",
    queryId,
    nextMessageBoxIndex: null,
    errorCode: 3,
  });
  await refused;
  connection.transport.end();
  await clock.advance(1000);
  await daemon.shakeHands(true);
  await turn();
  await client.stop();
  const requests = metrics.filter((metric) => metric.name === "request");
  assert.deepEqual(
    requests.map(({ operation, outcome }) => [operation, outcome]),
    [
      ["nextMessageBoxIndex", "timeout"],
      ["nextMessageBoxIndex", "aborted"],
      ["nextMessageBoxIndex", "refused"],
    ],
  );
  assert.equal(requests[0]?.durationMs, 500);
  assert.ok(metrics.some((metric) => metric.name === "calls" && metric.inFlight === 1));
  assert.equal(metrics.filter((metric) => metric.name === "reconnect").length, 1);
});

test("a metrics hook that throws does not affect calls, and a hook must be a function", async () => {
  const { client } = await connectedPair({
    metrics: () => {
      throw new Error("no room");
    },
  });
  const call = reasonOf(client.nextMessageBoxIndex(index));
  await client.stop();
  assert.equal((await call).name, "ClientClosedError");
  assert.throws(() => pair({ metrics: 5 as never }), /`options.metrics` must be a function/);
  assert.throws(() => pair({ maxInFlight: 0 }), /`options.maxInFlight` must be a positive integer/);
});

test("bytes never reach the logger, whatever their field is called", async () => {
  const lines: string[] = [];
  const line = (message: string, fields?: object): void =>
    void lines.push(message + JSON.stringify(fields ?? {}));
  const { client } = await connectedPair({
    logger: { debug: line, info: line, warn: line, error: line },
  });
  await client.stop();
  assert.ok(lines.length > 0);
  for (const text of lines) assert.doesNotMatch(text, /"0":/);
});
