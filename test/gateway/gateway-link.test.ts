import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBytes, toHex, utf8, utf8ToText } from "../../src/bytes/bytes.js";
import { SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { DialPauses } from "../../src/gateway/connector.js";
import { ConsensusError } from "../../src/gateway/commands.js";
import { GatewayLink, type GatewayLinkOptions } from "../../src/gateway/gateway-link.js";
import { xwingKem } from "../../src/kem/xwing.js";
import type { ConsensusDocument, OutgoingPacket, ReplyPacket } from "../../src/mixnet/link.js";
import { type CborMap, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";
import { decodeCertificate } from "../../src/pki/certificate.js";
import { PkiDocument } from "../../src/pki/document.js";
import { epochAt, epochStart } from "../../src/pki/epoch.js";
import { type LinkTrace, shortId } from "../../src/mixnet/trace.js";
import { findServices } from "../../src/pki/services.js";
import { memoryPair } from "../../src/transport/memory.js";
import {
  FIRST_EPOCH,
  ScriptedNetwork,
  authorities,
  geometry,
  pinnedGateway,
  signedDocument,
} from "./scripted-network.js";

/**
 * The period is short, so that the clock at the file's epochs fits the 32 bits of the handshake.
 */
const periodMs = 40_000;

function scene(change: Partial<GatewayLinkOptions> = {}) {
  const clock = new VirtualClock(epochStart(FIRST_EPOCH, periodMs) + 1000);
  const epochNow = () => epochAt(clock.now(), periodMs).epoch;
  const network = new ScriptedNetwork(clock, epochNow);
  const told = {
    replies: [] as ReplyPacket[],
    documents: [] as ConsensusDocument[],
    statuses: [] as string[],
  };
  const dialled: [number, string][] = [];
  const start = clock.now();
  const link = new GatewayLink({
    clock,
    kem: xwingKem,
    pinned: [pinnedGateway],
    geometry,
    authorities,
    periodMs,
    dial: async (url) => {
      dialled.push([clock.now() - start, url]);
      const [near, far] = memoryPair();
      void network.accept(far);
      return near;
    },
    ...change,
  });
  link.open({
    onReply: (reply) => told.replies.push(reply),
    onDocument: (document) => told.documents.push(document),
    onStatus: ({ connected, error }) => told.statuses.push(connected ? "connected" : error),
  });
  return { clock, network, link, told, dialled };
}

type Scene = ReturnType<typeof scene>;

/** One step of time. Unpacking takes real time, so the virtual clock must not run ahead of it. */
async function step({ clock }: Scene, ms: number): Promise<void> {
  await clock.advance(ms);
  await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Moves time on in small steps. */
async function pass(all: Scene, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 250) await step(all, 250);
}

/** Moves time on until `happened` returns true. */
async function until(all: Scene, happened: () => boolean, limitMs = 300_000): Promise<void> {
  const limit = all.clock.now() + limitMs;
  while (!happened()) {
    assert.ok(all.clock.now() < limit, "it did not happen in time");
    await step(all, 20);
  }
}

/** Closes the link and moves time on, because the link may have real work to finish. */
async function closed(all: Scene): Promise<void> {
  let isClosed = false;
  void all.link.close().then(() => (isClosed = true));
  await until(all, () => isClosed);
}

async function online(change: Partial<GatewayLinkOptions> = {}): Promise<Scene> {
  const all = scene(change);
  await until(all, () => all.told.documents.length > 0);
  return all;
}

const document = PkiDocument.decode(decodeCertificate(signedDocument(FIRST_EPOCH)).certified);

function echoPacket(payload: Uint8Array, surbId: SurbId | null = SurbId.random()): OutgoingPacket {
  const [destination, recipient] = findServices("echo", document)[0]!.toDestination();
  return { destination, recipient, payload, surbId };
}

test("a packet travels to the echo service and back, through a real Sphinx layer at every hop", async () => {
  const all = await online();
  const { link, network, told, clock } = all;
  assert.deepEqual(told.statuses, ["connected"]);
  assert.equal(told.documents[0]!.epoch, FIRST_EPOCH);
  const packet = echoPacket(utf8("hello"));
  const sent = await link.send(packet);
  assert.equal(sent.sentAt, clock.now());
  assert.ok(sent.replyEtaMs > 0 && sent.replyEtaMs < 2 * periodMs);
  await until(all, () => told.replies.length > 0);
  const [reply] = told.replies;
  assert.equal(toHex(reply!.surbId), toHex(packet.surbId!));
  assert.equal(reply!.payload.length, geometry.forwardPayloadLength);
  assert.equal(utf8ToText(reply!.payload.slice(0, 5)), "hello");
  const layers = network.ways[0]!;
  assert.equal(layers.length, 9);
  assert.deepEqual([layers[0], layers[8]], ["gateway1", "gateway1"]);
  assert.match(layers[4]!, /^servicenode/);
  assert.deepEqual(network.failures, []);
  const { phase, sent: count, replies, surbs, documents } = link.describe();
  assert.deepEqual([phase, count, replies, surbs], ["connected", 1, 1, 0]);
  assert.equal(documents[0]!.signers.length, 3);
  await closed(all);
  assert.equal(link.describe().phase, "closed");
});

test("a link reports its dial, its document, the path of each packet, and its end", async () => {
  const events: LinkTrace[] = [];
  const all = await online({ onTrace: (event) => void events.push(event) });
  const { link, network, told } = all;
  const packet = echoPacket(utf8("SENTINEL of the link"));
  await link.send(packet);
  await until(all, () => told.replies.length > 0);
  // There is no real network in between, so the reply arrives before the send is confirmed.
  assert.deepEqual(
    events.map(({ event }) => event),
    ["connecting", "connected", "document", "reply", "sent"],
  );
  const [connecting, , , , sent] = events;
  assert.ok(connecting?.event === "connecting" && sent?.event === "sent");
  assert.equal(connecting.gateway, "gateway1");
  assert.match(connecting.address!, /^tcp:/);
  assert.equal(sent.packet, shortId(packet.surbId!));
  const way = [...sent.forward, ...sent.reply].map(({ node }) => node);
  assert.deepEqual(way, network.ways[0]);
  await closed(all);
  assert.equal(events.at(-1)!.event, "disconnected");
  assert.ok(!JSON.stringify(events).includes("SENTINEL"));
});

test("a packet without a reply block arrives complete", async () => {
  const all = await online();
  const sent = await all.link.send(echoPacket(utf8("one way"), null));
  assert.equal(sent.replyEtaMs, 0);
  await until(all, () => all.network.echoed.length > 0);
  assert.equal(utf8ToText(all.network.echoed[0]!.slice(0, 7)), "one way");
  await closed(all);
});

test("decoys travel to the echo service and back without an event", async () => {
  const all = await online();
  for (let i = 0; i < 3; i++) await all.link.sendDecoy();
  await until(all, () => all.link.describe().replies === 3);
  assert.equal(all.network.echoed.length, 3);
  assert.ok(all.network.echoed.every((payload) => payload.every((byte) => byte === 0)));
  assert.deepEqual(all.told.replies, []);
  assert.equal(all.link.describe().decoys, 3);
  await closed(all);
});

test("duplicate, unknown and damaged replies are ignored", async () => {
  const all = await online();
  const { link, network, told } = all;
  let caught: { surbId: Uint8Array; ciphertext: Uint8Array } | null = null;
  const deliver = network.deliver.bind(network);
  network.deliver = (to, surbId, ciphertext) => {
    caught = { surbId, ciphertext };
    deliver(to, surbId, ciphertext);
    deliver(to, surbId, ciphertext);
    deliver(to, randomBytes(16), ciphertext);
  };
  await link.send(echoPacket(utf8("once")));
  await until(all, () => told.replies.length > 0);
  await pass(all, 2000);
  assert.equal(told.replies.length, 1);
  network.deliver = (to, surbId, ciphertext) => {
    const wrong = ciphertext.slice();
    wrong[0]! ^= 1;
    deliver(to, surbId, wrong);
  };
  await link.send(echoPacket(utf8("damaged")));
  await pass(all, 2000);
  assert.equal(told.replies.length, 1);
  assert.ok(caught !== null);
  const acknowledged = network.links[0]!.received.filter(({ type }) => type === "MessageDelivered");
  assert.equal(acknowledged.length, 4, "every one is acknowledged");
  await closed(all);
});

test("an unsendable packet is refused, and the link stays up", async () => {
  const all = scene();
  const packet = echoPacket(utf8("early"));
  await assert.rejects(all.link.send(packet), {
    name: "LinkError",
    message: "client/conn: not connected to the Gateway",
  });
  await until(all, () => all.told.documents.length > 0);
  const nowhere = { ...packet, destination: randomBytes(32) as typeof packet.destination };
  const refusals: [OutgoingPacket, RegExp][] = [
    [nowhere, /failed to find destination service node/],
    [{ ...packet, payload: new Uint8Array(2001) }, /^message too large: 2001 > 2000$/],
    [{ ...packet, recipient: new Uint8Array(33) }, /must be 1 to 32 bytes, got 33/],
    [{ ...packet, recipient: new Uint8Array(0) }, /must be 1 to 32 bytes, got 0/],
  ];
  for (const [wrong, message] of refusals) {
    await assert.rejects(all.link.send(wrong), { name: "LinkError", message });
  }
  await all.link.send(packet);
  await until(all, () => all.told.replies.length === 1);
  await closed(all);
  await assert.rejects(all.link.send(packet), { name: "LinkError" });
});

test("one link lasts six epochs with a document each, and packets keep arriving", async () => {
  const all = await online();
  const { link, network, told, clock } = all;
  let expected = 0;
  const end = clock.now() + 6 * periodMs;
  while (clock.now() < end) {
    await link.send(echoPacket(utf8(`message ${expected}`)));
    expected++;
    await pass(all, 5000);
  }
  await pass(all, 3000);
  assert.equal(told.replies.length, expected);
  assert.deepEqual(network.failures, []);
  const epochs = told.documents.map(({ epoch }) => epoch);
  assert.deepEqual(
    epochs,
    [0, 1, 2, 3, 4, 5, 6].map((i) => FIRST_EPOCH + i),
  );
  assert.deepEqual(told.statuses, ["connected"]);
  assert.equal(link.epoch().current, FIRST_EPOCH + 6);
  assert.ok(link.describe().documents.length <= 3);
  await closed(all);
});

test("a lost link is replaced under another queue ID, soon after a good one", async () => {
  const all = await online();
  const { network, dialled, told } = all;
  const lost = all.clock.now();
  assert.equal(all.link.describe().lastError, null);
  network.links[0]!.link.close(new Error("crash"));
  await until(all, () => all.link.describe().phase === "waiting");
  assert.equal(all.link.describe().lastError, "the other end closed the connection");
  await until(all, () => network.links.length === 2);
  assert.deepEqual(dialled.length, 2);
  assert.ok(all.clock.now() - lost <= 2100, "two seconds after a link that worked");
  assert.deepEqual(told.statuses, [
    "connected",
    "the other end closed the connection",
    "connected",
  ]);
  assert.notDeepEqual(network.links[0]!.queueId, network.links[1]!.queueId);
  assert.equal(all.link.describe().lastError, null, "a link that is up again has no failure");
  await all.link.send(echoPacket(utf8("again")));
  await until(all, () => told.replies.length === 1);
  await closed(all);
});

test("pauses between failed dials grow", async () => {
  const dialled: number[] = [];
  let start = 0;
  const all = scene({
    dial: () => {
      dialled.push(all.clock.now() - start);
      return Promise.reject(new Error("refused"));
    },
  });
  start = all.clock.now();
  await all.clock.advance(600_000);
  const pauses = dialled.slice(1).map((at, i) => at - dialled[i]!);
  assert.deepEqual(
    pauses,
    [15, 30, 45, 60, 75, 90, 105, 120].map((s) => s * 1000),
  );
  assert.deepEqual(all.told.statuses, ["refused"], "an unchanged status is reported once");
  assert.equal(all.link.describe().lastError, "refused");
  await closed(all);
});

test("a dial that is never answered is given up after a minute", async () => {
  let aborted = "";
  const all = scene({
    dial: (_url, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted = (signal.reason as Error).message;
          reject(signal.reason as Error);
        });
      }),
  });
  await all.clock.advance(61_000);
  assert.equal(aborted, "tcp://192.0.2.1:1: no connection within 60000 ms");
  await closed(all);
});

