/**
 * What the gateway's port does with each command, and with clients that make every possible
 * mistake.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concatBytes, randomBytes, utf8, utf8ToText } from "../../src/bytes/bytes.js";
import { SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { encodeAuthPayload } from "../../src/gateway/auth-payload.js";
import { CommandCodec, type WireCommand } from "../../src/gateway/commands.js";
import { unpackConsensus, ConsensusAssembler } from "../../src/gateway/consensus-chunks.js";
import { HandshakeInitiator } from "../../src/gateway/noise.js";
import { shakeHandsAsClient } from "../../src/gateway/shake-hands.js";
import { WireLink } from "../../src/gateway/wire-link.js";
import { x25519Kem } from "../../src/kem/x25519.js";
import { Composer } from "../../src/mixnet/composer.js";
import { newQueueId } from "../../src/mixnet/queue-id.js";
import { EmbeddedNetwork, type EmbeddedNetworkOptions } from "../../src/network/network.js";
import { GatewayPort } from "../../src/testing/gateway-port.js";
import { memoryPair, type MemoryTransport } from "../../src/transport/memory.js";

async function started(options: Partial<EmbeddedNetworkOptions> = {}) {
  const clock = new VirtualClock();
  let port: GatewayPort | null = null;
  const network = new EmbeddedNetwork({
    clock,
    seed: "port",
    mixing: "sphinx",
    onDocument: (document) => port?.documentPublished(document),
    ...options,
  });
  const gateway = network.gateways[0]!;
  port = new GatewayPort({ clock, network, gateway });
  gateway.serveAt("tcp://127.0.0.1:1", port);
  return { clock, network, gateway, port, codec: new CommandCodec(network.geometry) };
}

type Setup = Awaited<ReturnType<typeof started>>;

async function running(options: Partial<EmbeddedNetworkOptions> = {}): Promise<Setup> {
  const setup = await started(options);
  await setup.network.start();
  return setup;
}

/** A client's end, with the commands that the gateway sent on it. */
interface Client {
  readonly link: WireLink;
  readonly said: WireCommand[];
  readonly queueId: Bytes;
  /** Both ends of the connection: the client's and the gateway's. */
  readonly ends: readonly [MemoryTransport, MemoryTransport];
  send(command: WireCommand): void;
}

/** Joins as a client does that follows the rules. */
async function joined(setup: Setup, queueId: Bytes = newQueueId(), key?: Bytes): Promise<Client> {
  const { clock, port, gateway, codec } = setup;
  const [near, far] = memoryPair();
  void port.serve(far);
  const link = new WireLink(near, clock);
  const random = key && (() => key);
  const hands = shakeHandsAsClient(link, {
    kem: x25519Kem,
    server: gateway.node,
    additionalData: queueId,
    clock,
    random,
  });
  const { keys } = await clock.runUntil(hands);
  const said: WireCommand[] = [];
  link.beginCommands({
    codec,
    sealKey: keys.initiatorToResponder,
    openKey: keys.responderToInitiator,
    longestCommand: 1_000_000,
    readTimeoutMs: 2 ** 31 - 1,
    writeTimeoutMs: 60_000,
    onCommand: (command) => void said.push(command),
  });
  await clock.advance(0);
  return {
    link,
    said,
    queueId,
    ends: [near, far],
    send: (command) => void link.send(command).catch(() => {}),
  };
}

const typesOf = ({ said }: Client): string[] => said.map(({ type }) => type);

/** A packet to the echo service whose reply goes to the given queue. */
function packetFor({ network, gateway }: Setup, queueId: Bytes, text = "x"): Bytes {
  const composer = new Composer(network.geometry);
  const destination = network.serviceNodes[0]!.identityHash;
  return composer.compose(
    { destination, recipient: utf8("+echo"), payload: utf8(text), surbId: SurbId.random() },
    {
      document: network.currentDocument()!,
      gateway: gateway.node.identityHash,
      queueId,
      epochIn: () => network.currentEpoch,
      periodMs: network.epoch().periodMs,
    },
  ).packet;
}

