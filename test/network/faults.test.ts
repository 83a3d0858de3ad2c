import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8, utf8ToText } from "../../src/bytes/bytes.js";
import { SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import type { MixnetLink } from "../../src/mixnet/link.js";
import { EmbeddedNetwork, type EmbeddedNetworkOptions } from "../../src/network/network.js";

interface Setup {
  readonly clock: VirtualClock;
  readonly network: EmbeddedNetwork;
  readonly link: MixnetLink;
  readonly replies: string[];
  readonly documents: number[];
  readonly statuses: boolean[];
}

function setUp(options: Partial<EmbeddedNetworkOptions> = {}): Setup {
  const clock = new VirtualClock();
  const network = new EmbeddedNetwork({ clock, seed: "faults", ...options });
  const link = network.link();
  const setup: Setup = { clock, network, link, replies: [], documents: [], statuses: [] };
  link.open({
    onReply: ({ payload }) => setup.replies.push(utf8ToText(payload).replace(/\0+$/, "")),
    onDocument: ({ epoch }) => setup.documents.push(epoch),
    onStatus: ({ connected }) => setup.statuses.push(connected),
  });
  return setup;
}

function send({ network, link }: Setup, text: string): Promise<unknown> {
  const destination = network.serviceNodes[0]!.identityHash;
  const recipient = utf8("+echo");
  return link.send({ destination, recipient, payload: utf8(text), surbId: SurbId.random() });
}

async function started(options: Partial<EmbeddedNetworkOptions> = {}): Promise<Setup> {
  const setup = setUp(options);
  await setup.network.start();
  await setup.clock.advance(0);
  return setup;
}

test("nothing leaves while offline, and replies to earlier packets never come", async () => {
  const setup = await started({ mixing: "realistic" });
  const { clock, network, replies, statuses, documents } = setup;
  await send(setup, "before");
  network.faults.setOnline(false);
  network.faults.setOnline(false);
  assert.deepEqual(statuses, [true, false]);
  await assert.rejects(send(setup, "during"), {
    message: "client/conn: not connected to the Gateway",
  });
  await clock.advance(1);
  network.faults.setOnline(true);
  await clock.advance(0);
  assert.deepEqual(statuses, [true, false, true]);
  await send(setup, "after");
  await clock.advance(30_000);
  assert.deepEqual(replies, ["after"]);
  assert.equal(network.describe().traffic.lost, 1);
  assert.deepEqual(documents, [network.currentEpoch], "a known document is not announced again");
  await network.close();
});

test("documents published while offline are announced when the link is back", async () => {
  const { clock, network, documents, statuses } = setUp();
  network.faults.setOnline(false);
  await network.start();
  await clock.advance(0);
  assert.deepEqual([documents, statuses], [[], [false]]);
  network.faults.setOnline(true);
  await clock.advance(0);
  assert.deepEqual([documents, statuses], [[network.currentEpoch], [false, true]]);
  await network.close();
});

test("a link that flaps within one turn is reported in its final state", async () => {
  const { clock, network, statuses } = await started();
  network.faults.setOnline(false);
  network.faults.setOnline(true);
  network.faults.setOnline(false);
  await clock.advance(0);
  assert.deepEqual(statuses, [true, false]);
  network.faults.setOnline(true);
  network.faults.setOnline(false);
  network.faults.setOnline(true);
  await clock.advance(0);
  assert.deepEqual(statuses, [true, false, true]);
  await network.close();
});

test("packets are lost with the given probability each way, and the same ones for the same seed", async () => {
  const run = async (seed: string): Promise<{ replies: string[]; delivered: number }> => {
    const setup = await started({ seed });
    setup.network.faults.setLoss(0.3);
    for (let i = 0; i < 500; i++) await send(setup, `${i}`);
    await setup.clock.advance(0);
    const { delivered, lost, replies } = setup.network.describe().traffic;
    assert.equal(lost + replies, 500);
    await setup.network.close();
    return { replies: setup.replies, delivered };
  };
  const { replies, delivered } = await run("one");
  // 350 and 245 are expected, with standard deviations of about 10 and 11.
  assert.ok(Math.abs(delivered - 350) < 50, `${delivered} delivered`);
  assert.ok(Math.abs(replies.length - 245) < 55, `${replies.length} replies`);
  assert.deepEqual((await run("one")).replies, replies);
  assert.notDeepEqual((await run("two")).replies, replies);
});

test("exactly the requested number of packets is lost, one way", async () => {
  const setup = await started();
  const { network, clock, replies } = setup;
  network.faults.dropNext(2);
  network.faults.dropNext(1, "reply");
  for (const text of ["a", "b", "c", "d"]) await send(setup, text);
  await clock.advance(0);
  assert.deepEqual(replies, ["d"]);
  assert.deepEqual([network.describe().traffic.delivered, network.describe().traffic.lost], [2, 3]);
  network.faults.dropNext(5);
  network.faults.dropNext(0);
  await send(setup, "e");
  await clock.advance(0);
  assert.deepEqual(replies, ["d", "e"]);
  await network.close();
});

test("an extra delay is added each way", async () => {
  const setup = await started();
  const { network, clock, replies } = setup;
  network.faults.setExtraDelay(100);
  await send(setup, "late");
  await clock.advance(199);
  assert.deepEqual(replies, []);
  await clock.advance(1);
  assert.deepEqual(replies, ["late"]);
  await network.close();
});

test("nothing can be sent without a document, and again once there is one", async () => {
  const setup = setUp();
  const { network, clock, documents, statuses } = setup;
  network.faults.withholdDocuments(true);
  await network.start();
  await clock.advance(0);
  assert.deepEqual([statuses, documents, network.documents()], [[true], [], []]);
  assert.equal(network.currentDocument(), null);
  await assert.rejects(send(setup, "x"), { name: "LinkError", message: /no document/ });
  await setup.link.sendDecoy();
  assert.equal(network.describe().traffic.sent, 0);
  network.faults.withholdDocuments(false);
  await clock.advance(0);
  assert.deepEqual(documents, [network.currentEpoch]);
  await send(setup, "x");
  await network.close();
});

test("the last epoch's document serves for one epoch while documents are withheld", async () => {
  const setup = await started({ epochMs: 8000 });
  const { network, clock, documents, replies } = setup;
  const first = network.currentEpoch;
  network.faults.withholdDocuments(true);
  await network.advanceEpoch();
  assert.equal(network.currentDocument()?.epoch, first);
  await send(setup, "by the old one");
  await clock.advance(0);
  assert.deepEqual(replies, ["by the old one"]);
  await network.advanceEpoch();
  assert.equal(network.currentDocument(), null);
  await assert.rejects(send(setup, "x"), /no document/);
  network.faults.withholdDocuments(false);
  await clock.advance(0);
  assert.equal(documents.at(-1), first + 2);
  await send(setup, "x");
  await network.close();
});

test("fault controls refuse invalid values", async () => {
  const { network } = await started();
  for (const loss of [-0.1, 1.1, NaN])
    assert.throws(() => network.faults.setLoss(loss), RangeError);
  for (const ms of [-1, Infinity, NaN]) {
    assert.throws(() => network.faults.setExtraDelay(ms), RangeError);
  }
  for (const count of [-1, 0.5]) assert.throws(() => network.faults.dropNext(count), RangeError);
  assert.deepEqual([network.faults.loss, network.faults.extraDelayMs], [0, 0]);
  assert.deepEqual([network.faults.online, network.faults.documentsWithheld], [true, false]);
  await network.close();
});
