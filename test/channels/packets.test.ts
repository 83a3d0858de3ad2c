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

/** How slow the daemon and the network are. */
interface Speed {
  readonly sealMs?: number;
  readonly hopMs?: number;
}

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

  static async open(seed: string, { sealMs = 0, hopMs = 200 }: Speed = {}): Promise<Scene> {
    const scene = new Scene(seed);
    Object.assign(scene.#packets, { sealMs, hopMs });
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

async function aloneMs(seed: string, speed?: Speed): Promise<number> {
  const scene = await Scene.open(seed, speed);
  const ms = await scene.messageMs();
  await scene.close();
  return ms;
}

describe("packets of channels", () => {
  for (const { what, speed, filled, times } of [
    { what: "outbox", speed: {}, filled: 0.95, times: 2.5 },
    { what: "backlog", speed: {}, filled: 0.95, times: 2.5 },
    { what: "outbox and backlog", speed: {}, filled: 0.95, times: 3 },
    // Long delays must not look like a slow daemon.
    { what: "outbox and backlog", speed: { hopMs: 800 }, filled: 0.9, times: 2.5 },
    // A daemon that computes for seconds on each box, as with CTIDH: two boxes in five ticks.
    { what: "outbox", speed: { sealMs: 2500 }, filled: 0.7, times: 2.5 },
    { what: "outbox and backlog", speed: { sealMs: 2500 }, filled: 0.7, times: 2.5 },
  ]) {
    const { hopMs = 200, sealMs = 0 } = speed as Speed;
    const where = `delays of ${hopMs} ms, ${sealMs} ms for a box at the daemon`;
    it(`a long ${what} fills ${filled * 100} % of the ticks, and a message beside it takes at most ${times} times as long (${where})`, async () => {
      const scene = await Scene.open(what, speed);
      if (what !== "outbox") await scene.readMany();
      if (what !== "backlog") await scene.sendMany();
      await scene.ticks(5);
      const { read, write } = await scene.ticks(15);
      assert.ok(read + write >= filled, `${read + write} of the ticks`);
      if (what === "outbox and backlog") {
        assert.ok(Math.min(read, write) >= 0.4 * (read + write), `${read} and ${write}`);
      }
      const [ms, alone] = [await scene.messageMs(), await aloneMs(what, speed)];
      assert.ok(ms <= times * alone, `${ms} ms, and ${alone} ms alone`);
      await scene.close();
    });
  }
});
