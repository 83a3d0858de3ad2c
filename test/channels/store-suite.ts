/**
 * The cases that every kind of database must pass, in Node and in a page; they do not use Node's
 * modules. Boxes come from the double for replicas, with the real clock, because the databases take
 * real time.
 */
import {
  type ChannelClient,
  type ChannelDatabase,
  type ChannelOptions,
  type Channels,
  openChannels,
} from "../../src/channels/index.js";
import { realClock } from "../../src/clock/real.js";
import { hasCode } from "../../src/errors/errors.js";
import { BoxesDouble } from "./boxes-double.js";
import { take, texts } from "./reading.js";

/** Returns the same store, empty at first, at each call: a path, a name or a database. */
export type StorePlace = () => string | ChannelDatabase;

/** A test case; it throws an error if it fails. */
export type StoreCase = (place: StorePlace, other: StorePlace) => Promise<void>;

class World {
  readonly boxes = new BoxesDouble(realClock);
  isOnline = true;

  constructor() {
    this.boxes.fate = () => ({ delayMs: 2, lost: this.isOnline ? null : "request" });
  }

  open(place: StorePlace, options: ChannelOptions = {}): Promise<Channels> {
    const client: ChannelClient = this.boxes.client();
    return openChannels(client, place(), options);
  }
}

function same(actual: unknown, expected: unknown): void {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, some: unknown) => (typeof some === "bigint" ? `${some}n` : some));
  if (text(actual) !== text(expected)) throw new Error(`${text(actual)}, not ${text(expected)}`);
}

async function refused(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (hasCode(error, "ERR_CHANNEL_STORE") && message.test(error.message)) return;
  throw new Error(`not refused with ${String(message)}: ${String(error)}`);
}

