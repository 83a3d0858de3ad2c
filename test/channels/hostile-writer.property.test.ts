/**
 * A contact, and a member of a group, who writes any bytes into its own boxes: broken messages,
 * side streams in circles, tombstones, gaps, false introductions. Nothing of it may stop a reader,
 * reorder or repeat messages, or keep a group from hearing the others.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { generateKeypair, mutateCap, nextMessageBoxIndex } from "../../src/bacap/index.js";
import { type Keypair, firstIndexOf, withIndex } from "../../src/bacap/capabilities.js";
import { concatBytes, toHex, utf8, utf8ToText } from "../../src/bytes/bytes.js";
import type { ReadCap } from "../../src/bytes/opaque.js";
import { encodeCbor } from "../../src/cbor/cbor.js";
import type { Channels, DiagnosticsHook } from "../../src/channels/index.js";
import { Disk } from "./crash-database.js";
import { take } from "./group-talk.js";
import { world } from "./world.js";

const DAY = 24 * 3600 * 1000;
const MAX_MESSAGE_LENGTH = 400;

function capAhead(readCap: ReadCap, boxes: number): ReadCap {
  let index = firstIndexOf(readCap);
  for (let n = 0; n < boxes; n++) index = nextMessageBoxIndex(index);
  return withIndex(readCap, index);
}

/** A box of a hostile writer: bytes, a reference to a stream, a tombstone, or nothing. */
type HostileBox =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "side"; readonly stream: number; readonly ahead: number }
  | { readonly kind: "deleted" }
  | { readonly kind: "missing" };

const prefixes = [...utf8("MmnoFCI")];
const content = fc.uint8Array({ maxLength: 50 });
const hostileBox: fc.Arbitrary<HostileBox> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("bytes" as const),
      bytes: fc
        .tuple(fc.oneof(fc.constantFrom(...prefixes), fc.nat(255)), content)
        .map(([prefix, rest]) => concatBytes(Uint8Array.of(prefix), rest)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("side" as const),
      stream: fc.nat(3),
      ahead: fc.nat(4),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("deleted" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("missing" as const) }) },
);

/** Reads a channel of these boxes, with restarts after so many messages. */
async function readAll(
  streams: readonly (readonly HostileBox[])[],
  stops: readonly number[],
): Promise<void> {
  const { clock, boxes, open } = world();
  const disk = new Disk();
  const failures: unknown[] = [];
  const diagnostics: DiagnosticsHook = (event) => {
    if (event.type === "readFailed") failures.push(event.error);
  };
  const reopen = () => open(disk, { diagnostics, maxMessageLength: MAX_MESSAGE_LENGTH });
  const keys = streams.map(() => generateKeypair());
  const bytesOf = (box: HostileBox): Uint8Array | null => {
    if (box.kind === "missing") return null;
    if (box.kind === "deleted") return new Uint8Array(0);
    if (box.kind === "bytes") return box.bytes;
    return concatBytes(utf8("I"), capAhead(keys[box.stream]!.readCap, box.ahead));
  };
  const write = ({ writeCap, firstMessageIndex }: Keypair, all: readonly HostileBox[]) => {
    let index = firstMessageIndex;
    for (const box of all) {
      const bytes = bytesOf(box);
      if (bytes) boxes.put(writeCap, index, bytes);
      index = nextMessageBoxIndex(index);
    }
  };
  // Enough boxes that prove that those before them were stored.
  const last = Array.from({ length: 10 }, (_, i): HostileBox => {
    return { kind: "bytes", bytes: utf8(`Fend ${i}`) };
  });
  for (const [i, all] of streams.entries()) write(keys[i]!, i === 0 ? [...all, ...last] : all);
  let channels = await reopen();
  await channels.import("in", keys[0]!.readCap);
  const seen = new Map<bigint, string>();
  for (const stop of [...stops, Infinity]) {
    const reader = await channels.reader("in");
    let before = reader.acknowledged ?? -1n;
    let count = 0;
    const hasEnded = async (): Promise<boolean> => {
      for await (const { id, kind, bytes, ack } of reader.messages({ ack: "manual" })) {
        assert.ok(id > before, "the messages are in order");
        before = id;
        const text = `${kind} ${toHex(bytes)}`;
        assert.equal(seen.get(id) ?? text, text, "a message does not change");
        seen.set(id, text);
        assert.ok(kind !== "message" || bytes.length <= MAX_MESSAGE_LENGTH);
        if (count % 3 > 0) await ack();
        if (utf8ToText(bytes) === "end 9") return true;
        if (++count >= stop) break;
      }
      return false;
    };
    if (await clock.runUntil(hasEnded(), 5 * DAY)) break;
    await clock.runUntil(channels.close());
    channels = await reopen();
  }
  assert.deepEqual(failures, []);
  await clock.runUntil(channels.close());
}

