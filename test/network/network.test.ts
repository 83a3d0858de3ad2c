import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, utf8, utf8ToText } from "../../src/bytes/bytes.js";
import { type IdentityHash, SurbId } from "../../src/bytes/opaque.js";
import { realClock } from "../../src/clock/real.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import type { MixnetLink } from "../../src/mixnet/link.js";
import { PkiDocument } from "../../src/pki/document.js";
import { findServices } from "../../src/pki/services.js";
import { verifyPkiDocument } from "../../src/pki/verify.js";
import { EmbeddedNetwork, type EmbeddedNetworkOptions } from "../../src/network/network.js";

interface Setup {
  readonly clock: VirtualClock;
  readonly network: EmbeddedNetwork;
}

async function started(options: Partial<EmbeddedNetworkOptions> = {}): Promise<Setup> {
  const clock = new VirtualClock();
  const network = new EmbeddedNetwork({ clock, seed: "a test", ...options });
  await network.start();
  return { clock, network };
}

interface Heard {
  readonly replies: { surbId: string; text: string; length: number; at: number }[];
  readonly documents: number[];
  readonly statuses: string[];
}

function listen(link: MixnetLink, clock: VirtualClock): Heard {
  const heard: Heard = { replies: [], documents: [], statuses: [] };
  link.open({
    onReply: ({ surbId, payload }) => {
      heard.replies.push({
        surbId: toHex(surbId),
        text: utf8ToText(payload).replace(/\0+$/, ""),
        length: payload.length,
        at: clock.now(),
      });
    },
    onDocument: ({ epoch, document }) => {
      assert.equal(PkiDocument.decode(document).epoch, epoch);
      heard.documents.push(epoch);
    },
    onStatus: ({ connected, error }) => heard.statuses.push(connected ? "connected" : error),
  });
  return heard;
}

function echo(network: EmbeddedNetwork, capability = "echo"): [IdentityHash, Uint8Array] {
  const service = findServices(capability, network.currentDocument()!)[0]!;
  return service.toDestination() as [IdentityHash, Uint8Array];
}

function packet(network: EmbeddedNetwork, text: string, capability = "echo") {
  const [destination, recipient] = echo(network, capability);
  return { destination, recipient, payload: utf8(text), surbId: SurbId.random() };
}

test("an echo returns padded with zeros to the forward payload length", async () => {
  const { clock, network } = await started();
  const link = network.link();
  const heard = listen(link, clock);
  await clock.advance(0);
  assert.deepEqual(heard.statuses, ["connected"]);
  const sent = packet(network, "hello");
  const before = clock.now();
  const { sentAt, replyEtaMs } = await link.send(sent);
  assert.deepEqual([sentAt, replyEtaMs], [before, 0]);
  await clock.advance(0);
  const { forwardPayloadLength } = network.geometry;
  assert.deepEqual(heard.replies, [
    { surbId: toHex(sent.surbId), text: "hello", length: forwardPayloadLength, at: before },
  ]);
  const { traffic, packetsUnderWay } = network.describe();
  assert.deepEqual(traffic, {
    sent: 1,
    decoys: 0,
    delivered: 1,
    undeliverable: 0,
    replies: 1,
    lost: 0,
    dropped: 0,
  });
  assert.equal(packetsUnderWay, 0);
  await network.close();
});

test("testdest answers like echo, and neither answers without a reply block", async () => {
  const { clock, network } = await started();
  const link = network.link();
  const heard = listen(link, clock);
  await clock.advance(0);
  for (const capability of ["echo", "testdest"]) {
    await link.send(packet(network, capability, capability));
    const sent = await link.send({ ...packet(network, "no reply", capability), surbId: null });
    assert.equal(sent.replyEtaMs, 0);
  }
  await clock.advance(0);
  assert.deepEqual(
    heard.replies.map((r) => r.text),
    ["echo", "testdest"],
  );
  assert.equal(network.describe().traffic.delivered, 4);
  await network.close();
});

test("without mixing, replies arrive in the order of their packets, with one turn each way", async () => {
  const { clock, network } = await started({ replicas: 0 });
  const [a, b] = [network.link(), network.link()];
  const heard = [listen(a, clock), listen(b, clock)];
  await clock.advance(0);
  const order: string[] = [];
  for (let i = 0; i < 20; i++) {
    await (i % 2 === 0 ? a : b).send(packet(network, `${i}`));
    order.push(`${i}`);
  }
  await clock.advance(0);
  const texts = (parity: number): string[] => order.filter((_, i) => i % 2 === parity);
  assert.deepEqual(
    heard[0]!.replies.map((r) => r.text),
    texts(0),
  );
  assert.deepEqual(
    heard[1]!.replies.map((r) => r.text),
    texts(1),
  );
  assert.equal(clock.pending, 1, "only the directory's timer is left");
  await network.close();
  assert.equal(clock.pending, 0);
});

