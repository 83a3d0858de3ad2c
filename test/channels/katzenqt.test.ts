import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { concatBytes, fromHex, randomBytes, toHex, utf8 } from "../../src/bytes/bytes.js";
import { encodeCbor } from "../../src/cbor/cbor.js";
import {
  KATZENQT_BOX_CONTENT,
  type KatzenqtMessage,
  decodeKatzenqtMembers,
  decodeKatzenqtMessage,
  encodeKatzenqtMembers,
  encodeKatzenqtMessage,
  openChannels,
} from "../../src/channels/index.js";
import {
  advanceMessageBoxIndex,
  firstIndexOf,
  generateKeypair,
  messageBoxCounter,
  readCapOf,
} from "../../src/bacap/index.js";
import type { ReadCap } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { ProtocolError } from "../../src/errors/errors.js";
import { BoxesDouble } from "./boxes-double.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { take } from "./reading.js";

const readCap: ReadCap = generateKeypair().readCap;

const causes = fc.array(
  fc.record({ name: fc.string(), id: fc.bigInt({ min: 0n, max: 2n ** 63n }) }),
  { minLength: 1, maxLength: 3 },
);
const displayName = fc.string({ minLength: 1, maxLength: 30 });
const bytes = fc.uint8Array({ maxLength: 100 }).map((some) => some.slice());
const kinds: fc.Arbitrary<KatzenqtMessage> = fc.oneof(
  fc.record({ type: fc.constant("text" as const), text: fc.string() }),
  fc.record({
    type: fc.constant("introduction" as const),
    member: fc.record({ displayName, readCap: fc.constant(readCap) }),
  }),
  fc.record({
    type: fc.constant("file" as const),
    file: fc.record({
      payload: bytes,
      filetype: fc.string(),
      basename: fc.stringMatching(/^[a-z][a-z.]{0,20}$/),
    }),
  }),
  fc.record({ type: fc.constantFrom("who" as const, "replyWho" as const), text: fc.string() }),
  fc.record({
    type: fc.constantFrom("tallyCreate" as const, "syncRequest" as const),
    tally: fc.record(
      { surveyId: bytes, version: fc.nat(), crdt: bytes },
      { requiredKeys: ["surveyId", "version"] },
    ),
  }),
);
const messages: fc.Arbitrary<KatzenqtMessage> = fc
  .tuple(kinds, fc.option(causes, { nil: undefined }))
  .map(([message, after]) => (after ? { ...message, after } : message));

