import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { MessageBoxIndex, ReadCap } from "../../src/bytes/opaque.js";
import { ClientCore } from "../../src/client/client-core.js";
import { resolveOptions } from "../../src/client/options.js";
import { Config } from "../../src/config/config.js";
import {
  ConnectionLostError,
  DaemonRequestError,
  ProtocolError,
  RequestTimeoutError,
} from "../../src/errors/errors.js";
import { ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import { encodeCbor } from "../../src/cbor/cbor.js";
import { encodeFrame } from "../../src/wire/framing.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import { connectedPair, isPending, pkiDocument, reasonOf, turn, unused } from "./fixture.js";

type AuthoritiesReply = DaemonResponse<"getDirectoryAuthoritiesReply">;
const other = new Uint8Array(16).fill(0xee);

test("skips wrong, null and short query IDs until the right one comes", async () => {
  const { client, connection } = await connectedPair();
  const call = client.getDirectoryAuthorities();
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  assert.equal(queryId?.length, 16);
  const reply: AuthoritiesReply = {
    kind: "getDirectoryAuthoritiesReply",
    queryId,
    authorities: [],
    errorCode: 4,
  };
  const near = queryId.slice();
  near[15]! ^= 1;
  for (const wrong of [other, null, near, queryId.slice(0, 15), new Uint8Array(0)]) {
    connection.send({ ...reply, queryId: wrong });
  }
  assert.equal(await isPending(call), true);
  connection.send({ ...reply, queryId, errorCode: 0 });
  assert.deepEqual(await call, []);
  assert.equal(client.pendingCalls, 0);
});

test("skips a reply of another kind with the right query ID", async () => {
  const { client, connection } = await connectedPair();
  const call = client.getDirectoryAuthorities();
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  connection.send({ kind: "cancelResendingCopyCommandReply", queryId, errorCode: 4 });
  assert.equal(await isPending(call), true);
  connection.send({
    kind: "getDirectoryAuthoritiesReply",
    queryId,
    authorities: null,
    errorCode: 0,
  });
  assert.deepEqual(await call, []);
});

test("status, document and shutdown events do not end a waiting call", async () => {
  const { client, daemon, connection, of } = await connectedPair();
  const call = client.getDirectoryAuthorities();
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  connection.send(daemon.status(false));
  connection.send({ kind: "newPkiDocumentEvent", payload: pkiDocument() });
  connection.send({ kind: "shutdownEvent" });
  assert.equal(await isPending(call), true);
  connection.send({ kind: "getDirectoryAuthoritiesReply", queryId, authorities: [], errorCode: 0 });
  await call;
  assert.deepEqual([of("connectionStatus").length, of("newPkiDocument").length], [2, 2]);
});

test("an error code becomes an error with the code's text, name and number", async () => {
  const { client, connection } = await connectedPair();
  const call = reasonOf(client.getDirectoryAuthorities());
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  connection.send({ kind: "getDirectoryAuthoritiesReply", queryId, authorities: [], errorCode: 4 });
  const error = await call;
  assert.ok(error instanceof DaemonRequestError);
  assert.match(error.message, /Internal error/);
  assert.deepEqual(
    [error.errorCode, error.code, error.operation],
    [4, "THIN_CLIENT_ERROR_INTERNAL_ERROR", "getDirectoryAuthorities"],
  );
});

test("replies in any order reach their calls", async () => {
  const { client, connection } = await connectedPair();
  const calls = Array.from({ length: 40 }, (_, i) => client.getPkiDocumentRaw(i + 1));
  assert.equal(client.pendingCalls, 40);
  const requests = [];
  for (const _ of calls) requests.push(await connection.expect("getPkiDocument"));
  assert.equal(new Set(requests.map(({ queryId }) => toHex(queryId!))).size, 40);
  for (const { queryId, epoch } of requests.toReversed()) {
    const payload = Uint8Array.of(Number(epoch));
    connection.send({ kind: "getPkiDocumentReply", queryId, payload, epoch, errorCode: 0 });
  }
  const replies = await Promise.all(calls);
  replies.forEach(({ payload, epoch }, i) =>
    assert.deepEqual([payload, epoch], [Uint8Array.of(i + 1), i + 1]),
  );
  assert.equal(client.pendingCalls, 0);
});

test("ignores a second reply to a call, and drops late replies without an event", async () => {
  const { client, connection, heard } = await connectedPair();
  const abort = new AbortController();
  const call = reasonOf(client.getDirectoryAuthorities({ signal: abort.signal }));
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  abort.abort(new Error("enough"));
  assert.equal((await call).message, "enough");
  const events = heard.length;
  const late: AuthoritiesReply = {
    kind: "getDirectoryAuthoritiesReply",
    queryId,
    authorities: [],
    errorCode: 0,
  };
  connection.send(late);
  connection.send(late);
  await turn();
  assert.deepEqual([heard.length, client.state, client.pendingCalls], [events, "ready", 0]);
});

test("a malformed reply fails only its own call", async () => {
  const { client, connection } = await connectedPair();
  const failing = reasonOf(client.getDirectoryAuthorities());
  const going = client.getDirectoryAuthorities();
  const first = await connection.expect("getDirectoryAuthorities");
  const second = await connection.expect("getDirectoryAuthorities");
  const fields = { query_id: first.queryId, authorities: 5, error_code: 0 };
  connection.sendRaw(encodeFrame(encodeCbor({ get_directory_authorities_reply: fields })));
  const error = await failing;
  assert.ok(error instanceof ProtocolError);
  assert.match(error.message, /getDirectoryAuthorities: the daemon's reply cannot be used/);
  connection.send({
    kind: "getDirectoryAuthoritiesReply",
    queryId: second.queryId,
    authorities: [],
    errorCode: 0,
  });
  await going;
  assert.equal(client.state, "ready");
});

test("an abort drops the call and leaves no waiter, timer or listener", async () => {
  const { client, clock } = await connectedPair();
  const abort = new AbortController();
  const calls = Array.from({ length: 10 }, () =>
    reasonOf(client.getDirectoryAuthorities({ signal: abort.signal, timeoutMs: 5000 })),
  );
  assert.deepEqual([client.pendingCalls, clock.pending], [10, 10]);
  const reason = new Error("user left");
  abort.abort(reason);
  for (const got of await Promise.all(calls)) assert.equal(got, reason);
  assert.deepEqual([client.pendingCalls, clock.pending], [0, 0]);
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
});

test("an answered call leaves no timer and no listener", async () => {
  const { client, clock, connection } = await connectedPair();
  const abort = new AbortController();
  const call = client.getDirectoryAuthorities({ signal: abort.signal });
  assert.equal(getEventListeners(abort.signal, "abort").length, 1);
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  connection.send({ kind: "getDirectoryAuthoritiesReply", queryId, authorities: [], errorCode: 0 });
  await call;
  assert.deepEqual([clock.pending, getEventListeners(abort.signal, "abort").length], [0, 0]);
});

test("a call whose signal is already aborted is not sent", async () => {
  const { client, connection } = await connectedPair();
  const reason = new Error("never");
  const options = { signal: AbortSignal.abort(reason) };
  assert.equal(await reasonOf(client.getDirectoryAuthorities(options)), reason);
  assert.equal(await reasonOf(client.recv(options)), reason);
  await turn();
  assert.deepEqual([connection.requests.length, client.pendingCalls], [0, 0]);
});

test("the deadline of a call is its timeoutMs, else the client's default, else 60 s", async () => {
  for (const [options, timeoutMs, wanted] of [
    [{}, undefined, 60_000],
    [{ defaultTimeoutMs: 700 }, undefined, 700],
    [{ defaultTimeoutMs: 700 }, 1200, 1200],
  ] as const) {
    const { client, clock } = await connectedPair(options);
    const call = client.getDirectoryAuthorities({ timeoutMs });
    const settled = reasonOf(call);
    await clock.advance(wanted - 1);
    assert.equal(client.pendingCalls, 1);
    await clock.advance(1);
    const error = await settled;
    assert.ok(error instanceof RequestTimeoutError);
    assert.equal(error.message, `getDirectoryAuthorities was not answered within ${wanted} ms`);
    assert.deepEqual([client.pendingCalls, clock.pending], [0, 0]);
  }
});

test("timeoutMs of Infinity waits without a deadline", async () => {
  const { client, clock } = await connectedPair();
  const call = reasonOf(client.getDirectoryAuthorities({ timeoutMs: Infinity }));
  assert.equal(clock.pending, 0);
  await clock.advance(10_000_000);
  assert.equal(client.pendingCalls, 1);
  await client.stop();
  await call;
});

test("a call whose reply comes at the deadline either resolves or times out, never both", async () => {
  const { client, clock, connection } = await connectedPair();
  const call = client.getDirectoryAuthorities({ timeoutMs: 10 }).then(
    () => "answered",
    () => "timed out",
  );
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  connection.send({ kind: "getDirectoryAuthoritiesReply", queryId, authorities: [], errorCode: 0 });
  await clock.advance(10);
  assert.equal(await call, "answered");
  assert.equal(clock.pending, 0);
});

test("recv returns the next message from the daemon, which is also dispatched", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  const both = Promise.all([client.recv(), client.recv()]);
  connection.send(daemon.status(false));
  const [first, second] = await both;
  assert.equal(first.kind, "connectionStatusEvent");
  assert.equal(second, first);
  assert.equal(of("connectionStatus").length, 2);
  const timed = reasonOf(client.recv({ timeoutMs: 5 }));
  await clock.advance(5);
  assert.ok((await timed) instanceof RequestTimeoutError);
  connection.send(daemon.status(true));
  await turn();
  assert.equal(clock.pending, 0);
});

test("handleResponse, parseStatus and parsePkiDoc process what they are given", async () => {
  const { client, of } = await connectedPair();
  await client.handleResponse({ kind: "newPkiDocumentEvent", payload: pkiDocument({ Epoch: 4 }) });
  assert.equal(client.pkiDocument()?.epoch, 4);
  const [status] = of("connectionStatus");
  client.parseStatus({ ...status!, isConnected: false });
  assert.equal(client.isConnected(), false);
  const [, document] = of("newPkiDocument");
  client.parsePkiDoc(document!);
  client.parsePkiDoc({ type: "newPkiDocument", payload: null, document: null });
  assert.equal(client.pkiDocument()?.epoch, 4);
  for (const wrong of [null, undefined, 5, {}, { kind: 5 }] as never[]) {
    assert.ok((await reasonOf(client.handleResponse(wrong))) instanceof TypeError);
  }
});

/** A client core with a scripted daemon, for requests that have no public call. */
async function core(maxMessageSize: number): Promise<{ core: ClientCore; daemon: ScriptedDaemon }> {
  const daemon = new ScriptedDaemon();
  const options = resolveOptions({ dial: daemon.dial, maxMessageSize });
  return { core: new ClientCore(new Config(unused), options), daemon };
}

test("a request longer than a frame fails alone, with and without a connection", async () => {
  const { core: client, daemon } = await core(1024);
  const started = client.session.start();
  const fields = { voucher: other, voucherPayload: new Uint8Array(2000), whoReply: other };
  const early = reasonOf(client.calls.request("voucherInduct", fields, { operation: "early" }));
  const fine = client.calls.request("getDirectoryAuthorities", {}, { operation: "fine" });
  const connection = await daemon.shakeHands();
  await started;
  assert.ok((await early) instanceof RangeError);
  const late = client.calls.request("voucherInduct", fields, { operation: "late" });
  const error = await reasonOf(late);
  assert.ok(error instanceof RangeError);
  assert.match(error.message, /message must be at most 1024 bytes/);
  const { queryId } = await connection.expect("getDirectoryAuthorities");
  connection.send({ kind: "getDirectoryAuthoritiesReply", queryId, authorities: [], errorCode: 0 });
  await fine;
  assert.equal(client.calls.size, 0);
  await client.session.close(true);
});

test("a request that opts out of resending fails when the connection is lost; others are sent again", async () => {
  const { core: client, daemon } = await core(4096);
  const [connection] = await Promise.all([daemon.shakeHands(), client.session.start()]);
  const settings = { operation: "impatient", failOnLoss: true };
  const failing = reasonOf(client.calls.request("getDirectoryAuthorities", {}, settings));
  await connection.expect("getDirectoryAuthorities");
  connection.transport.end();
  const error = await failing;
  assert.ok(error instanceof ConnectionLostError);
  assert.deepEqual([error.operation, error.retryable, client.calls.size], ["impatient", true, 0]);
  await client.session.close(true);
});

test("the error of a default deadline shows who waited for a quick call", async () => {
  const { client, clock } = await connectedPair({ defaultTimeoutMs: 10 });
  async function waitingInTheApplication(): Promise<void> {
    await client.nextMessageBoxIndex(MessageBoxIndex.from(new Uint8Array(104)));
  }
  const waiting = reasonOf(waitingInTheApplication());
  await clock.advance(10);
  const { stack, message } = (await waiting) as Error;
  assert.ok(stack!.startsWith(`RequestTimeoutError: ${message}\n    at `));
  assert.match(stack!, /waitingInTheApplication/);
  await client.stop();
});

test("the error of a deadline shows who waited for the call", async () => {
  const { client, clock } = await connectedPair();
  const someBox = MessageBoxIndex.from(new Uint8Array(104));
  const someCap = ReadCap.from(new Uint8Array(136));
  const node = new Uint8Array(32) as never;
  const options = { timeoutMs: 10 };
  const calls: (() => Promise<unknown>)[] = [
    () => client.getDirectoryAuthorities(options),
    () => client.read(someCap, someBox, options),
    () => client.blockingSendMessage("x", node, Uint8Array.of(43), options),
    () => client.recv(options),
    () => Promise.all([client.recv(options), client.recv(options)]),
  ];
  async function waitingInTheApplication(call: () => Promise<unknown>): Promise<void> {
    await call();
  }
  const settled = Promise.allSettled(calls.map(waitingInTheApplication));
  await clock.advance(10);
  for (const result of await settled) {
    assert.ok(result.status === "rejected");
    const { stack, message } = result.reason as Error;
    assert.match(stack!, /waitingInTheApplication/);
    assert.ok(stack!.startsWith(`RequestTimeoutError: ${message}\n    at `));
  }
  await client.stop();
});