test("a gateway without a usable address does not cause a busy loop", async () => {
  const all = scene({ transports: ["onion"] });
  await all.clock.advance(120_000);
  assert.deepEqual(all.dialled, []);
  assert.deepEqual(all.told.statuses, ["gateway1 has no address of these transports: onion"]);
  assert.ok(all.clock.pending < 3);
  await closed(all);
});

test("an invalid document is never passed on, the link ends, and packets are refused", async () => {
  const wrong: [string, Parameters<typeof signedDocument>[1] & object, RegExp][] = [
    ["too few signers", { signers: 1 }, /1 of 3 authorities signed, 2 are needed/],
    [
      "another geometry",
      { edit: (d) => d.set("SphinxGeometryHash", new Uint8Array(32)) },
      /geometry/,
    ],
    ["another epoch", { edit: (d) => d.set("Epoch", 7) }, /document of epoch 7/],
    ["no gateways", { edit: (d) => d.set("GatewayNodes", []) }, /./],
  ];
  for (const [name, change, message] of wrong) {
    const refused: (LinkTrace & { readonly event: "documentRefused" })[] = [];
    const all = scene({
      onTrace: (trace) => void (trace.event === "documentRefused" && refused.push(trace)),
    });
    all.network.documents = (epoch) => signedDocument(epoch, change);
    await until(all, () => all.told.statuses.length >= 3);
    assert.deepEqual(
      refused.map(({ gateway, epoch }) => [gateway, epoch]),
      [["gateway1", FIRST_EPOCH]],
      name,
    );
    assert.match(refused[0]!.reason, message, name);
    assert.match(all.told.statuses[1]!, message, name);
    assert.deepEqual(all.told.documents, [], name);
    // There is only one gateway, so the link uses it again, but does not ask again for a document
    // that was invalid.
    await pass(all, 10_000);
    await assert.rejects(all.link.send(echoPacket(utf8("x"))), { message: /no document/ }, name);
    const asked = all.network.links.flatMap(({ received }) =>
      received.filter((c) => c.type === "GetConsensus2" && c.epoch === BigInt(FIRST_EPOCH)),
    );
    assert.equal(asked.length, 1, name);
    await closed(all);
  }
});

