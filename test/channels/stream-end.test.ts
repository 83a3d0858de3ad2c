/** Strangers choose where a stream begins: no index follows the last one, which is counter 2^64 - 1. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { firstIndexOf, generateKeypair, readCapOf } from "../../src/bacap/index.js";
import { type Keypair, withIndex } from "../../src/bacap/capabilities.js";
import { nextMessageBoxIndex } from "../../src/bacap/message-box-index.js";
import { concatBytes, utf8, utf8ToText } from "../../src/bytes/bytes.js";
import type { MessageBoxIndex } from "../../src/bytes/opaque.js";
import {
  type DiagnosticsHook,
  type Reader,
  encodeKatzenqtMembers,
} from "../../src/channels/index.js";
import { BoxesDouble } from "./boxes-double.js";
import { Disk } from "./crash-database.js";
import { world } from "./world.js";

const DAY = 24 * 3600 * 1000;

/** A stream that begins so many boxes before the last one. */
function endingStream(boxesLeft: bigint): Keypair {
  const { writeCap, readCap, firstMessageIndex } = generateKeypair();
  const index = firstMessageIndex.slice() as MessageBoxIndex;
  new DataView(index.buffer).setBigUint64(0, 2n ** 64n - 1n - boxesLeft, true);
  return {
    writeCap: withIndex(writeCap, index),
    readCap: withIndex(readCap, index),
    firstMessageIndex: index,
  };
}

/** Writes a message into each box up to the last one. */
function fill(boxes: BoxesDouble, { writeCap, firstMessageIndex }: Keypair, count: number): void {
  let index = firstMessageIndex;
  for (let n = 0; n < count; n++) {
    boxes.put(writeCap, index, utf8(`Fmessage ${n}`));
    if (n < count - 1) index = nextMessageBoxIndex(index);
  }
}

async function next(reader: Reader): Promise<string> {
  for await (const { kind, bytes } of reader) return `${kind} ${utf8ToText(bytes)}`;
  throw new Error("no message");
}

describe("a stream that begins at its end", () => {
  it("cannot be imported or adopted", async () => {
    const { clock, open } = world();
    const channels = await open();
    const { writeCap, readCap, firstMessageIndex } = endingStream(5n);
    await assert.rejects(channels.adopt("out", writeCap), RangeError);
    await assert.rejects(channels.import("in", readCap), RangeError);
    const invitation = {
      readCap: generateKeypair().readCap,
      nextMessageBoxIndex: firstMessageIndex,
    };
    await assert.rejects(channels.import("in", invitation), RangeError);
    assert.deepEqual(await channels.list(), []);
    await clock.runUntil(channels.close());
  });

  it("is not read as a member of a group", async () => {
    const { clock, boxes, open } = world();
    const failures: unknown[] = [];
    const diagnostics: DiagnosticsHook = (event) => {
      if (event.type === "readFailed") failures.push(event.error);
    };
    const [alice, mallory] = [await open(new Disk(), { diagnostics }), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const m = await clock.runUntil(mallory.groups.join("friends", { displayName: "Mallory" }));
    const { taken } = await clock.runUntil(a.induct(m.voucher!));
    await clock.runUntil(Promise.all([taken(), m.joined()]), DAY);
    const ending = endingStream(1n);
    fill(boxes, ending, 2);
    const member = { displayName: "Zed", readCap: ending.readCap };
    await clock.runUntil(m.send({ type: "introduction", member }));
    await clock.runUntil(m.send("done"));
    const heard = async (): Promise<void> => {
      for await (const { message } of a.messages()) if (message?.type === "text") return;
    };
    await clock.runUntil(heard(), DAY);
    await clock.advance(3600_000);
    assert.equal(a.members().length, 1);
    assert.deepEqual(failures, []);
    await clock.runUntil(Promise.all([alice.close(), mallory.close()]));
  });

  it("is not read as a side stream", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const [main, ending] = [generateKeypair(), endingStream(1n)];
    fill(boxes, ending, 2);
    const box = concatBytes(utf8("I"), ending.readCap);
    boxes.put(main.writeCap, main.firstMessageIndex, box);
    const reader = await channels.import("in", main.readCap);
    assert.match(await clock.runUntil(next(reader), DAY), /^other I/);
    await clock.runUntil(channels.close());
  });

  it("makes no contact, whichever side has it", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const client = boxes.client();
    const ending = endingStream(1n);
    const minted = await clock.runUntil(client.voucherMint(ending.writeCap, "Mallory"));
    const payload = firstIndexOf(minted.voucherWriteCap);
    boxes.put(minted.voucherWriteCap, payload, minted.voucherPayload);
    const accepted = await clock.runUntil(channels.contacts.accept(minted.voucher, "newcomer"));
    await assert.rejects(clock.runUntil(accepted.ready(), DAY));
    assert.equal(accepted.info.state, "failed");

    const invited = await clock.runUntil(channels.contacts.invite("member"));
    const voucher = invited.voucher!;
    await clock.runUntil(invited.stored());
    const answer = async (): Promise<void> => {
      const { voucherWriteCap } = await client.voucherDeriveStream(voucher);
      const box = firstIndexOf(voucherWriteCap);
      const { plaintext } = await client.read(readCapOf(voucherWriteCap), box, { wait: false });
      const { readCap } = ending;
      const members = encodeKatzenqtMembers([{ displayName: "Mallory", readCap }]);
      const { sealedReply } = await client.voucherInduct(voucher, plaintext, members);
      await client.write(voucherWriteCap, nextMessageBoxIndex(box), sealedReply);
    };
    await clock.runUntil(answer());
    await assert.rejects(clock.runUntil(invited.ready(), DAY));
    assert.equal(invited.info.state, "failed");
    assert.deepEqual(await channels.list(), []);
    await clock.runUntil(channels.close());
  });
});
