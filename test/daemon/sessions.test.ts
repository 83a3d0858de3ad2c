import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";
import { encodeFrame } from "../../src/wire/framing.js";
import type { MessageBoxIndex } from "../../src/bytes/opaque.js";
import { upstreamTiming } from "../../src/mixnet/timing.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import {
  FIRST_EPOCH,
  type RawClient,
  type World,
  freshId,
  geometry,
  message,
  turn,
  until,
  world,
} from "./fixture.js";

const kinds = (client: RawClient): string[] => client.responses.map(({ kind }) => kind);

/** The load of a daemon that has no work and no clients. */
const nothing = {
  connections: 0,
  sessions: 0,
  operations: 0,
  awaitedReplies: 0,
  waitingPackets: 0,
  waitingMs: 0,
  waitingTurns: [],
};

test("a client is greeted with status and document before it sends anything", async () => {
  const { connect, daemon } = world();
  const client = connect();
  const status = await client.expect("connectionStatusEvent");
  assert.equal(status.isConnected, true);
  assert.equal(status.err, null);
  assert.deepEqual(status.instanceToken, daemon.instanceToken);
  assert.deepEqual(
    Object.fromEntries(status.sphinxGeometry as Map<string, never>),
    geometry.toWire(),
  );
  const pigeonhole = status.pigeonholeGeometry as Map<string, unknown>;
  assert.equal(pigeonhole.size, 7);
  const { payload } = await client.expect("newPkiDocumentEvent");
  assert.equal((decodeCbor(payload!) as Map<string, unknown>).get("Epoch"), FIRST_EPOCH);
  await turn();
  assert.deepEqual(client.responses, []);
});

test("a new token starts a session with its own app ID", async () => {
  const { connect, daemon } = world();
  const replies = [await connect().hello(freshId()), await connect().hello(freshId())];
  assert.deepEqual(
    replies.map(({ resumed }) => resumed),
    [false, false],
  );
  for (const { appId } of replies) assert.equal(appId?.length, 16);
  assert.notDeepEqual(replies[0]!.appId, replies[1]!.appId);
  assert.deepEqual([daemon.load.connections, daemon.load.sessions], [2, 2]);
});

test("a known token resumes its session with the old app ID", async () => {
  const { connect, daemon } = world();
  const token = freshId();
  const first = connect();
  const { appId } = await first.hello(token);
  first.transport.end();
  await turn();
  assert.deepEqual([daemon.load.connections, daemon.load.sessions], [0, 1]);
  const again = await connect().hello(token);
  assert.deepEqual(again, { kind: "sessionTokenReply", appId, resumed: true });
  assert.equal(daemon.load.sessions, 1);
});

test("the same token again on a live connection is answered as resumed, and nothing changes", async () => {
  const { connect, daemon } = world();
  const token = freshId();
  const client = connect();
  const { appId } = await client.hello(token);
  client.send({ kind: "sessionToken", clientInstanceToken: token });
  assert.deepEqual(await client.expect("sessionTokenReply"), {
    kind: "sessionTokenReply",
    appId,
    resumed: true,
  });
  assert.equal(daemon.load.sessions, 1);
});

/** Reconnects with the token, and waits for the answer to the token and one more turn. */
async function comeBack(made: World, token: Uint8Array<ArrayBuffer>) {
  const client = made.connect();
  await client.greeting();
  client.send({ kind: "sessionToken", clientInstanceToken: token });
  await until(() => client.responses.some(({ kind }) => kind === "sessionTokenReply"));
  await turn();
  return client;
}

test("replies for an absent client precede the token's answer; a kind session's follow it", async () => {
  for (const kindSessions of [false, true]) {
    const made = world({ kindSessions });
    const { connect, link } = made;
    const token = freshId();
    const client = connect();
    await client.hello(token);
    client.send(message({ surbId: freshId() as never }), message());
    await client.expect("messageSentEvent");
    await client.expect("messageSentEvent");
    client.transport.end();
    await turn();
    const [first, second] = link.packets;
    link.reply(second!, Uint8Array.of(2));
    link.reply(first!, Uint8Array.of(1));
    const again = await comeBack(made, token);
    const kinds = again.responses.map(({ kind }) => kind);
    const token1 = "sessionTokenReply";
    const replies1 = ["messageReplyEvent", "messageReplyEvent"];
    assert.deepEqual(kinds, kindSessions ? [token1, ...replies1] : [...replies1, token1]);
    const replies = again.responses.filter(
      (one): one is DaemonResponse<"messageReplyEvent"> => one.kind === "messageReplyEvent",
    );
    assert.deepEqual(
      replies.map(({ payload }) => payload?.[0]),
      [2, 1],
    );
    assert.deepEqual(replies[0]!.surbId, second!.surbId);
    // The daemon delivers them only once.
    again.transport.end();
    await turn();
    const third = await comeBack(made, token);
    assert.equal(third.responses.length, 1);
  }
});

