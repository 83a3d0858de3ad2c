/** Reads that wait for their box, on a network that behaves like a real one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReadResult } from "../../src/client/boxes.js";
import { type SealingTurn, WaitingReads } from "../../src/client/waiting-reads.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { togetherShare } from "../clock/together.js";
import { ClientClosedError, RequestTimeoutError } from "../../src/errors/errors.js";
import { daemonErrorFromCode } from "../../src/errors/from-reply.js";
import { type ConnectedPair, connectedPair, pkiDocument, reasonOf, turn } from "./fixture.js";
import { MeasuredDaemon, type MeasuredOptions } from "./measured-daemon.js";
import { filled, index, indexOf, numberOf, readCap } from "./pigeonhole-fixture.js";

const ROUND_TRIP_MS = 3000;
const TICK_MS = 1000;
/** Longest time of one question while nobody else sends: two packets and their ticks. */
const QUESTION_MS = 2 * (ROUND_TRIP_MS + TICK_MS);
const LONGEST_PAUSE_MS = 30_000;
/** How much shorter another read's pause may be, which then has its turn earlier. */
const OVERTAKING_MS = LONGEST_PAUSE_MS / 4;

async function measured(
  options: Partial<MeasuredOptions> = {},
): Promise<ConnectedPair & { readonly network: MeasuredDaemon }> {
  const document = pkiDocument({ LambdaP: 1 / TICK_MS });
  const made = await connectedPair({}, { document });
  const network = new MeasuredDaemon({
    clock: made.clock,
    tickMs: TICK_MS,
    roundTripMs: ROUND_TRIP_MS,
    ...options,
  });
  void network.serve(made.connection);
  return { ...made, network };
}

/** For each read, the time from the write to its answer, in milliseconds. */
async function lateness(
  { client, clock, network }: Awaited<ReturnType<typeof measured>>,
  readers: number,
  writtenAfterMs: number,
): Promise<number[]> {
  const answers: number[] = [];
  const began = clock.monotonic();
  const reads = Array.from({ length: readers }, async (_, i) => {
    await client.read(readCap, indexOf(i));
    answers.push(clock.monotonic() - began - writtenAfterMs);
  });
  await clock.advance(writtenAfterMs);
  for (let i = 0; i < readers; i++) network.boxes.set(i, filled(3));
  await clock.runUntil(Promise.all(reads));
  return answers;
}

describe("a read that waits", () => {
  for (const seconds of [0.5, 8, 20, 35, 60, 301, 3600]) {
    test(`gets its answer a pause and two round trips after a write at ${seconds} s`, async () => {
      const made = await measured();
      const writtenAfterMs = seconds * 1000;
      const [late] = await lateness(made, 1, writtenAfterMs);
      const pause = Math.min(LONGEST_PAUSE_MS, Math.max(QUESTION_MS, writtenAfterMs / 4));
      assert.ok(late! <= pause + 2 * QUESTION_MS, `${late} ms late`);
      await made.client.stop();
    });
  }

  test("uses a new envelope for each attempt, one at a time, and leaves nothing", async () => {
    const { client, clock, network } = await measured();
    const reading = client.read(readCap, index);
    await clock.advance(100_000);
    const starts = network.read.filter(({ kind }) => kind === "startResendingEncryptedMessage");
    const hashes = new Set(
      starts.map((start) => String((start as { envelopeHash: Uint8Array }).envelopeHash)),
    );
    assert.ok(starts.length >= 5 && starts.length <= 12, `${starts.length} questions in 100 s`);
    assert.equal(hashes.size, starts.length);
    assert.ok(network.running <= 1);
    assert.ok(!network.read.some(({ kind }) => kind === "cancelResendingEncryptedMessage"));
    network.boxes.set(numberOf(index), filled(3));
    const { plaintext } = await clock.runUntil(reading);
    assert.deepEqual(plaintext, filled(3));
    assert.equal(network.running, 0);
    await client.stop();
  });

  for (const end of ["abort", "timeout", "stop"] as const) {
    test(`ends during its pause by ${end}, and leaves no timer`, async () => {
      const { client, clock, network } = await measured();
      const abort = new AbortController();
      const timeoutMs = end === "timeout" ? 200_000 : Infinity;
      const reading = reasonOf(client.read(readCap, index, { signal: abort.signal, timeoutMs }));
      // This is far into a pause, and no question is under way.
      while (clock.monotonic() < 150_000 || network.running > 0) await clock.advance(1000);
      await turn();
      assert.equal(client.load.pausing, 1);
      assert.equal(client.pendingCalls, 1);
      if (end === "abort") abort.abort("enough");
      if (end === "stop") await clock.runUntil(client.stop());
      if (end === "timeout") await clock.advance(200_000);
      const reason = await reading;
      if (end === "abort") assert.equal(reason, "enough");
      if (end === "stop") assert.ok(reason instanceof ClientClosedError);
      if (end === "timeout") assert.ok(reason instanceof RequestTimeoutError);
      assert.equal(client.pendingCalls, 0);
      const before = network.read.length;
      await clock.advance(100_000);
      assert.equal(
        network.read.filter(({ kind }) => kind === "encryptRead").length <= before,
        true,
      );
      await client.stop();
    });
  }
});

