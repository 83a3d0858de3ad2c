/** How long channels pause after calls that failed: what a network that is back finds. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toHex, utf8ToText } from "../../src/bytes/bytes.js";
import { type ChannelClient, openChannels } from "../../src/channels/index.js";
import { BoxIDNotFoundError, RequestTimeoutError } from "../../src/errors/errors.js";
import type { BoxesDouble } from "./boxes-double.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { world } from "./world.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** A network with round trips of seconds, and calls that fail at once while it is away. */
function awayWorld() {
  const { clock, boxes } = world();
  const setAway = (away: boolean): void => {
    boxes.fate = () =>
      away ? { delayMs: 2, lost: "request" } : { delayMs: 4 * SECOND, lost: null };
    if (!away) boxes.announceDocument();
  };
  setAway(false);
  const open = (client: ChannelClient = boxes.client()) =>
    openChannels(client, new CrashDatabase(new Disk()), { clock });
  return { clock, boxes, open, setAway };
}

describe("pauses after failures", () => {
  it("boxes that fail together make one pause, not one for each", async () => {
    const { clock, boxes, open } = awayWorld();
    const channels = await open();
    const writer = await channels.create("out");
    await clock.runUntil((await writer.send("first")).stored);
    let calls = 0;
    // Eight are in progress when the daemon loses them.
    boxes.fate = () => ({ delayMs: 4 * SECOND, lost: ++calls <= 8 ? "request" : null });
    const sent = await Promise.all(Array.from({ length: 8 }, (_, i) => writer.send(String(i))));
    const since = clock.monotonic();
    await clock.runUntil(Promise.all(sent.map(({ stored }) => stored)));
    // They fail after 22 s; then a pause of 2 s, and a round trip.
    assert.ok(clock.monotonic() - since < 40 * SECOND, `${clock.monotonic() - since} ms`);
    await clock.runUntil(channels.close());
  });

  for (const minutes of [2, 20]) {
    it(`messages leave and arrive as soon as a network that was away for ${minutes} min has a document`, async () => {
      const { clock, open, setAway } = awayWorld();
      const [alice, bob] = [await open(), await open()];
      const writer = await alice.create("out");
      const reader = await bob.import("in", await writer.invitation());
      const messages = reader.messages();
      await clock.runUntil((await writer.send("before")).stored);
      await clock.runUntil(messages.next());
      const next = messages.next();
      for (const wait of [0, 7, 31]) {
        setAway(true);
        await clock.advance(MINUTE);
        const delivery = await writer.send(`meanwhile ${wait}`);
        await clock.advance(minutes * MINUTE + wait * SECOND);
        const since = clock.monotonic();
        setAway(false);
        await clock.runUntil(delivery.stored);
        assert.ok(clock.monotonic() - since < 10 * SECOND, `${clock.monotonic() - since} ms`);
        const { value } = await clock.runUntil(wait === 0 ? next : messages.next());
        assert.equal(utf8ToText(value!.bytes), `meanwhile ${wait}`);
        assert.ok(clock.monotonic() - since < 25 * SECOND, `${clock.monotonic() - since} ms`);
      }
      await messages.return!();
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    });
  }

  it("a voucher is exchanged as soon as the network has a document", async () => {
    const { clock, open, setAway } = awayWorld();
    const [alice, bob] = [await open(), await open()];
    const ours = await clock.runUntil(alice.contacts.invite("bob"));
    await clock.runUntil(ours.stored());
    const theirs = await clock.runUntil(bob.contacts.accept(ours.voucher!, "alice"));
    setAway(true);
    await clock.advance(20 * MINUTE);
    setAway(false);
    const since = clock.monotonic();
    await clock.runUntil(Promise.all([theirs.ready(), ours.ready()]));
    assert.ok(clock.monotonic() - since < 45 * SECOND, `${clock.monotonic() - since} ms`);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("reads that fail do not count when a side stream is given up", async () => {
    const { clock, boxes, open } = awayWorld();
    const alice = await open();
    const client = boxes.client();
    const read = client.read.bind(client);
    type Fate = "found" | "failed" | "missing";
    let fate: Fate = "found";
    const asked: Fate[] = [];
    client.read = async (...args) => {
      asked.push(fate);
      if (fate === "failed") throw new RequestTimeoutError("no network");
      if (fate === "missing") throw new BoxIDNotFoundError();
      return read(...args);
    };
    const bob = await open(client);
    const writer = await alice.create("out", { format: "katzenqt" });
    const long = "x".repeat(500);
    await clock.runUntil((await writer.send(long)).stored);
    const reader = await bob.import("in", await writer.invitation(), { from: "start" });
    const messages = reader.messages();
    const next = messages.next();
    // The box that refers to the side stream is read, and the network goes away.
    while (asked.length < 1) await clock.advance(SECOND);
    await clock.advance(5 * SECOND);
    fate = "failed";
    await clock.advance(180 * MINUTE);
    fate = "missing";
    while (asked.at(-1) !== "missing") await clock.advance(SECOND);
    await clock.advance(SECOND);
    fate = "found";
    const { value } = await clock.runUntil(next);
    assert.ok(asked.filter((how) => how === "failed").length > 12);
    assert.equal(value!.kind, "message");
    assert.equal(utf8ToText(value!.bytes), long);
    await messages.return!();
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });
});

/**
 * A client of a daemon that drops the first call of each kind for each box, `most` calls in all, as
 * kpclientd does when a courier's answer cannot be read.
 */
function droppedOnce(boxes: BoxesDouble, most = Infinity): ChannelClient {
  const client = boxes.client();
  const dropped = new Set<string>();
  for (const kind of ["read", "write", "tombstone"] as const) {
    const call = client[kind] as (...args: unknown[]) => Promise<unknown>;
    const once = (...args: unknown[]): Promise<unknown> => {
      const name = `${kind} ${toHex(args[1] as Uint8Array)}`;
      if (dropped.has(name) || dropped.size >= most) return call(...args);
      dropped.add(name);
      const { fate } = boxes;
      boxes.fate = () => ({ delayMs: 0, lost: "answer" });
      try {
        return call(...args);
      } finally {
        boxes.fate = fate;
      }
    };
    Object.assign(client, { [kind]: once });
  }
  return client;
}

describe("calls that the daemon never answers", () => {
  it("do not stop a channel: the boxes are written, deleted and read again", async () => {
    const { clock, boxes } = world();
    const open = () => openChannels(droppedOnce(boxes), new CrashDatabase(new Disk()), { clock });
    const [alice, bob] = [await open(), await open()];
    const writer = await alice.create("out");
    const reader = await bob.import("in", await writer.invitation());
    const deleted = await writer.send("deleted");
    await clock.runUntil(deleted.stored, 60 * MINUTE);
    await clock.runUntil(writer.delete(deleted.id), 60 * MINUTE);
    await clock.runUntil((await writer.send("kept")).stored, 120 * MINUTE);
    const kinds: string[] = [];
    await clock.runUntil(
      (async () => {
        for await (const { kind } of reader) if (kinds.push(kind) === 2) break;
      })(),
      120 * MINUTE,
    );
    assert.deepEqual(kinds, ["deleted", "message"]);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("do not stop an atomic batch", async () => {
    const { clock, boxes } = world();
    const channels = await openChannels(droppedOnce(boxes, 1), new CrashDatabase(new Disk()), {
      clock,
    });
    const writer = await channels.create("out");
    const both = await channels.atomically((batch) => batch.send(writer, "together"));
    await clock.runUntil(both.stored, 60 * MINUTE);
    await clock.runUntil(channels.close());
  });

  it("do not stop the exchange of a voucher", async () => {
    const { clock, boxes } = world();
    const open = () => openChannels(droppedOnce(boxes), new CrashDatabase(new Disk()), { clock });
    const [alice, bob] = [await open(), await open()];
    const toBob = await clock.runUntil(alice.contacts.invite("Bob"));
    const toAlice = await clock.runUntil(bob.contacts.accept(toBob.voucher!, "Alice"));
    const ready = Promise.all([toBob.ready(), toAlice.ready()]);
    await clock.runUntil(ready, 4 * 60 * MINUTE);
    const lost = await clock.runUntil(alice.contacts.invite("Carol"));
    await clock.runUntil(lost.stored(), 60 * MINUTE);
    await clock.runUntil(alice.contacts.cancel("Carol"));
    await clock.runUntil(lost.stored(), 60 * MINUTE);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });
});