test("1,000 replies to plain messages are kept, and further ones are dropped", async () => {
  const made = world();
  const { connect, link, clock } = made;
  const token = freshId();
  const client = connect();
  await client.hello(token);
  const count = 1005;
  for (let i = 0; i < count; i++) client.send(message());
  while (link.packets.length < count) await clock.advance(1);
  client.transport.end();
  await turn();
  link.packets.forEach((packet, i) => link.reply(packet, Uint8Array.of(i >> 8, i & 255)));
  const again = await comeBack(made, token);
  assert.equal(again.responses.length, 1001);
  const last = again.responses.at(-2) as DaemonResponse<"messageReplyEvent">;
  assert.deepEqual(last.payload, Uint8Array.of(999 >> 8, 999 & 255));
});

test("thin_close hangs up at once and forgets the session with everything that waits for it", async () => {
  const { connect, daemon, link, clock } = world();
  const token = freshId();
  const client = connect();
  await client.hello(token);
  client.send(message());
  await client.expect("messageSentEvent");
  assert.equal(daemon.load.awaitedReplies, 1);
  client.send({ kind: "thinClose" });
  await until(() => client.closed);
  assert.deepEqual(daemon.load, nothing);
  link.reply(link.last, Uint8Array.of(1));
  const again = connect();
  assert.equal((await again.hello(token)).resumed, false);
  await turn();
  assert.deepEqual(again.responses, []);
  assert.ok(clock.pending < 10);
});

test("a thin_close after slow work counts, although its client has closed the connection", async () => {
  const { connect, daemon } = world();
  const client = connect();
  await client.hello(freshId());
  client.send({ kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32) });
  const { readCap, firstMessageIndex } = await client.expect("newKeypairReply");
  client.send(
    { kind: "encryptRead", queryId: freshId(), readCap, messageBoxIndex: firstMessageIndex },
    { kind: "thinClose" },
  );
  client.transport.end();
  await until(() => client.closed);
  assert.deepEqual(daemon.load, nothing);
});

test("a session outlives a dropped connection for exactly 10 minutes by default", async () => {
  for (const [ms, resumed] of [
    [599_999, true],
    [600_000, false],
  ] as const) {
    const { connect, clock, daemon } = world();
    const token = freshId();
    const client = connect();
    await client.hello(token);
    client.transport.destroy();
    await turn();
    await clock.advance(ms);
    assert.equal(daemon.load.sessions, resumed ? 1 : 0);
    assert.equal((await connect().hello(token)).resumed, resumed);
  }
});

test("the timing table sets the grace period, and a resume within it stops the countdown", async () => {
  const timing = { ...upstreamTiming, sessionGraceMs: 1000 };
  const { connect, clock, daemon } = world({ timing });
  const token = freshId();
  let client = connect();
  await client.hello(token);
  for (let round = 0; round < 5; round++) {
    client.transport.destroy();
    await turn();
    await clock.advance(900);
    client = connect();
    assert.equal((await client.hello(token)).resumed, true);
    await clock.advance(5000);
    assert.equal(daemon.load.sessions, 1);
  }
});

test("close leaves no timer for the sessions of absent applications", async () => {
  const { connect, clock, daemon } = world();
  const client = connect();
  await client.hello(freshId());
  client.transport.destroy();
  await clock.advance(upstreamTiming.broadcastHoldMs);
  assert.equal(daemon.load.sessions, 1);
  await daemon.close();
  assert.equal(clock.pending, 0);
});

