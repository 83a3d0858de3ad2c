import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Bytes, randomBytes, toHex, utf8ToText } from "../../src/bytes/bytes.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import type { Consensus2, WireCommand } from "../../src/gateway/commands.js";
import { consensusCommands, noConsensusCommand } from "../../src/gateway/consensus-chunks.js";
import { GatewaySession, type SessionOptions } from "../../src/gateway/session.js";
import { x25519Kem } from "../../src/kem/x25519.js";
import { memoryPair, type MemoryTransport } from "../../src/transport/memory.js";
import {
  type GatewayKeys,
  type ScriptedLink,
  acceptClient,
  codec,
  geometry,
  newGatewayKeys,
} from "./scripted-gateway.js";

interface Scene {
  readonly clock: VirtualClock;
  readonly keys: GatewayKeys;
  readonly near: MemoryTransport;
  readonly far: MemoryTransport;
  readonly replies: [string, string][];
  readonly options: SessionOptions;
}

function scene(change: Partial<SessionOptions> = {}): Scene {
  const clock = new VirtualClock();
  const keys = newGatewayKeys();
  const [near, far] = memoryPair();
  const replies: [string, string][] = [];
  const options: SessionOptions = {
    transport: near,
    kem: x25519Kem,
    shape: geometry,
    gateway: keys.identity,
    clock,
    onReply: (surbId, ciphertext) => replies.push([toHex(surbId), toHex(ciphertext)]),
    ...change,
  };
  return { clock, keys, near, far, replies, options };
}

async function connected(
  onCommand?: (command: WireCommand, link: ScriptedLink) => void,
): Promise<Scene & { session: GatewaySession; server: ScriptedLink }> {
  const all = scene();
  const accepting = acceptClient(all.far, all.keys, all.clock, onCommand);
  const session = await GatewaySession.connect(all.options);
  return { ...all, session, server: await accepting };
}

const reply = (sequence: number): WireCommand & { surbId: Bytes; ciphertext: Bytes } => ({
  type: "Message",
  sequence,
  surbId: randomBytes(16),
  ciphertext: randomBytes(geometry.payloadTagLength + geometry.forwardPayloadLength),
});

/** Lets written data arrive. */
const settle = (clock: VirtualClock): Promise<void> =>
  clock.advance(0).then(() => clock.advance(1));

test("a session begins with the gateway's NoOp, under its own queue ID", async () => {
  const { session, server } = await connected();
  assert.match(utf8ToText(session.queueId), /^[0-9a-f]{32}$/);
  assert.deepEqual(server.queueId, session.queueId);
  const other = await connected();
  assert.notDeepEqual(other.session.queueId, session.queueId);
});

test("the clock skew is our time minus the gateway's", async () => {
  const all = scene();
  const ahead = new VirtualClock(all.clock.now() + 3_600_000);
  const accepting = acceptClient(all.far, all.keys, ahead);
  const session = await GatewaySession.connect(all.options);
  await accepting;
  assert.equal(session.clockSkewMs, -3_600_000);
});

test("a gateway with another key is disconnected before it learns the queue ID", async () => {
  for (const [which, change] of [
    ["link key", { linkKey: randomBytes(32) }],
    ["identity key", { identityKey: randomBytes(32) }],
  ] as const) {
    const all = scene();
    const accepting = acceptClient(all.far, all.keys, all.clock);
    const gateway = { ...all.keys.identity, ...change };
    await assert.rejects(GatewaySession.connect({ ...all.options, gateway }), {
      name: "LinkError",
      message: `gateway1: its ${which} differs from the one in the file or the consensus`,
    });
    await assert.rejects(accepting, "the server waited for message three in vain");
  }
});

test("a gateway that is silent at any point of the handshake is given up in time", async () => {
  const silent = scene();
  silent.far.open({ onData: () => {}, onClose: () => {} });
  await assert.rejects(silent.clock.runUntil(GatewaySession.connect(silent.options)), {
    name: "LinkError",
    message: "gateway1: no handshake within 60000 ms",
  });
  const mute = scene();
  const accepting = acceptClient(mute.far, mute.keys, mute.clock, () => {}, null);
  const start = mute.clock.now();
  await assert.rejects(mute.clock.runUntil(GatewaySession.connect(mute.options)), {
    message: "the other end was silent for 15000 ms",
  });
  assert.equal(mute.clock.now() - start, 15_000);
  await accepting;
  const closing = scene();
  closing.far.open({ onData: () => {}, onClose: () => {} });
  closing.far.end();
  await assert.rejects(GatewaySession.connect(closing.options), {
    message: "the other end closed the connection",
  });
});