test("a port without a document closes each connection before it sends a byte", async () => {
  const setup = await started();
  const [near, far] = memoryPair();
  let closed = false;
  const bytes: Uint8Array[] = [];
  near.open({ onData: (chunk) => void bytes.push(chunk), onClose: () => (closed = true) });
  await setup.port.serve(far);
  await setup.clock.advance(0);
  assert.deepEqual([closed, bytes.length], [true, 0]);
  await setup.network.close();
});

test("a NoOp ends the handshake, and another follows every ten seconds, whatever is sent", async () => {
  const setup = await running();
  const client = await joined(setup);
  assert.deepEqual(typesOf(client), ["NoOp"]);
  await setup.clock.advance(9_999);
  client.send({ type: "NoOp" });
  assert.equal(client.said.length, 1);
  await setup.clock.advance(1);
  assert.equal(client.said.length, 2);
  await setup.clock.advance(100_000);
  assert.deepEqual(
    typesOf(client),
    Array.from({ length: 12 }, () => "NoOp"),
  );
  // The client has sent nothing for two minutes, and receiving does not count.
  await setup.clock.advance(19_998);
  assert.equal(client.link.error, null);
  await setup.clock.advance(1);
  await setup.clock.advance(0);
  assert.notEqual(client.link.error, null);
  assert.equal(setup.port.clients, 0);
  await setup.network.close();
});

test("replies arrive one at a time, each after the previous one was acknowledged", async () => {
  const setup = await running({ lambdaP: 1 });
  const { clock, gateway } = setup;
  const client = await joined(setup);
  for (let i = 0; i < 3; i++) {
    client.send({ type: "SendPacket", sphinxPacket: packetFor(setup, client.queueId) });
    await clock.advance(1);
  }
  await clock.advance(30_000);
  const messages = () => client.said.filter((command) => command.type === "Message");
  assert.deepEqual(
    messages().map(({ sequence }) => sequence),
    [1],
  );
  // While it waits there is no heartbeat, and other numbers have no effect.
  const noOps = typesOf(client).filter((type) => type === "NoOp").length;
  for (const sequence of [0, 2, 7]) client.send({ type: "MessageDelivered", sequence });
  await clock.advance(20_000);
  assert.equal(messages().length, 1);
  assert.equal(typesOf(client).filter((type) => type === "NoOp").length, noOps);
  client.send({ type: "MessageDelivered", sequence: 1 });
  await clock.advance(0);
  assert.deepEqual(
    messages().map(({ sequence }) => sequence),
    [1, 2],
  );
  assert.equal(gateway.spool.size, 2);
  // Unacknowledged replies are sent again on the next link of that name, starting with 1.
  client.link.close(new Error("gone"));
  await clock.advance(1000);
  const again = await joined(setup, client.queueId);
  const first = again.said.find(({ type }) => type === "Message");
  const second = messages()[1]!;
  assert.deepEqual(first, { ...second, sequence: 1 });
  again.send({ type: "MessageDelivered", sequence: 1 });
  await clock.advance(0);
  again.send({ type: "MessageDelivered", sequence: 2 });
  await clock.advance(10_000);
  assert.deepEqual(typesOf(again), ["NoOp", "Message", "Message", "NoOp"]);
  assert.equal(gateway.spool.size, 0);
  await setup.network.close();
});

test("a client that never acknowledges receives nothing more on this link, and may still send", async () => {
  const setup = await running({ lambdaP: 1 });
  const { clock, network } = setup;
  const client = await joined(setup);
  const send = () =>
    client.send({ type: "SendPacket", sphinxPacket: packetFor(setup, client.queueId) });
  send();
  await clock.advance(90_000);
  assert.deepEqual(typesOf(client).at(-1), "Message");
  const heard = client.said.length;
  client.send({ type: "MessageDelivered", sequence: 1 });
  send();
  await clock.advance(100_000);
  assert.equal(client.said.length, heard);
  assert.equal(client.link.error, null);
  assert.equal(network.describe().traffic.delivered, 2);
  await network.close();
});

test("replies for absent clients are kept until the end of the epoch", async () => {
  const setup = await running({ lambdaP: 1 });
  const { clock, network, gateway } = setup;
  const away = newQueueId();
  const client = await joined(setup);
  client.send({ type: "SendPacket", sphinxPacket: packetFor(setup, away, "for later") });
  await clock.advance(60_000);
  assert.equal(gateway.spool.size, 1);
  const other = await joined(setup, away);
  assert.deepEqual(typesOf(other), ["NoOp", "Message"]);
  other.link.close(new Error("gone"));
  await clock.advance(network.epoch().leftMs + 1);
  assert.equal(gateway.spool.size, 0);
  const late = await joined(setup, away);
  assert.deepEqual(typesOf(late), ["NoOp"]);
  await network.close();
});