/** A scene with two gateways, of which the first that is dialled gives nothing to use. */
function withBadGateway(bad: (epoch: number) => ReturnType<typeof signedDocument> | null) {
  const other = {
    ...pinnedGateway,
    name: "other",
    addresses: new Map([["tcp", ["tcp://192.0.2.2:2"]]]),
  };
  const visited: string[] = [];
  const all = scene({
    pinned: [pinnedGateway, other],
    dial: async (url) => {
      visited.push(url);
      const [near, far] = memoryPair();
      const isBad = visited[0] === url;
      all.network.documents = (epoch) => (isBad ? bad(epoch) : signedDocument(epoch));
      void all.network.accept(far);
      return near;
    },
  });
  return { all, visited };
}

test("after an invalid document from one gateway the link uses another gateway", async () => {
  const { all, visited } = withBadGateway((epoch) => signedDocument(epoch, { signers: 0 }));
  await until(all, () => all.told.documents.length > 0);
  assert.equal(visited.length, 2);
  assert.notEqual(visited[0], visited[1]);
  await closed(all);
});

for (const errorCode of [ConsensusError.NOT_FOUND, ConsensusError.GONE]) {
  test(`a link leaves a gateway that always answers ${errorCode}, and uses another one`, async () => {
    const { all, visited } = withBadGateway(() => null);
    all.network.errorCode = errorCode;
    await until(all, () => all.told.documents.length > 0, periodMs / 2);
    assert.equal(new Set(visited).size, 2);
    await closed(all);
  });
}

