/** What the embedded network's links report about packets: routes, delays, replies and losses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import { SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { type LinkTrace, shortId } from "../../src/mixnet/trace.js";
import { EmbeddedNetwork } from "../../src/network/network.js";
import { findServices } from "../../src/pki/services.js";

for (const mixing of ["realistic", "sphinx"] as const) {
  test(`with ${mixing} mixing a link reports the path that its packet really takes`, async () => {
    const clock = new VirtualClock();
    const network = new EmbeddedNetwork({ clock, seed: "a trace", mixing, lambdaP: 0.01 });
    await network.start();
    const events: LinkTrace[] = [];
    const link = network.link({ onTrace: (event) => void events.push(event) });
    const replies: number[] = [];
    link.open({
      onReply: () => replies.push(clock.now()),
      onDocument: () => {},
      onStatus: () => {},
    });
    await clock.advance(0);
    assert.deepEqual(
      events.map(({ event }) => event).filter((event) => event !== "document"),
      ["connecting", "connected"],
    );
    assert.ok(events.some((event) => event.event === "document" && event.length > 1000));
    events.length = 0;

    const [destination, recipient] = findServices(
      "echo",
      network.currentDocument()!,
    )[0]!.toDestination();
    const surbId = SurbId.random();
    const payload = utf8("SENTINEL of the link");
    const before = clock.now();
    const { replyEtaMs } = await link.send({ destination, recipient, payload, surbId });
    await clock.advance(60_000);
    const [sent, reply, ...rest] = events;
    assert.deepEqual(rest, []);
    assert.ok(sent?.event === "sent" && reply?.event === "reply");
    assert.deepEqual(
      [sent.packet, sent.decoy, sent.replyEtaMs, reply.packet, reply.decoy],
      [shortId(surbId), false, replyEtaMs, shortId(surbId), false],
    );
    const { gateways, layers, serviceNodes } = network.describe();
    const columns = [gateways, ...layers, serviceNodes].map((nodes) =>
      nodes.map(({ name }) => name),
    );
    assert.equal(sent.forward.length, 5);
    for (const [i, { node }] of sent.forward.entries()) assert.ok(columns[i]!.includes(node), node);
    assert.equal(sent.reply.length, 4);
    assert.ok(columns[0]!.includes(sent.reply.at(-1)!.node));
    const planned = [...sent.forward, ...sent.reply].reduce((sum, hop) => sum + hop.delayMs, 0);
    assert.equal(planned, replyEtaMs);
    assert.ok(
      Math.abs(replies[0]! - before - planned) <= 10,
      "the reply arrives at the planned time",
    );

    events.length = 0;
    await link.sendDecoy();
    await clock.advance(60_000);
    assert.deepEqual(
      events.map((event) => [event.event, "decoy" in event && event.decoy]),
      [
        ["sent", true],
        ["reply", true],
      ],
    );

    events.length = 0;
    network.faults.setOnline(false);
    assert.deepEqual(
      events.map((event) => event.event === "disconnected" && event.reason),
      ["client/conn: not connected to the Gateway"],
    );
    assert.ok(!JSON.stringify(events).includes("SENTINEL"));
    await network.close();
  });
}

for (const mixing of ["realistic", "sphinx"] as const) {
  test(`a link of the ${mixing} network reports which packet was lost, and in which direction`, async () => {
    const clock = new VirtualClock();
    const network = new EmbeddedNetwork({ clock, seed: "a loss", mixing });
    await network.start();
    const events: LinkTrace[] = [];
    const link = network.link({ onTrace: (event) => void events.push(event) });
    link.open({ onReply: () => {}, onDocument: () => {}, onStatus: () => {} });
    await clock.advance(0);
    const [destination, recipient] = findServices(
      "echo",
      network.currentDocument()!,
    )[0]!.toDestination();
    for (const way of ["forward", "reply"] as const) {
      events.length = 0;
      network.faults.dropNext(1, way);
      const surbId = SurbId.random();
      await link.send({ destination, recipient, payload: utf8("x"), surbId });
      await clock.advance(60_000);
      const lost = events.find(({ event }) => event === "lost");
      assert.ok(lost?.event === "lost");
      assert.deepEqual([lost.packet, lost.way, lost.decoy], [shortId(surbId), way, false]);
    }
    await network.close();
  });
}
