import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { VirtualClock } from "../../src/clock/virtual.js";
import { SendSchedule } from "../../src/daemon/send-schedule.js";
import { seededRandom } from "./fixture.js";

/** A schedule that records what left, and when. */
function schedule(pace: "poisson" | "instant", seed = 7) {
  const clock = new VirtualClock();
  const sent: string[] = [];
  const times: number[] = [];
  const note = (name: string): void => {
    sent.push(name);
    times.push(clock.monotonic());
  };
  const made = new SendSchedule({
    clock,
    random: seededRandom(seed),
    pace,
    sendDecoy: () => note("decoy"),
  });
  return { clock, sent, times, schedule: made, job: (name: string) => () => note(name) };
}

test("clients take turns, and a client's resends precede its fresh requests", async () => {
  for (const pace of ["instant", "poisson"] as const) {
    const { clock, sent, schedule: made, job } = schedule(pace);
    const [a, b, c] = [made.createQueue(), made.createQueue(), made.createQueue()];
    for (const name of ["a1", "a2", "a3"]) a.add(job(name));
    b.add(job("b1"));
    a.addAgain(job("a-again"));
    c.add(job("c1"));
    c.addAgain(job("c-again"));
    made.setRates({ lambdaP: 0.1, lambdaL: 0 });
    made.setConnected(true);
    await clock.advance(1000);
    made.close();
    const packets = sent.filter((name) => name !== "decoy");
    assert.deepEqual(packets, ["a-again", "b1", "c-again", "a1", "c1", "a2", "a3"], pace);
  }
});

test("packets leave in the reported turns", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(6), { minLength: 1, maxLength: 6 }),
      fc.nat(5),
      async (counts, gone) => {
        const { schedule: made, sent, clock, job } = schedule("poisson");
        const queues = counts.map(() => made.createQueue());
        made.setRates({ lambdaP: 0.1, lambdaL: 0 });
        made.setConnected(true);
        // One queue had the last turn before. The next turn must not depend on which queue came
        // first.
        const before = queues[gone % counts.length]!;
        before.add(job("before"));
        await clock.advance(300);
        sent.length = 0;
        for (const [i, count] of counts.entries()) {
          for (let packet = 0; packet < count; packet++) queues[i]!.add(job(String(i)));
        }
        const told = made.turns;
        const total = made.waiting;
        await clock.advance(2000);
        made.close();
        const order = sent.filter((name) => name !== "decoy").slice(-total);
        const seen = counts.flatMap((packets, i) => {
          if (packets === 0) return [];
          return [
            {
              packets,
              first: order.indexOf(String(i)) + 1,
              last: order.lastIndexOf(String(i)) + 1,
            },
          ];
        });
        assert.deepEqual(told, seen);
      },
    ),
    { numRuns: 40 },
  );
});

test("a client with much to send delays another by at most one turn", async () => {
  const { clock, sent, schedule: made, job } = schedule("poisson");
  made.setRates({ lambdaP: 0.1, lambdaL: 0 });
  made.setConnected(true);
  const [busy, quiet] = [made.createQueue(), made.createQueue()];
  for (let i = 0; i < 500; i++) busy.add(job("busy"));
  await clock.advance(300);
  sent.length = 0;
  quiet.add(job("quiet"));
  await clock.advance(300);
  assert.ok(sent.indexOf("quiet") >= 0 && sent.indexOf("quiet") <= 1, sent.slice(0, 5).join());
  made.close();
});

test("one packet leaves per tick of a Poisson process with the document's rate", async () => {
  const { clock, sent, times, schedule: made, job } = schedule("poisson");
  made.setRates({ lambdaP: 0.01, lambdaL: 0 });
  const queue = made.createQueue();
  const count = 4000;
  for (let i = 0; i < count; i++) queue.add(job("packet"));
  made.setConnected(true);
  while (sent.length < count) await clock.advance(60_000);
  made.close();
  const intervals = times.slice(0, count).map((at, i) => at - (times[i - 1] ?? 0));
  const mean = intervals.reduce((sum, one) => sum + one, 0) / count;
  // The interval is exponential, cut to whole milliseconds: its mean is 100 - 0.5, and its
  // deviation is the same. With 4000 samples the standard error of the mean is 1.6; the limit of 8
  // is five times that.
  assert.ok(Math.abs(mean - 99.5) < 8, `mean ${mean}`);
  const variance = intervals.reduce((sum, one) => sum + (one - mean) ** 2, 0) / count;
  assert.ok(Math.abs(Math.sqrt(variance) - 100) < 10, `deviation ${Math.sqrt(variance)}`);
  // The shares below the median and above three means check the shape, not only the moments.
  const below = intervals.filter((one) => one < 69.3).length / count;
  const far = intervals.filter((one) => one > 300).length / count;
  assert.ok(Math.abs(below - 0.5) < 0.04, `below the median: ${below}`);
  assert.ok(Math.abs(far - Math.exp(-3)) < 0.02, `beyond three means: ${far}`);
});

