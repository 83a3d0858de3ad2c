import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { toHex, utf8 } from "../../../src/bytes/bytes.js";
import type { SurbId } from "../../../src/bytes/opaque.js";
import { ThinClient } from "../../../src/client/thin-client.js";
import {
  ClientClosedError,
  ConnectionLostError,
  RequestTimeoutError,
  SendFailedError,
  ThinClientOfflineError,
} from "../../../src/errors/errors.js";
import { ScriptedConnection, ScriptedDaemon } from "../../../src/testing/scripted-daemon.js";
import { memoryPair } from "../../../src/transport/memory.js";
import type { DaemonResponse } from "../../../src/wire/responses.js";
import { connectedPair, isPending, pair, pkiDocument, reasonOf, turn, unused } from "./fixture.js";

const node = new Uint8Array(32).fill(7) as never;
const queue = utf8("+echo");

function reply(surbId: SurbId | null, payload: Uint8Array): DaemonResponse {
  return {
    kind: "messageReplyEvent",
    messageId: null,
    surbId,
    payload: payload as Uint8Array<ArrayBuffer>,
    replyIndex: null,
    errorCode: 0,
  };
}

function sent(surbId: SurbId | null, err: string | null): DaemonResponse {
  return { kind: "messageSentEvent", messageId: null, surbId, sentAt: 1, replyEta: 0, err };
}

test("sendMessage writes one request: null ID, the SURB ID given, text as UTF-8", async () => {
  const { client, connection } = await connectedPair();
  const surbId = client.newSurbId();
  await client.sendMessage(surbId, "grüße", node, queue);
  assert.deepEqual(await connection.expect("sendMessage"), {
    kind: "sendMessage",
    id: null,
    withSurb: true,
    surbId,
    destinationIdHash: node,
    recipientQueueId: queue,
    payload: utf8("grüße"),
  });
});

test("sendMessageWithoutReply sends no SURB ID", async () => {
  const { client, connection } = await connectedPair();
  await client.sendMessageWithoutReply(Uint8Array.of(1, 2), node, queue);
  const request = await connection.expect("sendMessage");
  assert.deepEqual([request.withSurb, request.surbId], [false, null]);
  assert.deepEqual(request.payload, Uint8Array.of(1, 2));
});

test("new IDs are 16 random bytes", () => {
  const client = new ThinClient(unused);
  const ids = [
    client.newSurbId(),
    client.newSurbId(),
    client.newQueryId(),
    ThinClient.newMessageId(),
  ];
  for (const id of ids) assert.equal(id.length, 16);
  assert.equal(new Set(ids.map((id) => toHex(id))).size, 4);
});

const wrong: [
  what: string,
  args: unknown[],
  kind: typeof TypeError | typeof RangeError,
  text: RegExp,
][] = [
  [
    "a SURB ID of 15 bytes",
    [new Uint8Array(15), "x", node, queue],
    RangeError,
    /`surbId` must be 16 bytes, got 15/,
  ],
  ["a SURB ID that is text", ["x", "x", node, queue], TypeError, /`surbId` must be a Uint8Array/],
  ["no SURB ID (upstream: dereferenced)", [undefined, "x", node, queue], TypeError, /`surbId`/],
  [
    "a node hash of 31 bytes",
    [null, "x", new Uint8Array(31), queue],
    RangeError,
    /`destNode` must be 32 bytes/,
  ],
  ["no node", [null, "x", null, queue], TypeError, /`destNode`/],
  [
    "an empty queue",
    [null, "x", node, new Uint8Array(0)],
    RangeError,
    /`destQueue` must be 1 to 32 bytes, got 0/,
  ],
  ["a queue of 33 bytes", [null, "x", node, new Uint8Array(33)], RangeError, /`destQueue`.*got 33/],
  [
    "a queue that is text",
    [null, "x", node, "+echo"],
    TypeError,
    /`destQueue` must be a Uint8Array/,
  ],
  [
    "a payload that is a number",
    [null, 5, node, queue],
    TypeError,
    /`payload` must be a Uint8Array or a string, got number/,
  ],
  ["a payload that is missing", [null, undefined, node, queue], TypeError, /`payload`/],
  [
    "a payload above U",
    [null, new Uint8Array(1873), node, queue],
    RangeError,
    /exceeds maximum allowed size: at most 1872 bytes .* got 1873/,
  ],
  ["text that is above U as UTF-8", [null, "ü".repeat(937), node, queue], RangeError, /got 1874/],
];
for (const [what, [surbId, payload, destNode, destQueue], kind, text] of wrong) {
  test(`messages are refused here, before anything is sent, for ${what}`, async () => {
    const { client, connection } = await connectedPair();
    const rest = [payload, destNode, destQueue] as [string, never, Uint8Array];
    const calls = [
      () => client.sendMessage((surbId ?? client.newSurbId()) as SurbId, ...rest),
      () => client.sendMessageWithoutReply(...rest),
      () => client.blockingSendMessage(...rest),
    ];
    if (surbId === undefined)
      calls.splice(0, 3, () => client.sendMessage(undefined as never, ...rest));
    else if (surbId !== null) calls.splice(1);
    for (const call of calls) {
      const error = await reasonOf(call());
      assert.ok(error instanceof kind, String(error));
      assert.match(error.message, text);
    }
    await turn();
    assert.deepEqual(connection.requests, []);
  });
}