test("1,000 absent sessions are kept, and the longest absent goes first, not the oldest", async () => {
  const { connect, daemon } = world();
  const comeAndGo = async (token: Uint8Array<ArrayBuffer>): Promise<boolean> => {
    const client = connect();
    const { resumed } = await client.hello(token);
    client.transport.end();
    await turn();
    return resumed;
  };
  const oldest = freshId();
  const stays = connect();
  await stays.hello(oldest);
  const returns = freshId();
  const firstGone = freshId();
  for (const token of [returns, firstGone]) await comeAndGo(token);
  for (let i = 0; i < 997; i++) await comeAndGo(freshId());
  assert.ok(await comeAndGo(returns), "it was kept, and is now the last that left");
  stays.transport.end();
  await turn();
  assert.equal(daemon.load.sessions, 1000);
  await comeAndGo(freshId());
  assert.equal(daemon.load.sessions, 1000);
  assert.equal(await comeAndGo(oldest), true, "created first, left last");
  assert.equal(await comeAndGo(returns), true);
  assert.equal(await comeAndGo(firstGone), false, "absent for longest");
  await daemon.close();
});

test("a client without a token is served, and forgotten when it leaves", async () => {
  const { connect, daemon } = world();
  const client = connect();
  await client.greeting();
  client.send({ kind: "getDirectoryAuthorities", queryId: freshId() });
  await client.expect("getDirectoryAuthoritiesReply");
  client.send(message());
  await client.expect("messageSentEvent");
  assert.deepEqual([daemon.load.sessions, daemon.load.awaitedReplies], [1, 1]);
  client.transport.end();
  await turn();
  assert.deepEqual(daemon.load, nothing);
});

test("a session that began without a token may get one later", async () => {
  const { connect } = world();
  const client = connect();
  await client.greeting();
  client.send(message());
  await client.expect("messageSentEvent");
  const token = freshId();
  client.send({ kind: "sessionToken", clientInstanceToken: token });
  const { appId, resumed } = await client.expect("sessionTokenReply");
  assert.equal(resumed, false);
  client.transport.end();
  await turn();
  assert.deepEqual((await connect().hello(token)).appId, appId);
});

test("the newer of two connections with one token takes over (upstream: it is never answered)", async () => {
  const { connect, daemon, link } = world();
  const token = freshId();
  const older = connect();
  await older.hello(token);
  older.send(message());
  await older.expect("messageSentEvent");
  const newer = connect();
  assert.equal((await newer.hello(token)).resumed, true);
  await until(() => older.closed);
  link.reply(link.last, Uint8Array.of(7));
  assert.equal((await newer.expect("messageReplyEvent")).payload?.[0], 7);
  newer.send({ kind: "getDirectoryAuthorities", queryId: freshId() });
  await newer.expect("getDirectoryAuthoritiesReply");
  assert.deepEqual([daemon.load.connections, daemon.load.sessions], [1, 1]);
});

test("a client's session reveals nothing to other clients", async () => {
  const { connect, link } = world();
  const [a, b] = [connect(), connect()];
  await a.hello(freshId());
  await b.hello(freshId());
  a.send(message());
  await a.expect("messageSentEvent");
  link.reply(link.last, Uint8Array.of(1));
  await a.expect("messageReplyEvent");
  await turn();
  assert.deepEqual(b.responses, []);
});

test("without a document a client waits 30 s for its greeting, which says that there is none", async () => {
  const { connect, clock, link } = world({ bare: true });
  link.status(true);
  const client = connect();
  await clock.advance(29_999);
  assert.deepEqual(client.responses, []);
  await clock.advance(1);
  await client.expect("connectionStatusEvent");
  assert.equal((await client.expect("newPkiDocumentEvent")).payload, null);
});

test("a document that arrives meanwhile is in the greeting, which is sent at once", async () => {
  const { connect, clock, link } = world({ bare: true });
  const clients = [connect(), connect()];
  await clock.advance(10_000);
  link.document();
  for (const client of clients) {
    assert.equal((await client.expect("connectionStatusEvent")).isConnected, false);
    assert.notEqual((await client.expect("newPkiDocumentEvent")).payload, null);
  }
  await clock.advance(25_000);
  for (const client of clients) assert.deepEqual(client.responses, []);
});

