/**
 * Schedules of a reader whose boxes expire: delays, lost calls, a listener that comes and goes, a
 * disk that refuses changes, stores that are closed and opened again. A model says what the reader
 * must yield.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { firstIndexOf, nextMessageBoxIndex } from "../../src/bacap/index.js";
import { utf8ToText } from "../../src/bytes/bytes.js";
import { openChannels } from "../../src/channels/index.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { world } from "./world.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A generator of numbers from 0 up to `below`, the same for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function run(seed: number): Promise<void> {
  const any = numbers(seed);
  for (let i = 0; i < 5; i++) any(2);
  const { clock, boxes, open } = world();
  boxes.lifetimeMs = [HOUR, 4 * HOUR][any(2)]!;
  const delays = [10, 1000, 10_000].slice(0, 1 + any(3));
  const loss = any(2) === 0 ? 0 : 10;
  boxes.fate = () => ({
    delayMs: delays[any(delays.length)]!,
    lost: any(100) < loss ? (["request", "reply"] as const)[any(2)]! : null,
  });
  const alice = await open();
  const writer = await alice.create("out", any(3) === 0 ? { format: "katzenqt" } : {});
  const disk = new Disk();
  const openBob = async () => {
    const database = new CrashDatabase(disk);
    await database.open();
    const channels = await openChannels(boxes.client(), database, { clock });
    return { database, channels };
  };
  let bob = await openBob();
  const invitation = await writer.invitation();
  let reader = await bob.channels.import("in", invitation);
  const first = firstIndexOf(reader.readCap());
  const indices = [first];
  const place = (n: number) => {
    while (indices.length <= n) indices.push(nextMessageBoxIndex(indices.at(-1)!));
    return indices[n]!;
  };
  const heard: number[] = [];
  let next = 0;
  let listening: { abort: AbortController; loop: Promise<void> } | null = null;
  const listen = (): void => {
    const abort = new AbortController();
    const messages = reader.messages({ signal: abort.signal });
    const loop = (async () => {
      for await (const { bytes, gap, kind } of messages) {
        const n = Number(utf8ToText(bytes));
        assert.equal(kind, "message");
        // Yielded again, because it was not acknowledged.
        if (heard.at(-1) === n) continue;
        assert.equal(n, next + gap, `seed ${seed}: box ${n} after ${next} with gap ${gap}`);
        for (let lost = next; lost < n; lost++) {
          assert.equal(boxes.get(reader.readCap(), place(lost)), null, `seed ${seed}: box ${lost}`);
        }
        heard.push(n);
        next = n + 1;
      }
    })();
    loop.catch(() => {});
    listening = { abort, loop };
  };
  const deafen = async (): Promise<void> => {
    if (!listening) return;
    const { abort, loop } = listening;
    abort.abort();
    listening = null;
    await clock.runUntil(
      loop.catch((error: unknown) => {
        if (error instanceof assert.AssertionError) throw error;
      }),
      10 * MINUTE,
    );
  };
  let sent = 0;
  for (let step = 0; step < 25; step++) {
    switch (any(6)) {
      case 0:
      case 1: {
        for (let count = 1 + any(any(3) === 0 ? 30 : 4); count > 0; count--) {
          await writer.send(String(sent++));
        }
        break;
      }
      case 2:
        if (!listening) listen();
        break;
      case 3:
        await deafen();
        break;
      case 4:
        bob.database.failing = true;
        await clock.advance(any(5 * MINUTE));
        bob.database.failing = false;
        break;
      default:
        if (any(3) > 0) break;
        await deafen();
        await clock.runUntil(bob.channels.close(), HOUR);
        bob = await openBob();
        reader = await bob.channels.reader("in");
    }
    await clock.advance([100, 5000, MINUTE, 20 * MINUTE, HOUR, 3 * HOUR][any(6)]!);
  }
  boxes.fate = () => ({ delayMs: 10, lost: null });
  if (!listening) listen();
  // Whatever was lost: boxes that stay are found.
  for (let n = 0; n < sent; n++) {
    const isThere = boxes.get(reader.readCap(), place(n)) !== null;
    if (!isThere) boxes.lose(reader.readCap(), place(n));
  }
  boxes.lifetimeMs = Infinity;
  while (writer.queued > 0) await clock.advance(MINUTE);
  for (let i = 0; i < 3; i++) {
    await clock.runUntil((await writer.send(String(sent++))).stored);
    await clock.advance(HOUR);
  }
  for (let i = 0; i < 48; i++) {
    if (next === sent) break;
    await clock.advance(HOUR);
  }
  await deafen();
  assert.equal(next, sent, `seed ${seed}`);
  await clock.runUntil(Promise.all([alice.close(), bob.channels.close()]));
}

describe("looking ahead, by schedules", () => {
  const [from, count] = (process.env["SEEDS"] ?? "34,4").split(",").map(Number);
  for (let seed = from!; seed < from! + count!; seed++) {
    it(`seed ${seed}`, () => run(seed));
  }
});
