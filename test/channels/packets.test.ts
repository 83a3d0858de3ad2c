/** How channels share a daemon's packets, on a network that takes one packet a second. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channels, type Reader, openChannels } from "../../src/channels/index.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { PacketSchedule } from "./packet-schedule.js";
import { world } from "./world.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** Enough for more than half an hour. */
const MANY = 1000;
/** How many messages are sent beside other work, to learn how long each takes. */
const MEASURED = 40;

/** A store on the slow network, and what can be measured there. */
class Scene {
  readonly #clock;
  readonly #boxes;
  readonly #packets: PacketSchedule;
  readonly #abort = new AbortController();
  #channels!: Channels;

  private constructor(seed: string) {
    const { clock, boxes } = world();
    this.#clock = clock;
    this.#boxes = boxes;
    boxes.fate = () => ({ delayMs: 0, lost: null });
    this.#packets = new PacketSchedule(clock, seed);
  }

  static async open(seed: string, sealMs = 0): Promise<Scene> {
    const scene = new Scene(seed);
    scene.#packets.sealMs = sealMs;
    const client = scene.#packets.client(scene.#boxes.client());
    scene.#channels = await scene.#open(client);
    return scene;
  }

  #open(client = this.#boxes.client()): Promise<Channels> {
    return openChannels(client, new CrashDatabase(new Disk()), { clock: this.#clock });
  }

  /** Puts many messages into the outbox of a new channel. */
  async sendMany(): Promise<void> {
    const writer = await this.#channels.create("many");
    for (let n = 0; n < MANY; n++) await writer.send(`message ${n}`);
  }

  /** Begins to read a channel in which many messages are stored, by somebody with a quick network. */
  async readMany(): Promise<void> {
    const others = await this.#open();
    const writer = await others.create("many");
    for (let n = 0; n < MANY; n++) await writer.send(`message ${n}`);
    for (const { stored } of await writer.outbox()) await this.#clock.runUntil(stored);
    const invitation = await writer.invitation();
    await this.#clock.runUntil(others.close());
    this.#listen(await this.#channels.import("backlog", invitation, { from: "start" }));
  }

  #listen(reader: Reader): void {
    const loop = async (): Promise<void> => {
      for await (const _ of reader.messages({ signal: this.#abort.signal })) continue;
    };
    loop().catch(() => {});
  }

  /** The shares of the ticks that carry packets for reads, for writes, and none, in some minutes. */
  async ticks(minutes: number) {
    const before = { ...this.#packets.ticks };
    await this.#clock.advance(minutes * MINUTE);
    return this.#packets.since(before);
  }

  /** How long it takes to store a message of another channel, in ms: the median. */
  async messageMs(): Promise<number> {
    const writer = await this.#channels.create("talk");
    const took: number[] = [];
    while (took.length < MEASURED) {
      const since = this.#clock.monotonic();
      await this.#clock.runUntil((await writer.send("now")).stored);
      took.push(this.#clock.monotonic() - since);
      await this.#clock.advance(20 * SECOND);
    }
    return took.toSorted((a, b) => a - b)[took.length >> 1]!;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#clock.runUntil(this.#channels.close());
  }
}

async function aloneMs(seed: string, sealMs = 0): Promise<number> {
  const scene = await Scene.open(seed, sealMs);
  const ms = await scene.messageMs();
  await scene.close();
  return ms;
}

describe("packets of channels", () => {
  it("a long outbox fills the ticks, and a message beside it takes at most three times as long", async () => {
    const scene = await Scene.open("writes");
    await scene.sendMany();
    await scene.ticks(2);
    const { write } = await scene.ticks(10);
    assert.ok(write >= 0.95, `${write} of the ticks`);
    const [ms, alone] = [await scene.messageMs(), await aloneMs("writes")];
    assert.ok(ms <= 3 * alone, `${ms} ms, and ${alone} ms alone`);
    await scene.close();
  });

  it("many stored messages fill the ticks, and a message beside them takes at most three times as long", async () => {
    const scene = await Scene.open("reads");
    await scene.readMany();
    await scene.ticks(2);
    const { read } = await scene.ticks(10);
    assert.ok(read >= 0.95, `${read} of the ticks`);
    const [ms, alone] = [await scene.messageMs(), await aloneMs("reads")];
    assert.ok(ms <= 3 * alone, `${ms} ms, and ${alone} ms alone`);
    await scene.close();
  });

  it("reads and writes have half of the packets each, and a message beside both takes at most four times as long", async () => {
    const scene = await Scene.open("both");
    await scene.readMany();
    await scene.sendMany();
    await scene.ticks(2);
    const { read, write, empty } = await scene.ticks(10);
    assert.ok(empty <= 0.05, `${empty} of the ticks are empty`);
    assert.ok(read >= 0.4 && write >= 0.4, `${read} for reads, ${write} for writes`);
    const [ms, alone] = [await scene.messageMs(), await aloneMs("both")];
    assert.ok(ms <= 4 * alone, `${ms} ms, and ${alone} ms alone`);
    await scene.close();
  });

  for (const what of ["outbox", "outbox and backlog"]) {
    it(`a message beside a long ${what} does not wait long for a daemon that computes for seconds on each box`, async () => {
      // As with a real daemon's CTIDH: two boxes in five ticks, which is less than the network takes.
      const sealMs = 2500;
      const scene = await Scene.open("seals", sealMs);
      if (what === "outbox and backlog") await scene.readMany();
      await scene.sendMany();
      await scene.ticks(5);
      const { empty } = await scene.ticks(20);
      assert.ok(empty <= 0.25, `${empty} of the ticks are empty`);
      const [ms, alone] = [await scene.messageMs(), await aloneMs("seals", sealMs)];
      assert.ok(ms <= 3 * alone, `${ms} ms, and ${alone} ms alone`);
      await scene.close();
    });
  }
});
