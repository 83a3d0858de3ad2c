/** The tour's Pigeonhole part: two parties, boxes, a file, a tombstone. */
import { createHash, randomBytes } from "node:crypto";
import {
  type ReadCap,
  ThinClient,
  TombstoneError,
  type WriteCap,
  planCopyPayload,
  utf8ToText,
} from "katzenpost-thinclient";
import { nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import type { DevDaemon } from "katzenpost-thinclient/testing";
import type { Output } from "../../output.js";
import { round } from "../../ping-statistics.js";
import { bar, duration, size } from "../../terminal.js";
import type { Interruptible } from "./tour.js";

const FILE_BYTES = 200_000;
/** How many boxes of the file are read at once. */
const READS_AT_ONCE = 8;

/** Two parties exchange messages, a file is copied with a copy command, and a box is deleted. */
export async function showBoxes(
  output: Output,
  alice: ThinClient,
  config: ReturnType<DevDaemon["config"]>,
  call: Interruptible,
): Promise<void> {
  await using bob = await ThinClient.connect(config);
  await exchange(output, alice, bob, call);
  await copyFile(output, alice, bob, call);
}

async function exchange(
  output: Output,
  alice: ThinClient,
  bob: ThinClient,
  call: Interruptible,
): Promise<void> {
  output.heading();
  output.heading(output.style("bold", "Alice writes into boxes that only Bob can find and read"));
  const { writeCap, readCap, firstMessageIndex } = await alice.newKeypair(randomBytes(32), call);
  let writeAt = firstMessageIndex;
  let readAt = firstMessageIndex;
  for (const text of [
    "Hello Bob.",
    "Nobody sees that we talk.",
    "Not even those who store this.",
  ]) {
    const start = performance.now();
    const written = await alice.write(writeCap, writeAt, text, call);
    const { plaintext, nextMessageBoxIndex: next } = await bob.read(readCap, readAt, call);
    const ms = round(performance.now() - start);
    const read = utf8ToText(plaintext);
    output.record({ type: "step", step: "message", text: read, ms });
    output.line(`  Bob read "${read}"  ${output.style("dim", duration(ms))}`);
    writeAt = written.nextMessageBoxIndex;
    readAt = next;
  }
  await showTombstone(output, alice, bob, { writeCap, readCap, index: firstMessageIndex }, call);
}

async function showTombstone(
  output: Output,
  alice: ThinClient,
  bob: ThinClient,
  box: {
    readonly writeCap: WriteCap;
    readonly readCap: ReadCap;
    readonly index: Parameters<ThinClient["read"]>[1];
  },
  call: Interruptible,
): Promise<void> {
  const { envelopes } = await alice.tombstoneRange(box.writeCap, box.index, 1, call);
  for (const envelope of envelopes) {
    const { boxIndex: messageBoxIndex } = envelope;
    const message = { ...envelope, writeCap: box.writeCap, messageBoxIndex };
    await alice.startResendingEncryptedMessageReturnBoxExists(message, call);
  }
  try {
    await bob.read(box.readCap, box.index, { ...call, wait: false });
  } catch (error) {
    if (!(error instanceof TombstoneError)) throw error;
    output.record({ type: "step", step: "tombstone", code: error.code });
    output.line("  Alice deleted the first box: Bob now finds a tombstone there");
    return;
  }
  throw new Error("the deleted box could still be read");
}

async function copyFile(
  output: Output,
  alice: ThinClient,
  bob: ThinClient,
  call: Interruptible,
): Promise<void> {
  output.heading();
  output.heading(
    output.style("bold", `A file of ${size(FILE_BYTES)}, copied by a courier with one command`),
  );
  const file = randomBytes(FILE_BYTES);
  const { writeCap, readCap, firstMessageIndex } = await alice.newKeypair(randomBytes(32), call);
  const start = performance.now();
  await alice.copy(new Uint8Array(file), [{ writeCap, startIndex: firstMessageIndex }], {
    ...call,
    onProgress: ({ phase, boxesDone, boxesTotal }) => {
      const share = boxesTotal === null || boxesTotal === 0 ? 0 : boxesDone / boxesTotal;
      const what = phase === "write" ? "writing" : "copying";
      output.status(`  ${what} ${bar(phase === "copy" ? 1 : share, 40)} ${boxesDone} boxes`);
    },
  });
  const copyMs = round(performance.now() - start);
  output.line(`  copied       ${duration(copyMs)}`);
  const digest = createHash("sha256");
  const boxes = planCopyPayload(alice.pigeonholeGeometry, FILE_BYTES).envelopes;
  const readStart = performance.now();
  let index = firstMessageIndex;
  let done = 0;
  for (let at = 0; at < boxes; at += READS_AT_ONCE) {
    const reads: Promise<{ plaintext: Uint8Array }>[] = [];
    for (let i = at; i < Math.min(at + READS_AT_ONCE, boxes); i++) {
      reads.push(bob.read(readCap, index, call));
      index = nextMessageBoxIndex(index);
    }
    for (const { plaintext } of await Promise.all(reads)) digest.update(plaintext);
    done += reads.length;
    output.status(`  reading ${bar(done / boxes, 40)} ${done} of ${boxes} boxes`);
  }
  const readMs = round(performance.now() - readStart);
  output.line(`  read back    ${duration(readMs)}`);
  const sha256 = createHash("sha256").update(file).digest("hex");
  const same = digest.digest("hex") === sha256;
  if (!same) throw new Error("the received file differs from the one that was sent");
  output.record({ type: "step", step: "file", bytes: FILE_BYTES, copyMs, readMs, sha256 });
  output.line(`  SHA-256      ${sha256.slice(0, 32)}…  ${output.style("green", "equal")}`);
}