test("a sender may reuse its buffer once the packet left", async () => {
  const { clock, network } = await started();
  const link = network.link();
  const heard = listen(link, clock);
  await clock.advance(0);
  const sent = packet(network, "mine");
  const [payload, recipient] = [sent.payload, sent.recipient.slice()];
  await link.send({ ...sent, recipient });
  payload.fill(0);
  recipient.fill(0);
  await clock.advance(0);
  assert.equal(heard.replies[0]?.text, "mine");
  await network.close();
});

test("with mixing, a reply takes exactly the planned time", async () => {
  const { clock, network } = await started({ mixing: "realistic" });
  const link = network.link();
  const heard = listen(link, clock);
  await clock.advance(0);
  const planned = new Map<string, number>();
  for (let i = 0; i < 200; i++) {
    const { sentAt, replyEtaMs } = await link.send(packet(network, `${i}`));
    planned.set(`${i}`, sentAt + replyEtaMs);
  }
  await clock.advance(30_000);
  assert.equal(heard.replies.length, 200);
  let sum = 0;
  for (const { text, at } of heard.replies) {
    assert.equal(at, planned.get(text));
    sum += at - (clock.now() - 30_000);
  }
  // Eight delays of 200 ms on average; 200 samples have a standard error of 40 ms.
  assert.ok(Math.abs(sum / 200 - 1600) < 200, `mean ${sum / 200}`);
  assert.notDeepEqual(
    heard.replies.map((r) => r.text),
    [...planned.keys()],
  );
  await network.close();
});

test("a service delays its answer, but not longer if it was slow itself", async () => {
  const { clock, network } = await started({ mixing: "realistic", seed: 7 });
  network.attach(0, {
    capability: "slow",
    endpoint: "slow",
    handle: async ({ payload }) => {
      await clock.sleep(1);
      return payload;
    },
  });
  const link = network.link();
  const heard = listen(link, clock);
  await clock.advance(0);
  const destination = network.serviceNodes[0]!.identityHash;
  const plans: number[] = [];
  for (let i = 0; i < 30; i++) {
    const surbId = SurbId.random();
    const sent = { destination, recipient: utf8("slow"), payload: utf8(`${i}`), surbId };
    plans.push((await link.send(sent)).replyEtaMs);
  }
  const start = clock.now();
  await clock.advance(30_000);
  // Only a service delay of 1 ms, the shortest, can be exceeded by 1 ms of work.
  for (const { text, at } of heard.replies) assert.equal(at - start, plans[Number(text)]);
  assert.equal(heard.replies.length, 30);
  await network.close();
});

test("the same seed gives the same network, paths and delays, and another seed different ones", async () => {
  const run = async (seed: string): Promise<unknown> => {
    const { clock, network } = await started({ seed, mixing: "realistic" });
    const link = network.link();
    listen(link, clock);
    await clock.advance(0);
    const etas: number[] = [];
    for (let i = 0; i < 5; i++) etas.push((await link.send(packet(network, "x"))).replyEtaMs);
    const certificate = toHex(network.documents()[0]!.certificate);
    await network.close();
    return { etas, certificate };
  };
  const first = await run("one");
  assert.deepEqual(await run("one"), first);
  assert.notDeepEqual(await run("two"), first);
});

