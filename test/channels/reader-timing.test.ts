/** Readers while the machine sleeps, and while the disk is slow. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { equalBytes, toHex } from "../../src/bytes/bytes.js";
import { type Message, type Reader, openChannels } from "../../src/channels/index.js";
import { BoxIDNotFoundError } from "../../src/errors/errors.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { world } from "./world.js";

const DAY = 24 * 3_600_000;

/** The messages of a reader, as they come. */
function listen(reader: Reader): Message[] {
  const heard: Message[] = [];
  const loop = async (): Promise<void> => {
    for await (const message of reader.messages()) heard.push(message);
  };
  loop().catch(() => {});
  return heard;
}

it("a reader whose machine slept for weeks while it asked for a box finds the boxes that are left", async () => {
  const { clock, boxes, open } = world();
  boxes.lifetimeMs = 14 * DAY;
  const other = await open();
  const writer = await other.create("talk");
  const sendAll = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await writer.send("message");
    for (const { stored } of await writer.outbox()) await clock.runUntil(stored);
  };
  const client = boxes.client();
  const { read } = client;
  let awake = Promise.resolve();
  let wake = (): void => {};
  client.read = async (...parameters) => {
    await awake;
    return read(...parameters);
  };
  const own = await openChannels(client, new CrashDatabase(new Disk()), { clock });
  const invitation = await writer.invitation();
  const heard = listen(await own.import("talk", invitation, { from: "start" }));
  await sendAll(1);
  await clock.advance(60_000);
  assert.equal(heard.length, 1);
  awake = new Promise((resolve) => (wake = resolve));
  await clock.advance(600_000);
  // More than a look ahead passes over that does not expect boxes to have expired.
  await sendAll(1100);
  clock.aheadMs += 20 * DAY;
  await clock.advance(1000);
  await sendAll(100);
  // The client makes its call again.
  wake();
  for (let minutes = 0; minutes < 60 && heard.length < 101; minutes++) await clock.advance(60_000);
  assert.equal(heard.length, 101);
  await clock.runUntil(own.close());
  await clock.runUntil(other.close());
});

class SlowDatabase extends CrashDatabase {
  /** Resolves when a batch may begin. */
  before: () => Promise<void> = () => Promise.resolve();

  override async batch(...parameters: Parameters<CrashDatabase["batch"]>): Promise<void> {
    await this.before();
    await super.batch(...parameters);
  }
}

/** So many times, the first box of the side stream is missing: nearly until it is given up. */
const MISSES = 23;

it("a side stream is not given up while the disk stores a box that came after many misses", async () => {
  const { clock, boxes, open } = world();
  const other = await open();
  const writer = await other.create("talk", { format: "katzenqt" });
  const invitation = await writer.invitation();
  const database = new SlowDatabase(new Disk());
  const client = boxes.client();
  const { read } = client;
  const counts = { first: 0, second: 0 };
  let first: string | null = null;
  client.read = async (readCap, index, options) => {
    const isSide = !equalBytes(readCap.subarray(0, 32), invitation.readCap.subarray(0, 32));
    if (isSide) {
      first ??= toHex(index);
      const isMissing = first === toHex(index) ? counts.first++ < MISSES : counts.second++ < 3;
      if (isMissing) {
        await clock.sleep(10);
        throw new BoxIDNotFoundError();
      }
      database.before = () => clock.sleep(5000);
    }
    return read(readCap, index, options);
  };
  const own = await openChannels(client, database, { clock });
  const heard = listen(await own.import("talk", invitation, { from: "start" }));
  await clock.runUntil((await writer.send("x".repeat(150))).stored);
  for (let n = 0; n < 1000; n++) {
    await clock.advance(100);
    // Something else lets the store's channels look for work.
    boxes.announceDocument();
  }
  assert.deepEqual(
    heard.map(({ kind }) => kind),
    ["message"],
  );
  await clock.runUntil(own.close());
  await clock.runUntil(other.close());
});
