/** The embedded network with real packets: each hop removes a layer, and drops invalid packets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Bytes,
  copyBytes,
  randomBytes,
  toHex,
  utf8,
  utf8ToText,
} from "../../src/bytes/bytes.js";
import { SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { Composer, type Surroundings } from "../../src/mixnet/composer.js";
import { newQueueId } from "../../src/mixnet/queue-id.js";
import { EmbeddedDaemon } from "../../src/network/embedded-daemon.js";
import { EmbeddedNetwork, type EmbeddedNetworkOptions } from "../../src/network/network.js";
import type { NetworkNode } from "../../src/network/topology.js";
import { type RoutingCommand, recipientOf } from "../../src/sphinx/commands.js";
import { encodeForwardPayload } from "../../src/sphinx/payload.js";
import { Sphinx } from "../../src/sphinx/sphinx.js";

async function started(options: Partial<EmbeddedNetworkOptions> = {}) {
  const clock = new VirtualClock();
  const network = new EmbeddedNetwork({ clock, seed: "sphinx", mixing: "sphinx", ...options });
  await network.start();
  return { clock, network, gateway: network.gateways[0]! };
}

type Setup = Awaited<ReturnType<typeof started>>;

/** A client's link, with the replies that it received. */
async function linked({ clock, network }: Setup) {
  const replies: string[] = [];
  const link = network.link();
  link.open({
    onReply: ({ payload }) => void replies.push(utf8ToText(payload).replace(/\0+$/, "")),
    onDocument: () => {},
    onStatus: () => {},
  });
  await clock.advance(0);
  return { link, replies };
}

function toEcho(network: EmbeddedNetwork, text: string) {
  const destination = network.serviceNodes[0]!.identityHash;
  return { destination, recipient: utf8("+echo"), payload: utf8(text), surbId: SurbId.random() };
}

