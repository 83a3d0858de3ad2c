/** What the feed sends to pages: state, events, and the results of a page's actions. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { realClock } from "../../src/clock/real.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import type { VerifyDocument } from "../../src/console/documents.js";
import { ConsoleFeed } from "../../src/console/feed.js";
import type { ConsoleAction, ConsoleState } from "../../src/console/protocol.js";
import { ThinClient } from "../../src/index.js";
import { DevDaemon } from "../../src/testing/index.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** Connections are made in memory; the address only appears in messages. */
const unused = { dial: { unix: { address: "@feed" } } };
const version = "0.0.0";
const nobody: VerifyDocument = async () => [];

/** An embedded network on a virtual clock with a console in front. */
async function embedded(verify = nobody) {
  const clock = new VirtualClock();
  let add: ConsoleFeed["add"] = () => {};
  const daemon = await DevDaemon.start({ clock, seed: "feed", onTrace: (event) => add(event) });
  const client = new ThinClient(unused, { dial: daemon.dial, clock });
  await clock.runUntil(client.start());
  const feed = new ConsoleFeed({
    mode: "embedded",
    client,
    clock,
    version,
    addresses: [],
    embedded: daemon,
    joined: null,
    virtual: clock,
    verify,
  });
  ({ add } = feed);
  const doing = (action: ConsoleAction) => clock.runUntil(feed.perform(action));
  return { clock, daemon, client, feed, doing };
}

/** Holds back the timers of the real clock with that length; returns what lets each one fire. */
function holdTimers(t: TestContext, length: number): (() => void)[] {
  const { after } = realClock;
  const held: (() => void)[] = [];
  t.after(() => (realClock.after = after));
  realClock.after = (ms, callback, options) => {
    if (ms !== length) return after.call(realClock, ms, callback, options);
    held.push(callback);
    return { cancel: () => void held.splice(held.indexOf(callback) >>> 0, 1) };
  };
  return held;
}

