/** One payload to the streams of several people, by one copy command that a courier carries out. */
import assert from "node:assert/strict";
import {
  type CopyDestination,
  CopyFailedError,
  type CopyResult,
  ThinClient,
  equalBytes,
  randomBytes,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());

const payload = randomBytes(10_000);
const ada = await client.newKeypair(randomBytes(32));
const ben = await client.newKeypair(randomBytes(32));

// #region copy
const destinations: CopyDestination[] = [
  { writeCap: ada.writeCap, startIndex: ada.firstMessageIndex },
  { writeCap: ben.writeCap, startIndex: ben.firstMessageIndex },
];
const { nextDestIndices } = await client.copy(payload, destinations, {
  onProgress: ({ phase, boxesDone, boxesTotal }) => {
    console.log(`${phase}: ${boxesDone} of ${boxesTotal ?? "?"} boxes`);
  },
});
// nextDestIndices[0]: Ada's next free box, nextDestIndices[1]: Ben's.
// #endregion

// #region read
// The boxes hold the payload in pieces; the reader must know how many.
async function readPayload({ readCap, firstMessageIndex }: typeof ada): Promise<Uint8Array> {
  const whole = new Uint8Array(payload.length);
  let index = firstMessageIndex;
  for (let at = 0; at < whole.length;) {
    const { plaintext, nextMessageBoxIndex } = await client.read(readCap, index);
    whole.set(plaintext, at);
    at += plaintext.length;
    index = nextMessageBoxIndex;
  }
  return whole;
}
// #endregion
assert.ok(equalBytes(await readPayload(ada), payload));
assert.ok(equalBytes(await readPayload(ben), payload));

// #region failure
async function copyOrSay(): Promise<CopyResult | null> {
  try {
    return await client.copy(payload, destinations);
  } catch (error) {
    if (!(error instanceof CopyFailedError)) throw error;
    // A copy is not atomic: the boxes counted here stay written.
    console.log(error.phase, error.destination, error.boxesCopied, error.cause.code);
    return null;
  }
}
// #endregion
// The boxes already hold this payload; writing it again is safe.
assert.deepEqual(await copyOrSay(), { nextDestIndices });
