/** One copy stream that deletes old boxes and writes their successor. */
import assert from "node:assert/strict";
import {
  type MessageBoxIndex,
  ThinClient,
  hasCode,
  randomBytes,
  utf8,
  utf8ToText,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());

const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
let next: MessageBoxIndex = firstMessageIndex;
for (const text of ["draft 1", "draft 2"]) {
  ({ nextMessageBoxIndex: next } = await client.write(writeCap, next, text));
}
for (let index = firstMessageIndex, i = 0; i < 2; i++) {
  ({ nextMessageBoxIndex: index } = await client.read(readCap, index));
}

// #region build
// First the tombstones of the two old boxes, then the new text, in one copy stream.
const deletions = await client.createCourierEnvelopesFromTombstoneRange({
  destWriteCap: writeCap,
  destStartIndex: firstMessageIndex,
  maxCount: 2,
  isStart: true,
  isLast: false,
});
const successor = await client.createCourierEnvelopesFromMultiPayload({
  destinations: [{ payload: utf8("final text"), writeCap, startIndex: deletions.nextDestIndex }],
  isStart: false,
  isLast: true,
  buffer: deletions.buffer,
});
// #endregion

// #region copy
const temporary = await client.newKeypair(randomBytes(32));
let index = temporary.firstMessageIndex;
for (const element of [...deletions.envelopes, ...successor.envelopes]) {
  ({ nextMessageBoxIndex: index } = await client.write(temporary.writeCap, index, element));
}
await client.startResendingCopyCommand(temporary.writeCap);
// #endregion

const { plaintext } = await client.read(readCap, next);
assert.equal(utf8ToText(plaintext), "final text");
for (let at = firstMessageIndex, i = 0; i < 2; i++) {
  // The second replica of a box gets the tombstone a moment later.
  for (const deadline = Date.now() + 10_000; !(await isDeleted(at));) {
    assert.ok(Date.now() < deadline, `box ${i} is not deleted`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  at = await client.nextMessageBoxIndex(at);
}
console.log("two drafts are deleted, the final text is there");

async function isDeleted(at: MessageBoxIndex): Promise<boolean> {
  try {
    await client.read(readCap, at);
    return false;
  } catch (error) {
    if (hasCode(error, "REPLICA_ERROR_TOMBSTONE")) return true;
    throw error;
  }
}
