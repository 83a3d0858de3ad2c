/** Whose turn it is to be asked, and when, on a network that takes one packet a second. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { generateKeypair } from "../../src/bacap/index.js";
import { toHex, utf8ToText } from "../../src/bytes/bytes.js";
import {
  type Channels,
  type Group,
  type Reader,
  type Writer,
  openChannels,
} from "../../src/channels/index.js";
import { togetherShare } from "../clock/together.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { world } from "./world.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** A read that is asked for at once, and finds a box that is stored meanwhile. */
const READ_MS = 15 * SECOND;

interface Heard {
  readonly channel: string;
  readonly text: string;
  readonly at: number;
}

/** A world in which each store may send one packet a second, and an answer takes five. */
function slowWorld() {
  const { clock, boxes } = world();
  boxes.fate = () => ({ delayMs: 5 * SECOND, lost: null });
  const open = async (): Promise<Channels> => {
    const client = boxes.client();
    client.pkiDocument = () => ({ lambdaP: 0.001 }) as never;
    return openChannels(client, new CrashDatabase(new Disk()), { clock });
  };
  const heard: Heard[] = [];
  const abort = new AbortController();
  const loops: Promise<void>[] = [];
  const listen = (reader: Reader): void => {
    const loop = async (): Promise<void> => {
      for await (const { bytes } of reader.messages({ signal: abort.signal })) {
        heard.push({ channel: reader.name, text: utf8ToText(bytes), at: clock.monotonic() });
      }
    };
    loops.push(loop().catch(() => {}));
  };
  const end = async (...all: Channels[]): Promise<void> => {
    abort.abort();
    await Promise.all(loops);
    await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
  };
  /** How much later a message is heard than it is stored. */
  const lateness = async (writer: Writer, text: string): Promise<number> => {
    await clock.runUntil((await writer.send(text)).stored);
    const since = clock.monotonic();
    const ofIt = (): Heard | undefined => heard.find((message) => message.text === text);
    while (!ofIt() && clock.monotonic() - since < 60 * MINUTE) await clock.advance(SECOND / 2);
    return (ofIt()?.at ?? Infinity) - since;
  };
  return { clock, boxes, open, heard, listen, end, lateness };
}

/** Makes contacts between two stores; returns their ends there. */
async function befriend(
  { clock }: ReturnType<typeof slowWorld>,
  one: Channels,
  other: Channels,
  name: string,
) {
  const ours = await clock.runUntil(one.contacts.invite(name));
  const theirs = await clock.runUntil(other.contacts.accept(ours.voucher!, name));
  return clock.runUntil(Promise.all([ours.ready(), theirs.ready()]));
}