test("every epoch has a document that the authorities signed, with the replicas' keys", async () => {
  const { clock, network } = await started();
  const seen = new Set<number>();
  for (let i = 0; i < 5; i++) {
    for (const { epoch, certificate, document } of network.documents()) {
      const verified = verifyPkiDocument(certificate, network.authorities, {
        epoch,
        geometry: network.geometry,
      });
      assert.deepEqual([verified.signers.length, verified.rejected.length], [3, 0]);
      assert.equal(toHex(verified.document.raw), toHex(document));
      seen.add(epoch);
    }
    await clock.advance(network.epoch().periodMs);
  }
  assert.equal(seen.size, 5);
  const doc = network.currentDocument()!;
  assert.deepEqual(
    doc.topology.map((layer) => layer.length),
    [2, 2, 2],
  );
  assert.deepEqual([doc.gatewayNodes.length, doc.serviceNodes.length], [1, 3]);
  assert.deepEqual(
    doc.storageReplicas.map((r) => r.replicaId),
    [0, 1, 2, 3, 4],
  );
  assert.deepEqual(
    doc.configuredReplicaIds.toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4],
  );
  const keys = doc.configuredReplicaIdentityKeys.map(toHex);
  assert.deepEqual(keys, keys.toSorted());
  doc.configuredReplicaIds.forEach((id, i) => {
    assert.equal(toHex(network.replicas[id]!.identityKey), keys[i]);
  });
  for (const replica of doc.storageReplicas) {
    assert.equal(replica.envelopeKeys.size, 2);
    for (const key of replica.envelopeKeys.values()) assert.equal(key.length, 32);
  }
  for (const node of doc.serviceNodes) {
    assert.deepEqual([...node.kaetzchen!.keys()], ["echo", "courier", "testdest"]);
    assert.deepEqual([...node.mixKeys.keys()], [doc.epoch, doc.epoch + 1, doc.epoch + 2]);
  }
  await network.close();
});

test("documents arrive at five eighths of the previous epoch, and are announced again in their own", async () => {
  const clock = new VirtualClock();
  const network = new EmbeddedNetwork({ clock, seed: 1, epochMs: 80_000 });
  await network.start();
  const link = network.link();
  const heard = listen(link, clock);
  const { current, leftMs, periodMs } = link.epoch();
  // The clock starts at the beginning of an epoch of this length.
  assert.deepEqual([leftMs, periodMs], [80_000, 80_000]);
  await clock.advance(49_999);
  assert.deepEqual(heard.documents, [current]);
  await clock.advance(1);
  assert.deepEqual(heard.documents, [current, current + 1]);
  await clock.advance(29_999);
  assert.deepEqual(heard.documents, [current, current + 1]);
  await clock.advance(1);
  assert.equal(link.epoch().current, current + 1);
  assert.deepEqual(heard.documents, [current, current + 1, current + 1]);
  await clock.advance(80_000);
  assert.deepEqual(
    network.documents().map((d) => d.epoch),
    [current + 1, current + 2],
  );
  await network.close();
  await clock.advance(200_000);
  assert.equal(heard.documents.length, 5);
});

test("an epoch can be skipped without moving the clock", async () => {
  const documents: number[] = [];
  const { clock, network } = await started({ onDocument: ({ epoch }) => documents.push(epoch) });
  const link = network.link();
  const heard = listen(link, clock);
  await clock.advance(0);
  const { current } = link.epoch();
  const now = clock.now();
  assert.equal(await network.advanceEpoch(), current + 1);
  assert.equal(await network.advanceEpoch(), current + 2);
  await network.advanceEpoch();
  assert.equal(link.epoch().current, current + 3);
  assert.equal(clock.now(), now);
  assert.deepEqual(heard.documents, [current, current + 1, current + 2, current + 3]);
  assert.deepEqual(documents, heard.documents);
  assert.deepEqual(
    network.documents().map((d) => d.epoch),
    [current + 2, current + 3],
  );
  await link.send(packet(network, "still here"));
  await clock.advance(0);
  assert.equal(heard.replies[0]?.text, "still here");
  await network.close();
});

test("decoys travel like packets and cause no events", async () => {
  const { clock, network } = await started();
  const link = network.link();
  const heard = listen(link, clock);
  await link.sendDecoy();
  await clock.advance(0);
  await link.sendDecoy();
  await clock.advance(0);
  assert.deepEqual(heard.replies, []);
  const { sent, decoys, delivered, replies } = network.describe().traffic;
  assert.deepEqual(
    { sent, decoys, delivered, replies },
    {
      sent: 1,
      decoys: 1,
      delivered: 1,
      replies: 1,
    },
  );
  await network.close();
});

test("the refusal of an unsendable packet has a daemon's error text", async () => {
  const { clock, network } = await started();
  const link = network.link();
  const text = "client/conn: not connected to the Gateway";
  const sent = packet(network, "x");
  await assert.rejects(link.send(sent), { name: "LinkError", message: text });
  listen(link, clock);
  await clock.advance(0);
  await assert.rejects(link.send({ ...sent, destination: new Uint8Array(32) as IdentityHash }), {
    name: "LinkError",
    message:
      "client/conn: PKI error: client: failed to find destination service node: " +
      "pki: service not found",
  });
  const [long, most] = [new Uint8Array(1873), new Uint8Array(1872)];
  await assert.rejects(link.send({ ...sent, payload: long }), {
    name: "LinkError",
    message: "message too large: 1873 > 1872",
  });
  await link.send({ ...sent, payload: most });
  for (const length of [0, 33]) {
    const recipient = new Uint8Array(length);
    await assert.rejects(link.send({ ...sent, recipient }), /must be 1 to 32 bytes/);
  }
  await link.close();
  await link.close();
  await assert.rejects(link.send(sent), { message: text });
  assert.throws(() => listen(link, clock), { code: "ERR_INVALID_STATE" });
  await network.close();
});