test("without a document connections are accepted one after the other, 30 s each, even closed ones", async () => {
  const { connect, clock, daemon } = world({ bare: true });
  const clients = [connect(), connect(), connect()];
  clients[1]!.transport.destroy();
  await clock.advance(30_000);
  assert.deepEqual(
    clients.map(({ responses }) => responses.length),
    [2, 0, 0],
  );
  await clock.advance(59_999);
  assert.equal(clients[2]!.responses.length, 0, "a client that hung up keeps its place");
  await clock.advance(1);
  assert.equal(clients[2]!.responses.length, 2);
  await daemon.close();
});

test("close ends connections that wait for a document, accepted or not, and leaves no timer", async () => {
  const { connect, clock, daemon } = world({ bare: true });
  const clients = [connect(), connect()];
  await turn();
  await daemon.close();
  for (const client of clients) await until(() => client.closed);
  assert.equal(clock.pending, 0);
});

test("kind connections wait for a document in parallel", async () => {
  const { connect, clock, daemon } = world({ bare: true, kindConnections: true });
  const clients = [connect(), connect(), connect()];
  await clock.advance(30_000);
  for (const { responses } of clients) assert.equal(responses.length, 2);
  await daemon.close();
});

test("requests sent before the greeting are served after it", async () => {
  const { connect, clock } = world({ bare: true });
  const client = connect();
  client.send(
    { kind: "sessionToken", clientInstanceToken: freshId() },
    { kind: "getDirectoryAuthorities", queryId: freshId() },
  );
  await clock.advance(30_000);
  await client.greeting();
  await client.expect("sessionTokenReply");
  await client.expect("getDirectoryAuthoritiesReply");
});

test("a client that leaves before its greeting leaves nothing behind", async () => {
  const { connect, clock, daemon } = world({ bare: true });
  const client = connect();
  client.transport.end();
  await clock.advance(30_000);
  assert.deepEqual(daemon.load, nothing);
});

test("broadcasts wait for the token's answer (upstream: may precede it), and are sent once", async () => {
  const { connect, link, clock } = world();
  const client = connect();
  await client.greeting();
  link.status(false, "gone");
  link.status(true);
  link.current++;
  link.document();
  await clock.advance(500);
  assert.deepEqual(client.responses, []);
  client.send({ kind: "sessionToken", clientInstanceToken: freshId() });
  await turn();
  assert.deepEqual(kinds(client), [
    "sessionTokenReply",
    "connectionStatusEvent",
    "newPkiDocumentEvent",
  ]);
  assert.equal(
    (client.responses[1] as unknown as DaemonResponse<"connectionStatusEvent">).isConnected,
    true,
  );
});

test("a client that sends nothing gets broadcasts after 2 s", async () => {
  const { connect, link, clock } = world();
  const client = connect();
  await client.greeting();
  link.status(false);
  await clock.advance(1999);
  assert.deepEqual(client.responses, []);
  await clock.advance(1);
  assert.equal((await client.expect("connectionStatusEvent")).isConnected, false);
});

test("every change of the gateway is broadcast to all clients, and a repetition is not", async () => {
  const { connect, link } = world();
  const clients = [connect(), connect()];
  for (const client of clients) await client.hello(freshId());
  link.status(true);
  link.status(false, "x");
  link.status(false, "y");
  link.status(true);
  await turn();
  for (const client of clients) {
    const events = client.responses as DaemonResponse<"connectionStatusEvent">[];
    assert.deepEqual(
      events.map(({ isConnected }) => isConnected),
      [false, false, true],
    );
    for (const { err } of events) assert.equal(err, null);
  }
});

test("a document is broadcast once per epoch, when its epoch is the current one", async () => {
  const { connect, link } = world();
  const client = connect();
  await client.hello(freshId());
  link.document(FIRST_EPOCH + 1);
  link.document(FIRST_EPOCH);
  await turn();
  assert.deepEqual(client.responses, []);
  link.current++;
  link.document(FIRST_EPOCH + 1);
  link.document(FIRST_EPOCH + 1);
  await turn();
  assert.deepEqual(kinds(client), ["newPkiDocumentEvent"]);
});

