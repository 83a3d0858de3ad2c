/** A copy stream that is built in several calls; the buffer goes from each call to the next. */
import assert from "node:assert/strict";
import { type Bytes, ThinClient, equalBytes, randomBytes } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());

const ada = await client.newKeypair(randomBytes(32));
const ben = await client.newKeypair(randomBytes(32));
const parts = Array.from({ length: 3 }, () => ({
  forAda: randomBytes(2_000),
  forBen: randomBytes(500),
}));

// #region build
// The temporary stream holds the copy stream: one element in each box. Use it for one copy only.
const temporary = await client.newKeypair(randomBytes(32));
let temporaryIndex = temporary.firstMessageIndex;
let adaIndex = ada.firstMessageIndex;
let benIndex = ben.firstMessageIndex;
let buffer: Bytes | null = null;
for (const [i, { forAda, forBen }] of parts.entries()) {
  const made = await client.createCourierEnvelopesFromMultiPayload({
    destinations: [
      { payload: forAda, writeCap: ada.writeCap, startIndex: adaIndex },
      { payload: forBen, writeCap: ben.writeCap, startIndex: benIndex },
    ],
    isStart: i === 0, // only in the first call
    isLast: i === parts.length - 1, // only in the last call: it also emits what is in the buffer
    buffer, // what the call before left over; null in the first call
  });
  for (const element of made.envelopes) {
    const written = await client.write(temporary.writeCap, temporaryIndex, element);
    temporaryIndex = written.nextMessageBoxIndex;
  }
  buffer = made.buffer;
  [adaIndex, benIndex] = [made.nextDestIndices[0]!, made.nextDestIndices[1]!];
}
// #endregion
assert.equal(buffer!.length, 0);

// #region copy
// A courier reads the temporary stream and writes every destination.
await client.startResendingCopyCommand(temporary.writeCap);
// #endregion

for (const [stream, payloads] of [
  [ada, parts.map(({ forAda }) => forAda)],
  [ben, parts.map(({ forBen }) => forBen)],
] as const) {
  let index = stream.firstMessageIndex;
  for (const payload of payloads) {
    const whole = new Uint8Array(payload.length);
    for (let at = 0; at < whole.length;) {
      const { plaintext, nextMessageBoxIndex } = await client.read(stream.readCap, index);
      whole.set(plaintext, at);
      at += plaintext.length;
      index = nextMessageBoxIndex;
    }
    assert.ok(equalBytes(whole, payload));
  }
}
console.log(`${parts.length} calls made one copy stream`);