/** A clock whose timers fire late from a given moment. */
function lateClock() {
  const virtual = new VirtualClock();
  let lateMs = 0;
  const clock = new Proxy(virtual, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (name === "monotonic") return () => target.monotonic() + lateMs;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { clock, becomeLater: (ms: number) => void (lateMs += ms) };
}

test("a packet that a busy hop passes on more than 450 ms late is dropped, unless mixes are kind", async () => {
  for (const [ms, kindMixes, arrives] of [
    [450, false, true],
    [451, false, false],
    [451, true, true],
  ] as const) {
    const { clock, becomeLater } = lateClock();
    const network = new EmbeddedNetwork({ clock, seed: "late", mixing: "sphinx", kindMixes });
    await network.start();
    const { link, replies } = await linked({ clock, network, gateway: network.gateways[0]! });
    await link.send(toEcho(network, "late?"));
    becomeLater(ms);
    await clock.advance(60_000);
    assert.deepEqual(replies, arrives ? ["late?"] : [], `${ms} ms`);
    assert.equal(network.describe().traffic.dropped, arrives ? 0 : 1);
    await network.close();
  }
});

test("an embedded daemon passes kindMixes on to its network", async () => {
  for (const kindMixes of [undefined, true]) {
    const { clock, becomeLater } = lateClock();
    const running = await clock.runUntil(
      EmbeddedDaemon.start({ clock, seed: "late", mixing: "sphinx", kindMixes }),
    );
    const { network } = running;
    const { link, replies } = await linked({ clock, network, gateway: network.gateways[0]! });
    await link.send(toEcho(network, "late?"));
    becomeLater(451);
    await clock.advance(20_000);
    assert.deepEqual(replies, kindMixes === true ? ["late?"] : []);
    await clock.runUntil(running.close());
  }
});

test("an echo returns through five hops and four, at the planned time", async () => {
  const setup = await started();
  const { clock, network } = setup;
  const { link, replies } = await linked(setup);
  const { replyEtaMs } = await link.send(toEcho(network, "hello"));
  assert.ok(replyEtaMs >= 8, String(replyEtaMs));
  await clock.advance(replyEtaMs - 1);
  assert.deepEqual(replies, []);
  await clock.advance(1);
  assert.deepEqual(replies, ["hello"]);
  const { sent, delivered, replies: back, lost, dropped } = network.describe().traffic;
  assert.deepEqual([sent, delivered, back, lost, dropped], [1, 1, 1, 0, 0]);
  assert.equal(network.describe().packetsUnderWay, 0);
  await network.close();
});

test("decoys return without an event, and without a reply block nothing returns", async () => {
  const setup = await started();
  const { clock, network } = setup;
  const { link, replies } = await linked(setup);
  await link.sendDecoy();
  await link.send({ ...toEcho(network, "no reply"), surbId: null });
  await clock.advance(60_000);
  assert.deepEqual(replies, []);
  const { sent, decoys, delivered, replies: back } = network.describe().traffic;
  assert.deepEqual([sent, decoys, delivered, back], [2, 1, 2, 1]);
  await network.close();
});

test("packets of one epoch arrive in the next, and not in the one after that", async () => {
  const setup = await started();
  const { clock, network } = setup;
  const { link, replies } = await linked(setup);
  await link.send(toEcho(network, "one epoch"));
  await network.advanceEpoch();
  await clock.advance(60_000);
  assert.deepEqual(replies, ["one epoch"]);
  await link.send(toEcho(network, "two epochs"));
  await network.advanceEpoch();
  await network.advanceEpoch();
  await clock.advance(60_000);
  assert.deepEqual(replies, ["one epoch"]);
  assert.equal(network.describe().traffic.dropped, 1);
  await network.close();
});

test("losses, delays and cuts work as with simulated packets", async () => {
  const setup = await started();
  const { clock, network } = setup;
  const { link, replies } = await linked(setup);
  network.faults.dropNext(1);
  await link.send(toEcho(network, "lost there"));
  network.faults.dropNext(1, "reply");
  await link.send(toEcho(network, "lost on its way back"));
  await clock.advance(60_000);
  assert.deepEqual(replies, []);
  assert.equal(network.describe().traffic.lost, 2);
  network.faults.setExtraDelay(10_000);
  const { replyEtaMs } = await link.send(toEcho(network, "late"));
  await clock.advance(replyEtaMs + 19_999);
  assert.deepEqual(replies, []);
  await clock.advance(1);
  assert.deepEqual(replies, ["late"]);
  network.faults.setExtraDelay(0);
  await link.send(toEcho(network, "cut"));
  network.faults.setOnline(false);
  await assert.rejects(link.send(toEcho(network, "offline")), { name: "LinkError" });
  network.faults.setOnline(true);
  await clock.advance(60_000);
  await link.send(toEcho(network, "again"));
  await clock.advance(60_000);
  assert.deepEqual(replies, ["late", "again"]);
  // Replies for an absent client are dropped at the end of the epoch.
  const { gateway } = setup;
  assert.equal(gateway.spool.size, 1);
  await clock.advance(network.epoch().leftMs);
  assert.equal(gateway.spool.size, 0);
  await network.close();
});

test("the same seed takes the same paths, and packets are encrypted on them", async () => {
  const etas = async (): Promise<number[]> => {
    const setup = await started();
    const { link } = await linked(setup);
    const sent = [];
    for (let i = 0; i < 5; i++) sent.push((await link.send(toEcho(setup.network, "x"))).replyEtaMs);
    await setup.network.close();
    return sent;
  };
  assert.deepEqual(await etas(), await etas());
});

/** Packets from a client that breaks the rules. */
function maker({ network, clock, gateway }: Setup) {
  const random = randomBytes;
  const composer = new Composer(network.geometry, random);
  const sphinx = new Sphinx(network.geometry, { random });
  const queueId = newQueueId();
  const around: Surroundings = {
    document: network.currentDocument()!,
    gateway: gateway.node.identityHash,
    queueId,
    epochIn: () => network.currentEpoch,
    periodMs: network.epoch().periodMs,
  };
  const { layers, serviceNodes } = network.topology;
  const hop = (node: NetworkNode, ...commands: RoutingCommand[]) => ({
    id: node.identityHash,
    publicKey: node.mixKey(network.currentEpoch),
    commands,
  });
  const delay = (delayMs = 1): RoutingCommand => ({ type: "NodeDelay", delayMs });
  const mixes = layers.map(([first]) => hop(first!, delay()));
  const plain = encodeForwardPayload(network.geometry, null, utf8("x"));
  return { composer, sphinx, queueId, around, hop, delay, mixes, plain, clock, serviceNodes };
}

test("a packet that ends at the gateway, or takes an invalid path later, is dropped", async () => {
  const setup = await started();
  const { clock, network, gateway } = setup;
  const { sphinx, hop, delay, mixes, plain, queueId, serviceNodes } = maker(setup);
  const entry = hop(gateway.node, delay());
  const [m1, m2, m3] = mixes as [typeof entry, typeof entry, typeof entry];
  const exit = hop(serviceNodes[0]!, recipientOf(utf8("+echo")));
  const surbReply: RoutingCommand = { type: "SURBReply", id: randomBytes(16) };
  const home = hop(gateway.node, recipientOf(queueId), surbReply);
  const bad = {
    "ends at the gateway": [hop(gateway.node, recipientOf(queueId), surbReply)],
    "ends at the gateway without commands": [hop(gateway.node)],
    "no delay at the gateway": [hop(gateway.node), m1, m2, m3, exit],
    "a reply that goes on": [hop(gateway.node, surbReply), m1, m2, m3, exit],
    "longer than three epochs": [
      hop(gateway.node, delay(3 * network.epoch().periodMs + 1)),
      m1,
      m2,
      m3,
      exit,
    ],
    "longer than any delay of this rate": [hop(gateway.node, delay(6000)), m1, m2, m3, exit],
    "straight to the second layer": [entry, m2, m3, exit],
    "straight to the service": [entry, exit],
    "from layer to layer backwards": [entry, m1, m1, m2, exit],
    "to nobody": [entry, { ...m1, id: randomBytes(32) }, m2, m3, exit],
    "a mix where it ends": [entry, hop(network.topology.layers[0]![0]!, recipientOf(queueId))],
    "on from the service": [entry, m1, m2, m3, hop(serviceNodes[0]!, delay())],
    "a service without a recipient": [entry, m1, m2, m3, hop(serviceNodes[0]!)],
    "a reply to a service": [
      entry,
      m1,
      m2,
      m3,
      hop(serviceNodes[0]!, recipientOf(queueId), surbReply),
    ],
    "a message to a user": [entry, m1, m2, m3, hop(gateway.node, recipientOf(queueId), delay())],
    "a user and no reply": [entry, m1, m2, m3, hop(gateway.node, recipientOf(queueId))],
    "home without a recipient": [entry, m1, m2, m3, hop(gateway.node, surbReply)],
    "home with a delay": [
      entry,
      m1,
      m2,
      m3,
      hop(gateway.node, recipientOf(queueId), surbReply, delay()),
    ],
  };
  for (const [what, path] of Object.entries(bad)) {
    const before = network.describe().traffic;
    gateway.enter(sphinx.newPacket(path, plain));
    await clock.advance(10_000);
    const after = network.describe().traffic;
    assert.equal(after.dropped, before.dropped + 1, what);
    assert.equal(after.delivered, before.delivered, what);
    assert.equal(gateway.spool.size, 0, what);
  }
  // A valid packet of each kind passes, so the packets above were not dropped for another reason.
  gateway.enter(sphinx.newPacket([entry, m1, m2, m3, exit], plain));
  gateway.enter(sphinx.newPacket([entry, m1, m2, m3, home], plain));
  await clock.advance(10_000);
  assert.equal(network.describe().traffic.delivered, 1);
  assert.equal(gateway.spool.size, 1);
  await network.close();
});

test("every hop drops replays, damaged packets and low-order group elements", async () => {
  const setup = await started();
  const { clock, network, gateway } = setup;
  const { composer, around } = maker(setup);
  const compose = (): Bytes => composer.compose(toEcho(network, "x"), around).packet;
  const good = compose();
  gateway.enter(good);
  gateway.enter(good);
  await clock.advance(60_000);
  assert.equal(network.describe().traffic.delivered, 1);
  assert.equal(network.describe().traffic.dropped, 1);
  const lowOrder = [
    new Uint8Array(32),
    Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)),
    copyBytes(
      Buffer.from("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", "hex"),
    ),
    copyBytes(
      Buffer.from("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "hex"),
    ),
  ];
  for (const point of lowOrder) {
    const packet = compose();
    packet.set(point, 2);
    gateway.enter(packet);
  }
  assert.equal(network.describe().traffic.dropped, 1 + lowOrder.length);
  const { headerLength, packetLength } = network.geometry;
  for (const at of [0, 1, 2, 33, 40, headerLength - 1]) {
    const packet = compose();
    packet[at]! ^= 1;
    gateway.enter(packet);
  }
  gateway.enter(compose().subarray(1));
  assert.equal(network.describe().traffic.dropped, 12);
  // Only the service checks the payload's tag.
  const packet = compose();
  packet[packetLength - 1]! ^= 1;
  gateway.enter(packet);
  await clock.advance(60_000);
  assert.equal(network.describe().traffic.dropped, 13);
  assert.equal(network.describe().traffic.delivered, 1);
  await network.close();
});

test("replies that wait at a gateway are limited, and the oldest of absent clients go first", async () => {
  const setup = await started();
  const { spool } = setup.gateway;
  const here = newQueueId();
  const leave = spool.attach(here, () => {});
  const [away, other] = [newQueueId(), newQueueId()];
  const reply = (n: number) => ({ surbId: utf8(String(n)), ciphertext: new Uint8Array(2) });
  for (let i = 0; i < 4; i++) spool.store(here, reply(i));
  spool.store(away, reply(4));
  while (spool.size < spool.mostReplies) spool.store(other, reply(5));
  spool.store(here, reply(6));
  assert.equal(spool.size, spool.mostReplies);
  assert.equal(spool.first(away), null);
  assert.equal(toHex(spool.first(here)!.surbId), toHex(utf8("0")));
  leave();
  await setup.network.close();
});