test("an unreadable frame ends the connection without an answer, and keeps the session", async () => {
  const wrong: [string, Uint8Array][] = [
    ["zero length", Uint8Array.of(0, 0, 0, 0)],
    ["oversize", Uint8Array.of(2, 128, 0, 1)],
    ["garbage", encodeFrame(Uint8Array.of(0xff))],
    ["trailing bytes", encodeFrame(Uint8Array.of(0xa0, 0xa0))],
    ["top-level array", encodeFrame(encodeCbor([]))],
    ["text for bytes", encodeFrame(encodeCbor({ new_keypair: { seed: "x" } }))],
    ["integer for bool", encodeFrame(encodeCbor({ send_message: { with_surb: 1 } }))],
  ];
  for (const [what, bytes] of wrong) {
    const { connect, faults, daemon } = world();
    const token = freshId();
    const client = connect();
    await client.hello(token);
    // The daemon still answers the request before the invalid frame.
    client.send({ kind: "getDirectoryAuthorities", queryId: freshId() });
    client.transport.write(bytes);
    client.send({ kind: "getDirectoryAuthorities", queryId: freshId() });
    await until(() => client.closed);
    assert.deepEqual(kinds(client), ["getDirectoryAuthoritiesReply"], what);
    assert.equal(faults.length, 1);
    assert.equal(daemon.load.sessions, 1);
    assert.equal((await connect().hello(token)).resumed, true);
  }
});

test("empty and unknown requests are skipped, Go's top-level null too", async () => {
  const { connect } = world();
  const client = connect();
  await client.hello(freshId());
  for (const body of [{}, null, { no_such_request: { query_id: freshId() } }]) {
    client.transport.write(encodeFrame(encodeCbor(body)));
  }
  client.send({ kind: "getDirectoryAuthorities", queryId: freshId() });
  await client.expect("getDirectoryAuthoritiesReply");
});

test("local requests are answered in order, even while the mixnet is away", async () => {
  const { connect, link } = world();
  link.status(false);
  const client = connect();
  await client.hello(freshId());
  const ids = Array.from({ length: 20 }, () => freshId());
  ids.forEach((queryId, i) =>
    client.send(
      i % 2 === 0
        ? { kind: "newKeypair", queryId, seed: new Uint8Array(32).fill(i) }
        : { kind: "getPkiDocument", queryId, epoch: 0n },
    ),
  );
  await turn();
  assert.deepEqual(
    client.responses.map((response) => ("queryId" in response ? response.queryId : null)),
    ids,
  );
});

test("a reply that envelope work delays precedes the replies to the client's later requests", async () => {
  const { connect } = world();
  const client = connect();
  await client.hello(freshId());
  client.send({ kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32) });
  const { readCap, firstMessageIndex } = await client.expect("newKeypairReply");
  client.send(
    { kind: "encryptRead", queryId: freshId(), readCap, messageBoxIndex: firstMessageIndex },
    { kind: "getDirectoryAuthorities", queryId: freshId() },
  );
  assert.equal((await client.expect("encryptReadReply")).errorCode, 0);
  await client.expect("getDirectoryAuthoritiesReply");
});

test("close announces a shutdown to all, crash announces nothing, and both end link and sessions", async () => {
  for (const how of ["close", "crash"] as const) {
    const { connect, daemon, link } = world();
    const client = connect();
    await client.hello(freshId());
    await daemon[how]();
    await until(() => client.closed);
    assert.deepEqual(kinds(client), how === "close" ? ["shutdownEvent"] : []);
    assert.equal(link.closed, true);
    assert.equal(daemon.load.sessions, 0);
    const late = connect();
    await turn();
    assert.equal(late.closed, true);
    await daemon.close();
  }
});

test("a new daemon has another instance token and knows no session", async () => {
  const token = freshId();
  const seen = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const { connect, daemon } = world();
    const client = connect();
    assert.equal((await client.hello(token)).resumed, false);
    seen.add(daemon.instanceToken.join());
  }
  assert.equal(seen.size, 3);
});

test("a client that does not read its responses is served no further until it reads", async () => {
  const { connect, link, clock } = world();
  link.certificateLength = 1024 * 1024;
  link.document();
  const client = connect();
  await client.hello(freshId());
  const other = connect();
  await other.hello(freshId());
  client.transport.pause();
  // A request of 20 bytes asks for 1 MiB. All requests ask for 300 MiB, but only 4 MiB may wait.
  const count = 300;
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < count; i++) {
    client.send({ kind: "getPkiDocument", queryId: freshId(), epoch: BigInt(FIRST_EPOCH) });
  }
  await clock.advance(0);
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 40 * 1024 * 1024, `${grown} bytes`);
  other.send({ kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32) });
  assert.equal((await other.expect("newKeypairReply")).errorCode, 0);
  client.transport.resume();
  await until(() => client.responses.length === count);
});

