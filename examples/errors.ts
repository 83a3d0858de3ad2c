/** What can go wrong, and how to tell failures apart. */
import assert from "node:assert/strict";
import {
  ThinClient,
  ThinClientError,
  isExpectedOutcome,
  isThinClientError,
  randomBytes,
} from "katzenpost-thinclient";
import { explainError } from "katzenpost-thinclient/errors";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());
const { writeCap, readCap, firstMessageIndex: index } = await client.newKeypair(randomBytes(32));

// #region branch
try {
  await client.read(readCap, index, { wait: false });
} catch (error) {
  if (!ThinClientError.is(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) throw error;
  // nothing there yet
}
// #endregion

// #region expected
// Boxes that are empty, taken or deleted are outcomes of normal work, not failures.
async function writeIfFree(text: string): Promise<boolean> {
  try {
    await client.write(writeCap, index, text, { ifExists: "error" });
    return true;
  } catch (error) {
    if (isExpectedOutcome(error)) return false;
    throw error;
  }
}
// #endregion
assert.equal(await writeIfFree("mine"), true);
assert.equal(await writeIfFree("something else"), false);

// #region describe
function describe(error: unknown): string {
  // A TypeError or RangeError is a mistake in the program: let it surface.
  if (!isThinClientError(error)) throw error;
  switch (error.code) {
    case "ERR_OFFLINE":
      return "The mixnet cannot be reached; it is tried again.";
    case "ERR_COPY_FAILED":
      return `Stopped at box ${error.boxesCopied?.[error.destination ?? 0] ?? "?"}.`; // narrowed
    default:
      return `${explainError(error.code).meaning} ${error.retryable ? "Try again." : ""}`;
  }
}
// #endregion
const nowhere = await client
  .read(readCap, await client.nextMessageBoxIndex(index), {
    wait: false,
  })
  .catch((error: unknown) => describe(error));
assert.ok(typeof nowhere === "string");
console.log(`an empty box: ${nowhere}`);

// #region retry
async function withRetries<T>(call: () => Promise<T>, attempts = 3): Promise<T> {
  for (let left = attempts - 1; ; left--) {
    try {
      return await call();
    } catch (error) {
      // retryable: the same call, unchanged, may succeed later.
      if (left === 0 || !isThinClientError(error) || !error.retryable) throw error;
    }
  }
}

const echo = client.getService("echo");
daemon.network.faults.dropNext(1); // the mixnet may lose a message
const reply = await withRetries(() =>
  client.blockingSendMessage("again", ...echo.toDestination(), { timeoutMs: 2_000 }),
);
// #endregion
assert.equal(reply[0], "a".charCodeAt(0));

// #region arguments
const wrong = client.newKeypair(new Uint8Array(31));
await assert.rejects(wrong, RangeError); // "`seed` must be 32 bytes, got 31"
// #endregion
console.log("every error was told from the others; a lost message was sent again");
