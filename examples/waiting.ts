/** Calls that wait, and how to end the waiting: deadlines and signals. */
import assert from "node:assert/strict";
import { ThinClient, hasCode, randomBytes } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());
const { readCap, firstMessageIndex: index } = await client.newKeypair(randomBytes(32));

// #region deadline
try {
  await client.read(readCap, index, { timeoutMs: 200 }); // nobody has written it
} catch (error) {
  if (!hasCode(error, "ERR_TIMEOUT")) throw error;
  console.log("nothing within 200 ms");
}
// #endregion

// #region signal
const controller = new AbortController();
const reading = client.read(readCap, index, { signal: controller.signal });

controller.abort(new Error("the user has left")); // the daemon is told to stop asking

await reading.catch((error: Error) => console.log(error.message)); // the signal's reason
// #endregion
await assert.rejects(reading, /the user has left/);
assert.equal(client.pendingCalls, 0);