test("the connection of a client that does not read is closed after a minute, and its session is kept", async () => {
  const { connect, daemon, link, clock, faults } = world();
  link.certificateLength = 1024 * 1024;
  link.document();
  const token = freshId();
  const client = connect();
  await client.hello(token);
  client.transport.pause();
  client.send({ kind: "getPkiDocument", queryId: freshId(), epoch: BigInt(FIRST_EPOCH) });
  await turn();
  await clock.advance(59_999);
  assert.equal(daemon.load.connections, 1);
  await clock.advance(10_001);
  assert.deepEqual([daemon.load.connections, daemon.load.sessions], [0, 1]);
  assert.match(faults.at(-1)!.message, /does not read/);
  assert.equal((await connect().hello(token)).resumed, true);
});

test("a client that reads slowly, one response per minute, is served", async () => {
  const { connect, daemon, link, clock } = world();
  link.certificateLength = 1024 * 1024;
  link.document();
  const client = connect();
  await client.hello(freshId());
  for (let i = 0; i < 4; i++) {
    client.transport.pause();
    client.send({ kind: "getPkiDocument", queryId: freshId(), epoch: BigInt(FIRST_EPOCH) });
    await turn();
    await clock.advance(50_000);
    client.transport.resume();
    await client.expect("getPkiDocumentReply");
  }
  assert.equal(daemon.load.connections, 1);
});

test("responses for a client that does not read are limited in bytes, whoever requested them", async () => {
  const { connect, daemon, link } = world();
  const client = connect();
  await client.hello(freshId());
  // The client cannot control when replies arrive. These are longer than real ones, to keep the
  // test short.
  const count = 70;
  for (let sent = 1; sent <= count; sent++) {
    client.send(message());
    await until(() => link.packets.length === sent);
  }
  await turn();
  client.transport.pause();
  const before = process.memoryUsage().arrayBuffers;
  for (const packet of link.packets) {
    link.reply(packet, new Uint8Array(1024 * 1024));
    await turn();
  }
  assert.equal(daemon.load.connections, 0);
  assert.ok(process.memoryUsage().arrayBuffers - before < 200 * 1024 * 1024);
});

test("waiting requests are limited by their decoded size, not by the bytes of their frames", async () => {
  const { connect, daemon, clock } = world({ bare: true });
  const client = connect();
  await clock.advance(upstreamTiming.documentWaitMs);
  await client.greeting();
  // This request waits for a document, and all later requests wait behind it.
  const index = new Uint8Array(104) as MessageBoxIndex;
  client.send({ kind: "encryptRead", queryId: freshId(), readCap: null, messageBoxIndex: index });
  await new Promise((resolve) => setImmediate(resolve));
  // Each takes 20 kB on the wire and 4 MB decoded.
  const destinations = Array.from({ length: 20_000 }, () => ({}));
  const name = "create_courier_envelopes_from_multi_payload";
  const frame = encodeFrame(encodeCbor({ [name]: { query_id: freshId(), destinations } }));
  let taken = 0;
  for (; client.transport.queuedBytes === 0 && taken < 100; taken++) {
    client.transport.write(frame);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(taken > 4 && taken < 40, `${taken} frames were accepted`);
  await daemon.close();
});

test("query IDs and session tokens of a wrong length are truncated or padded with zeros, as upstream does", async () => {
  const { connect, daemon } = world();
  const client = connect();
  const token = new Uint8Array(40).fill(7);
  assert.equal((await client.hello(token)).resumed, false);
  for (const length of [1, 16, 1000]) {
    const queryId = new Uint8Array(length).fill(3);
    client.send({ kind: "getPkiDocument", queryId, epoch: 0n });
    const reply = await client.expect("getPkiDocumentReply");
    assert.deepEqual(reply.queryId, new Uint8Array(16).fill(3, 0, length));
  }
  const again = connect();
  assert.equal((await again.hello(token.slice(0, 16))).resumed, true);
  await daemon.close();
});