test("a tick without a packet sends a decoy, so that the rate reveals nothing", async () => {
  const { clock, sent, schedule: made, job } = schedule("poisson");
  made.setRates({ lambdaP: 0.01, lambdaL: 0 });
  made.setConnected(true);
  const queue = made.createQueue();
  await clock.advance(20_000);
  const idle = sent.length;
  assert.deepEqual([...new Set(sent)], ["decoy"]);
  for (let i = 0; i < 1000; i++) queue.add(job("packet"));
  await clock.advance(20_000);
  const busy = sent.length - idle;
  made.close();
  assert.deepEqual([...new Set(sent.slice(idle))], ["packet"]);
  assert.ok(idle > 140 && idle < 260 && busy > 140 && busy < 260, `${idle} idle, ${busy} busy`);
});

test("without mixing all packets leave in the next turn, in order, and without decoys", async () => {
  const { clock, sent, schedule: made, job } = schedule("instant");
  made.setConnected(true);
  const queue = made.createQueue();
  queue.add(job("first"));
  assert.deepEqual(sent, []);
  for (let i = 0; i < 999; i++) queue.add(job(String(i)));
  await clock.advance(0);
  assert.equal(sent.length, 1000);
  assert.deepEqual(sent.slice(0, 3), ["first", "0", "1"]);
  assert.equal(sent[999], "998");
  await clock.advance(60_000);
  assert.equal(sent.length, 1000);
});

test("nothing leaves without both a connection and a rate", async () => {
  const { clock, sent, schedule: made, job } = schedule("poisson");
  const queue = made.createQueue();
  queue.add(job("packet"));
  await clock.advance(10_000);
  made.setConnected(true);
  await clock.advance(10_000);
  assert.deepEqual(sent, []);
  made.setRates({ lambdaP: 0.01, lambdaL: 0 });
  await clock.advance(5000);
  assert.equal(sent[0], "packet");
  const before = sent.length;
  made.setConnected(false);
  queue.add(job("later"));
  await clock.advance(10_000);
  assert.equal(sent.length, before);
  made.setConnected(true);
  await clock.advance(5000);
  assert.equal(sent[before], "later");
  made.close();
});

test("a new rate applies at once; an invalid one is ignored, and one above one per ms stops sending", async () => {
  const { clock, sent, schedule: made } = schedule("poisson");
  made.setRates({ lambdaP: 0.0001, lambdaL: 0 });
  made.setConnected(true);
  await clock.advance(100);
  made.setRates({ lambdaP: 0.1, lambdaL: 0 });
  sent.length = 0;
  await clock.advance(10_000);
  assert.ok(sent.length > 800 && sent.length < 1200, String(sent.length));
  for (const rate of [0, -1, Number.NaN]) made.setRates({ lambdaP: rate, lambdaL: 0 });
  sent.length = 0;
  await clock.advance(10_000);
  assert.ok(sent.length > 800, String(sent.length));
  made.setRates({ lambdaP: 5, lambdaL: 0 });
  sent.length = 0;
  await clock.advance(10_000);
  assert.equal(sent.length, 0);
  made.close();
  assert.equal(clock.pending, 0);
});

test("setting the same rate again does not restart the process", async () => {
  const ticks: number[][] = [];
  for (const isSetAgain of [false, true]) {
    // The same draws: a restart would draw again.
    const { clock, times, schedule: made } = schedule("poisson");
    made.setRates({ lambdaP: 0.01, lambdaL: 0 });
    made.setConnected(true);
    for (let i = 0; i < 200; i++) {
      if (isSetAgain) made.setRates({ lambdaP: 0.01, lambdaL: 0 });
      if (isSetAgain) made.setConnected(true);
      await clock.advance(10);
    }
    made.close();
    ticks.push(times);
  }
  assert.ok(ticks[0]!.length > 5);
  assert.deepEqual(ticks[1], ticks[0]);
});

test("the packets of a client that leaves are dropped, and no other client loses a turn", async () => {
  const { clock, sent, schedule: made, job } = schedule("instant");
  const queues = ["a", "b", "c"].map((name) => {
    const queue = made.createQueue();
    for (let i = 0; i < 3; i++) queue.add(job(name));
    return queue;
  });
  made.removeQueue(queues[1]!);
  made.removeQueue(queues[1]!);
  assert.equal(queues[1]!.length, 0);
  made.setConnected(true);
  await clock.advance(0);
  assert.deepEqual(sent.join(""), "acacac");
});