test("a link does not keep switching between gateways without the document", async () => {
  const other = { ...pinnedGateway, name: "other" };
  const all = scene({ pinned: [pinnedGateway, other] });
  const { documents } = all.network;
  let missing = true;
  all.network.documents = (epoch) => (missing ? null : documents(epoch));
  await pass(all, periodMs / 2);
  assert.equal(all.dialled.length, 2);
  missing = false;
  await until(all, () => all.told.documents.length > 0, periodMs / 4);
  await closed(all);
});

test("the link to a gateway that is not in the consensus is closed", async () => {
  const all = scene();
  all.network.documents = (epoch) =>
    signedDocument(epoch, {
      edit: (document) => {
        const [gateway] = document.get("GatewayNodes") as Uint8Array[];
        const other = decodeCbor(gateway!) as Map<string, unknown>;
        other.set("LinkKey", new Uint8Array(1216));
        document.set("GatewayNodes", [encodeCbor(other as CborMap)]);
      },
    });
  await until(all, () => all.told.statuses.length >= 2);
  assert.equal(all.told.statuses[1], "the consensus does not list gateway1 with these keys");
  await closed(all);
});

test("a missing document is requested again", async () => {
  const all = scene();
  let missing = true;
  const { documents } = all.network;
  all.network.documents = (epoch) => (missing ? null : documents(epoch));
  await pass(all, periodMs / 4);
  assert.deepEqual(all.told.documents, []);
  missing = false;
  await until(all, () => all.told.documents.length > 0);
  assert.deepEqual(all.told.statuses, ["connected"]);
  await closed(all);
});