test("garbage and floods end the handshake", async () => {
  for (const length of [10_000, 2_000_000]) {
    const all = scene();
    all.far.open({ onData: () => {}, onClose: () => {} });
    all.far.write(randomBytes(length));
    await assert.rejects(all.clock.runUntil(GatewaySession.connect(all.options)), {
      name: "ProtocolError",
    });
  }
});

test("a command other than NoOp at the end of the handshake is an error", async () => {
  for (const greeting of [{ type: "Disconnect" }, reply(1)] as const) {
    const all = scene();
    const accepting = acceptClient(all.far, all.keys, all.clock, () => {}, greeting);
    await assert.rejects(GatewaySession.connect(all.options), {
      name: "ProtocolError",
      message: `gateway1: ${greeting.type} at the handshake's end`,
    });
    await accepting;
  }
});

test("aborting ends the handshake with the signal's reason, and closes the connection", async () => {
  const all = scene();
  const closed = new Promise((resolve) =>
    all.far.open({ onData: () => {}, onClose: () => resolve(true) }),
  );
  const controller = new AbortController();
  const connecting = GatewaySession.connect(all.options, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(connecting, { message: "enough" });
  assert.equal(await closed, true);
  const late = scene();
  await assert.rejects(GatewaySession.connect(late.options, controller.signal), /enough/);
});

test("packets arrive in order, and replies are passed on and then acknowledged", async () => {
  const { session, server, replies, clock } = await connected();
  const packets = [1, 2, 3].map(() => randomBytes(geometry.packetLength));
  await Promise.all(packets.map((packet) => session.sendPacket(packet)));
  await settle(clock);
  assert.deepEqual(
    server.received.map((c) => c.type === "SendPacket" && toHex(c.sphinxPacket)),
    packets.map(toHex),
  );
  const answers = [reply(1), reply(2)];
  for (const one of answers) server.send(one);
  await settle(clock);
  assert.deepEqual(
    replies,
    answers.map(({ surbId, ciphertext }) => [toHex(surbId), toHex(ciphertext)]),
  );
  assert.deepEqual(server.received.slice(3), [
    { type: "MessageDelivered", sequence: 1 },
    { type: "MessageDelivered", sequence: 2 },
  ]);
});

test("a reply that cannot be processed is not acknowledged", async () => {
  const all = scene({
    onReply: () => {
      throw new Error("no room");
    },
  });
  const accepting = acceptClient(all.far, all.keys, all.clock);
  const session = await GatewaySession.connect(all.options);
  const server = await accepting;
  server.send(reply(1));
  assert.equal((await session.ended).message, "no room");
  assert.deepEqual(server.received, []);
});

test("an idle link is kept alive, and a silent one is ended", async () => {
  const { session, server, clock } = await connected();
  const beats = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 10_000) {
      server.send({ type: "NoOp" });
      await clock.advance(10_000);
    }
  };
  await beats(50_000);
  assert.deepEqual(server.received, []);
  await beats(20_000);
  assert.deepEqual(server.received, [{ type: "NoOp" }]);
  await session.sendPacket(randomBytes(geometry.packetLength));
  await beats(50_000);
  assert.equal(server.received.length, 2, "sent packets count");
  server.send(reply(1));
  await beats(50_000);
  assert.equal(server.received.length, 3, "acknowledgements count too");
  await clock.advance(15_000);
  assert.equal((await session.ended).message, "the other end was silent for 15000 ms");
  await assert.rejects(session.sendPacket(new Uint8Array(1)), { name: "LinkError" });
  await assert.rejects(session.fetchConsensus(1), { name: "LinkError" });
  assert.equal(clock.pending, 0);
});

test("a link whose other end takes packets again in time goes on", async () => {
  const { session, server, clock, far } = await connected();
  far.pause();
  const packets = Array.from({ length: 300 }, () =>
    session.sendPacket(randomBytes(geometry.packetLength)),
  );
  await settle(clock);
  far.resume();
  await Promise.all(packets);
  for (let at = 0; at < 100_000; at += 10_000) {
    server.send({ type: "NoOp" });
    await clock.advance(10_000);
  }
  await session.sendPacket(randomBytes(geometry.packetLength));
  await settle(clock);
  assert.equal(server.received.filter(({ type }) => type === "SendPacket").length, 301);
  session.close();
});

test("commands that no gateway sends end the link", async () => {
  const commands: [WireCommand, RegExp][] = [
    [{ type: "Disconnect" }, /^gateway1 disconnected$/],
    [{ type: "Consensus", errorCode: 0, payload: new Uint8Array(1) }, /^Consensus from a gateway$/],
    [{ type: "SendPacket", sphinxPacket: new Uint8Array(9) }, /^SendPacket from a gateway$/],
    [noConsensusCommand(1), /^unsolicited Consensus2$/],
  ];
  for (const [command, message] of commands) {
    const { session, server } = await connected();
    server.send(command);
    assert.match((await session.ended).message, message);
  }
});

