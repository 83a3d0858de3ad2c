import assert from "node:assert/strict";
import { test } from "node:test";
import { noGateway, freshId, geometry, message, seededRandom, turn, world } from "./fixture.js";
import { PlainMessages } from "../../src/daemon/plain-messages.js";
import { upstreamTiming } from "../../src/mixnet/timing.js";
import type { DaemonRequest } from "../../src/wire/requests.js";

const U = geometry.userForwardPayloadLength;

async function connected(options: Parameters<typeof world>[0] = {}) {
  const made = world(options);
  const client = made.connect();
  await client.hello(freshId());
  return { ...made, client };
}

test("a message leaves unchanged, and its sender learns when and how long a reply may take", async () => {
  const { client, link, clock } = await connected();
  link.etaMs = 1500.4;
  const request = message({ id: freshId(), payload: Uint8Array.of(1, 2, 3) });
  client.send(request);
  assert.deepEqual(await client.expect("messageSentEvent"), {
    kind: "messageSentEvent",
    messageId: request.id,
    surbId: request.surbId,
    sentAt: Math.floor(clock.now() / 1000),
    replyEta: 1_500_000_000,
    err: null,
  });
  assert.deepEqual(link.last, {
    destination: request.destinationIdHash,
    recipient: request.recipientQueueId,
    payload: request.payload,
    surbId: request.surbId,
  });
});

test("a message that is too long is refused in its turn, and its payload is not kept until then", () => {
  const { link, clock } = world();
  const messages = new PlainMessages({
    clock,
    link,
    timing: upstreamTiming,
    layers: () => null,
    signal: new AbortController().signal,
    onFault: assert.ifError,
    maxPayload: U,
  });
  const request = message({ id: freshId(), payload: new Uint8Array(U + 1) });
  const { messageId, surbId, packet } = messages.prepare(request);
  assert.deepEqual([messageId, surbId], [request.id, request.surbId]);
  assert.ok(packet instanceof Error);
  assert.equal(packet.message, `message too large: ${U + 1} > ${U}`);
  assert.ok(!(messages.prepare(message({ payload: new Uint8Array(U) })).packet instanceof Error));
});

test("a reply arrives as an event with both IDs and the whole payload of the reply block", async () => {
  const { client, link, daemon } = await connected();
  const request = message({ id: freshId() });
  client.send(request);
  await client.expect("messageSentEvent");
  const payload = new Uint8Array(geometry.forwardPayloadLength).fill(9);
  link.reply(link.last, payload);
  assert.deepEqual(await client.expect("messageReplyEvent"), {
    kind: "messageReplyEvent",
    messageId: request.id,
    surbId: request.surbId,
    payload,
    replyIndex: null,
    errorCode: 0,
  });
  assert.equal(daemon.load.awaitedReplies, 0);
  link.reply(link.last, payload);
  await turn();
  assert.deepEqual(client.responses, []);
});

test("a reply that arrives before its message is reported as sent is delivered after that report", async () => {
  const { client, link } = await connected();
  link.onSend = (packet) => link.reply(packet, Uint8Array.of(5));
  client.send(message());
  await client.expect("messageSentEvent");
  assert.deepEqual((await client.expect("messageReplyEvent")).payload, Uint8Array.of(5));
});

const wrong: [what: string, fields: Partial<DaemonRequest<"sendMessage">>, err: string][] = [
  ["no destination", { destinationIdHash: null }, "client: destination is nil"],
  ["no queue", { recipientQueueId: null }, "client: recipient is nil"],
  [
    "an empty queue",
    { recipientQueueId: new Uint8Array(0) },
    "client: invalid recipient: must be 1 to 32 bytes, got 0",
  ],
  [
    "a long queue",
    { recipientQueueId: new Uint8Array(33) },
    "client: invalid recipient: must be 1 to 32 bytes, got 33",
  ],
  ["too much payload", { payload: new Uint8Array(U + 1) }, `message too large: ${U + 1} > ${U}`],
  ["no SURB ID (upstream: crashes)", { surbId: null }, "client: SURB ID is nil"],
  [
    "several mistakes, of which the destination is reported first",
    { destinationIdHash: null, recipientQueueId: null, payload: new Uint8Array(U + 1) },
    "client: destination is nil",
  ],
];
for (const [what, fields, err] of wrong) {
  test(`a message is not sent, and its sender is told, for ${what}`, async () => {
    const { client, link, daemon } = await connected();
    const request = message(fields);
    client.send(request);
    const event = await client.expect("messageSentEvent");
    assert.equal(event.err, err);
    assert.deepEqual(event.surbId, request.surbId);
    assert.equal(event.replyEta, 0);
    assert.deepEqual([link.packets.length, daemon.load.awaitedReplies], [0, 0]);
    // Without a reply block the client is not told, whatever happens.
    client.send({ ...request, withSurb: false });
    await turn();
    assert.deepEqual(client.responses, []);
  });
}

