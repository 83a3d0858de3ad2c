/**
 * One hook on the whole embedded network: what it receives about real calls, and what it must not
 * receive.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, utf8 } from "../../src/bytes/bytes.js";
import { ThinClient } from "../../src/index.js";
import { DevDaemon, type DevDaemonOptions } from "../../src/testing/index.js";

/** Connections are made in memory; the address only appears in messages. */
const unused = { dial: { unix: { address: "@traces" } } };

type Trace = Parameters<NonNullable<DevDaemonOptions["onTrace"]>>[0];

test("calls can be traced from the application to the replicas, without a secret", async () => {
  const events: Trace[] = [];
  await using daemon = await DevDaemon.start({ onTrace: (event) => void events.push(event) });
  await using client = await ThinClient.connect(unused, { dial: daemon.dial });
  const sentinel = "SENTINEL of the whole network";
  const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(
    new Uint8Array(32).fill(9),
  );
  await client.write(writeCap, firstMessageIndex, sentinel);
  await client.read(readCap, firstMessageIndex);
  await client.blockingSendMessage(sentinel, ...client.getService("echo").toDestination());

  const sources = new Set(events.map(({ source, event }) => `${source} ${event}`));
  for (const wanted of [
    "link connected",
    "link document",
    "link sent",
    "link reply",
    "daemon session",
    "daemon request",
    "daemon queued",
    "daemon sent",
    "daemon answered",
    "storage asked",
    "storage answered",
  ]) {
    assert.ok(sources.has(wanted), wanted);
  }
  const operations = events.flatMap((event) => (event.event === "queued" ? [event.operation] : []));
  assert.deepEqual([...new Set(operations)], ["write", "read", "message"]);
  // The link reports the path of every packet of the daemon.
  const ways = new Set(
    events.flatMap((event) =>
      event.source === "link" && event.event === "sent" ? [event.packet] : [],
    ),
  );
  for (const event of events) {
    if (event.source === "daemon" && event.event === "sent") assert.ok(ways.has(event.packet));
  }
  const { serviceNodes, replicas } = daemon.network.describe();
  const couriers = new Set(serviceNodes.map(({ name }) => name));
  const names = new Set(replicas.map(({ name }) => name));
  for (const event of events) {
    if (event.source !== "storage") continue;
    assert.ok((event.peer === "courier" ? couriers : names).has(event.from), event.from);
    assert.ok(names.has(event.to), event.to);
  }

  const told = JSON.stringify(events);
  assert.ok(!told.includes("SENTINEL") && !told.includes(toHex(utf8("SENTINEL"))));
  for (const secret of [writeCap, readCap, firstMessageIndex] as readonly Uint8Array[]) {
    for (let at = 0; at + 5 <= secret.length; at++) {
      const part = secret.subarray(at, at + 5);
      assert.ok(part.every((byte) => byte === 0) || !told.includes(toHex(part)));
    }
  }
});

test("replicas show what their operators can see of each box", async () => {
  await using daemon = await DevDaemon.start();
  await using client = await ThinClient.connect(unused, { dial: daemon.dial });
  const { writeCap, firstMessageIndex } = await client.newKeypair(new Uint8Array(32).fill(3));
  await client.write(writeCap, firstMessageIndex, "a box", { ifExists: "error" });
  const kept: { boxId: string; length: number }[] = [];
  for (const replica of daemon.storage.replicas) {
    for await (const box of replica.keptBoxes()) {
      kept.push({ boxId: toHex(box.boxId), length: box.length });
    }
  }
  // The box is on its one shard, or already on both.
  assert.ok(kept.length >= 1 && kept.length <= 2, `${kept.length} boxes`);
  assert.equal(new Set(kept.map(({ boxId }) => boxId)).size, 1);
  assert.ok(kept.every(({ length }) => length > 1000));
});
