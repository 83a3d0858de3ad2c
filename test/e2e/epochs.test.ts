/** Epochs pass while operations wait; on a virtual clock, weeks take no time. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import {
  BoxIDNotFoundError,
  CourierInvalidEpochError,
  ThinClientError,
} from "../../src/errors/errors.js";
import { REPLICA_EPOCH_MS, epochAt, epochStart } from "../../src/pki/epoch.js";
import { ThinClient } from "../../src/index.js";
import { DevDaemon } from "../../src/testing/index.js";
import { TwoClients, newStream } from "./two-clients.js";

const hour = 3_600_000;
const week = 7 * 24 * hour;

describe("epochs", { timeout: 300_000 }, () => {
  test("operations continue over the end of epochs, and clients see each document", async () => {
    // So long that none ends by itself.
    await using both = await TwoClients.start({ epochMs: week });
    const { alice, bob, daemon } = both;
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const reading = bob.read(readCap, firstMessageIndex);
    const first = alice.pkiDocument()!.epoch;
    for (let i = 1; i <= 3; i++) {
      const seen = new Promise((resolve) => alice.on("newPkiDocument", resolve, { once: true }));
      assert.equal(await daemon.network.advanceEpoch(), first + i);
      await seen;
      assert.equal(alice.pkiDocument()!.epoch, first + i);
    }
    await alice.write(writeCap, firstMessageIndex, "three epochs later");
    assert.deepEqual((await reading).plaintext, utf8("three epochs later"));
    const raw = await alice.getPkiDocumentRaw();
    assert.equal(raw.epoch, first + 3);
  });

  test("a daemon that starts again in a later epoch sends packets at once", async () => {
    const clock = new VirtualClock();
    await using daemon = await DevDaemon.start({ mixing: "realistic", clock, epochMs: hour });
    await clock.runUntil(daemon.network.advanceEpoch());
    await clock.runUntil(daemon.restart());
    const client = new ThinClient({ dial: "unix:@in-memory" }, { dial: daemon.dial, clock });
    await clock.runUntil(client.start());
    assert.equal(client.pkiDocument()?.epoch, daemon.network.currentEpoch);
    const echo = client.getService("echo").toDestination();
    const reply = client.blockingSendMessage("hello", ...echo, { timeoutMs: 60_000 });
    assert.deepEqual((await clock.runUntil(reply)).subarray(0, 5), utf8("hello"));
    await clock.runUntil(client.stop());
  });

  test("an envelope from two weeks ago is refused, and read() and write() seal fresh ones", async () => {
    await using both = await TwoClients.start({ epochMs: week });
    const { alice, bob, daemon } = both;
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const old = await bob.encryptRead(readCap, firstMessageIndex);
    const reading = bob.read(readCap, firstMessageIndex);
    for (let i = 0; i < 3; i++) await daemon.network.advanceEpoch();
    await assert.rejects(bob.startResendingEncryptedMessage(old), CourierInvalidEpochError);
    await alice.write(writeCap, firstMessageIndex, "fresh", { ifExists: "error" });
    assert.deepEqual((await reading).plaintext, utf8("fresh"));
  });

  test("envelopes sealed just before the end of a week are served after it", async () => {
    const thisWeek = epochAt(Date.UTC(2026, 0, 1), REPLICA_EPOCH_MS).epoch;
    const boundary = epochStart(thisWeek + 1, REPLICA_EPOCH_MS);
    const clock = new VirtualClock(boundary - hour);
    await using both = await TwoClients.start({ clock, epochMs: hour / 2, seed: "boundary" });
    const { alice, bob } = both;
    const { writeCap, readCap, firstMessageIndex } = await clock.runUntil(newStream(alice));
    await clock.advance(boundary - 100 - clock.now());
    const written = await clock.runUntil(
      alice.encryptWrite(utf8("over the weekend"), writeCap, firstMessageIndex),
    );
    const read = await clock.runUntil(bob.encryptRead(readCap, firstMessageIndex));
    assert.ok(clock.now() < boundary);
    await clock.advance(200);
    assert.ok(clock.now() > boundary);
    await clock.runUntil(
      alice.startResendingEncryptedMessageReturnBoxExists({ ...written, writeCap }),
    );
    const { plaintext } = await clock.runUntil(bob.startResendingEncryptedMessage(read));
    assert.deepEqual(plaintext, utf8("over the weekend"));
  });

  test("a read waits for five weeks, over five changes of the replicas' keys", async () => {
    const clock = new VirtualClock();
    await using both = await TwoClients.start({ clock, epochMs: 24 * hour, seed: "weeks" });
    const { alice, bob, daemon } = both;
    const { writeCap, readCap, firstMessageIndex } = await clock.runUntil(newStream(alice));
    // Waiting with the usual poll every second would take three million polls.
    const quiet = (away: boolean): void => daemon.network.faults.setOnline(!away);
    const reading = bob.read(readCap, firstMessageIndex);
    let ended = false;
    reading.then(
      () => (ended = true),
      () => (ended = true),
    );
    await clock.advance(5000);
    for (let passed = 0; passed < 5; passed++) {
      quiet(true);
      await clock.advance(week - 60_000);
      quiet(false);
      await clock.advance(60_000);
      assert.equal(ended, false, "the read still waits");
    }
    await clock.runUntil(alice.waitUntilOnline());
    await clock.runUntil(alice.write(writeCap, firstMessageIndex, "five weeks"));
    assert.deepEqual((await clock.runUntil(reading)).plaintext, utf8("five weeks"));
  });

  test("a replica that leaves and comes back does not disturb a waiting read", async () => {
    const clock = new VirtualClock();
    await using both = await TwoClients.start({ clock, seed: "one away" });
    const { alice, bob, daemon } = both;
    const streams = [];
    for (let i = 0; i < 20; i++) streams.push(await clock.runUntil(newStream(alice)));
    const reading = streams.map((stream) => bob.read(stream.readCap, stream.firstMessageIndex));
    await clock.advance(1000);
    for (const replica of [4, null, 2, null]) {
      for (const [i, { faults }] of daemon.storage.replicas.entries())
        faults.offline = i === replica;
      for (let epochs = 0; epochs < 2; epochs++) {
        await clock.runUntil(daemon.network.advanceEpoch());
        await clock.advance(1000);
      }
      assert.equal(bob.pkiDocument()!.storageReplicas.length, replica === null ? 5 : 4);
    }
    for (const { writeCap, firstMessageIndex } of streams) {
      await clock.runUntil(alice.write(writeCap, firstMessageIndex, "there"));
    }
    for (const read of reading)
      assert.deepEqual((await clock.runUntil(read)).plaintext, utf8("there"));
  });

  test("a read whose replicas have all left continues when they are back", async () => {
    const clock = new VirtualClock();
    await using both = await TwoClients.start({ clock, seed: "all away" });
    const { alice, bob, daemon } = both;
    const { writeCap, readCap, firstMessageIndex } = await clock.runUntil(newStream(alice));
    const reading = bob.read(readCap, firstMessageIndex);
    await clock.advance(1000);
    for (const away of [true, false]) {
      for (const { faults } of daemon.storage.replicas) faults.offline = away;
      for (let epochs = 0; epochs < 2; epochs++) {
        await clock.runUntil(daemon.network.advanceEpoch());
        await clock.advance(1000);
      }
      assert.equal(bob.pkiDocument()!.storageReplicas.length, away ? 0 : 5);
    }
    await clock.runUntil(alice.write(writeCap, firstMessageIndex, "there"));
    assert.deepEqual((await clock.runUntil(reading)).plaintext, utf8("there"));
  });

  test("boxes live through the week in which they were written and the next one", async () => {
    const clock = new VirtualClock();
    await using both = await TwoClients.start({ clock, epochMs: 24 * hour, seed: "lifetime" });
    const { alice, bob } = both;
    const { writeCap, readCap, firstMessageIndex } = await clock.runUntil(newStream(alice));
    const writing = alice.write(writeCap, firstMessageIndex, "mortal", { ifExists: "error" });
    await clock.runUntil(writing);
    await clock.advance(week);
    const read = () => clock.runUntil(bob.read(readCap, firstMessageIndex, { wait: false }));
    assert.deepEqual((await read()).plaintext, utf8("mortal"));
    await clock.advance(week);
    await assert.rejects(read(), BoxIDNotFoundError);
  });

  test("without new documents the last one is used, then calls fail, and work once documents are back", async () => {
    const clock = new VirtualClock();
    await using both = await TwoClients.start({ clock, epochMs: hour, seed: "withheld" });
    const { alice, bob, daemon } = both;
    const { faults } = daemon.network;
    const { writeCap, readCap, firstMessageIndex } = await clock.runUntil(newStream(alice));
    faults.withholdDocuments(true);
    await clock.advance(hour);
    const { nextMessageBoxIndex } = await clock.runUntil(
      alice.write(writeCap, firstMessageIndex, "by the last document", { ifExists: "error" }),
    );
    await clock.advance(3 * hour);
    await assert.rejects(
      clock.runUntil(alice.encryptWrite(utf8("x"), writeCap, nextMessageBoxIndex)),
      ThinClientError,
    );
    faults.withholdDocuments(false);
    await clock.advance(1000);
    await clock.runUntil(alice.write(writeCap, nextMessageBoxIndex, "again"));
    const { plaintext } = await clock.runUntil(bob.read(readCap, nextMessageBoxIndex));
    assert.deepEqual(plaintext, utf8("again"));
  });

  test("every client has a document after the wall clock is set two hours ahead or back", async () => {
    for (const hours of [2, -2]) {
      const clock = new WallClock();
      await using both = await TwoClients.start({ clock, seed: `jump ${hours}` });
      const { alice, bob } = both;
      const { writeCap, readCap, firstMessageIndex } = await clock.runUntil(newStream(alice));
      const before = (await clock.runUntil(alice.getPkiDocumentRaw())).epoch;
      for (const aheadMs of [hours * hour, 0]) {
        clock.aheadMs = aheadMs;
        const epochs = before + (aheadMs === 0 ? 0 : hours * 3);
        // A call that needs a document gets one at once.
        const index = aheadMs === 0 ? 1 : 0;
        const place =
          index === 0
            ? firstMessageIndex
            : await clock.runUntil(alice.nextMessageBoxIndex(firstMessageIndex));
        const startedMs = clock.monotonic();
        await clock.runUntil(alice.write(writeCap, place, "after the jump", { ifExists: "error" }));
        const read = await clock.runUntil(bob.read(readCap, place));
        assert.deepEqual(read.plaintext, utf8("after the jump"));
        assert.ok(clock.monotonic() - startedMs < 5000);
        // A client that does not need one is told within 10 s.
        await clock.advance(10_000);
        assert.equal((await clock.runUntil(alice.getPkiDocumentRaw())).epoch, epochs);
        assert.equal(alice.pkiDocument()!.epoch, epochs);
      }
    }
  });

  test("an idle network has its document within 10 s after the wall clock is set", async () => {
    const clock = new WallClock();
    await using both = await TwoClients.start({ clock, seed: "alone" });
    for (const aheadMs of [2 * hour, 0]) {
      clock.aheadMs = aheadMs;
      await clock.advance(20_000);
      const { network } = both.daemon;
      assert.equal(network.currentDocument()?.epoch, network.currentEpoch);
      assert.equal(both.alice.pkiDocument()!.epoch, network.currentEpoch);
    }
  });
});

/** A clock whose wall time can be set without moving its timers, as after sleep or by hand. */
class WallClock extends VirtualClock {
  aheadMs = 0;

  override now(): number {
    return super.now() + this.aheadMs;
  }
}