test("a newer link with the same name and key ends the older one; with another key it does not", async () => {
  const setup = await running();
  const [name, key] = [newQueueId(), randomBytes(32)];
  const older = await joined(setup, name, key);
  const other = await joined(setup, name);
  assert.equal(older.link.error, null);
  const newer = await joined(setup, name, key);
  await setup.clock.advance(0);
  assert.notEqual(older.link.error, null);
  assert.equal(other.link.error, null);
  assert.equal(newer.link.error, null);
  assert.equal(setup.port.clients, 2);
  await setup.network.close();
});

test("names of other lengths are admitted, and get no replies", async () => {
  const setup = await running();
  for (const length of [0, 5, 40, 255]) {
    const client = await joined(setup, randomBytes(length));
    assert.deepEqual(typesOf(client), ["NoOp"], String(length));
    client.link.close(new Error("done"));
  }
  await setup.network.close();
});

test("packets beyond the rate are dropped without an error, and even the first needs a token", async () => {
  const setup = await running({ lambdaP: 0.01, lambdaL: 0 });
  const { clock, network } = setup;
  const client = await joined(setup);
  const burst = async (count: number): Promise<number> => {
    const before = network.describe().traffic.sent;
    const sphinxPacket = packetFor(setup, client.queueId);
    for (let i = 0; i < count; i++) client.send({ type: "SendPacket", sphinxPacket });
    await clock.advance(0);
    return network.describe().traffic.sent - before;
  };
  assert.equal(await burst(50), 1);
  await clock.advance(1000);
  assert.equal(await burst(50), 11);
  client.send({ type: "NoOp" });
  await clock.advance(100_000);
  assert.equal(await burst(400), 256);
  assert.equal(client.link.error, null);
  await network.close();
});

test("a consensus is sent in chunks or as a whole, and a missing one gives its code", async () => {
  const setup = await running();
  const { clock, network, codec } = setup;
  const first = network.currentEpoch;
  const client = await joined(setup);
  /** Asks, and waits for the whole answer. */
  const askFrom = async (
    asking: typeof client,
    command: WireCommand,
  ): Promise<readonly WireCommand[]> => {
    const before = asking.said.length;
    asking.send(command);
    for (;;) {
      // Packing runs outside the event loop, and the virtual clock does not know about it.
      await new Promise((resolve) => setTimeout(resolve, 5));
      await clock.advance(0);
      const said = asking.said.slice(before);
      const [first] = said;
      const total = first?.type === "Consensus2" && first.errorCode === 0 ? first.chunkTotal : 1;
      if (said.length >= total) return said;
    }
  };
  const ask = (command: WireCommand): Promise<readonly WireCommand[]> => askFrom(client, command);
  const fetched = async (epoch: number): Promise<number | Bytes> => {
    const assembler = new ConsensusAssembler(codec.chunkLength);
    for (const piece of await ask({ type: "GetConsensus2", epoch: BigInt(epoch) })) {
      assert.equal(piece.type, "Consensus2");
      const answer = assembler.add(piece);
      if (answer !== null)
        return answer.packed === null ? answer.errorCode : unpackConsensus(answer.packed);
    }
    throw new Error("no whole answer");
  };
  const { certificate } = network.documents()[0]!;
  assert.deepEqual(await fetched(first), certificate);
  assert.equal(await fetched(first + 1), 1);
  assert.equal(await fetched(first + 1000), 1);
  assert.equal(await fetched(first - 1), 1);
  assert.equal(await fetched(first - 2), 2);
  assert.equal(await fetched(0), 2);
  const whole = await ask({ type: "GetConsensus", epoch: BigInt(first) });
  assert.deepEqual(whole, [{ type: "Consensus", errorCode: 0, payload: certificate }]);
  const [none] = await ask({ type: "GetConsensus", epoch: 2n ** 64n - 1n });
  assert.deepEqual(none, { type: "Consensus", errorCode: 1, payload: new Uint8Array(0) });
  // The next document is available from 5/8 of the epoch; old ones for two epochs.
  const { periodMs, leftMs } = network.epoch();
  client.link.close(new Error("until later"));
  await clock.advance(Math.max(0, leftMs - periodMs * (3 / 8) + 1));
  assert.equal(network.documents().length, 2);
  for (let i = 0; i < 2; i++) await network.advanceEpoch();
  const later = await joined(setup);
  const [answer] = await askFrom(later, { type: "GetConsensus", epoch: BigInt(first) });
  assert.equal(answer?.type === "Consensus" && answer.errorCode, 0);
  await network.close();
});