test("a daemon that wants a document makes the link request it at once", async () => {
  const all = scene();
  const { documents } = all.network;
  all.network.documents = () => null;
  await until(all, () => all.network.links.length > 0);
  await pass(all, 500);
  all.network.documents = documents;
  const before = all.clock.now();
  all.link.wantDocument();
  all.link.wantDocument();
  await until(all, () => all.told.documents.length > 0);
  assert.ok(all.clock.now() - before < periodMs / 16);
  await closed(all);
  all.link.wantDocument();
});

/** A clock that runs an hour ahead of another. */
function anHourAhead(clock: VirtualClock): VirtualClock {
  return new Proxy(clock, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (name === "now") return () => target.now() + 3_600_000;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("a clock that is an hour wrong is measured, and corrected only on request", async () => {
  for (const timeSync of [false, true]) {
    const all = scene({ timeSync });
    const { clock } = all;
    // The gateway's clock is an hour ahead of ours.
    Object.assign(all.network, { clock: anHourAhead(clock) });
    await until(all, () => all.told.statuses.length > 0);
    const { clockSkewMs, epoch } = all.link.describe();
    // Rounding adds up to a second, and the transit adds a little more.
    assert.ok(Math.abs(clockSkewMs! + 3_600_000) < 2000, String(clockSkewMs));
    assert.equal(epoch, FIRST_EPOCH + (timeSync ? 90 : 0));
    await closed(all);
  }
});

test("a sender's error names the skew of a wrong clock if there is no document", async () => {
  for (const timeSync of [false, true]) {
    const all = scene({ timeSync });
    all.network.documents = () => null;
    Object.assign(all.network, { clock: anHourAhead(all.clock) });
    await until(all, () => all.link.describe().documentProblem !== null);
    const message = [
      "client/conn: PKI error: client: no document of this epoch",
      "gateway1 does not have it yet",
      ...(timeSync ? [] : ["this machine's clock is 3600 s behind the gateway's: set it"]),
    ].join("; ");
    await assert.rejects(all.link.send(echoPacket(utf8("x"))), { name: "LinkError", message });
    await closed(all);
  }
});

/** A clock that stands `byMs` ms before `clock`. */
function behind(clock: VirtualClock, byMs: number): VirtualClock {
  return new Proxy(clock, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name === "now") return () => target.now() - byMs;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("a gateway whose clock says 1970 does not end a link that uses its clock", async () => {
  const all = scene({ timeSync: true });
  const { clock, network, link, told } = all;
  Object.assign(network, { clock: behind(clock, clock.now()) });
  await until(all, () => told.statuses.length > 0);
  await pass(all, 60_000);
  assert.ok(link.describe().clockSkewMs! > 40 * 365 * 86_400_000);
  assert.ok(link.epoch().current >= 0);
  // Its clock is set, and the next link is a good one.
  Object.assign(network, { clock });
  network.links.at(-1)!.link.close(new Error("restarted"));
  await until(all, () => told.documents.length > 0);
  await closed(all);
});

test("a machine whose clock says 1970 is told, and works once the clock is set", async () => {
  const real = new VirtualClock(epochStart(FIRST_EPOCH, periodMs) + 1000);
  let offMs = real.now();
  const wrong = new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name === "now") return () => target.now() - offMs;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const made = scene({ clock: wrong });
  Object.assign(made.network, { clock: real });
  made.network.documents = (epoch) => (epoch < FIRST_EPOCH ? null : signedDocument(epoch));
  const all = { ...made, clock: real };
  await until(all, () => all.told.statuses.length > 0);
  assert.ok(all.link.describe().clockSkewMs! < -40 * 365 * 86_400_000);
  await until(all, () => all.link.describe().documentProblem !== null);
  await assert.rejects(all.link.send(echoPacket(utf8("x"))), /clock is \d+ s behind the gateway's/);
  offMs = 0;
  await until(all, () => all.told.documents.length > 0);
  await closed(all);
});

/** A clock whose wall time can be set without moving its timers, as after sleep or by hand. */
class WallClock extends VirtualClock {
  aheadMs = 0;

  override now(): number {
    return super.now() + this.aheadMs;
  }
}

test("a link has this epoch's document soon after the wall clock was set, however long it sleeps", async () => {
  const longMs = 1_200_000;
  const clock = new WallClock(epochStart(300_000, longMs) + 1000);
  const made = scene({ clock, periodMs: longMs });
  Object.assign(made.network, { clock });
  const all = { ...made, clock };
  for (const aheadMs of [0, 7_200_000, 0]) {
    clock.aheadMs = aheadMs;
    await pass(all, 15_000);
    const { epoch } = epochAt(clock.now(), longMs);
    assert.equal(all.told.documents.at(-1)?.epoch, epoch, `${aheadMs} ms ahead`);
    assert.equal(all.told.statuses.length, 1, "the link stays up");
  }
  await closed(all);
});

test("closing ends the link, a dial in progress and waiting packets", async () => {
  const connected = await online();
  await closed(connected);
  await closed(connected);
  assert.equal(connected.told.statuses.at(-1), "the link was closed");
  const waiting = scene({ dial: () => Promise.reject(new Error("refused")) });
  await waiting.clock.advance(1000);
  await closed(waiting);
  assert.equal(waiting.clock.pending, 0);
  assert.throws(() => waiting.link.open(null as never), { name: "InvalidStateError" });
  assert.throws(() => scene({ pinned: [] }), { name: "RangeError" });
});

test("a link that is closed when its handshake ends is closed, at whichever moment", async (t) => {
  const { reset } = DialPauses.prototype;
  t.after(() => (DialPauses.prototype.reset = reset));
  for (let turns = 0; turns < 8; turns++) {
    const all = scene();
    let isClosed = false;
    const closeLater = async (): Promise<void> => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await all.link.close();
      isClosed = true;
    };
    // Called with the gateway's first command, which ends the handshake.
    DialPauses.prototype.reset = function (this: DialPauses): void {
      reset.call(this);
      void closeLater();
    };
    await until(all, () => isClosed, 30_000);
    assert.equal(all.link.describe().phase, "closed");
    assert.equal(all.network.links[0]!.link.error?.message, "the other end closed the connection");
  }
});

test("an aborted wait for a packet ends at once, and its reply block is forgotten", async () => {
  const all = await online();
  const { link, network } = all;
  const { surbs } = link.describe();
  const gone = AbortSignal.abort(new Error("nobody waits"));
  const sent = network.ways.length;
  await assert.rejects(link.send(echoPacket(utf8("late")), { signal: gone }), /nobody waits/);
  assert.deepEqual([link.describe().surbs, network.ways.length], [surbs, sent]);
  // A packet that has left cannot be taken back, but its sender may continue at once.
  network.onCommand = ({ type }) => type === "SendPacket";
  const controller = new AbortController();
  const sending = link.send(echoPacket(utf8("on its way")), { signal: controller.signal });
  controller.abort(new Error("the daemon was closed"));
  await assert.rejects(sending, /the daemon was closed/);
  assert.equal(link.describe().surbs, surbs);
  await closed(all);
});

test("a link without a connection reports that it is offline, so that operations wait", async () => {
  const all = await online();
  const { link } = all;
  await closed(all);
  await assert.rejects(link.send(echoPacket(utf8("x"))), { name: "LinkError", isOffline: true });
});