describe("the console's feed", () => {
  test("performs a page's actions, and shows the test code for each", async () => {
    const { daemon, feed, doing } = await embedded();
    const { faults } = daemon.network;
    const told: string[] = [];
    const leave = feed.open((message) => {
      for (const event of message.events) if (event.event === "did") told.push(event.code ?? "");
    });
    await doing({ do: "online", value: false });
    assert.equal(faults.online, false);
    assert.equal(feed.state().faults?.online, false);
    await doing({ do: "loss", value: 0.5 });
    await doing({ do: "delay", value: 10 });
    await doing({ do: "replicaOffline", replica: "replica2", value: true });
    assert.deepEqual([faults.loss, faults.extraDelayMs], [0.5, 10]);
    assert.equal(daemon.storage.replicas[1]!.faults.offline, true);
    await doing({ do: "clearFaults" });
    assert.deepEqual([faults.online, faults.loss, faults.extraDelayMs], [true, 0, 0]);
    assert.equal(daemon.storage.replicas[1]!.faults.offline, false);
    const epoch = daemon.network.currentEpoch;
    await doing({ do: "epoch" });
    assert.equal(feed.state().epoch?.current, epoch + 1);
    await doing({ do: "crash" });
    assert.equal(feed.state().faults?.daemonRuns, false);
    assert.equal(feed.state().load, null);
    await doing({ do: "restart" });
    assert.equal(feed.state().faults?.daemonRuns, true);
    // An invalid action changes nothing, and the log has the reason.
    await doing({ do: "loss", value: 7 });
    assert.equal(faults.loss, 0);
    await doing({ do: "replicaFail", replica: "nobody", code: 5 });
    leave();
    const events: string[] = [];
    feed.open(({ events: all }) => {
      for (const event of all) if (event.event === "failed") events.push(event.text);
    })();
    assert.deepEqual(events, [
      "`probability` must be from 0 to 1, got 7",
      "there is no such replica",
    ]);
    feed.close();
    await daemon.close();
  });

  test("forgets requests that are never answered, oldest first", async () => {
    const { daemon, feed } = await embedded();
    const common = { source: "daemon", at: 0, session: "0a0b0c0d", envelope: null } as const;
    const ask = (request: string): void =>
      feed.add({ ...common, event: "queued", request, operation: "read", waiting: 1, meanMs: 0 });
    const answer = (request: string): void =>
      feed.add({ ...common, event: "answered", request, code: 4 });
    ask("first");
    for (let n = 0; n < 10_000; n++) ask(String(n));
    answer("first");
    assert.equal(feed.state().error, null);
    answer("0");
    assert.equal(feed.state().error?.operation, "read");
    feed.close();
    await daemon.close();
  });

  test("simultaneous writes go to different boxes", async () => {
    const { clock, daemon, feed } = await embedded();
    const many = async (action: ConsoleAction): Promise<void> => {
      await clock.runUntil(Promise.all([1, 2, 3].map(() => feed.perform(action))));
    };
    await many({ do: "write" });
    await many({ do: "read" });
    const boxes = feed.state().boxes;
    assert.deepEqual(
      boxes.map(({ state }) => state),
      ["read", "read", "read"],
    );
    assert.equal(new Set(boxes.map(({ boxId }) => boxId)).size, 3);
    feed.close();
    await daemon.close();
  });

  test("writes, reads and deletes its own boxes, and explains the last error", async () => {
    const { clock, daemon, feed, doing } = await embedded();
    const boxes = (): ConsoleState["boxes"] => feed.state().boxes;
    await doing({ do: "read" });
    await doing({ do: "write" });
    await doing({ do: "write" });
    assert.deepEqual(
      boxes().map(({ number, state }) => [number, state]),
      [
        [0, "stored"],
        [1, "stored"],
      ],
    );
    await doing({ do: "read" });
    assert.deepEqual(
      boxes().map(({ state }) => state),
      ["read", "stored"],
    );
    assert.equal(feed.state().error, null);
    await doing({ do: "readMissing" });
    assert.equal(feed.state().error?.code, "REPLICA_ERROR_BOX_ID_NOT_FOUND");
    assert.match(feed.state().error!.meaning, /\S/);
    await doing({ do: "delete" });
    assert.equal(boxes()[0]!.state, "deleted");
    assert.ok(!JSON.stringify(feed.state()).includes("writeCap"));
    assert.equal(feed.state().clock.now, clock.now());
    feed.close();
    await daemon.close();
  });

  test("shows when a box was stored, and until when replicas keep it at least", async () => {
    const { clock, daemon, feed, doing } = await embedded();
    const box = (): ConsoleState["boxes"][number] => feed.state().boxes[0]!;
    const before = clock.now();
    const writing = feed.perform({ do: "write" });
    await Promise.resolve();
    assert.deepEqual([box()?.storedAt ?? null, box()?.keptUntil ?? null], [null, null]);
    await clock.runUntil(writing);
    const stored = box().storedAt!;
    assert.ok(stored >= before && stored <= clock.now());
    // This week's boxes are kept through the next one; weeks begin on Thursdays.
    assert.equal(new Date(before).getUTCDay(), 4);
    assert.equal(box().keptUntil, Date.UTC(2026, 0, 15));
    await doing({ do: "read" });
    assert.equal(box().storedAt, stored);
    // When an epoch is skipped, weeks end earlier by this clock.
    await clock.runUntil(daemon.network.advanceEpoch());
    assert.equal(box().keptUntil, Date.UTC(2026, 0, 15) - 20 * 60_000);
    feed.close();
    await daemon.close();
  });

  test("shows the latest document, even if the check of an earlier one takes longer", async () => {
    const asked: number[] = [];
    let finish!: () => void;
    const slow = new Promise<void>((resolve) => (finish = resolve));
    const { clock, daemon, feed } = await embedded(async (_raw, _authorities, epoch) => {
      asked.push(epoch);
      if (asked.length === 1) await slow;
      return [];
    });
    feed.open(() => {});
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo()) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await clock.advance(0);
      }
    };
    await until(() => asked.length === 1);
    await clock.runUntil(daemon.network.advanceEpoch());
    const shown = (): readonly number[] => feed.state().documents.map(({ epoch }) => epoch);
    const wanted = [asked[0]! + 1, asked[0]!];
    await until(() => shown().length > 0);
    assert.deepEqual(shown(), wanted);
    finish();
    await clock.advance(0);
    assert.deepEqual(shown(), wanted);
    feed.close();
    await daemon.close();
  });

  test("shows the test code for every step of ending all faults", async () => {
    const { daemon, feed, doing } = await embedded();
    await doing({ do: "loss", value: 0.5 });
    const told: string[] = [];
    feed.open(({ events }) => {
      for (const event of events) {
        if (event.event === "did" && event.text === "clearFaults") told.push(event.code!);
      }
    });
    await doing({ do: "clearFaults" });
    while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const [code = ""] = told;
    for (const call of ["setOnline(true)", "setLoss(0)", "setExtraDelay(0)"]) {
      assert.ok(code.includes(call), code);
    }
    assert.ok(code.includes("withholdDocuments(false)") && code.includes("faults.clear()"), code);
    assert.equal(daemon.network.faults.loss, 0);
    feed.close();
    await daemon.close();
  });

  test("runs a virtual clock once, also if it is paused and run again at once", async (t) => {
    const { clock, daemon, feed } = await embedded();
    const timers = holdTimers(t, 50);
    const run = (how: "run" | "pause"): Promise<void> => feed.perform({ do: "clock", how, ms: 0 });
    const elapsed = async (): Promise<number> => {
      const before = clock.now();
      for (const fire of timers.splice(0)) fire();
      await new Promise((resolve) => setTimeout(resolve, 50));
      return clock.now() - before;
    };
    await run("run");
    await run("run");
    assert.equal(await elapsed(), 50);
    assert.equal(await elapsed(), 50);
    await run("pause");
    await run("run");
    await run("pause");
    await run("run");
    assert.equal(await elapsed(), 50);
    assert.equal(await elapsed(), 50);
    assert.equal(timers.length, 1);
    await run("pause");
    assert.equal(await elapsed(), 0);
    assert.equal(await elapsed(), 0);
    feed.close();
    await daemon.close();
  });

  test("a page that comes later takes nothing from the others", async (t) => {
    const { daemon, feed, doing } = await embedded();
    const timers = holdTimers(t, 100);
    const tell = async (): Promise<void> => {
      const [fire, ...more] = timers.splice(0);
      assert.equal(more.length, 0);
      fire!();
      while (timers.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    const pages: string[][] = [[], []];
    let messages = 0;
    const open = (n: number) =>
      feed.open(({ type, events }) => {
        messages++;
        for (const event of events)
          if (event.event === "did") pages[n]!.push(`${type} ${event.text}`);
      });
    const leave = open(0);
    await doing({ do: "loss", value: 0.5 });
    open(1);
    await tell();
    await doing({ do: "delay", value: 5 });
    await tell();
    leave();
    await doing({ do: "clearFaults" });
    await tell();
    // Nothing is sent when nothing has changed.
    await tell();
    const before = messages;
    await tell();
    assert.equal(messages, before);
    assert.deepEqual(pages, [
      ["changes loss", "changes delay"],
      ["snapshot loss", "changes loss", "changes delay", "changes clearFaults"],
    ]);
    feed.close();
    await daemon.close();
  });

  test("moves a virtual clock, and refuses to move a real one", async () => {
    const { clock, daemon, feed, doing } = await embedded();
    const start = clock.now();
    await feed.perform({ do: "clock", how: "step", ms: 1500 });
    assert.equal(clock.now(), start + 1500);
    const echo = feed.perform({ do: "echo" });
    await feed.perform({ do: "clock", how: "idle", ms: 0 });
    await echo;
    await doing({ do: "clock", how: "step", ms: -1 });
    assert.ok(clock.now() >= start + 1500);
    feed.close();
    await daemon.close();
  });

  test("knows nothing about another process's daemon, and works with it", async () => {
    await using daemon = await DevDaemon.start();
    await using client = await ThinClient.connect(unused, { dial: daemon.dial });
    const { clock } = daemon;
    const feed = new ConsoleFeed({
      mode: "daemon",
      client,
      clock,
      version,
      addresses: ["unix:x"],
      embedded: null,
      joined: null,
      virtual: null,
      verify: nobody,
    });
    await feed.perform({ do: "write" });
    await feed.perform({ do: "online", value: false });
    const { load, traffic, replicas, faults, boxes, link, about, epoch } = feed.state();
    assert.deepEqual(
      { load, traffic, replicas, faults, holders: boxes[0]!.holders, gateway: link.gateway },
      { load: null, traffic: null, replicas: null, faults: null, holders: null, gateway: null },
    );
    assert.deepEqual([about.mixing, epoch?.periodMs, epoch?.endsAt], [null, null, null]);
    assert.equal(daemon.network.faults.online, true);
    feed.close();
  });
});

test("the console's page is small", () => {
  const files = ["index.html", "console.js", "console.css"].map((name) =>
    join(root, "dist", "console", name),
  );
  assert.ok(files.every((path) => existsSync(path)));
  const bytes = files.reduce((sum, path) => sum + gzipSync(readFileSync(path)).length, 0);
  assert.ok(bytes <= 60_000, `${bytes} bytes in gzip, at most 60,000`);
});