test("a payload of exactly U bytes and an empty one are sent", async () => {
  const { client, connection } = await connectedPair();
  for (const length of [1872, 0]) {
    await client.sendMessageWithoutReply(new Uint8Array(length), node, queue);
    assert.equal((await connection.expect("sendMessage")).payload?.length, length);
  }
});

test("without the mixnet messages are refused as offline, in words that say why", async () => {
  const { client, connection } = await connectedPair({}, { isConnected: false });
  for (const call of [
    client.sendMessage(client.newSurbId(), "x", node, queue),
    client.sendMessageWithoutReply("x", node, queue),
    client.blockingSendMessage("x", node, queue),
  ]) {
    const error = await reasonOf(call);
    assert.ok(error instanceof ThinClientOfflineError);
    assert.match(
      error.message,
      /^cannot send message in offline mode - daemon not connected to mixnet/,
    );
    assert.equal(error.retryable, true);
  }
  await turn();
  assert.deepEqual(connection.requests, []);
});

test("without a connection messages are refused as offline too", async () => {
  const { client, connection } = await connectedPair();
  connection.transport.end();
  await turn();
  assert.equal(client.state, "reconnecting");
  const error = await reasonOf(client.sendMessageWithoutReply("x", node, queue));
  assert.ok(error instanceof ThinClientOfflineError);
  assert.match(error.message, /no connection to the daemon/);
});

test("blockingSendMessage resolves with the payload of the reply with its SURB ID, and no other", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  const call = client.blockingSendMessage("hello", node, queue);
  const { surbId, withSurb } = await connection.expect("sendMessage");
  assert.equal(withSurb, true);
  connection.send(sent(surbId, null));
  connection.send(sent(client.newSurbId(), "not mine"));
  connection.send(reply(client.newSurbId(), Uint8Array.of(9)));
  connection.send(reply(null, Uint8Array.of(9)));
  connection.send(daemon.status(true));
  connection.send({ kind: "newPkiDocumentEvent", payload: pkiDocument() });
  assert.equal(await isPending(call), true);
  connection.send(reply(surbId, Uint8Array.of(1, 0, 0)));
  assert.deepEqual(await call, Uint8Array.of(1, 0, 0));
  assert.equal(clock.pending, 0);
  // Everybody else hears of it as well.
  assert.deepEqual([of("messageReply").length, of("messageSent").length], [3, 2]);
});

test("a hundred blocking sends at once get their own replies in any order", async () => {
  const { client, connection, clock } = await connectedPair();
  const calls = Array.from({ length: 100 }, (_, i) =>
    client.blockingSendMessage(Uint8Array.of(i), node, queue),
  );
  const requests = [];
  for (const _ of calls) requests.push(await connection.expect("sendMessage"));
  const shuffled = requests.map((request, i) => ({ request, at: (i * 37) % 100 }));
  shuffled.sort((a, b) => a.at - b.at);
  for (const { request } of shuffled) connection.send(reply(request.surbId, request.payload!));
  const replies = await Promise.all(calls);
  replies.forEach((payload, i) => assert.deepEqual(payload, Uint8Array.of(i)));
  assert.equal(clock.pending, 0);
});

test("a send that failed at the daemon fails its call at once (upstream: waits for the deadline)", async () => {
  const { client, connection, clock } = await connectedPair();
  const failing = reasonOf(client.blockingSendMessage("x", node, queue));
  const going = client.blockingSendMessage("y", node, queue);
  const first = await connection.expect("sendMessage");
  const second = await connection.expect("sendMessage");
  connection.send(sent(first.surbId, "client/conn: not connected to the Gateway"));
  const error = await failing;
  assert.ok(error instanceof SendFailedError);
  assert.match(error.message, /could not send the message: client\/conn: not connected/);
  assert.equal((error.cause as Error).message, "client/conn: not connected to the Gateway");
  connection.send(reply(second.surbId, Uint8Array.of(1)));
  await going;
  assert.equal(clock.pending, 0);
});

test("a status of false while the reply is awaited fails the call", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = reasonOf(client.blockingSendMessage("x", node, queue));
  await connection.expect("sendMessage");
  connection.send(daemon.status(false));
  const error = await call;
  assert.ok(error instanceof ThinClientOfflineError);
  assert.match(error.message, /lost its connection to the mixnet/);
  assert.equal(clock.pending, 0);
});

