/** Deleting boxes, one or many, and what their readers find. */
import assert from "node:assert/strict";
import { ThinClient, hasCode, randomBytes } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());
const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
let index = firstMessageIndex;
for (const text of ["one", "two", "three"]) {
  ({ nextMessageBoxIndex: index } = await client.write(writeCap, index, text));
}

// #region one
await client.tombstone(writeCap, firstMessageIndex); // done when a courier has taken it
// #endregion

// #region many
// tombstoneRange creates the envelopes but does not send them: you can keep them and send them
// again.
const second = await client.nextMessageBoxIndex(firstMessageIndex);
const { envelopes, next } = await client.tombstoneRange(writeCap, second, 2);
await Promise.all(
  envelopes.map((envelope) => client.startResendingEncryptedMessage({ ...envelope, writeCap })),
);
// #endregion
assert.deepEqual(next, index);

// #region read
async function isDeleted(at: typeof firstMessageIndex): Promise<boolean> {
  try {
    await client.read(readCap, at, { wait: false });
    return false;
  } catch (error) {
    if (hasCode(error, "REPLICA_ERROR_TOMBSTONE")) return true;
    if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) return false;
    throw error;
  }
}
// #endregion

// The courier acknowledges before the replicas have the tombstone.
for (let at = firstMessageIndex, box = 0; box < 3; box++) {
  const deadline = Date.now() + 10_000;
  while (!(await isDeleted(at))) {
    assert.ok(Date.now() < deadline, `box ${box} is not deleted`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  at = await client.nextMessageBoxIndex(at);
}
assert.equal(await isDeleted(next), false);
console.log("three boxes are deleted, the one after them is not");