test("garbage instead of a frame ends the link", async () => {
  const { session, server } = await connected();
  server.link.write(randomBytes(500));
  assert.equal((await session.ended).message, "frame: header cannot be opened");
});

/** A gateway that answers each request for a consensus with `answers`. */
const answering = (answers: (epoch: bigint) => Promise<WireCommand[]> | WireCommand[]) =>
  connected((command, link) => {
    if (command.type !== "GetConsensus2") return;
    void Promise.resolve(answers(command.epoch)).then((all) => all.forEach(link.send));
  });

test("a consensus is fetched in chunks, and a missing one is reported", async () => {
  const signed = randomBytes(40_000);
  const { session } = await answering((epoch) =>
    epoch === 7n
      ? consensusCommands(signed, codec.chunkLength)
      : [noConsensusCommand(epoch === 8n ? 1 : 2)],
  );
  assert.deepEqual(await session.fetchConsensus(7), { errorCode: 0, signed });
  assert.deepEqual(await session.fetchConsensus(8), { errorCode: 1, signed: null });
  assert.deepEqual(await session.fetchConsensus(9), { errorCode: 2, signed: null });
  const first = session.fetchConsensus(7);
  await assert.rejects(session.fetchConsensus(7), /already being fetched/);
  assert.deepEqual(await first, { errorCode: 0, signed });
});

test("a consensus that is too large, out of order or damaged ends the link", async () => {
  const pieces = await consensusCommands(randomBytes(40_000), codec.chunkLength);
  const change = (at: number, with_: Partial<Consensus2>): Consensus2[] =>
    pieces.map((piece, i) => (i === at ? { ...piece, ...with_ } : piece));
  const bomb = gzipSync(new Uint8Array(33 * 2 ** 20));
  const bombs: Consensus2[] = [];
  const total = Math.ceil(bomb.length / codec.chunkLength);
  for (let i = 0; i < total; i++) {
    const chunk = bomb.subarray(i * codec.chunkLength, (i + 1) * codec.chunkLength);
    bombs.push({ ...pieces[0]!, chunkNumber: i, chunkTotal: total, chunk });
  }
  const wrong: [WireCommand[], RegExp][] = [
    [pieces.toReversed(), /^consensus: chunk 34 where 0 must come$/],
    [change(1, { chunkNumber: 0 }), /^consensus: chunk 0 where 1 must come$/],
    [change(0, { chunkTotal: 5000 }), /^consensus: 5000 chunks, at most 2048$/],
    [change(2, { chunk: new Uint8Array(codec.chunkLength) }), /^consensus: gzip: damaged$/],
    [bombs, /^consensus: gzip: more than 33554432 bytes$/],
  ];
  for (const [commands, message] of wrong) {
    const { session } = await answering(() => commands);
    await assert.rejects(session.fetchConsensus(7), { name: "ProtocolError", message });
    assert.match((await session.ended).message, message);
  }
});

test("the connection to a gateway that stops in the middle of a consensus is closed", async () => {
  const pieces = await consensusCommands(randomBytes(40_000), codec.chunkLength);
  const { session, server, clock } = await answering(() => pieces.slice(0, 3));
  const fetching = assert.rejects(session.fetchConsensus(7), {
    message: "gateway1: no consensus within 30000 ms",
  });
  for (let at = 0; at < 30_000; at += 5000) {
    server.send({ type: "NoOp" });
    await clock.advance(5000);
  }
  await fetching;
  const closed = await answering(() => pieces.slice(0, 3));
  const lost = assert.rejects(closed.session.fetchConsensus(7), /the other end closed/);
  await settle(closed.clock);
  closed.server.link.close(new Error("crash"));
  await lost;
});

test("the link stops reading from a gateway that floods it and takes no acknowledgement", async () => {
  const { session, server, clock, near, far, replies } = await connected();
  far.pause();
  for (let i = 1; i <= 3000; i++) server.send(reply(i));
  await settle(clock);
  assert.ok(replies.length < 1000, `${replies.length} taken`);
  assert.ok(near.queuedBytes < 2 ** 20, `${near.queuedBytes} bytes queued`);
  far.resume();
  for (let i = 0; i < 200 && replies.length < 3000; i++) await settle(clock);
  assert.equal(replies.length, 3000);
  session.close();
  assert.equal((await session.ended).message, "the link was closed");
});