describe("fifty reads that wait", () => {
  const READERS = 50;
  /**
   * Time for one question of each reader. A question takes two packets, and all readers share half
   * of the packets.
   */
  const CYCLE_MS = READERS * 4 * TICK_MS;

  for (const seconds of [1, 20, 150, 400, 800, 3600]) {
    test(`get their answers within one turn of all, after a write at ${seconds} s`, async () => {
      const made = await measured();
      const late = await lateness(made, READERS, seconds * 1000);
      const most = Math.max(...late);
      // Nobody delays the first questions. The reads make up for them before the second turn.
      const debt = seconds * 1000 < 2 * CYCLE_MS ? CYCLE_MS / 2 : 0;
      const longest = CYCLE_MS + debt + OVERTAKING_MS + 2 * QUESTION_MS;
      assert.ok(most <= longest, `${most} ms late`);
      await made.client.stop();
    });
  }

  test("use at most half of the packets, and take turns", async () => {
    const { client, clock, network } = await measured();
    const reads: Promise<ReadResult>[] = [];
    for (let i = 0; i < READERS; i++) reads.push(client.read(readCap, indexOf(i)));
    const ended = Promise.allSettled(reads);
    const seconds = 1200;
    await clock.advance(seconds * 1000);
    const { packets } = network;
    assert.ok(packets.length <= seconds / 2 + 2, `${packets.length} packets in ${seconds} s`);
    assert.ok(packets.length >= seconds / 3, `only ${packets.length} packets in ${seconds} s`);
    const asked = new Map<number, number>();
    for (const request of network.read) {
      if (request.kind !== "encryptRead") continue;
      const number = numberOf(request.messageBoxIndex);
      asked.set(number, (asked.get(number) ?? 0) + 1);
    }
    assert.equal(asked.size, READERS);
    const counts = [...asked.values()];
    // Pauses are partly random, so one read may be ahead while another is behind.
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 2, String(counts));
    await client.stop();
    await ended;
  });

  test("get their boxes within one turn of all, although others begin to wait all the time", async () => {
    const { client, clock, network } = await measured();
    const streamMs = 8 * CYCLE_MS;
    const rounds = 4;
    const writtenAt = new Map<number, number>();
    const late: number[] = [];
    const boxOf = (reader: number, round: number): number => reader * rounds + round;
    const follow = async (reader: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const box = boxOf(reader, round);
        await client.read(readCap, indexOf(box));
        // At first, all begin at once.
        if (round > 0) late.push(clock.monotonic() - writtenAt.get(box)!);
      }
    };
    const following = Promise.all(Array.from({ length: READERS }, (_, reader) => follow(reader)));
    for (let round = 0; round < rounds; round++) {
      for (let reader = 0; reader < READERS; reader++) {
        await clock.advance(streamMs / READERS);
        const box = boxOf(reader, round);
        writtenAt.set(box, clock.monotonic());
        network.boxes.set(box, filled(3));
      }
    }
    await clock.runUntil(following);
    assert.equal(late.length, READERS * (rounds - 1));
    const most = Math.max(...late);
    // A read that began lately pauses for less, so it may have another turn during the pause of an older one.
    assert.ok(most <= CYCLE_MS + LONGEST_PAUSE_MS + 2 * QUESTION_MS, `${most} ms late`);
    await client.stop();
  });

  test("leave the daemon half of its time where sealing takes seconds", async () => {
    const sealMs = 3000;
    const { client, clock, network } = await measured({ sealMs, tickMs: 100 });
    const reads = Array.from({ length: READERS }, (_, i) => client.read(readCap, indexOf(i)));
    const ended = Promise.allSettled(reads);
    // This is the time for the first question of each read.
    await clock.advance(READERS * sealMs);
    const before = network.read.filter(({ kind }) => kind === "encryptRead").length;
    await clock.advance(1_200_000);
    const sealed = network.read.filter(({ kind }) => kind === "encryptRead").length - before;
    assert.ok(sealed * sealMs <= 600_000 + sealMs, `${sealed} envelopes`);
    assert.ok(sealed * sealMs >= 300_000, `only ${sealed} envelopes`);
    await client.stop();
    await ended;
  });
});

