/** Boxes that katzenqt wrote, read by a channel: test/reference/vectors/README.md. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "../../src/bytes/bytes.js";
import { MessageBoxIndex, ReadCap } from "../../src/bytes/opaque.js";
import { nextMessageBoxIndex } from "../../src/bacap/index.js";
import {
  type KatzenqtMessage,
  decodeKatzenqtMembers,
  decodeKatzenqtMessage,
  encodeKatzenqtMembers,
  encodeKatzenqtMessage,
  openChannels,
} from "../../src/channels/index.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { BoxIDNotFoundError } from "../../src/errors/errors.js";
import { loadVectors } from "../reference/load-vectors.js";
import { BoxesDouble } from "./boxes-double.js";
import { CrashDatabase, Disk } from "./crash-database.js";

interface Vectors {
  readonly boxes: readonly {
    readonly read_cap: string;
    readonly index: string;
    readonly plaintext: string;
  }[];
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  readonly who_reply: { readonly bytes: string; readonly display_names: readonly string[] };
}

const { boxes, messages, who_reply }: Vectors = loadVectors("katzenqt");

/** The members digest is one of three constants; no implementation checks it. */
const [theirs, tallies, ours] = [utf8("TODO".repeat(8)), new Uint8Array(32), utf8("t".repeat(32))];
const asOurs = (bytes: Uint8Array): string =>
  toHex(bytes).replace(
    new RegExp(`5820(${toHex(theirs)}|${toHex(tallies)})`),
    `5820${toHex(ours)}`,
  );

/** The properties of a message that the vectors list. */
function summary(message: KatzenqtMessage): Record<string, unknown> {
  if (message.type === "text") return { type: message.type, text: message.text };
  if (message.type !== "file") return { type: message.type };
  const { filetype, basename, payload } = message.file;
  const sha256 = createHash("sha256").update(payload).digest("hex");
  return { type: message.type, filetype, basename, length: payload.length, sha256 };
}

test("a recorded katzenqt channel can be read, side stream included", async () => {
  const clock = new VirtualClock();
  const stored = new Map(
    boxes.map(({ read_cap, index, plaintext }) => [
      read_cap.slice(0, 64) + index,
      fromHex(plaintext),
    ]),
  );
  const client = {
    ...new BoxesDouble(clock).client(),
    pigeonholeGeometry: { maxPlaintextPayloadLength: 1553 } as never,
    read: async (readCap: ReadCap, index: MessageBoxIndex) => {
      await clock.sleep(10);
      const plaintext = stored.get(toHex(readCap.subarray(0, 32)) + toHex(index));
      if (!plaintext) throw new BoxIDNotFoundError();
      return { plaintext, nextMessageBoxIndex: nextMessageBoxIndex(index) };
    },
  };
  const channels = await openChannels(client, new CrashDatabase(new Disk()), { clock });
  const reader = await channels.import("quin", {
    readCap: ReadCap.fromHex(boxes[0]!.read_cap),
    nextMessageBoxIndex: MessageBoxIndex.fromHex(boxes[0]!.index),
  });
  const seen: KatzenqtMessage[] = [];
  await clock.runUntil(
    (async () => {
      for await (const { kind, bytes, gap } of reader) {
        assert.deepEqual([kind, gap], ["message", 0]);
        const message = decodeKatzenqtMessage(bytes);
        // Our encoder produces the same bytes for the same message.
        assert.equal(toHex(encodeKatzenqtMessage(message)), asOurs(bytes));
        if (seen.push(message) === messages.length) break;
      }
    })(),
  );
  assert.deepEqual(seen.map(summary), messages);
  const vote = seen.at(-1)!;
  assert.ok(vote.type === "tallyVote");
  assert.deepEqual(vote.tally.choice, new Map([["s1", "yes"]]));
  await clock.runUntil(channels.close());
});

test("katzenqt's answer to a voucher is read, and encodes to the same bytes again", () => {
  const members = decodeKatzenqtMembers(fromHex(who_reply.bytes));
  assert.deepEqual(
    members.map(({ displayName }) => displayName),
    who_reply.display_names,
  );
  assert.equal(toHex(encodeKatzenqtMembers(members)), who_reply.bytes);
});