test("the next client keeps its turn when one before it leaves", async () => {
  const { clock, sent, schedule: made, job } = schedule("poisson");
  const [a, b, c] = [made.createQueue(), made.createQueue(), made.createQueue()];
  a.add(job("a"));
  made.setRates({ lambdaP: 0.1, lambdaL: 0 });
  made.setConnected(true);
  while (a.length > 0) await clock.advance(1);
  for (const [name, queue] of [
    ["b", b],
    ["c", c],
  ] as const) {
    for (let i = 0; i < 2; i++) queue.add(job(name));
  }
  sent.length = 0;
  made.removeQueue(a);
  await clock.advance(1000);
  made.close();
  assert.equal(sent.filter((name) => name !== "decoy").join(""), "bcbc");
});

test("without mixing, what waits when the connection is lost leaves on the next one", async () => {
  const { clock, sent, schedule: made, job } = schedule("instant");
  const queue = made.createQueue();
  queue.add(job("x"));
  queue.add(() => made.setConnected(false));
  for (const name of ["y", "z"]) queue.add(job(name));
  made.setConnected(true);
  await clock.advance(0);
  assert.deepEqual(sent, ["x"]);
  made.setConnected(true);
  await clock.advance(0);
  assert.deepEqual(sent, ["x", "y", "z"]);
});

test("the send queue drops nothing, and nothing leaves after close", async () => {
  const { clock, sent, schedule: made, job } = schedule("instant");
  const queue = made.createQueue();
  for (let i = 0; i < 50_000; i++) queue.add(job("x"));
  assert.equal(queue.length, 50_000);
  made.close();
  queue.add(job("y"));
  await clock.advance(1000);
  assert.deepEqual(sent, []);
});

test("a wait for a shorter queue ends when the queue is shorter or emptied", async () => {
  const { clock, schedule: made, job } = schedule("poisson");
  made.setRates({ lambdaP: 0.01, lambdaL: 0 });
  const queue = made.createQueue();
  for (let i = 0; i < 5; i++) queue.add(job("x"));
  await queue.below(5);
  const told: number[] = [];
  void queue.below(3).then(() => told.push(queue.length));
  void queue.below(0).then(() => told.push(-1));
  await clock.advance(10);
  assert.deepEqual(told, []);
  made.setConnected(true);
  while (told.length < 1) await clock.advance(10);
  assert.deepEqual(told, [3]);
  made.removeQueue(queue);
  await clock.advance(0);
  assert.deepEqual(told, [3, -1]);
  made.setConnected(false);
  const unnecessary = job("y");
  queue.add(unnecessary);
  const removed = queue.below(0);
  queue.remove(unnecessary);
  await removed;
  made.close();
});

test("no interval is longer than the cap, however rare the draw", async () => {
  const clock = new VirtualClock();
  const times: number[] = [];
  const made = new SendSchedule({
    clock,
    // Zeros are the rarest draw: without the limit, the interval would be 36.7 means.
    random: (length) => new Uint8Array(length),
    pace: "poisson",
    sendDecoy: () => void times.push(clock.monotonic()),
  });
  made.setRates({ lambdaP: 0.01, lambdaL: 0 });
  made.setConnected(true);
  await clock.advance(10_000);
  made.close();
  assert.deepEqual(times, [2764, 5528, 8292], "27.63 means of 100 ms");
});

test("a second process sends only decoys, and clients' packets do not wait for it", async () => {
  const { clock, sent, schedule: made, job } = schedule("poisson");
  made.setRates({ lambdaP: 0.001, lambdaL: 0.01 });
  made.setConnected(true);
  const queue = made.createQueue();
  for (let i = 0; i < 1000; i++) queue.add(job("packet"));
  await clock.advance(100_000);
  const decoys = sent.filter((name) => name === "decoy").length;
  const packets = sent.length - decoys;
  assert.ok(decoys > 850 && decoys < 1150, `${decoys} decoys`);
  assert.ok(packets > 60 && packets < 140, `${packets} packets`);
  // A rate of 0 ends the decoys, but packets continue. The end of the link ends both.
  made.setRates({ lambdaP: 0.001, lambdaL: 0 });
  sent.length = 0;
  await clock.advance(100_000);
  assert.deepEqual([...new Set(sent)], ["packet"]);
  made.setRates({ lambdaP: 0.001, lambdaL: 0.01 });
  made.setConnected(false);
  sent.length = 0;
  await clock.advance(100_000);
  assert.deepEqual(sent, []);
  made.close();
  assert.equal(clock.pending, 0);
});

test("the schedule reports how many packets wait, and the mean interval", async () => {
  const { schedule: made, job } = schedule("poisson");
  made.setRates({ lambdaP: 0.001, lambdaL: 0 });
  const [a, b] = [made.createQueue(), made.createQueue()];
  a.add(job("a"));
  b.add(job("b"));
  b.addAgain(job("again"));
  assert.deepEqual([made.waiting, made.meanMs], [3, 1000]);
  const { schedule: instant } = schedule("instant");
  instant.setRates({ lambdaP: 0.001, lambdaL: 0.001 });
  assert.equal(instant.meanMs, 0);
});
