/** Two parties, one stream of boxes: the writer keeps the WriteCap, the reader gets the ReadCap. */
import { ThinClient, isExpectedOutcome, randomBytes, utf8ToText } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using alice = await ThinClient.connect(daemon.config());
await using bob = await ThinClient.connect(daemon.config());

// #region boxes
// Alice creates a stream of boxes; anyone with the ReadCap and the index can read it.
const { writeCap, readCap, firstMessageIndex } = await alice.newKeypair(randomBytes(32));
const { nextMessageBoxIndex } = await alice.write(writeCap, firstMessageIndex, "hello Bob");

// Bob waits until the box is there.
const message = await bob.read(readCap, firstMessageIndex);
console.log(utf8ToText(message.plaintext));

// Or he tries once: an empty box is an expected outcome, not a failure.
try {
  await bob.read(readCap, nextMessageBoxIndex, { wait: false });
} catch (error) {
  if (!isExpectedOutcome(error)) throw error;
  console.log("nothing there yet");
}
// #endregion

if (utf8ToText(message.plaintext) !== "hello Bob") throw new Error("the message differs");