test("an error of the link is passed on verbatim, and the message awaits no reply", async () => {
  const { client, link, daemon } = await connected();
  link.failure = noGateway;
  client.send(message());
  const event = await client.expect("messageSentEvent");
  assert.equal(event.err, "client/conn: not connected to the Gateway");
  assert.equal(daemon.load.awaitedReplies, 0);
});

test("payloads of exactly U bytes and of none are sent", async () => {
  const { client, link } = await connected();
  for (const payload of [new Uint8Array(U), new Uint8Array(0), null]) {
    client.send(message({ payload }));
    assert.equal((await client.expect("messageSentEvent")).err, null);
    assert.equal(link.last.payload.length, payload?.length ?? 0);
  }
});

test("a message without a reply block is sent, and causes no events", async () => {
  const { client, link, daemon } = await connected();
  client.send(message({ withSurb: false }));
  await turn();
  assert.equal(link.last.surbId, null);
  assert.deepEqual(client.responses, []);
  assert.equal(daemon.load.awaitedReplies, 0);
});

test("IDs of a wrong length are truncated or padded with zeros, as upstream does", async () => {
  const { client, link } = await connected();
  client.send(
    message({
      id: Uint8Array.of(1),
      surbId: new Uint8Array(20).fill(3) as never,
      destinationIdHash: Uint8Array.of(9),
    }),
  );
  const event = await client.expect("messageSentEvent");
  assert.deepEqual(event.messageId, Uint8Array.of(1, ...new Uint8Array(15)));
  assert.deepEqual(event.surbId, new Uint8Array(16).fill(3));
  assert.deepEqual(link.last.destination, Uint8Array.of(9, ...new Uint8Array(31)));
});

test("a reply is awaited half a second per hop beyond its planned time, then forgotten", async () => {
  // spec/thin-protocol §4.2: 0.5 s * (2 * layers + 3).
  for (const [layers, beyondMs] of [
    [1, 2500],
    [3, 4500],
    [5, 6500],
  ] as const) {
    const { client, link, clock, daemon } = await connected();
    link.layers = layers;
    link.current++;
    link.document();
    await client.expect("newPkiDocumentEvent");
    link.etaMs = 2000;
    client.send(message(), message());
    await client.expect("messageSentEvent");
    await client.expect("messageSentEvent");
    await clock.advance(2000 + beyondMs - 1);
    assert.equal(daemon.load.awaitedReplies, 2);
    link.reply(link.packets[0]!, Uint8Array.of(1));
    await client.expect("messageReplyEvent");
    await clock.advance(1);
    assert.equal(daemon.load.awaitedReplies, 0);
    link.reply(link.last, Uint8Array.of(1));
    await turn();
    assert.deepEqual(client.responses, []);
  }
});

test("without a document a reply is awaited as with three layers", async () => {
  const { connect, link, clock, daemon } = world({ bare: true });
  const client = connect();
  await clock.advance(30_000);
  await client.hello(freshId());
  link.status(true);
  await client.expect("connectionStatusEvent");
  client.send(message());
  await client.expect("messageSentEvent");
  await clock.advance(link.etaMs + 4499);
  assert.equal(daemon.load.awaitedReplies, 1);
  await clock.advance(1);
  assert.equal(daemon.load.awaitedReplies, 0);
});

test("with mixing a message waits for its tick, and decoys leave on empty ticks", async () => {
  const { client, link, clock } = await connected({ pace: "poisson", random: seededRandom(3) });
  client.send(message());
  await turn();
  assert.equal(link.packets.length, 0);
  await clock.advance(5000);
  await client.expect("messageSentEvent");
  assert.ok(link.decoys > 20 && link.decoys < 90, String(link.decoys));
});

test("messages that wait when their client sends thin_close are not sent", async () => {
  const { client, link, clock } = await connected({ pace: "poisson" });
  client.send(message(), { kind: "thinClose" });
  await turn();
  await clock.advance(10_000);
  assert.equal(link.packets.length, 0);
});

test("a kind daemon keeps a client's requests waiting for an hour at most", async () => {
  const { link, daemon, connect } = world({ bare: true, pace: "poisson", kindReading: true });
  // One packet per minute means 60 per hour.
  link.status(true);
  link.document(undefined, 1 / 60_000);
  const client = connect();
  await client.hello(freshId());
  for (let i = 0; i < 100; i++) client.send(message());
  await turn();
  const { waitingPackets, waitingMs } = daemon.load;
  assert.equal(waitingPackets, 61, "those of an hour, and one more");
  assert.equal(waitingMs, waitingPackets * 60_000);
});