test("reads that find their boxes at once are not delayed", async () => {
  const { client, clock, network } = await measured();
  for (let i = 0; i < 100; i++) network.boxes.set(i, filled(1, i));
  const began = clock.monotonic();
  const reads = Array.from({ length: 100 }, (_, i) => client.read(readCap, indexOf(i)));
  await clock.runUntil(Promise.all(reads));
  const ticks = (clock.monotonic() - began) / TICK_MS;
  assert.ok(network.packets.length / ticks >= 0.9, `${network.packets.length} of ${ticks} ticks`);
  await client.stop();
});

describe("the scheduler of waiting reads", () => {
  const never = new AbortController().signal;

  function scheduler(lambdaP: number | null = null): { clock: VirtualClock; reads: WaitingReads } {
    const clock = new VirtualClock();
    return { clock, reads: new WaitingReads({ clock, lambdaP: () => lambdaP }) };
  }

  /** A read that found no box; resolves with the time when it may ask again. */
  async function missed(
    { clock, reads }: ReturnType<typeof scheduler>,
    signal = never,
  ): Promise<number> {
    const read = reads.begin();
    read.asks();
    await read.turn(signal);
    return clock.monotonic();
  }

  test("gives the turn of a read that is given up to the next one", async () => {
    const made = scheduler();
    const abort = new AbortController();
    const first = reasonOf(missed(made, abort.signal));
    const second = missed(made);
    await made.clock.advance(1000);
    abort.abort(new Error("enough"));
    assert.equal((await first).message, "enough");
    // Each of the two first attempts took four seconds' packets.
    assert.equal(await made.clock.runUntil(second), 8000);
  });

  test("sets its timer again after the only read was given up", async () => {
    const made = scheduler();
    const abort = new AbortController();
    const given = reasonOf(missed(made, abort.signal));
    await made.clock.advance(1000);
    abort.abort(new Error("enough"));
    await given;
    assert.equal(made.clock.pending, 0);
    assert.equal(await made.clock.runUntil(missed(made)), 8000);
  });

  test("uses the document's rate within limits, or a packet a second", async () => {
    for (const [lambdaP, ms] of [
      [null, 4000],
      [0, 4000],
      [0.01, 400],
      [1000, 4],
    ] as const) {
      const made = scheduler(lambdaP);
      assert.equal(await made.clock.runUntil(missed(made)), ms, `LambdaP ${lambdaP}`);
    }
  });

  test("does not take an attempt that outlived a lost connection for a round trip", async () => {
    const { clock, reads } = scheduler(1);
    let paused = 0;
    for (const tookMs of [3_600_000, 1000]) {
      const read = reads.begin();
      read.asks();
      await clock.advance(tookMs);
      const since = clock.monotonic();
      await clock.runUntil(read.turn(never));
      paused = clock.monotonic() - since;
    }
    // The longest that counts, and a quarter of the way from there to the second one.
    assert.equal(paused, 30_000 - 29_000 / 4);
  });

  test("does not let reads that began together ask together for good", async () => {
    const { clock, reads } = scheduler(1);
    const ending = new AbortController();
    const askedAt = [0, 1].map(() => {
      const times: number[] = [];
      const read = reads.begin();
      const ask = async (): Promise<void> => {
        for (;;) {
          read.asks();
          times.push(clock.monotonic());
          await clock.sleep(100);
          await read.turn(ending.signal);
        }
      };
      ask().catch(() => {});
      return times;
    });
    await clock.advance(6 * 3600_000);
    ending.abort();
    const share = togetherShare(askedAt[0]!, askedAt[1]!, 1000);
    assert.ok(askedAt[0]!.length > 500, `${askedAt[0]!.length} attempts`);
    assert.ok(share < 0.5, `${share} of the attempts were made together`);
  });

  test("seals more at once when sealing turns out to be quick", async () => {
    const { clock, reads } = scheduler();
    const turns: SealingTurn[] = [];
    for (let i = 0; i < 20; i++) {
      void reads.sealingTurn(never).then((sealing) => turns.push(sealing));
    }
    await turn();
    assert.equal(turns.length, 4);
    await clock.advance(5);
    turns[0]!.sealed();
    turns[0]!.end();
    await turn();
    assert.equal(turns.length, 1 + 16);
  });

  /**
   * Has `count` envelopes sealed, one after the other; returns the most and the least that were
   * given at once, while others waited.
   */
  async function seal(
    { clock, reads }: ReturnType<typeof scheduler>,
    count: number,
    sealingMs: number,
  ): Promise<[most: number, least: number]> {
    const given: SealingTurn[] = [];
    for (let i = 0; i < count; i++) {
      void reads.sealingTurn(never).then((sealing) => given.push(sealing));
    }
    let [most, least] = [0, Infinity];
    for (let i = 0; i < count; i++) {
      await turn();
      most = Math.max(most, given.length);
      if (i > 0 && i + given.length < count) least = Math.min(least, given.length);
      await clock.advance(sealingMs);
      const sealing = given.shift()!;
      sealing.sealed();
      sealing.end();
    }
    return [most, least];
  }

  test("takes the time before a sealing for that of the one before, and forgets old times", async () => {
    const made = scheduler();
    // 100 ms of sealing in all, however long each one waited for the others.
    assert.deepEqual(await seal(made, 40, 20), [5, 5]);
    assert.deepEqual(await seal(made, 20, 20), [5, 5]);
    assert.deepEqual(await seal(made, 40, 10), [10, 10]);
    await seal(made, 30, 300);
    assert.deepEqual(await seal(made, 5, 300), [1, 1]);
  });

  test("does not wait for a turn with a signal that is aborted", async () => {
    const { reads } = scheduler();
    for (let i = 0; i < 4; i++) await reads.sealingTurn(never);
    const signal = AbortSignal.abort(new Error("enough"));
    assert.equal((await reasonOf(reads.sealingTurn(signal))).message, "enough");
  });

  test("waits for a daemon that could seal before and cannot now", () => {
    const { reads } = scheduler();
    const cannot = daemonErrorFromCode(4, { operation: "encryptRead" });
    const read = reads.begin();
    read.asks();
    assert.equal(read.mayAskAgain(cannot), false);
    read.asks();
    assert.equal(read.mayAskAgain(cannot), true);
  });
});
