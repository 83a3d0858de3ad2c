/**
 * Upstream's list of resilience tests (spec/thin-protocol §9), except those in reconnect.test.ts
 * and lifecycle.test.ts. A title says if upstream's own test expects something else.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { equalBytes } from "../../src/bytes/bytes.js";
import { EnvelopeHash, MessageBoxIndex, type WriteCap } from "../../src/bytes/opaque.js";
import type { ThinClient } from "../../src/client/thin-client.js";
import { keypairFromSeed } from "../../src/bacap/capabilities.js";
import {
  ConnectError,
  ConnectionLostError,
  StartResendingCancelledError,
} from "../../src/errors/errors.js";
import type { ScriptedConnection } from "../../src/testing/scripted-daemon.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import { connectedPair, isPending, reasonOf, turn } from "./fixture.js";

const { writeCap, firstMessageIndex } = keypairFromSeed(new Uint8Array(32).fill(7));
const hash = (fill: number): EnvelopeHash => EnvelopeHash.from(new Uint8Array(32).fill(fill));

function startWrite(client: ThinClient, fill: number, signal?: AbortSignal): Promise<unknown> {
  const request = {
    writeCap: writeCap as WriteCap,
    messageBoxIndex: MessageBoxIndex.from(firstMessageIndex),
    envelopeDescriptor: new Uint8Array(9).fill(fill) as never,
    messageCiphertext: new Uint8Array(20).fill(fill),
    envelopeHash: hash(fill),
  };
  return client.startResendingEncryptedMessage(request, { signal });
}

/**
 * All requests that a client has sent on a connection up to now. The client also asks what the
 * daemon has read, to limit the number of unread starts; those questions are answered and left out.
 */
async function drain(connection: ScriptedConnection): Promise<DaemonRequest[]> {
  const sent: DaemonRequest[] = [];
  for (let more = true; more;) {
    await turn();
    more = false;
    for (const request of connection.requests.splice(0)) {
      if (request.kind !== "nextMessageBoxIndex") {
        sent.push(request);
        continue;
      }
      const { queryId } = request;
      const kind = "nextMessageBoxIndexReply";
      connection.send({ kind, queryId, nextMessageBoxIndex: null, errorCode: 3 });
      more = true;
    }
  }
  return sent;
}

/** The daemon's answer to a start. */
function answer(queryId: DaemonRequest<typeof START>["queryId"], errorCode = 0): DaemonResponse {
  const rest = { plaintext: null, courierIdentityHash: null, courierQueueId: null };
  return { kind: `${START}Reply`, queryId, errorCode, ...rest };
}

const kinds = (requests: readonly DaemonRequest[]): string[] => requests.map(({ kind }) => kind);

/**
 * Receives a client's message and confirms that it left. A message that still waits would be lost
 * with the connection.
 */
async function left(connection: ScriptedConnection): Promise<void> {
  const { surbId } = await connection.expect("sendMessage");
  const times = { sentAt: 1, replyEta: 0, err: null };
  connection.send({ kind: "messageSentEvent", messageId: null, surbId, ...times });
  await turn();
}

const START = "startResendingEncryptedMessage";
const CANCEL = "cancelResendingEncryptedMessage";

test("work in flight is sent again to the same instance too (upstream: nothing within 500 ms)", async () => {
  for (const resumed of [true, false]) {
    const { client, daemon, connection, clock } = await connectedPair();
    const calls = [startWrite(client, 1), startWrite(client, 2)];
    const before = await drain(connection);
    connection.transport.end();
    await clock.advance(1000);
    const again = await daemon.shakeHands(resumed);
    const after = await drain(again);
    assert.deepEqual(kinds(after), [CANCEL, CANCEL, START, START]);
    // The bytes are the same, except for the query IDs. Upstream keeps the IDs, and with them late
    // answers.
    for (const [i, request] of before.entries()) {
      const repeated = after[2 + i] as DaemonRequest<typeof START>;
      const { queryId } = request as DaemonRequest<typeof START>;
      assert.deepEqual({ ...repeated, queryId }, request);
      assert.equal(equalBytes(repeated.queryId!, queryId!), false);
    }
    await client.stop();
    for (const call of calls) await reasonOf(call);
  }
});

test("everything in flight is sent to a new instance, however much (upstream: the same)", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const calls = Array.from({ length: 50 }, (_, i) => startWrite(client, i));
  assert.equal((await drain(connection)).length, 50);
  connection.transport.destroy();
  daemon.instanceToken = new Uint8Array(16).fill(3);
  await clock.advance(1000);
  const after = await drain(await daemon.shakeHands());
  assert.equal(after.filter(({ kind }) => kind === START).length, 50);
  await client.stop();
  for (const call of calls) await reasonOf(call);
});

test("a new connection sends nothing before the token's answer (upstream: its answer may be late)", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = startWrite(client, 1);
  await drain(connection);
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.accept();
  again.send(daemon.status());
  again.send(daemon.documentEvent());
  await again.expect("sessionToken");
  assert.deepEqual(await drain(again), []);
  again.send({ kind: "sessionTokenReply", appId: null, resumed: true });
  assert.deepEqual(kinds(await drain(again)), [CANCEL, START]);
  await client.stop();
  await reasonOf(call);
});

