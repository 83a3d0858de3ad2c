/** Tickets, heads, names, the order of boxes and the progress line, without a network. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { generateKeypair } from "katzenpost-thinclient/bacap";
import { encodeCbor } from "katzenpost-thinclient/wire";
import { Output } from "../../src/cli/output.js";
import { printable } from "../../src/cli/printable.js";
import { problemOfName, problemOfOwnName } from "../../src/cli/transfer/file-name.js";
import { inOrder } from "../../src/cli/transfer/in-order.js";
import {
  HEADER_LENGTH,
  MAX_FILES,
  boxesFor,
  dataLength,
  decodeHead,
  encodeHead,
  headLength,
} from "../../src/cli/transfer/manifest.js";
import { progressText } from "../../src/cli/commands/copy/copy.js";
import { Progress } from "../../src/cli/transfer/progress.js";
import { clock } from "../../src/cli/text.js";
import { TICKET_LENGTH, decodeTicket, encodeTicket } from "../../src/cli/transfer/ticket.js";

const { readCap } = generateKeypair();
const sha256 = new Uint8Array(createHash("sha256").digest());

test("a ticket is one word of 193 characters, byte for byte as documented", () => {
  const ticket = encodeTicket(readCap);
  assert.equal(TICKET_LENGTH, 193);
  assert.match(ticket, /^katz1[A-Za-z0-9_-]{188}$/);
  const payload = Buffer.from(ticket.slice(5), "base64url");
  assert.deepEqual(payload.subarray(0, 136), Buffer.from(readCap));
  const digest = createHash("sha256").update("katz1").update(readCap).digest();
  assert.deepEqual(payload.subarray(136), digest.subarray(0, 5));
  assert.deepEqual(decodeTicket(ticket), readCap);
});

test("a ticket with one character changed, lost or added is refused and not repeated", () => {
  const ticket = encodeTicket(readCap);
  let cases = 0;
  for (let i = 0; i < ticket.length; i++) {
    const other = ticket[i] === "A" ? "B" : "A";
    for (const changed of [
      ticket.slice(0, i) + other + ticket.slice(i + 1),
      ticket.slice(0, i) + ticket.slice(i + 1),
      `${ticket.slice(0, i)}A${ticket.slice(i)}`,
    ]) {
      assert.throws(
        () => decodeTicket(changed),
        (error: Error) => error.name === "UsageError" && !error.message.includes(changed.slice(9)),
      );
      cases++;
    }
  }
  assert.equal(cases, 193 * 3);
});

test("invalid tickets and tickets of another version have different errors", () => {
  assert.throws(() => decodeTicket("hello"), /not a ticket: tickets begin with katz1/);
  assert.throws(() => decodeTicket(""), /not a ticket/);
  assert.throws(() => decodeTicket(`katz2${"A".repeat(188)}`), /version 2, which needs a newer/);
  assert.throws(() => decodeTicket(`katz1${"!".repeat(188)}`), /invalid character/);
  // No point of the curve has this y.
  const point = new Uint8Array(136).fill(2, 0, 1);
  const sum = createHash("sha256").update("katz1").update(point).digest().subarray(0, 5);
  const text = `katz1${Buffer.concat([point, sum]).toString("base64url")}`;
  assert.throws(() => decodeTicket(text), /the ticket's key is invalid/);
});

test("a head survives encoding and decoding with any harmless file names", () => {
  const name = fc
    .string({ minLength: 1, maxLength: 20, unit: "grapheme" })
    .filter((text) => problemOfName(text) === null);
  const fields = {
    name,
    size: fc.integer({ min: 0, max: 2 ** 40 }),
    sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  };
  const file = fc.record(fields, { noNullPrototype: true });
  const key = ({ name: text }: { name: string }): string => text.normalize("NFC").toLowerCase();
  const files = fc.uniqueArray(file, { minLength: 1, maxLength: 9, selector: key });
  fc.assert(
    fc.property(files, fc.integer({ min: 1, max: 1 << 24 }), (list, chunk) => {
      const head = encodeHead({ chunk, files: list });
      assert.equal(headLength(head.subarray(0, HEADER_LENGTH + 1)), head.length);
      assert.deepEqual(decodeHead(head), { chunk, files: list });
    }),
  );
});

const hostileNames = [
  "",
  ".",
  "..",
  "../up",
  "/etc/passwd",
  "a//b",
  "a\\b",
  "..\\up",
  "C:",
  "C:\\x",
  "a\0b",
  "a\nb",
  "a\x1b[2Jb",
  "a\u009bb",
  "a\u202egpj.exe",
  "\u200ehello",
  "a\u2028b",
  "a\ufeffb",
  ".bashrc",
  "-rf",
  " space",
  "space ",
  "dot.",
  "CON",
  "con.txt",
  "Aux",
  "nul.tar.gz",
  "COM1",
  "lpt9.txt",
  "COM²",
  "conin$",
  "a:b",
  "what?",
  "a*b",
  'a"b',
  "a|b",
  "<a>",
  "x".repeat(256),
  "é".repeat(128),
];

const harmlessNames = [
  "a",
  "photo.jpg",
  "no extension",
  "ünïcödé.txt",
  "日本語.txt",
  "👩‍🚀.png",
  "console.log",
  "com10.txt",
  "a..b",
  "x".repeat(255),
  "~",
  "$HOME",
];

test("refuses names that could do harm on some system, and accepts others", () => {
  for (const name of hostileNames) {
    const head = encodeHead({ chunk: 1, files: [{ name, size: 0, sha256 }] });
    assert.throws(() => decodeHead(head), /refused/, JSON.stringify(name));
    // A name that the receiver chooses replaces it.
    assert.equal(decodeHead(head, "mine").files[0]!.name, "mine");
  }
  for (const name of harmlessNames) assert.equal(problemOfName(name), null, name);
  assert.equal(hostileNames.length + harmlessNames.length, 51);
});

test("the line of a copy fits a narrow terminal, and shows the remaining time", () => {
  const progress = { phase: "write", boxesDone: 10, boxesTotal: 40 } as const;
  assert.equal(progressText(progress, null, 20_000, 39), "writing █░░░░ 10 of 40 boxes  1:00 left");
  assert.equal(progressText(progress, null, 1000, 30), "writing 10 of 40 boxes  0:01");
  assert.match(
    progressText(progress, null, 20_000, 100),
    /^writing █{8}░{24} 10 of 40 boxes {2}1:00/,
  );
});

test("a head with folders has version 2; version 1 does not allow folders in names", () => {
  const head = encodeHead({ chunk: 1, files: [{ name: "a/b", size: 0, sha256 }] });
  assert.equal(head[4], 2);
  assert.equal(decodeHead(head).files[0]!.name, "a/b");
  head[4] = 1;
  assert.throws(() => decodeHead(head), /refused, because it has a slash/);
  assert.equal(encodeHead({ chunk: 1, files: [{ name: "a", size: 0, sha256 }] })[4], 1);
});

test("a hostile name is escaped in errors", () => {
  const head = encodeHead({ chunk: 1, files: [{ name: "\x1b[2J\u202e", size: 0, sha256 }] });
  assert.throws(
    () => decodeHead(head),
    (error: Error) =>
      !["\x1b", "\u202e"].some((character) => error.message.includes(character)) &&
      error.message.includes("\\u{1b}"),
  );
  assert.equal(printable("a\x1bb\nc", "\n"), "a\\u{1b}b\nc");
});

test("a file of the user's own may be hidden, but must not leave the folder", () => {
  for (const name of [".bashrc", "-x", "a:b", "CON"]) assert.equal(problemOfOwnName(name), null);
  for (const name of ["", ".", "..", "a/b", "/", "a\0", "x".repeat(256)]) {
    assert.notEqual(problemOfOwnName(name), null, name);
  }
});

const good = { name: "a", size: 1, sha256 };
const hostileManifests: readonly unknown[] = [
  null,
  [],
  {},
  { chunk: 1 },
  { files: [good] },
  { chunk: 1, files: [] },
  { chunk: 1, files: {} },
  { chunk: 0, files: [good] },
  { chunk: -1, files: [good] },
  { chunk: 1.5, files: [good] },
  { chunk: 2 ** 24 + 1, files: [good] },
  { chunk: "1", files: [good] },
  { chunk: 1, files: [good], more: 1 },
  { chunk: 1, files: [null] },
  { chunk: 1, files: [{ ...good, size: -1 }] },
  { chunk: 1, files: [{ ...good, size: 0.5 }] },
  { chunk: 1, files: [{ ...good, size: 2n ** 60n }] },
  { chunk: 1, files: [{ ...good, sha256: new Uint8Array(31) }] },
  { chunk: 1, files: [{ ...good, sha256: "text" }] },
  { chunk: 1, files: [{ ...good, name: 7 }] },
  { chunk: 1, files: [{ ...good, name: new Uint8Array(3) }] },
  { chunk: 1, files: [{ ...good, mode: 0o4777 }] },
  { chunk: 1, files: [good, good] },
  { chunk: 1, files: [good, { ...good, name: "A" }] },
  {
    chunk: 1,
    files: [
      { ...good, name: "é" },
      { ...good, name: "e\u0301" },
    ],
  },
  { chunk: 1, files: [0, 1].map((i) => ({ ...good, name: `${i}`, size: 2 ** 53 - 1 })) },
  { chunk: 1, files: Array.from({ length: MAX_FILES + 1 }, (_, i) => ({ ...good, name: `${i}` })) },
];

function headOf(body: Uint8Array): Uint8Array {
  const head = Buffer.alloc(HEADER_LENGTH + body.length);
  head.write("KATZ");
  head[4] = 1;
  head.writeUInt32BE(body.length, 5);
  head.set(body, HEADER_LENGTH);
  return new Uint8Array(head);
}

test("invalid manifests are refused", () => {
  for (const manifest of hostileManifests) {
    const head = headOf(encodeCbor(manifest as never));
    assert.throws(() => decodeHead(head), { name: "TransferError" }, inspect(manifest));
  }
  assert.equal(hostileManifests.length, 27);
  const right = headOf(encodeCbor({ chunk: 1, files: [good] }));
  assert.equal(decodeHead(right).files.length, 1);
  for (const broken of [right.subarray(0, -1), new Uint8Array([...right, 0])]) {
    assert.throws(() => decodeHead(broken), { name: "TransferError" });
  }
  const mutable = right.slice();
  mutable[4] = 3;
  assert.throws(() => decodeHead(mutable), /needs a newer katz/);
  const long = right.slice();
  new DataView(long.buffer).setUint32(5, 0xffff_ffff);
  assert.throws(() => headLength(long), /too long/);
  assert.throws(() => headLength(new Uint8Array(2)), /did not write the ticket's boxes/);
});

test("randomly changed bytes only ever cause a TransferError", () => {
  const right = headOf(encodeCbor({ chunk: 9, files: [good] }));
  const change = fc.tuple(fc.nat(right.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const head = right.slice();
      for (const [at, byte] of changes) head[at] = byte;
      try {
        decodeHead(head);
      } catch (error) {
        assert.equal((error as Error).name, "TransferError");
      }
    }),
    { numRuns: 2000 },
  );
});

test("lengths and boxes are counted as documented", () => {
  const files = [good, { ...good, name: "b", size: 3099 }];
  assert.equal(dataLength({ chunk: 1549, files }), 3100);
  assert.deepEqual(
    [0, 1, 1549, 1550].map((length) => boxesFor(length, 1549)),
    [0, 1, 1, 2],
  );
});

test("starts boxes in order, sixteen at once, and takes their results in order", async () => {
  const begun: number[] = [];
  const taken: number[] = [];
  let underWay = 0;
  let most = 0;
  let seed = 1;
  await inOrder<number>({
    from: 5,
    to: 300,
    signal: new AbortController().signal,
    async start(box) {
      begun.push(box);
      most = Math.max(most, ++underWay);
      seed = (seed * 48271) % 2147483647;
      for (let i = 0; i < seed % 7; i++) await Promise.resolve();
      if (box === 5) await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      return box * 2;
    },
    take(box, result) {
      assert.equal(result, box * 2);
      taken.push(box);
      return Promise.resolve();
    },
  });
  const wanted = Array.from({ length: 295 }, (_, i) => i + 5);
  assert.deepEqual(begun, wanted);
  assert.deepEqual(taken, wanted);
  assert.equal(most, 16);
});

test("requests stay close to a box that does not arrive", async () => {
  let begun = 0;
  const ending = new AbortController();
  const running = inOrder<null>({
    from: 0,
    to: 10_000,
    signal: ending.signal,
    start(box, signal) {
      begun++;
      if (box > 0) return Promise.resolve(null);
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    },
    take: () => Promise.resolve(),
  });
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(begun, 256);
  ending.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
});

test("the first failure ends the other requests and is thrown", async () => {
  let ended = 0;
  await assert.rejects(
    inOrder<null>({
      from: 0,
      to: 100,
      signal: new AbortController().signal,
      start(box, signal) {
        if (box === 3) return Promise.reject(new Error("box 3"));
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            // A request ends some time after its signal; nothing goes on when the failure is thrown.
            setImmediate(() => {
              ended++;
              reject(new Error("ended"));
            });
          });
        });
      },
      take: () => Promise.resolve(),
    }),
    /box 3/,
  );
  assert.equal(ended, 15);
});

test("the progress line shows share, rate and remaining time in less than 80 characters", () => {
  let now = 0;
  const output = new Output({ json: false, quiet: true });
  const progress = new Progress(output, "receiving", 0, 4_000_000, () => now);
  now = 2000;
  progress.update(1_000_000, "x");
  const line = progress.text(1_000_000, "a-very-long-name-of-a-file.tar.gz");
  assert.match(line, /^receiving a-very-long-nam… █{5}░{15} {2}25% {2}500 kB\/s {2}0:06 left$/);
  assert.ok(line.length < 80);
  assert.match(new Progress(output, "sending", 0, 0).text(0, "empty"), /█{20} 100%$/);
  // When nothing arrives for a while, the rate falls, and the remaining time grows.
  now = 8000;
  assert.match(progress.text(1_000_000, "x"), /25% {2}125 kB\/s {2}0:24 left$/);
  // The first moments are too short for an estimate.
  now = 9000;
  const young = new Progress(output, "sending", 0, 4_000_000, () => now);
  now = 10_000;
  assert.doesNotMatch(young.text(1_000_000, "x"), /left|\/s/);
});

test("the progress line shows the most important parts first on a narrow terminal", () => {
  let now = 0;
  const output = new Output({ json: false, quiet: true });
  const progress = new Progress(output, "receiving", 0, 4_000_000, () => now);
  now = 2000;
  progress.update(1_000_000, "x");
  for (let width = 15; width <= 100; width++) {
    const line = progress.text(1_000_000, "a-very-long-name-of-a-file.tar.gz", width);
    assert.ok(line.length <= width, `${width}: ${line}`);
    assert.match(line, /^receiving.* 25%/);
    if (width >= 30) assert.match(line, /0:06 left$/);
  }
  assert.match(progress.text(1_000_000, "a", 39), /^receiving a [█░]{6} {2}25% {2}0:06 left$/);
  assert.deepEqual([0, 61, 3661, 900_000].map(clock), ["0:00", "1:01", "1:01:01", "10 days"]);
});