test("a packet for an unknown endpoint is not answered", async () => {
  const { clock, network } = await started();
  const link = network.link();
  const heard = listen(link, clock);
  await clock.advance(0);
  await link.send({ ...packet(network, "x"), recipient: utf8("+nothing") });
  const padded = new Uint8Array(32);
  padded.set(utf8("+echo"));
  await link.send({ ...packet(network, "padded"), recipient: padded });
  await clock.advance(0);
  assert.deepEqual(
    heard.replies.map((r) => r.text),
    ["padded"],
  );
  assert.equal(network.describe().traffic.undeliverable, 1);
  await network.close();
});

test("services are attached by node and listed, and their failures are reported", async () => {
  const clock = new VirtualClock();
  const faults: string[] = [];
  const onFault = (error: Error): number => faults.push(error.message);
  const network = new EmbeddedNetwork({ clock, seed: 1, couriers: 2, replicas: 0, onFault });
  const handle = ({ payload }: { payload: Uint8Array }): Uint8Array => {
    assert.equal(payload.length, 1872);
    if (payload[0] === 1) throw new Error("broken");
    return payload[0] === 2 ? new Uint8Array(network.geometry.forwardPayloadLength + 1) : payload;
  };
  network.attach(0, { capability: "courier", endpoint: "courier", handle });
  network.attach(1, {
    capability: "courier",
    endpoint: "courier",
    handle: async (request) => handle(request),
  });
  for (const [index, capability, endpoint] of [
    [2, "x", "x"],
    [0, "courier", "other"],
    [0, "other", "courier"],
    [0, "", "x"],
    [0, "x", ""],
    [0, "x", "x".repeat(33)],
  ] as const) {
    assert.throws(() => network.attach(index, { capability, endpoint, handle }), RangeError);
  }
  await network.start();
  const services = findServices("courier", network.currentDocument()!);
  assert.equal(services.length, 2);
  for (const { mixDescriptor } of services) {
    const pem = mixDescriptor.kaetzchenAdvertizedData?.get("courier")?.get("linkPublicKey");
    assert.match(pem as string, /^-----BEGIN X25519 PUBLIC KEY-----\n/);
  }
  const link = network.link();
  const heard = listen(link, clock);
  await clock.advance(0);
  for (const service of services) {
    const [destination, recipient] = service.toDestination();
    for (const first of [0, 1, 2]) {
      const payload = Uint8Array.of(first, 9);
      await link.send({ destination, recipient, payload, surbId: SurbId.random() });
    }
  }
  await clock.advance(0);
  assert.equal(heard.replies.length, 2);
  assert.deepEqual(faults.toSorted(), [
    "a reply must be at most 2446 bytes, got 2447",
    "a reply must be at most 2446 bytes, got 2447",
    "broken",
    "broken",
  ]);
  await network.close();
});

test("a network describes itself", async () => {
  const { clock, network } = await started({ replicas: 2, gateways: 2, nrHops: 4 });
  const link = network.link();
  listen(link, clock);
  await clock.advance(0);
  const picture = network.describe();
  assert.deepEqual(picture.authorities, ["auth1", "auth2", "auth3"]);
  assert.deepEqual(
    picture.gateways.map((g) => g.name),
    ["gateway1", "gateway2"],
  );
  assert.deepEqual(
    picture.layers.map((layer) => layer.map((mix) => mix.name)),
    [
      ["mix1", "mix2"],
      ["mix3", "mix4"],
    ],
  );
  assert.deepEqual(picture.serviceNodes[0]?.services, ["echo", "testdest", "courier"]);
  assert.deepEqual(picture.replicas, [
    { name: "replica1", replicaId: 0 },
    { name: "replica2", replicaId: 1 },
  ]);
  assert.deepEqual(picture.documents, [network.currentEpoch]);
  assert.equal(picture.links.length, 1);
  assert.equal(picture.links[0]?.connected, true);
  const hashes = picture.serviceNodes.map((node) => node.identityHash);
  assert.deepEqual(
    hashes,
    network.serviceNodes.map((node) => toHex(node.identityHash)),
  );
  await network.close();
  assert.deepEqual(network.describe().links, []);
});