test("a cancel, even offline, ends the tracking, so the next instance is sent nothing", async () => {
  for (const offline of [false, true]) {
    const { client, daemon, connection, clock } = await connectedPair();
    const ended = reasonOf(startWrite(client, 1));
    await connection.expect(START);
    if (offline) {
      connection.transport.end();
      await turn();
    }
    const cancel = client.cancelResendingEncryptedMessage(hash(1));
    if (!offline) {
      const { queryId } = await connection.expect(CANCEL);
      connection.send({ kind: `${CANCEL}Reply`, queryId, errorCode: 0 });
    }
    await cancel;
    assert.ok((await ended) instanceof StartResendingCancelledError);
    assert.equal(client.pendingCalls, 0);
    if (!offline) connection.transport.end();
    daemon.instanceToken = new Uint8Array(16).fill(4);
    await clock.advance(1000);
    // The client cancels the operation at a daemon that may still have it, and does not start it
    // again.
    assert.deepEqual(kinds(await drain(await daemon.shakeHands())), offline ? [CANCEL] : []);
    await client.stop();
  }
});

test("a cancel that nobody waits for is sent on each connection until the start is answered", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const abort = new AbortController();
  const given = reasonOf(startWrite(client, 1, abort.signal));
  const started = await connection.expect(START);
  abort.abort(new Error("enough"));
  await given;
  let current = connection;
  for (let round = 0; round < 3; round++) {
    // The cancel may be lost on the way. Without another one, the daemon would continue with an
    // envelope that nobody waits for.
    await current.expect(CANCEL);
    current.transport.destroy();
    await clock.advance(1000);
    current = await daemon.shakeHands(true);
  }
  for (let round = 0; round < 3; round++) {
    const { queryId } = await current.expect(CANCEL);
    current.send({ kind: `${CANCEL}Reply`, queryId, errorCode: 0 });
    await turn();
    await clock.advance(500);
  }
  const { queryId } = await current.expect(CANCEL);
  assert.equal(client.load.cancelling, 1);
  current.send(answer(started.queryId, 24));
  current.send({ kind: `${CANCEL}Reply`, queryId, errorCode: 0 });
  await turn();
  assert.equal(client.load.cancelling, 0);
  await clock.advance(60_000);
  current.transport.destroy();
  await clock.advance(1000);
  assert.deepEqual(await drain(await daemon.shakeHands(true)), []);
  await client.stop();
});

test("a cancel is not repeated forever to a daemon that dropped the start with the connection", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const abort = new AbortController();
  const given = reasonOf(startWrite(client, 1, abort.signal));
  await connection.expect(START);
  abort.abort(new Error("enough"));
  await given;
  connection.transport.destroy();
  await clock.advance(1000);
  const next = await daemon.shakeHands(true);
  let said = 0;
  for (let second = 0; second < 60; second++) {
    for (const request of await drain(next)) {
      said++;
      const { queryId } = request as DaemonRequest<typeof CANCEL>;
      next.send({ kind: `${CANCEL}Reply`, queryId, errorCode: 0 });
    }
    await clock.advance(1000);
  }
  assert.ok(said >= 5 && said <= 20, `${said} cancels`);
  assert.equal(client.load.cancelling, 0);
  await client.stop();
});

test("a new start of an envelope waits until the one that was given up is answered", async () => {
  const { client, connection } = await connectedPair();
  const abort = new AbortController();
  const given = reasonOf(startWrite(client, 1, abort.signal));
  const first = await connection.expect(START);
  abort.abort(new Error("enough"));
  await given;
  const again = startWrite(client, 1);
  const cancel = await connection.expect(CANCEL);
  connection.send({ kind: `${CANCEL}Reply`, queryId: cancel.queryId, errorCode: 0 });
  assert.deepEqual(await drain(connection), [], "the next cancel would end it");
  assert.deepEqual(client.load, { inFlight: 0, queued: 1, pausing: 0, cancelling: 1 });
  connection.send(answer(first.queryId, 24));
  connection.send(answer((await connection.expect(START)).queryId));
  await again;
  assert.deepEqual(client.load, { inFlight: 0, queued: 0, pausing: 0, cancelling: 0 });
  await client.stop();
});

test("two calls for one envelope that are given up in turn leave nothing at the daemon", async () => {
  for (const offline of [false, true]) {
    const { client, daemon, connection, clock } = await connectedPair({ maxInFlight: 1 });
    const aborts = [new AbortController(), new AbortController()];
    const first = reasonOf(startWrite(client, 1, aborts[0]!.signal));
    await connection.expect(START);
    if (offline) connection.transport.destroy();
    await turn();
    // This start is not sent, because there is no place for it or no connection.
    const second = reasonOf(startWrite(client, 1, aborts[1]!.signal));
    for (const abort of aborts) abort.abort(new Error("enough"));
    await Promise.all([first, second]);
    if (offline) await clock.advance(1000);
    const used = offline ? await daemon.shakeHands(true) : connection;
    // Both are cancelled and neither is started. The first keeps its place until the daemon has
    // answered it.
    const sent = kinds(await drain(used));
    assert.equal(sent.at(-1), CANCEL);
    assert.equal(sent.filter((kind) => kind === START).length, 0);
    await client.stop();
  }
});