describe("katzenqt's messages", () => {
  it("a text has the same bytes as on the wire", () => {
    // These bytes were seen on a daemon on 2026-11-28. The digest of the members is one of three
    // constants.
    const text = encodeKatzenqtMessage({ type: "text", text: "hi bob" });
    const seen = concatBytes(
      fromHex("a4"),
      fromHex("67"),
      utf8("version"),
      fromHex("00"),
      fromHex("6f"),
      utf8("membership_hash"),
      fromHex("5820"),
      utf8("t".repeat(32)),
      fromHex("68"),
      utf8("msg_type"),
      fromHex("00"),
      fromHex("64"),
      utf8("text"),
      fromHex("66"),
      utf8("hi bob"),
    );
    assert.equal(toHex(text), toHex(seen));
    // The box holds 83 bytes: the type `F` and this text.
    assert.equal(text.length, 82);
  });

  it("the longest text that fits in one box has 1,451 bytes", () => {
    const length = (count: number): number =>
      encodeKatzenqtMessage({ type: "text", text: "x".repeat(count) }).length;
    assert.equal(length(1451), KATZENQT_BOX_CONTENT);
    assert.equal(KATZENQT_BOX_CONTENT, 1529);
  });

  it("a list of three members takes 513 bytes and keeps its keys in order", () => {
    const list = encodeKatzenqtMembers(
      ["Alice", "Bob", "Carol"].map((name) => ({ displayName: name, readCap })),
    );
    // This size was seen for three members whose names have 13 letters in total.
    assert.equal(list.length, 513);
    assert.equal(toHex(list.subarray(0, 14)), `a16b${toHex(utf8("please_adds"))}83`);
    assert.deepEqual(
      decodeKatzenqtMembers(list).map((member) => member.displayName),
      ["Alice", "Bob", "Carol"],
    );
  });

  for (const count of [0, 1, 23, 24, 300]) {
    it(`a list of ${count} members survives encoding and decoding`, () => {
      const list = Array.from({ length: count }, (_, i) => ({ displayName: `m${i}`, readCap }));
      assert.deepEqual(decodeKatzenqtMembers(encodeKatzenqtMembers(list)), list);
    });
  }

  it("every message survives encoding and decoding", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const back = decodeKatzenqtMessage(encodeKatzenqtMessage(message));
        assert.deepEqual(back, structuredClone(message));
      }),
    );
  });

  it("keys in another order, unknown keys and absent fields are accepted", () => {
    const bytes = encodeCbor({ later: [1, 2], text: "x", msg_type: 0, version: 0, who: null });
    assert.deepEqual(decodeKatzenqtMessage(bytes), { type: "text", text: "x" });
    assert.deepEqual(decodeKatzenqtMessage(encodeCbor({ text: "x" })), { type: "text", text: "x" });
  });

  it("anything else causes a ProtocolError", () => {
    const texts = ["", "a0", "a1646e6f7065", "83010203", toHex(encodeCbor({ msg_type: 77 }))];
    for (const text of texts) {
      assert.throws(() => decodeKatzenqtMessage(fromHex(text)), ProtocolError, text);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        for (const decode of [decodeKatzenqtMessage, decodeKatzenqtMembers]) {
          try {
            decode(bytes as never);
          } catch (error) {
            assert.ok(error instanceof ProtocolError);
          }
        }
      }),
    );
  });

  it("a file name cannot leave the folder or control a terminal", () => {
    for (const [name, safe] of [
      ["../../etc/passwd", "etcpasswd"],
      [".bashrc", "bashrc"],
      ["a\\b\u001b[2J.txt", "ab[2J.txt"],
      ["invoice\u202efdp.exe", "invoicefdp.exe"],
      ["\u200b.hidden", "hidden"],
      ["C:autorun.inf", "Cautorun.inf"],
      ["...", "file"],
      ["x".repeat(300), "x".repeat(200)],
    ] as const) {
      const file = { payload: new Uint8Array(1), filetype: "text", basename: name };
      const bytes = encodeKatzenqtMessage({ type: "file", file });
      const back = decodeKatzenqtMessage(bytes);
      assert.equal(back.type === "file" && back.file.basename, safe);
    }
  });

  it("a stranger's list of earlier messages is read up to a limit", () => {
    const after = Array.from({ length: 100_000 }, (_, i) => ["x", i]);
    const bytes = encodeCbor({ msg_type: 0, text: "hi", after });
    const { after: causes } = decodeKatzenqtMessage(bytes);
    assert.equal(causes?.length, 1000);
    assert.deepEqual(causes[0], { name: "x", id: 0n });
  });

  it("errors name the wrong field", () => {
    const wrong = (message: unknown) => () => encodeKatzenqtMessage(message as KatzenqtMessage);
    assert.throws(wrong({ type: "words" }), /`message` must be a message with a known `type`/);
    assert.throws(wrong({ type: "text", text: 1 }), /`message\.text` must be a string, got number/);
    assert.throws(
      wrong({ type: "introduction", member: { displayName: "", readCap } }),
      /`message\.member\.displayName` must be 1 to 30 characters, got 0/,
    );
  });
});