test("SendRetrievePacket is answered, and discards the reply that has waited longest", async () => {
  const setup = await running({ lambdaP: 1 });
  const { clock, network, gateway } = setup;
  const away = newQueueId();
  gateway.enter(packetFor(setup, away));
  await clock.advance(60_000);
  assert.equal(gateway.spool.size, 1);
  const client = await joined(setup, away);
  client.send({ type: "SendRetrievePacket", sphinxPacket: packetFor(setup, away) });
  await clock.advance(0);
  assert.equal(client.said.at(-1)?.type, "SendRetrievePacketReply");
  assert.equal(gateway.spool.size, 0);
  assert.equal(network.describe().traffic.delivered, 1);
  await network.close();
});

test("a command that no client sends ends only its own link", async () => {
  const setup = await running();
  const { clock, network } = setup;
  const good = await joined(setup);
  const ciphertext = new Uint8Array(
    network.geometry.payloadTagLength + network.geometry.forwardPayloadLength,
  );
  const bad: WireCommand[] = [
    { type: "Disconnect" },
    { type: "RetrieveMessage", sequence: 1 },
    { type: "Message", sequence: 1, surbId: new Uint8Array(16), ciphertext },
    { type: "Consensus", errorCode: 0, payload: new Uint8Array(5) },
    { type: "SendPacket", sphinxPacket: new Uint8Array(network.geometry.packetLength - 1) },
    { type: "SendPacket", sphinxPacket: new Uint8Array(network.geometry.packetLength + 1) },
  ];
  for (const command of bad) {
    const client = await joined(setup);
    client.send(command);
    await clock.advance(0);
    assert.notEqual(client.link.error, null, command.type);
  }
  // A packet of zeros, which includes a low-order group element, is dropped.
  const client = await joined(setup);
  const sphinxPacket = new Uint8Array(network.geometry.packetLength);
  client.send({ type: "SendPacket", sphinxPacket });
  await clock.advance(0);
  assert.equal(client.link.error, null);
  assert.equal(network.describe().traffic.dropped, 1);
  assert.equal(good.link.error, null);
  await network.close();
});

/** The far end of a handshake, controlled by a test. */
function raw(setup: Setup): { near: MemoryTransport; bytes: () => Bytes; closed: () => boolean } {
  const [near, far] = memoryPair();
  const chunks: Uint8Array[] = [];
  let isClosed = false;
  near.open({ onData: (chunk) => void chunks.push(chunk), onClose: () => (isClosed = true) });
  void setup.port.serve(far);
  return { near, bytes: () => concatBytes(...chunks), closed: () => isClosed };
}