/** The cases, by name. */
export const storeCases: Readonly<Record<string, StoreCase>> = {
  "messages arrive in order, once, over any number of reopenings": async (place, other) => {
    const world = new World();
    const sent: string[] = [];
    const seen: string[] = [];
    for (let round = 0; round < 4; round++) {
      const ours = await world.open(place);
      const theirs = await world.open(other);
      const writer = round === 0 ? await ours.create("out") : await ours.writer("out");
      const reader =
        round === 0
          ? await theirs.import("in", await writer.invitation())
          : await theirs.reader("in");
      // Ten per round: keys that contain numbers must sort by number.
      for (let i = 0; i < 10; i++) {
        const text = `${round}.${i}`.padEnd(i % 4 === 3 ? 200 : 3, "x");
        await writer.send(text);
        sent.push(text);
      }
      // The last messages of each round stay in the store.
      const count = round === 3 ? sent.length - seen.length : 7;
      seen.push(...texts(await take(reader, count)));
      await ours.close();
      await theirs.close();
    }
    same(seen, sent);
  },

  "the outbox keeps messages that cannot be sent": async (place, other) => {
    const world = new World();
    world.isOnline = false;
    const first = await world.open(place);
    const writer = await first.create("out");
    const invitation = await writer.invitation();
    const delivery = await writer.send("from the dark");
    await first.close();
    world.isOnline = true;
    const second = await world.open(place);
    const [waiting] = await (await second.writer("out")).outbox();
    same(waiting!.id, delivery.id);
    await waiting!.stored;
    const theirs = await world.open(other);
    same(texts(await take(await theirs.import("in", invitation), 1)), ["from the dark"]);
    await second.close();
    const third = await world.open(place);
    same(await (await third.writer("out")).outbox(), []);
    await Promise.all([third.close(), theirs.close()]);
  },

  "messages can be read again until they are deleted": async (place) => {
    const world = new World();
    const channels = await world.open(place);
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    for (const text of ["a", "b", "c"]) await writer.send(text);
    const [first] = await take(reader, 3);
    same(texts(await take(reader, 2, first!.id + 1n)), ["b", "c"]);
    same(await reader.deleteRead(first!.id + 2n), 2);
    await channels.close();
    const again = await world.open(place);
    same(texts(await take(await again.reader("in"), 1, 0n)), ["c"]);
    await again.close();
  },

  "a restored copy of the outbox causes a fork": async (place, other) => {
    const world = new World();
    const ours = await world.open(place);
    const writer = await ours.create("out");
    // The copy has the state of a backup that is older than the message.
    const copy = await world.open(other);
    const restored = await copy.adopt("out", writer.writeCap());
    await (
      await writer.send("one")
    ).stored;
    const delivery = await restored.send("another one");
    const error: unknown = await delivery.stored.catch((reason: unknown) => reason);
    same(hasCode(error, "ERR_CHANNEL_FORKED"), true);
    await copy.close();
    const again = await world.open(other);
    same((await again.list())[0]!.isForked, true);
    await Promise.all([ours.close(), again.close()]);
  },

  "a channel is deleted completely, and others stay": async (place) => {
    const world = new World();
    world.isOnline = false;
    const channels = await world.open(place);
    for (let i = 0; i < 20; i++) {
      const writer = await channels.create(`channel ${i}`);
      for (let n = 0; n < 3; n++) await writer.send(`${i} ${n}`);
    }
    for (let i = 0; i < 20; i += 2) await channels.delete(`channel ${i}`);
    await channels.close();
    const again = await world.open(place);
    const list = await again.list();
    same(list.length, 10);
    same(
      list.every(({ queued }) => queued === 3),
      true,
    );
    await again.close();
  },

  "an encrypted store needs its key": async (place) => {
    const world = new World();
    const key = new Uint8Array(32).fill(7);
    const channels = await world.open(place, { key });
    await channels.create("out");
    await channels.close();
    await refused(world.open(place), /encrypted/);
    await refused(world.open(place, { key: new Uint8Array(32) }), /does not open the store/);
    const again = await world.open(place, { key });
    same((await again.list())[0]!.name, "out");
    await again.close();
  },

  "contacts and groups survive every reopening": async (place, other) => {
    const world = new World();
    let [ours, theirs] = [await world.open(place), await world.open(other)];
    const reopen = async (): Promise<void> => {
      await Promise.all([ours.close(), theirs.close()]);
      [ours, theirs] = [await world.open(place), await world.open(other)];
    };
    const invited = await ours.contacts.invite("Bob");
    const voucher = invited.voucher!;
    const group = await ours.groups.create("friends", { displayName: "Alice" });
    const joining = await theirs.groups.join("friends", { displayName: "Bob" });
    await group.induct(joining.voucher!);
    await theirs.contacts.accept(voucher, "Alice");
    await reopen();
    const atBob = await (await theirs.contacts.get("Alice")).ready();
    const atAlice = await (await ours.contacts.get("Bob")).ready();
    const friends = await theirs.groups.get("friends");
    await friends.joined();
    await atAlice.writer.send("in private");
    await (await ours.groups.get("friends")).send("to all");
    await reopen();
    const { reader } = await (await theirs.contacts.get("Alice")).ready();
    same(texts(await take(reader, 1)), ["in private"]);
    same(atBob.reader.name, "from Alice");
    for await (const { sender, message } of (await theirs.groups.get("friends")).messages()) {
      if (message?.type !== "text") continue;
      same([sender.displayName, message.text], ["Alice", "to all"]);
      break;
    }
    await Promise.all([ours.close(), theirs.close()]);
  },
};

/** Cases for stores that are opened by name: a second opening at the same time is refused. */
export const namedStoreCases: Readonly<Record<string, StoreCase>> = {
  "a store in use is refused, and can be opened after it was closed": async (place) => {
    const world = new World();
    const channels = await world.open(place);
    await refused(world.open(place), /in use/);
    await channels.close();
    await (await world.open(place)).close();
  },
};

/** Opens a store and leaves it open, like a tab that is never closed. */
export function openForEver(name: string): Promise<Channels> {
  return new World().open(() => name);
}