test("without a reply a blocking send times out after 30 s, or after its timeoutMs", async () => {
  for (const [timeoutMs, wanted] of [
    [undefined, 30_000],
    [50, 50],
    [90_000, 90_000],
  ] as const) {
    const { client, connection, clock } = await connectedPair();
    const call = client.blockingSendMessage("x", node, queue, { timeoutMs });
    const settled = reasonOf(call);
    const { surbId } = await connection.expect("sendMessage");
    await clock.advance(wanted - 1);
    assert.equal(await isPending(settled), true);
    await clock.advance(1);
    const error = await settled;
    assert.ok(error instanceof RequestTimeoutError);
    assert.equal(error.operation, "blockingSendMessage");
    connection.send(reply(surbId, Uint8Array.of(1)));
    await turn();
    assert.equal(clock.pending, 0);
  }
});

test("an abort ends a blocking send and leaves nothing behind", async () => {
  const { client, connection, clock } = await connectedPair();
  const abort = new AbortController();
  const call = reasonOf(client.blockingSendMessage("x", node, queue, { signal: abort.signal }));
  await connection.expect("sendMessage");
  const reason = new Error("enough");
  abort.abort(reason);
  assert.equal(await call, reason);
  assert.deepEqual([clock.pending, getEventListeners(abort.signal, "abort").length], [0, 0]);
  const early = client.blockingSendMessage("x", node, queue, { signal: abort.signal });
  assert.equal(await reasonOf(early), reason);
  await turn();
  assert.deepEqual(connection.requests, []);
});

test("a blocking send outlives a lost connection when the daemon kept the session", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = client.blockingSendMessage("x", node, queue);
  const { surbId } = await connection.expect("sendMessage");
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.shakeHands(true);
  again.send(reply(surbId, Uint8Array.of(4)));
  assert.deepEqual(await call, Uint8Array.of(4));
});

test("a blocking send fails when the daemon forgot the session", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = reasonOf(client.blockingSendMessage("x", node, queue));
  await connection.expect("sendMessage");
  connection.transport.end();
  await clock.advance(1000);
  await daemon.shakeHands(false);
  const error = await call;
  assert.ok(error instanceof ConnectionLostError);
  assert.match(error.message, /forgot the session/);
});

test("stop during a blocking send rejects it as closed", async () => {
  const { client, connection } = await connectedPair();
  const call = reasonOf(client.blockingSendMessage("x", node, queue));
  await connection.expect("sendMessage");
  await client.stop();
  assert.ok((await call) instanceof ClientClosedError);
});

/** A client whose daemon stops reading after the handshake. */
async function stalled() {
  const [theirs, ours] = memoryPair();
  const { clock } = pair();
  const connection = new ScriptedConnection(theirs);
  const daemon = new ScriptedDaemon();
  const client = new ThinClient(unused, {
    dial: () => Promise.resolve(ours),
    clock,
    liveness: false,
  });
  const started = client.start();
  connection.send(daemon.status());
  connection.send(daemon.documentEvent());
  await connection.expect("sessionToken");
  connection.send({ kind: "sessionTokenReply", appId: null, resumed: false });
  await started;
  theirs.pause();
  // More than a transport queues, so that a write has to wait.
  const flood = Array.from({ length: 1200 }, () =>
    client.sendMessageWithoutReply(new Uint8Array(1872), node, queue).catch(() => {}),
  );
  await turn();
  return { client, clock, theirs, flood };
}

test("a daemon that does not read cannot hold a blocking send beyond its deadline", async () => {
  const { client, clock, flood, theirs } = await stalled();
  const call = reasonOf(client.blockingSendMessage("x", node, queue, { timeoutMs: 500 }));
  await clock.advance(500);
  assert.ok((await call) instanceof RequestTimeoutError);
  const abort = new AbortController();
  const plain = reasonOf(
    client.sendMessageWithoutReply("x", node, queue, { signal: abort.signal }),
  );
  abort.abort(new Error("enough"));
  assert.equal((await plain).message, "enough");
  theirs.resume();
  await Promise.all(flood);
  assert.equal(clock.pending, 0);
});

test("stop while a write waits rejects it as closed", async () => {
  const { client, clock, flood } = await stalled();
  const call = reasonOf(client.sendMessageWithoutReply("x", node, queue));
  const stopped = client.stop();
  await clock.advance(2000);
  assert.ok((await call) instanceof ClientClosedError);
  await Promise.all([stopped, ...flood]);
  assert.equal(clock.pending, 0);
});

test("a connection that breaks while a write waits rejects it as lost", async () => {
  const { client, flood, theirs } = await stalled();
  const call = reasonOf(client.sendMessageWithoutReply("x", node, queue));
  await turn();
  theirs.fail();
  const error = await call;
  assert.ok(error instanceof ConnectionLostError);
  assert.match(error.message, /lost while writing; it may have been sent/);
  await Promise.all(flood);
  await client.stop();
});