describe("turns of channels", () => {
  it("a dialogue with one contact does not wait for eleven silent ones", async () => {
    const world = slowWorld();
    const { clock, open, listen, lateness, end } = world;
    const [alice, bob] = [await open(), await open()];
    const pairs = [];
    for (let i = 0; i < 12; i++) pairs.push(await befriend(world, alice, bob, `contact ${i}`));
    for (const [{ reader }] of pairs) listen(reader);
    await clock.advance(20 * MINUTE);
    const [ours, theirs] = pairs[7]!;
    const late: number[] = [];
    for (let n = 0; n < 10; n++) {
      await clock.runUntil((await ours.writer.send(`question ${n}`)).stored);
      await clock.advance(10 * SECOND);
      late.push(await lateness(theirs.writer, `answer ${n}`));
    }
    assert.ok(Math.max(...late) < READ_MS + 5 * SECOND, `${late.join(", ")} ms late`);
    await end(alice, bob);
  });

  it("a dialogue over two created channels does not wait for silent contacts", async () => {
    const world = slowWorld();
    const { clock, open, listen, lateness, end } = world;
    const [alice, bob] = [await open(), await open()];
    for (let i = 0; i < 9; i++) {
      const [{ reader }] = await befriend(world, alice, bob, `contact ${i}`);
      listen(reader);
    }
    const [ours, theirs] = [await alice.create("questions"), await bob.create("answers")];
    listen(await bob.import("questions", await ours.invitation()));
    listen(await alice.import("answers", await theirs.invitation()));
    await clock.advance(20 * MINUTE);
    const late: number[] = [];
    for (let n = 0; n < 10; n++) {
      late.push(await lateness(ours, `question ${n}`));
      late.push(await lateness(theirs, `answer ${n}`));
    }
    // Bob has been silent when the first question comes, so he hears it minutes later.
    assert.ok(Math.max(...late.slice(2)) < READ_MS + 5 * SECOND, `${late.join(", ")} ms late`);
    await end(alice, bob);
  });

  it("a talk in one group does not wait for ten silent channels", async () => {
    const world = slowWorld();
    const { clock, open, listen, end } = world;
    const [alice, bob] = [await open(), await open()];
    for (let i = 0; i < 10; i++) {
      const writer = await bob.create(`silent ${i}`);
      listen(await alice.import(`silent ${i}`, await writer.invitation()));
    }
    const group = await alice.groups.create("friends", { displayName: "Alice" });
    const theirs = await clock.runUntil(bob.groups.join("friends", { displayName: "Bob" }));
    await clock.runUntil(group.induct(theirs.voucher!));
    await clock.runUntil(theirs.joined());
    const abort = new AbortController();
    const heardAt: number[] = [];
    const loop = (async () => {
      for await (const { message } of group.messages({ signal: abort.signal })) {
        if (message?.type === "text") heardAt.push(clock.monotonic());
      }
    })().catch(() => {});
    await clock.advance(20 * MINUTE);
    const late: number[] = [];
    for (let n = 0; n < 10; n++) {
      await clock.runUntil((await group.send(`question ${n}`)).stored);
      await clock.advance(10 * SECOND);
      await clock.runUntil((await theirs.send(`answer ${n}`)).stored);
      const since = clock.monotonic();
      while (heardAt.length <= n) await clock.advance(SECOND / 2);
      late.push(heardAt[n]! - since);
    }
    // Boxes of sixty bytes: a group's message takes several in a side stream.
    assert.ok(Math.max(...late) < 2 * READ_MS + 5 * SECOND, `${late.join(", ")} ms late`);
    abort.abort();
    await loop;
    await end(alice, bob);
  });

  it("an answer in a group comes after its question, also to a member who has been silent", async () => {
    const { clock, open, end } = slowWorld();
    const [alice, bob, carol] = [await open(), await open(), await open()];
    const abort = new AbortController();
    const asks = await alice.groups.create("friends", { displayName: "Alice" });
    const join = async (channels: Channels, displayName: string): Promise<Group> => {
      const group = await clock.runUntil(channels.groups.join("friends", { displayName }));
      await clock.runUntil(asks.induct(group.voucher!));
      await clock.runUntil(group.joined());
      return group;
    };
    const answers = await join(bob, "Bob");
    const listens = await join(carol, "Carol");
    const heard: { text: string; at: number }[] = [];
    const hear = async (group: Group, then: (text: string) => void): Promise<void> => {
      for await (const { message } of group.messages({ signal: abort.signal })) {
        if (message?.type === "text") then(message.text);
      }
    };
    const loops = [
      hear(answers, (text) => {
        if (text.startsWith("question")) void answers.send(text.replace("question", "answer"));
      }),
      hear(listens, (text) => void heard.push({ text, at: clock.monotonic() })),
    ];
    for (let n = 0; n < 8; n++) {
      await clock.advance(20 * MINUTE + n * 37 * SECOND);
      // Carol hears of Bob, so she asks for his boxes often, but for Alice's seldom.
      await clock.runUntil((await answers.send(`remark ${n}`)).stored);
      while (heard.at(-1)?.text !== `remark ${n}`) await clock.advance(SECOND);
      await clock.runUntil((await asks.send(`question ${n}`)).stored);
      while (heard.at(-1)?.text !== `answer ${n}`) await clock.advance(SECOND);
    }
    const texts = heard.map(({ text }) => text);
    const ofRound = (n: number): string[] => [`remark ${n}`, `question ${n}`, `answer ${n}`];
    assert.deepEqual(texts, Array.from({ length: 8 }, (_, n) => ofRound(n)).flat());
    abort.abort();
    await Promise.allSettled(loops);
    await end(alice, bob, carol);
  });

  it("silent channels are asked although one is never silent", async () => {
    const { clock, open, listen, lateness, end } = slowWorld();
    const [alice, bob] = [await open(), await open()];
    const writers: Writer[] = [];
    for (let i = 0; i < 3; i++) {
      const writer = await bob.create(`out ${i}`);
      writers.push(writer);
      listen(await alice.import(`in ${i}`, await writer.invitation()));
    }
    await clock.advance(30 * MINUTE);
    // A thousand messages keep one reader busy.
    for (let n = 0; n < 1000; n++) await writers[0]!.send(`flood ${n}`);
    await clock.advance(MINUTE);
    assert.ok(writers[0]!.queued > 500);
    const late = await lateness(writers[1]!, "and I?");
    assert.ok(late < 5.5 * MINUTE, `${late} ms late`);
    await end(alice, bob);
  });

  it("fifty silent channels are asked before looks for boxes after theirs", async () => {
    const { clock, open, listen, lateness, end } = slowWorld();
    const [alice, bob] = [await open(), await open()];
    const writers: Writer[] = [];
    for (let i = 0; i < 50; i++) {
      const writer = await bob.create(`out ${i}`);
      writers.push(writer);
      listen(await alice.import(`in ${i}`, await writer.invitation()));
    }
    await clock.advance(150 * MINUTE);
    // They pause for up to 300 s, and wait for the others: at one attempt every 4 seconds, fifty take 200.
    const late: number[] = [];
    for (const i of [3, 25, 47]) late.push(await lateness(writers[i]!, `hello ${i}`));
    assert.ok(Math.max(...late) < 500 * SECOND + READ_MS, `${late.join(", ")} ms late`);
    await end(alice, bob);
  });

  for (const minutes of [1, 2, 5, 10, 20, 120]) {
    it(`a message after a silence of ${minutes} min is late by a quarter of that, at most by 5 min`, async () => {
      const { clock, open, listen, lateness, end } = slowWorld();
      const [alice, bob] = [await open(), await open()];
      const writer = await bob.create("out");
      listen(await alice.import("in", await writer.invitation()));
      await lateness(writer, "first");
      for (let n = 0; n < 5; n++) {
        await clock.advance(minutes * MINUTE + n * 7 * SECOND);
        const late = await lateness(writer, `message ${n}`);
        const most = Math.min((minutes + 1) / 4, 5) * MINUTE + READ_MS;
        assert.ok(late < most, `${late} ms late`);
      }
      await end(alice, bob);
    });
  }

  it("silent channels that are read since the same moment are not asked together for good", async () => {
    const { clock, boxes, listen, end } = slowWorld();
    const client = boxes.client();
    const askedAt = new Map<string, number[]>();
    const { read } = client;
    client.read = (readCap, index, options) => {
      const box = toHex(index);
      askedAt.set(box, [...(askedAt.get(box) ?? []), clock.monotonic()]);
      return read(readCap, index, options);
    };
    const channels = await openChannels(client, new CrashDatabase(new Disk()), { clock });
    const streams = [generateKeypair(), generateKeypair()];
    for (const [i, { readCap }] of streams.entries()) {
      listen(await channels.import(`silent ${i}`, readCap));
    }
    await clock.advance(24 * 60 * MINUTE);
    const [one, other] = streams.map(({ firstMessageIndex }) =>
      askedAt.get(toHex(firstMessageIndex))!,
    );
    const share = togetherShare(one!, other!, 10 * SECOND);
    assert.ok(one!.length > 250, `${one!.length} attempts`);
    assert.ok(share < 0.5, `${share} of the attempts were made together`);
    await end(channels);
  });

  it("a voucher that is answered after minutes is opened late by a quarter of them", async () => {
    const { clock, open, end } = slowWorld();
    const [alice, bob] = [await open(), await open()];
    for (const minutes of [1, 3, 5, 8]) {
      const ours = await clock.runUntil(alice.contacts.invite(`bob ${minutes}`));
      await clock.advance(minutes * MINUTE);
      const theirs = await clock.runUntil(bob.contacts.accept(ours.voucher!, `alice ${minutes}`));
      await clock.runUntil(theirs.ready());
      const since = clock.monotonic();
      await clock.runUntil(ours.ready());
      const late = clock.monotonic() - since;
      assert.ok(late < ((minutes + 1) / 4) * MINUTE + READ_MS, `${minutes} min: ${late} ms late`);
    }
    await end(alice, bob);
  });
});