/** What a hostile member sends: bytes, or an introduction of a member with a changed ReadCap. */
type HostileMessage =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | {
      readonly kind: "introduction";
      readonly name: string;
      readonly member: number;
      readonly salt: number | null;
      readonly ahead: number;
      readonly after: readonly (readonly [string, bigint | number])[];
    };

const name = fc.constantFrom("Alice", "Bob", "Carol", "Mallory", "Zed");
const hostileMessage: fc.Arbitrary<HostileMessage> = fc.oneof(
  fc.record({ kind: fc.constant("bytes" as const), bytes: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({
    kind: fc.constant("introduction" as const),
    name,
    member: fc.nat(4),
    salt: fc.option(fc.nat(3)),
    ahead: fc.nat(40),
    after: fc.array(
      fc.tuple(name, fc.oneof(fc.constantFrom(-1n, 0n, 2n ** 63n, 2n ** 64n - 1n), fc.double())),
      { maxLength: 5 },
    ),
  }),
);

/** A talk of two members in front of a third, while a fourth one sends these messages. */
async function hearAll(messages: readonly HostileMessage[]): Promise<void> {
  const { clock, open } = world();
  const all = [await open(), await open(), await open(), await open()];
  const [alice, mallory, bob, carol] = all as [Channels, Channels, Channels, Channels];
  const talk = async (): Promise<void> => {
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const m = await take(a, mallory, "Mallory");
    const b = await take(a, bob, "Bob");
    const c = await take(a, carol, "Carol");
    const caps = [generateKeypair().readCap];
    for (const [i, group] of [a, m, b, c].entries()) {
      caps.push((await all[i]!.writer(group.ownChannel)).readCap());
    }
    const writer = await mallory.writer(m.ownChannel);
    const wanted = new Set<string>();
    for (const [n, message] of messages.entries()) {
      if (message.kind === "bytes") {
        await writer.send(message.bytes);
      } else {
        const { ahead, salt, after } = message;
        const readCap = capAhead(caps[message.member]!, ahead);
        const introduction = {
          display_name: message.name,
          read_cap: salt === null ? readCap : mutateCap(readCap, Uint8Array.of(salt)),
        };
        await writer.send(encodeCbor({ msg_type: 1, introduction, after: after as never }));
      }
      const speaker = n % 2 === 0 ? a : b;
      wanted.add(`text ${n}`);
      await speaker.send(`text ${n}`);
      await clock.sleep(1000);
    }
    const lastIds = new Map<string, bigint>();
    for await (const { sender, id, message } of c.messages()) {
      assert.ok(id > (lastIds.get(sender.channel) ?? -1n), "a member's messages are in order");
      lastIds.set(sender.channel, id);
      if (message?.type === "text") wanted.delete(message.text);
      if (wanted.size === 0) break;
    }
  };
  await clock.runUntil(talk(), DAY);
  await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
}

describe("a hostile writer", () => {
  it("does not stop, reorder or repeat what a reader gets", async () => {
    const streams = fc.tuple(
      fc.array(hostileBox, { maxLength: 25 }),
      ...[1, 2, 3].map(() => fc.array(hostileBox, { maxLength: 6 })),
    );
    const stops = fc.array(fc.integer({ min: 1, max: 10 }), { maxLength: 3 });
    await fc.assert(fc.asyncProperty(streams, stops, readAll), { numRuns: 60 });
  });

  it("does not keep a group from hearing the others", async () => {
    const messages = fc.array(hostileMessage, { minLength: 1, maxLength: 12 });
    await fc.assert(fc.asyncProperty(messages, hearAll), { numRuns: 15 });
  });
});