test("garbage at any state of the handshake ends only that handshake", async () => {
  const setup = await running();
  const { clock, network, port } = setup;
  const good = await joined(setup);
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) await clock.advance(0);
  };
  // A wrong first byte ends it at once.
  const wrong = raw(setup);
  wrong.near.write(Uint8Array.of(4));
  await settle();
  assert.equal(wrong.closed(), true);
  // Low-order keys in message one.
  for (const point of [new Uint8Array(32), Uint8Array.from({ length: 32 }, (_, i) => +(i === 0))]) {
    const low = raw(setup);
    low.near.write(concatBytes(Uint8Array.of(3), point));
    await settle();
    assert.deepEqual([low.closed(), low.bytes().length], [true, 0]);
  }
  // Message three, correct except for one field.
  for (const change of ["nothing", "first byte", "last byte", "random", "static key"] as const) {
    const third = raw(setup);
    const own = x25519Kem.generate();
    const staticKeys = change === "static key" ? { ...own, publicKey: new Uint8Array(32) } : own;
    const initiator = new HandshakeInitiator({ kem: x25519Kem, staticKeys });
    third.near.write(initiator.writeFirst());
    await settle();
    initiator.readSecond(third.bytes());
    const answered = third.bytes().length;
    const message = initiator.writeThird(
      encodeAuthPayload({ additionalData: newQueueId(), unixTime: 0 }),
    );
    if (change === "first byte") message[0]! ^= 1;
    if (change === "last byte") message[message.length - 1]! ^= 1;
    if (change === "random") message.set(randomBytes(message.length));
    third.near.write(message);
    await settle();
    assert.equal(third.closed(), change !== "nothing", change);
    assert.equal(third.bytes().length > answered, change === "nothing", change);
    third.near.destroy();
  }
  // Frames of garbage after the handshake.
  const frames = await joined(setup);
  frames.link.write(randomBytes(5000));
  await settle();
  assert.notEqual(frames.link.error, null);
  assert.equal(good.link.error, null);
  assert.equal(port.clients, 1);
  await network.close();
});

test("a client that is slow with the handshake is disconnected after three seconds, at any state", async () => {
  const setup = await running();
  const { clock, network } = setup;
  const initiator = new HandshakeInitiator({ kem: x25519Kem, staticKeys: x25519Kem.generate() });
  for (const sent of [new Uint8Array(0), Uint8Array.of(3), initiator.writeFirst()]) {
    const slow = raw(setup);
    slow.near.write(sent);
    await clock.advance(2999);
    assert.equal(slow.closed(), false);
    await clock.advance(1);
    await clock.advance(0);
    assert.equal(slow.closed(), true);
  }
  await network.close();
});

test("floods of links, of unread answers and of commands are limited", async () => {
  const setup = await running();
  const { clock, network, port } = setup;
  const links = Array.from({ length: 1100 }, () => raw(setup));
  await clock.advance(0);
  assert.equal(links.filter(({ closed }) => closed()).length, 1100 - 1024);
  await clock.advance(3000);
  await clock.advance(0);
  assert.ok(links.every(({ closed }) => closed()));
  // Requests for a document from a client that reads nothing: the gateway answers as many as it can
  // write, and stops reading.
  const deaf = await joined(setup);
  const [near, far] = deaf.ends;
  near.pause();
  for (let i = 0; i < 2000; i++) {
    deaf.send({ type: "GetConsensus2", epoch: BigInt(network.currentEpoch) });
  }
  for (let i = 0; i < 50 || far.queuedBytes === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    await clock.advance(0);
  }
  assert.ok(far.queuedBytes < 300_000, `${far.queuedBytes} bytes of answers in memory`);
  assert.ok(near.queuedBytes > 1_000_000, `${near.queuedBytes} bytes of questions not read`);
  assert.equal(deaf.link.error, null);
  // It reads nothing for a minute.
  await clock.advance(60_000);
  await clock.advance(0);
  assert.notEqual(deaf.link.error, null);
  // A client that reads gets all its answers.
  const busy = await joined(setup);
  for (let i = 0; i < 500; i++) {
    busy.send({ type: "GetConsensus2", epoch: BigInt(network.currentEpoch + 9) });
    busy.send({ type: "MessageDelivered", sequence: i });
    busy.send({ type: "NoOp" });
  }
  for (let i = 0; i < 600; i++) await clock.advance(0);
  assert.equal(busy.said.filter(({ type }) => type === "Consensus2").length, 500);
  assert.equal(busy.link.error, null);
  assert.equal(port.clients, 1);
  await network.close();
});

test("all links end while the network is unreachable, and new ones are refused", async () => {
  const setup = await running();
  const { clock, network, port } = setup;
  const client = await joined(setup);
  network.faults.setOnline(false);
  await clock.advance(0);
  assert.notEqual(client.link.error, null);
  const refused = raw(setup);
  await clock.advance(0);
  assert.deepEqual([refused.closed(), refused.bytes().length, port.clients], [true, 0, 0]);
  network.faults.setOnline(true);
  const again = await joined(setup);
  assert.deepEqual(typesOf(again), ["NoOp"]);
  assert.equal(utf8ToText(again.queueId).length, 32);
  await network.close();
});
