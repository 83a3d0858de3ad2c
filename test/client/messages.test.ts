import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { concatBytes, toHex, utf8 } from "../../src/bytes/bytes.js";
import { SurbId } from "../../src/bytes/opaque.js";
import type { CallOptions } from "../../src/client/call-options.js";
import { UnsentMessages } from "../../src/client/messages.js";
import { ThinClient } from "../../src/client/thin-client.js";
import {
  ClientClosedError,
  ConnectionLostError,
  RequestTimeoutError,
  SendFailedError,
  ThinClientOfflineError,
} from "../../src/errors/errors.js";
import { ScriptedConnection, ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import { memoryPair } from "../../src/transport/memory.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import { encodeFrame } from "../../src/wire/framing.js";
import { type DaemonResponse, encodeResponse } from "../../src/wire/responses.js";
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

test("sendMessage writes one request with a null ID, the given SURB ID, and text as UTF-8", async () => {
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
  ["a missing payload", [null, undefined, node, queue], TypeError, /`payload`/],
  [
    "a payload longer than U bytes",
    [null, new Uint8Array(1873), node, queue],
    RangeError,
    /exceeds maximum allowed size: at most 1872 bytes .* got 1873/,
  ],
  [
    "text that is longer than U bytes as UTF-8",
    [null, "ü".repeat(937), node, queue],
    RangeError,
    /got 1874/,
  ],
];
for (const [what, [surbId, payload, destNode, destQueue], kind, text] of wrong) {
  test(`messages are refused before anything is sent for ${what}`, async () => {
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

test("payloads of exactly U bytes and of none are sent", async () => {
  const { client, connection } = await connectedPair();
  for (const length of [1872, 0]) {
    await client.sendMessageWithoutReply(new Uint8Array(length), node, queue);
    assert.equal((await connection.expect("sendMessage")).payload?.length, length);
  }
});

test("without the mixnet, messages are refused as offline with the reason", async () => {
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

const sends = [
  (client: ThinClient, options?: CallOptions) =>
    client.sendMessage(client.newSurbId(), "x", node, queue, options),
  (client: ThinClient, options?: CallOptions) =>
    client.sendMessageWithoutReply("x", node, queue, options),
  (client: ThinClient, options?: CallOptions) =>
    client.blockingSendMessage("x", node, queue, options),
];

test("messages wait for the connection while reconnecting, as every other call does", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  connection.transport.end();
  await turn();
  assert.equal(client.state, "reconnecting");
  const calls = sends.map((send) => send(client));
  const other = client.getDirectoryAuthorities();
  assert.equal(await isPending(Promise.race([...calls, other])), true);
  await clock.advance(1000);
  const again = await daemon.shakeHands(true);
  await turn();
  assert.deepEqual(again.requests.map(({ kind }) => kind).toSorted(), [
    "getDirectoryAuthorities",
    "sendMessage",
    "sendMessage",
    "sendMessage",
  ]);
  await Promise.all(calls.slice(0, 2));
  const blocking = again.requests
    .filter((request) => request.kind === "sendMessage")
    .at(-1) as DaemonRequest<"sendMessage">;
  again.send(reply(blocking.surbId, Uint8Array.of(1)));
  assert.deepEqual(await calls[2], Uint8Array.of(1));
  await client.stop({ drain: false });
  await reasonOf(other);
  assert.equal(clock.pending, 0);
});

test("a message that waits for the connection also waits until the daemon has the mixnet again", async () => {
  const { client, daemon, connection, clock } = await connectedPair({}, { isConnected: false });
  connection.send(daemon.status(true));
  await turn();
  connection.transport.end();
  await turn();
  const sending = client.sendMessageWithoutReply("x", node, queue);
  await clock.advance(1000);
  const again = await daemon.shakeHands(true);
  assert.equal(await isPending(sending), true);
  // A new call fails at once because there is no mixnet, as always.
  const offline = await reasonOf(client.sendMessageWithoutReply("y", node, queue));
  assert.ok(offline instanceof ThinClientOfflineError);
  // The mixnet comes back and is gone again before the message could be sent.
  const statuses = [true, false].map((is) => encodeFrame(encodeResponse(daemon.status(is))));
  again.sendRaw(concatBytes(...statuses));
  assert.equal(await isPending(sending), true);
  again.send(daemon.status(true));
  await sending;
  assert.deepEqual((await again.expect("sendMessage")).payload, utf8("x"));
});

test("a waiting message ends at its deadline, its signal or the client's end, and is not sent", async () => {
  for (const send of sends) {
    const { client, daemon, connection, clock } = await connectedPair();
    connection.transport.end();
    await turn();
    const late = reasonOf(send(client, { timeoutMs: 300 }));
    const abort = new AbortController();
    const aborted = reasonOf(send(client, { signal: abort.signal }));
    await clock.advance(300);
    assert.ok((await late) instanceof RequestTimeoutError);
    const why = new Error("enough");
    abort.abort(why);
    assert.equal(await aborted, why);
    await clock.advance(1000);
    const again = await daemon.shakeHands(true);
    await turn();
    assert.deepEqual(again.requests, []);
    again.transport.end();
    await turn();
    const closed = reasonOf(send(client));
    await client.stop();
    assert.ok((await closed) instanceof ClientClosedError);
    assert.equal(clock.pending, 0);
  }
});

test("an echo that waits for the connection is not lost with the previous session", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  connection.transport.end();
  await turn();
  const call = client.blockingSendMessage("x", node, queue);
  daemon.instanceToken = new Uint8Array(16).fill(1);
  await clock.advance(1000);
  const again = await daemon.accept();
  again.send(daemon.status(false));
  again.send(daemon.documentEvent());
  await again.expect("sessionToken");
  again.send({ kind: "sessionTokenReply", appId: new Uint8Array(16), resumed: false });
  again.send(daemon.status(false));
  assert.equal(await isPending(call), true);
  again.send(daemon.status(true));
  const { surbId } = await again.expect("sendMessage");
  again.send(reply(surbId, Uint8Array.of(4)));
  assert.deepEqual(await call, Uint8Array.of(4));
  await client.stop();
});

test("messages wait for the first connection, or fail with it", async () => {
  const { client, daemon } = pair();
  const started = client.start();
  const payload = Uint8Array.of(1, 2, 3);
  const [toNode, toQueue] = [(node as Uint8Array).slice(), queue.slice()];
  const sending = client.sendMessageWithoutReply(payload, toNode as never, toQueue);
  const tooLong = reasonOf(client.sendMessageWithoutReply(new Uint8Array(1873), node, queue));
  for (const own of [payload, toNode, toQueue]) own.fill(9);
  const connection = await daemon.shakeHands();
  await Promise.all([started, sending]);
  const request = await connection.expect("sendMessage");
  assert.deepEqual(request.payload, Uint8Array.of(1, 2, 3));
  assert.deepEqual([request.destinationIdHash, request.recipientQueueId], [node, queue]);
  assert.match((await tooLong).message, /`payload` exceeds maximum allowed size/);
  const other = pair();
  other.daemon.refuse = new Error("nobody there");
  const failed = reasonOf(other.client.start());
  const unsent = sends.map((send) => reasonOf(send(other.client)));
  assert.equal(await failed, other.daemon.refuse);
  for (const reason of await Promise.all(unsent)) assert.equal(reason, other.daemon.refuse);
});

test("blockingSendMessage resolves only with the payload of the reply with its SURB ID", async () => {
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
  // The other listeners receive the events as well.
  assert.deepEqual([of("messageReply").length, of("messageSent").length], [3, 2]);
});

test("a hundred simultaneous blocking sends get their own replies in any order", async () => {
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

test("a call that awaits a reply fails when the status turns false", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = reasonOf(client.blockingSendMessage("x", node, queue));
  await connection.expect("sendMessage");
  connection.send(daemon.status(false));
  const error = await call;
  assert.ok(error instanceof ThinClientOfflineError);
  assert.match(error.message, /lost its connection to the mixnet/);
  assert.equal(clock.pending, 0);
});

test("a blocking send without a reply times out after 30 s, or after its timeoutMs", async () => {
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

test("a blocking send survives a lost connection if the daemon kept the session", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = client.blockingSendMessage("x", node, queue);
  const { surbId } = await connection.expect("sendMessage");
  connection.send(sent(surbId, null));
  await turn();
  connection.transport.end();
  await clock.advance(1000);
  const again = await daemon.shakeHands(true);
  again.send(reply(surbId, Uint8Array.of(4)));
  assert.deepEqual(await call, Uint8Array.of(4));
});

test("a blocking send whose packet had not left fails at once when the connection is lost", async () => {
  const { client, daemon, connection, clock, of } = await connectedPair();
  const call = reasonOf(client.blockingSendMessage("x", node, queue));
  const { surbId } = await connection.expect("sendMessage");
  connection.transport.end();
  const error = await call;
  assert.ok(error instanceof ConnectionLostError);
  assert.match(error.message, /lost before the daemon said that the message had left/);
  assert.equal(error.retryable, true);
  // If the message left after all, its reply still arrives as an event.
  await clock.advance(1000);
  const again = await daemon.shakeHands(true);
  again.send(reply(surbId, Uint8Array.of(4)));
  await turn();
  assert.deepEqual([of("messageReply").length, of("messageSent").length], [1, 0]);
});

test("a message that had not left is reported as lost with its connection", async () => {
  const { client, connection, of, heard } = await connectedPair();
  const ids = [client.newSurbId(), client.newSurbId(), client.newSurbId()];
  for (const id of ids) await client.sendMessage(id, "x", node, queue);
  connection.send(sent(ids[0]!, null));
  connection.send(reply(ids[1]!, Uint8Array.of(1)));
  await turn();
  connection.transport.end();
  await turn();
  const told = of("messageSent").filter(({ err }) => err !== "");
  assert.deepEqual(
    told.map(({ surbId }) => surbId),
    [ids[2]],
  );
  assert.match(told[0]!.err, /connection to the daemon was lost before .* message had left/);
  assert.deepEqual(
    heard.slice(-2).map(({ type }) => type),
    ["daemonDisconnected", "messageSent"],
  );
  await client.stop();
  assert.equal(of("messageSent").length, 2);
});

for (const how of ["stop", "disconnect"] as const) {
  test(`${how} waits for messages to leave, and no longer`, async () => {
    const { client, connection, clock, heard } = await connectedPair();
    const ids = [client.newSurbId(), client.newSurbId()];
    for (const id of ids) await client.sendMessage(id, "x", node, queue);
    const ending = client[how]();
    assert.equal(client.state, "closed");
    await clock.advance(2000);
    connection.send(sent(ids[0]!, null));
    await turn();
    assert.deepEqual([await isPending(ending), connection.closed], [true, false]);
    connection.send(sent(ids[1]!, "client/conn: not connected to the Gateway"));
    await ending;
    assert.equal(clock.pending, 0);
    assert.deepEqual(
      heard.slice(-3).map((event) => (event.type === "messageSent" ? event.err : event.type)),
      ["", "client/conn: not connected to the Gateway", "closed"],
    );
    const kinds: (string | undefined)[] = [];
    for (let next = await connection.next(); next; next = await connection.next()) {
      kinds.push(next.kind);
    }
    assert.deepEqual(
      kinds.filter((kind) => kind !== "sendMessage"),
      how === "stop" ? ["thinClose"] : [],
    );
  });

  test(`${how} waits 5 s, or drain, and reports the messages that have not left`, async () => {
    for (const [options, ms] of [
      [undefined, 5000],
      [{ drain: 100 }, 100],
      [{ drain: false }, 0],
      [{ drain: 0 }, 0],
    ] as const) {
      const { client, connection, clock, heard } = await connectedPair();
      const surbId = client.newSurbId();
      await client.sendMessage(surbId, "x", node, queue);
      const ending = client[how](options);
      if (ms > 0) {
        await clock.advance(ms - 1);
        assert.deepEqual([await isPending(ending), connection.closed], [true, false]);
        await clock.advance(1);
      }
      await ending;
      const [lost, closed] = heard.slice(-2);
      assert.ok(lost?.type === "messageSent" && closed?.type === "closed");
      assert.deepEqual(lost.surbId, surbId);
      assert.match(lost.err, /the client was closed before .* message had left/);
      assert.equal(clock.pending, 0);
    }
  });

  test(`${how} does not wait for calls that wait themselves, nor after the connection is lost`, async () => {
    const { client, connection, clock } = await connectedPair();
    const call = reasonOf(client.blockingSendMessage("x", node, queue));
    await client.sendMessageWithoutReply("x", node, queue);
    await client[how]();
    assert.ok((await call) instanceof ClientClosedError);
    assert.equal(connection.closed, true);
    const other = await connectedPair();
    await other.client.sendMessage(client.newSurbId(), "x", node, queue);
    const ending = other.client[how]();
    await turn();
    other.connection.transport.end();
    await ending;
    assert.deepEqual([clock.pending, other.clock.pending], [0, 0]);
  });
}

test("a second stop without drain ends the wait of the first", async () => {
  const { client, clock } = await connectedPair();
  await client.sendMessage(client.newSurbId(), "x", node, queue);
  const first = client.stop();
  assert.equal(await isPending(first), true);
  await client.stop({ drain: false });
  await first;
  assert.equal(clock.pending, 0);
});

test("options of stop and disconnect are checked", async () => {
  const { client } = await connectedPair();
  for (const how of ["stop", "disconnect"] as const) {
    await assert.rejects(client[how]({ drains: 5 } as object), {
      name: "TypeError",
      message: "`options.drains` is not an option; known: drain",
    });
    await assert.rejects(client[how]({ drain: Number.NaN }), RangeError);
    await assert.rejects(client[how]({ drain: -1 }), RangeError);
    await assert.rejects(client[how](null as never), TypeError);
  }
  assert.equal(client.state, "ready");
  await client.stop();
});

test("a blocking send fails if the daemon forgot the session", async () => {
  const { client, daemon, connection, clock } = await connectedPair();
  const call = reasonOf(client.blockingSendMessage("x", node, queue));
  const { surbId } = await connection.expect("sendMessage");
  connection.send(sent(surbId, null));
  await turn();
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
  // This is more than a transport queues, so a write has to wait.
  const flood = Array.from({ length: 1200 }, () =>
    client.sendMessageWithoutReply(new Uint8Array(1872), node, queue).catch(() => {}),
  );
  await turn();
  return { client, clock, theirs, flood };
}

test("a daemon that does not read cannot delay a blocking send beyond its deadline", async () => {
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

test("a message whose SURB ID was used before is one message", () => {
  const unsent = new UnsentMessages();
  const surbId = SurbId.random();
  for (let i = 0; i < 2; i++) {
    unsent.add(surbId);
    unsent.handedOver(surbId);
    unsent.handedOver(surbId);
  }
  unsent.settled(surbId);
  assert.equal(unsent.whenSent(), null);
});

test("of more than 10,000 messages that are never confirmed, the oldest are forgotten", () => {
  const unsent = new UnsentMessages();
  const surbIds = Array.from({ length: 10_001 }, () => SurbId.random());
  for (const surbId of surbIds) unsent.add(surbId);
  assert.deepEqual(
    surbIds.slice(0, 2).map((surbId) => unsent.has(surbId)),
    [false, true],
  );
});
