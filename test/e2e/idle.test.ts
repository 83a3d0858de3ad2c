/**
 * The work of an idle network for waiting clients, counted on a virtual clock. `bench/idle.ts`
 * measures the cost.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinClient } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { VirtualClock } from "katzenpost-thinclient/testing";

const READERS = 20;
const LONGEST_PAUSE_MS = 30_000;

test("a reader of an empty box asks at the slowest pace, and few questions reach the replicas", async () => {
  const clock = new VirtualClock();
  await using daemon = await DevDaemon.start({ clock, seed: "idle" });
  const client = new ThinClient(
    { dial: { unix: { address: "@unused" } } },
    { dial: daemon.dial, clock },
  );
  await clock.runUntil(client.start());
  const abort = new AbortController();
  const reads = [];
  for (let i = 0; i < READERS; i++) {
    const seed = new Uint8Array(32).fill(i);
    const { readCap, firstMessageIndex } = await clock.runUntil(client.newKeypair(seed));
    const read = client.read(readCap, firstMessageIndex, { signal: abort.signal });
    reads.push(read.catch(() => "ended"));
  }
  // By then every reader has reached the longest pause.
  await clock.advance(150_000);
  const before = daemon.network.describe().traffic.sent;
  const minutes = 5;
  await clock.advance(minutes * 60_000);
  const asked = daemon.network.describe().traffic.sent - before;
  // One packet carries the envelope, and one fetches the answer.
  const questions = 2 * READERS;
  const pauses = (minutes * 60_000) / LONGEST_PAUSE_MS;
  // Up to a quarter of each pause is random.
  assert.ok(asked <= questions * (pauses / 0.75 + 1), `${asked} packets of ${READERS} readers`);
  assert.ok(asked >= questions * (pauses - 1), `only ${asked} packets: does anybody still wait?`);
  assert.ok(daemon.daemon.load.operations <= READERS);
  abort.abort();
  assert.deepEqual(new Set(await clock.runUntil(Promise.all(reads))), new Set(["ended"]));
  await clock.runUntil(client.stop());
});