test("invalid options are refused by name", () => {
  const clock = new VirtualClock();
  const rows: [string, Partial<EmbeddedNetworkOptions>][] = [
    ["epochMs", { epochMs: 999 }],
    ["epochMs", { epochMs: 1000.5 }],
    ["nrHops", { nrHops: 2 }],
    ["userForwardPayloadLength", { userForwardPayloadLength: 0 }],
    ["mixesPerLayer", { mixesPerLayer: 0 }],
    ["gateways", { gateways: 0 }],
    ["couriers", { couriers: 0 }],
    ["replicas", { replicas: 1 }],
    ["replicas", { replicas: 257 }],
    ["mu", { mu: 0 }],
    ["lambdaP", { lambdaP: -1 }],
    ["lambdaL", { lambdaL: NaN }],
  ];
  for (const [name, options] of rows) {
    assert.throws(
      () => new EmbeddedNetwork({ clock, ...options }),
      (error) => error instanceof RangeError && error.message.startsWith(`\`${name}\``),
      name,
    );
  }
  assert.equal(rows.length, 12);
});

test("rates are published as given", async () => {
  const { network } = await started({ mu: 0.5, lambdaP: 0.25, lambdaR: 0.125 });
  const doc = network.currentDocument()!;
  assert.deepEqual([doc.mu, doc.lambdaP, doc.lambdaL, doc.lambdaR], [0.5, 0.25, 0.0005, 0.125]);
  await network.close();
});

test("an offline replica is configured, but not listed as up", async () => {
  const network = new EmbeddedNetwork({ clock: new VirtualClock(), seed: "a test" });
  network.storage.replicas[1]!.faults.offline = true;
  await network.start();
  const doc = network.currentDocument()!;
  assert.deepEqual(
    doc.storageReplicas.map((r) => r.replicaId),
    [0, 2, 3, 4],
  );
  assert.equal(doc.configuredReplicaIdentityKeys.length, 5);
  await network.close();
});

test("a network has couriers and replicas by default, and works without them", async () => {
  const { network } = await started({ couriers: 2, replicas: 4 });
  assert.deepEqual([network.storage.couriers.length, network.storage.replicas.length], [2, 4]);
  assert.equal(network.pigeonholeGeometry.nikeName, "x25519");
  assert.equal(findServices("courier", network.currentDocument()!).length, 2);
  await network.close();
  const bare = (await started({ couriers: 2, replicas: 0 })).network;
  assert.deepEqual([bare.storage.couriers.length, bare.storage.replicas.length], [0, 0]);
  assert.equal(bare.currentDocument()!.storageReplicas.length, 0);
  assert.equal(findServices("courier", bare.currentDocument()!).length, 0);
  await bare.close();
});

test("an error in creating a document fails the start; later it is reported and tried again", async (t) => {
  const clock = new VirtualClock();
  let broken = true;
  const faults: string[] = [];
  const network = new EmbeddedNetwork({
    clock,
    seed: 1,
    epochMs: 8000,
    onFault: (error) => faults.push(error.message),
  });
  const { storage } = network;
  const keys = storage.publicKeys.bind(storage);
  t.mock.method(storage, "publicKeys", (id: number, epochs: readonly number[]) =>
    broken ? Promise.reject(new Error("no keys")) : keys(id, epochs),
  );
  await assert.rejects(network.start(), /no keys/);
  assert.equal(network.currentDocument(), null);
  await clock.advance(8000);
  assert.ok(faults.length >= 1);
  assert.equal(faults[0], "no keys");
  broken = false;
  await clock.advance(8000);
  assert.equal(network.currentDocument()?.epoch, network.currentEpoch);
  await network.close();
});

test("an echo also returns on the platform's clock, and closing leaves nothing behind", async () => {
  const network = new EmbeddedNetwork({ clock: realClock, seed: 1 });
  await network.start();
  const link = network.link();
  const replied = new Promise<string>((resolve, reject) => {
    link.open({
      onReply: ({ payload }) => resolve(utf8ToText(payload).replace(/\0+$/, "")),
      onDocument: () => {
        link.send(packet(network, "real")).catch(reject);
      },
      onStatus: () => {},
    });
  });
  assert.equal(await replied, "real");
  await network.close();
  assert.equal(network.describe().packetsUnderWay, 0);
});