describe("side streams", () => {
  it("a long message goes into a side stream, and one box of its channel refers to it", async () => {
    const clock = new VirtualClock();
    const boxes = new BoxesDouble(clock);
    const channels = await openChannels(boxes.client(), new CrashDatabase(new Disk()), { clock });
    const writer = await channels.create("out", { format: "katzenqt" });
    const reader = await channels.import("in", await writer.invitation());
    const long = randomBytes(5000);
    const first = await writer.send("before");
    const second = await writer.send(long);
    const third = await writer.send("after");
    assert.deepEqual([second.id - first.id, third.id - second.id], [1n, 1n]);
    const started = clock.now();
    await clock.runUntil(third.stored);
    // The 85 boxes take 10 ms each, eight at a time, and three more follow one after the other.
    assert.ok(clock.now() - started < 500, String(clock.now() - started));
    const taken = await clock.runUntil(take(reader, 3));
    assert.deepEqual(
      taken.map(({ kind, bytes }) => [kind, bytes.length]),
      [
        ["message", 6],
        ["message", 5000],
        ["message", 5],
      ],
    );
    assert.equal(toHex(taken[1]!.bytes), toHex(long));
    assert.deepEqual(
      taken.map(({ id }) => id),
      [first.id, second.id, third.id],
    );
    const cap = readCapOf(writer.writeCap());
    const index = advanceMessageBoxIndex(firstIndexOf(cap), second.id);
    assert.equal(messageBoxCounter(index), second.id);
    const box = boxes.get(cap, index)!;
    assert.equal(box[0], 0x49);
    assert.equal(box.length, 137);
    await clock.runUntil(channels.close());
  });

  it("the box that refers to a side stream is written when all of the stream is stored", async () => {
    const clock = new VirtualClock();
    const boxes = new BoxesDouble(clock);
    const channels = await openChannels(boxes.client(), new CrashDatabase(new Disk()), { clock });
    const writer = await channels.create("out", { format: "katzenqt" });
    let calls = 0;
    boxes.fate = () => ({ delayMs: ++calls === 1 ? 60_000 : 10, lost: null });
    const { id, stored } = await writer.send(randomBytes(200));
    const cap = readCapOf(writer.writeCap());
    const index = advanceMessageBoxIndex(firstIndexOf(cap), id);
    await clock.advance(59_000);
    assert.ok(calls > 2, `${calls} boxes of the stream were begun`);
    assert.equal(boxes.get(cap, index), null);
    await clock.runUntil(stored);
    assert.notEqual(boxes.get(cap, index), null);
    await clock.runUntil(channels.close());
  });

  it("a missing side stream is reported, and does not block the channel", async () => {
    const clock = new VirtualClock();
    const boxes = new BoxesDouble(clock);
    const channels = await openChannels(boxes.client(), new CrashDatabase(new Disk()), { clock });
    const { writeCap } = generateKeypair();
    const gone = generateKeypair().readCap;
    const first = firstIndexOf(writeCap);
    boxes.put(writeCap, first, concatBytes(utf8("I"), gone));
    boxes.put(writeCap, advanceMessageBoxIndex(first, messageBoxCounter(first) + 1n), utf8("Fyes"));
    const reader = await channels.import("in", readCapOf(writeCap));
    const [lost, next] = await clock.runUntil(take(reader, 2), 24 * 3600 * 1000);
    assert.equal(lost!.kind, "sideStream");
    assert.equal(toHex(lost!.bytes), toHex(gone));
    assert.equal(next!.kind, "message");
    await clock.runUntil(channels.close());
  });

  it("a side stream without an end is read only up to the longest message", async () => {
    const clock = new VirtualClock();
    const boxes = new BoxesDouble(clock);
    const channels = await openChannels(boxes.client(), new CrashDatabase(new Disk()), {
      clock,
      maxMessageLength: 200,
    });
    const [main, side] = [generateKeypair(), generateKeypair()];
    let index = firstIndexOf(side.writeCap);
    for (let i = 0; i < 30; i++) {
      boxes.put(side.writeCap, index, utf8(`C${"x".repeat(50)}`));
      index = advanceMessageBoxIndex(index, messageBoxCounter(index) + 1n);
    }
    const first = firstIndexOf(main.writeCap);
    boxes.put(main.writeCap, first, concatBytes(utf8("I"), side.readCap));
    const reader = await channels.import("in", main.readCap);
    const [message] = await clock.runUntil(take(reader, 1));
    assert.equal(message!.kind, "tooLong");
    assert.ok(boxes.reads < 20, `${boxes.reads} reads`);
    await clock.runUntil(channels.close());
  });
});