test("a cancel also ends calls that wait for a place, and no freed place starts one of them", async () => {
  const { client, connection } = await connectedPair({ maxInFlight: 1 });
  const ended = [reasonOf(startWrite(client, 1)), reasonOf(startWrite(client, 1))];
  const { queryId } = await connection.expect(START);
  const cancelled = client.cancelResendingEncryptedMessage(hash(1));
  const cancel = await connection.expect(CANCEL);
  const reply = { plaintext: null, errorCode: 24, courierIdentityHash: null, courierQueueId: null };
  connection.send({ kind: `${START}Reply`, queryId, ...reply });
  connection.send({ kind: `${CANCEL}Reply`, queryId: cancel.queryId, errorCode: 0 });
  await cancelled;
  for (const reason of ended) assert.ok((await reason) instanceof StartResendingCancelledError);
  assert.deepEqual(await drain(connection), []);
  await client.stop();
});

test("a call given up beside another for the same envelope is cancelled when that one ends", async () => {
  const { client, connection } = await connectedPair();
  const abort = new AbortController();
  const given = reasonOf(startWrite(client, 1, abort.signal));
  const other = startWrite(client, 1);
  await connection.expect(START);
  const { queryId } = await connection.expect(START);
  abort.abort(new Error("enough"));
  await given;
  assert.deepEqual(await drain(connection), []);
  const reply = { plaintext: null, errorCode: 0, courierIdentityHash: null, courierQueueId: null };
  connection.send({ kind: `${START}Reply`, queryId, ...reply });
  await other;
  assert.deepEqual(kinds(await drain(connection)), [CANCEL]);
  await client.stop();
});

test("a call is tracked exactly as long as it waits", async () => {
  const { client, connection } = await connectedPair();
  assert.deepEqual(client.load, { inFlight: 0, queued: 0, pausing: 0, cancelling: 0 });
  const call = startWrite(client, 1);
  assert.deepEqual(client.load, { inFlight: 1, queued: 0, pausing: 0, cancelling: 0 });
  const { queryId } = await connection.expect(START);
  const reply = { plaintext: null, errorCode: 0, courierIdentityHash: null, courierQueueId: null };
  connection.send({ kind: `${START}Reply`, queryId, ...reply });
  await call;
  assert.deepEqual(client.load, { inFlight: 0, queued: 0, pausing: 0, cancelling: 0 });
  await client.stop();
});

test("another session under our token counts as a forgotten one, whatever the daemon says (upstream: not checked)", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  const node = new Uint8Array(32) as never;
  const call = client.blockingSendMessage("anyone?", node, Uint8Array.of(43));
  await left(connection);
  connection.transport.end();
  await clock.advance(1000);
  // The daemon lost everything and began a new session for the client, but its answer broke off.
  const broken = await daemon.accept();
  broken.send(daemon.status());
  broken.send(daemon.documentEvent());
  await broken.expect("sessionToken");
  broken.transport.end();
  await clock.advance(2000);
  const again = await daemon.accept();
  again.send(daemon.status());
  again.send(daemon.documentEvent());
  await again.expect("sessionToken");
  again.send({ kind: "sessionTokenReply", appId: new Uint8Array(16).fill(8), resumed: true });
  assert.ok((await reasonOf(call)) instanceof ConnectionLostError);
  assert.deepEqual(
    of("reconnected").map(({ resumed }) => resumed),
    [false],
  );
  await client.stop();
});

test("a daemon that does not name the session is believed", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  const call = client.blockingSendMessage("x", new Uint8Array(32) as never, Uint8Array.of(43));
  await left(connection);
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.accept();
  again.send(daemon.status());
  again.send(daemon.documentEvent());
  await again.expect("sessionToken");
  again.send({ kind: "sessionTokenReply", appId: null, resumed: true });
  await turn();
  assert.equal(of("reconnected")[0]!.resumed, true);
  assert.equal(await isPending(call), true);
  await client.stop();
  await reasonOf(call);
});

test("a client whose daemon is away for a week reconnects within a minute of its return", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = startWrite(client, 1);
  await drain(connection);
  daemon.refuse = new ConnectError("nobody there");
  connection.transport.destroy();
  await clock.advance(7 * 24 * 3_600_000);
  assert.equal(await isPending(call), true);
  daemon.refuse = null;
  daemon.instanceToken = new Uint8Array(16).fill(5);
  const back = daemon.shakeHands();
  await clock.advance(60_000);
  assert.deepEqual(kinds(await drain(await back)), [CANCEL, START]);
  await client.stop();
  await reasonOf(call);
  assert.equal(clock.pending, 0);
});
