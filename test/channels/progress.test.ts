/** What a delivery tells about its progress. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChannelDiagnostic, Delivery, Message } from "../../src/channels/index.js";
import { Disk } from "./crash-database.js";
import { world } from "./world.js";

const progress = ({ state, boxes, boxesStored }: Delivery): string =>
  `${state} ${boxesStored}/${boxes}`;

describe("the progress of a delivery", () => {
  for (const [format, boxes] of [
    ["native", 35],
    // One box refers to the side stream.
    ["katzenqt", 35 + 1],
  ] as const) {
    it(`a long message tells how many of its ${boxes} boxes are stored (${format})`, async () => {
      const { clock, boxes: network, open } = world();
      network.fate = () => ({ delayMs: 1000, lost: null });
      const disk = new Disk();
      const channels = await open(disk);
      const writer = await channels.create("out", { format });
      // Boxes hold 60 bytes, and 58 or 59 of a message.
      const delivery = await clock.runUntil(writer.send("x".repeat(35 * 58)));
      assert.equal(progress(delivery), `queued 0/${boxes}`);
      const seen = new Set<number>();
      while (delivery.state !== "stored") {
        assert.ok(delivery.boxesStored < boxes);
        seen.add(delivery.boxesStored);
        await clock.advance(100);
      }
      assert.equal(progress(delivery), `stored ${boxes}/${boxes}`);
      assert.ok(seen.size >= 4, [...seen].join());
      // After a restart all boxes are written again.
      await clock.runUntil(writer.send("y".repeat(35 * 58)));
      await clock.advance(1500);
      await clock.runUntil(channels.close());
      const again = await open(disk);
      const [waiting] = await clock.runUntil((await again.writer("out")).outbox());
      assert.equal(progress(waiting!), `queued 0/${boxes}`);
      await clock.runUntil(waiting!.stored);
      assert.equal(progress(waiting!), `stored ${boxes}/${boxes}`);
      await clock.runUntil(again.close());
    });
  }

  it("a deletion and a batch tell it too", async () => {
    const { clock, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const { id, stored } = await clock.runUntil(writer.send("x".repeat(200)));
    await clock.runUntil(stored);
    const deletion = await clock.runUntil(writer.delete(id));
    assert.equal(progress(deletion), "queued 0/4");
    await clock.runUntil(deletion.stored);
    assert.equal(progress(deletion), "stored 4/4");
    const batch = await clock.runUntil(
      channels.atomically((all) => all.send(writer, "y".repeat(200))),
    );
    assert.equal(progress(batch), "queued 0/4");
    await clock.runUntil(batch.stored);
    assert.equal(progress(batch), "stored 4/4");
    await clock.runUntil(channels.close());
  });

  it("an error is forgotten when a later attempt succeeds", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    let isAway = true;
    boxes.fate = () => ({ delayMs: 1000, lost: isAway ? "request" : null });
    const delivery = await clock.runUntil(writer.send("x".repeat(1000)));
    while (delivery.lastError === null) await clock.advance(100);
    isAway = false;
    while (delivery.boxesStored === 0) await clock.advance(100);
    assert.equal(delivery.state, "sent");
    assert.equal(delivery.lastError, null);
    await clock.runUntil(delivery.stored);
    await clock.runUntil(channels.close());
  });

  it("a delivery that is asked for late knows what was stored before", async () => {
    const { clock, boxes, open } = world();
    boxes.fate = () => ({ delayMs: 1000, lost: null });
    const disk = new Disk();
    const channels = await open(disk);
    const writer = await channels.create("out");
    const other = await channels.create("batch");
    await clock.runUntil(writer.send("x".repeat(35 * 58)));
    await clock.runUntil(channels.atomically((all) => all.send(other, "y".repeat(200))));
    await clock.runUntil(channels.close());
    let stored = 0;
    const diagnostics = ({ type, channel }: ChannelDiagnostic): void => {
      if (type === "boxWritten" && channel === "out") stored++;
    };
    const again = await open(disk, { diagnostics });
    await clock.advance(2500);
    const [delivery] = await clock.runUntil((await again.writer("out")).outbox());
    assert.ok(stored > 0 && stored < 35, `${stored} stored`);
    assert.equal(progress(delivery!), `sent ${stored}/35`);
    const [batch] = await clock.runUntil((await again.writer("batch")).outbox());
    assert.equal(progress(batch!), "sent 0/4");
    await clock.runUntil(Promise.all([delivery!.stored, batch!.stored]));
    await clock.runUntil(again.close());
  });

  for (const format of ["native", "katzenqt"] as const) {
    const boxes = 100;
    const message = "x".repeat(100 * 58);

    it(`a long message continues where it was after a restart (${format})`, async () => {
      const { clock, boxes: network, open } = world();
      network.fate = () => ({ delayMs: 1000, lost: null });
      const disk = new Disk();
      let channels = await open(disk);
      const writer = await channels.create("out", { format });
      const reader = await channels.import("in", await writer.invitation());
      await clock.runUntil(writer.send(message));
      for (let restarts = 0; restarts < 4; restarts++) {
        await clock.advance(3500);
        await clock.runUntil(channels.close());
        channels = await open(disk);
      }
      const [delivery] = await clock.runUntil((await channels.writer("out")).outbox());
      await clock.advance(1500);
      assert.ok(delivery!.boxesStored >= 40, progress(delivery!));
      await clock.runUntil(delivery!.stored);
      assert.equal(progress(delivery!), `stored ${boxes}/${boxes}`);
      // After each restart, up to seven boxes that are not noted, and as many behind them.
      assert.ok(network.writes >= boxes && network.writes <= boxes + 4 * 15, `${network.writes}`);
      const received = await clock.runUntil((await channels.reader("in")).messages().next());
      assert.equal((received.value as Message).bytes.length, message.length);
      assert.equal(reader.name, "in");
      await clock.runUntil(channels.close());
    });

    for (const when of ["while it is sent", "between two runs"]) {
      it(`a long message begins again if the network forgot its boxes ${when} (${format})`, async () => {
        const { clock, boxes: network, open } = world();
        network.fate = () => ({ delayMs: 1000, lost: null });
        const disk = new Disk();
        let channels = await open(disk);
        const writer = await channels.create("out", { format });
        const invitation = await writer.invitation();
        await clock.runUntil(writer.send(message));
        await clock.advance(4500);
        if (when === "while it is sent") network.forget();
        else {
          await clock.runUntil(channels.close());
          network.forget();
          channels = await open(disk);
        }
        const [delivery] = await clock.runUntil((await channels.writer("out")).outbox());
        await clock.runUntil(delivery!.stored);
        assert.equal(progress(delivery!), `stored ${boxes}/${boxes}`);
        const reader = await channels.import("in", invitation);
        const received = await clock.runUntil(reader.messages().next());
        assert.equal((received.value as Message).bytes.length, message.length);
        await clock.runUntil(channels.close());
      });
    }
  }
});
