/** Two parties who talk over channels, an invitation that starts it, and the boxes below. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  MessageBoxIndex,
  ReadCap,
  ThinClient,
  randomBytes,
  utf8ToText,
} from "katzenpost-thinclient";
import { openChannels } from "katzenpost-thinclient/channels";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using alice = await ThinClient.connect(daemon.config());
await using bob = await ThinClient.connect(daemon.config());
const folder = await mkdtemp(join(tmpdir(), "katz-exchange-"));

// #region open
const alices = await openChannels(alice, join(folder, "alice"));
const toBob = await alices.create("to Bob");
// #endregion

// #region invitation
// Reading Alice's channel requires its ReadCap and the index of a box.
const { readCap, nextMessageBoxIndex } = await toBob.invitation();
const invitation = JSON.stringify({
  readCap: ReadCap.toBase64(readCap),
  index: MessageBoxIndex.toBase64(nextMessageBoxIndex),
});

// The invitation reaches Bob in another way: on paper, as a QR code, through another channel.
const invited = JSON.parse(invitation) as { readCap: string; index: string };
const bobs = await openChannels(bob, join(folder, "bob"));
const fromAlice = await bobs.import("from Alice", {
  readCap: ReadCap.fromBase64(invited.readCap),
  nextMessageBoxIndex: MessageBoxIndex.fromBase64(invited.index),
});
// #endregion

// #region talk
const said = ["hello Bob", "nobody sees that we talk", "bye"];
for (const text of said) await toBob.send(text);

const heard: string[] = [];
for await (const { bytes } of fromAlice) {
  heard.push(utf8ToText(bytes));
  if (heard.at(-1) === "bye") break;
}
// #endregion
assert.deepEqual(heard, said);
await Promise.all([alices.close(), bobs.close()]);
await rm(folder, { recursive: true });

// #region boxes
const stream = await alice.newKeypair(randomBytes(32));
let index = stream.firstMessageIndex;
for (const text of said) {
  // A box that holds something else is an error: by default it would count as written.
  const written = await alice.write(stream.writeCap, index, text, { ifExists: "error" });
  index = written.nextMessageBoxIndex; // only when the box is written
}
// #endregion

// #region ahead
// Boxes are independent of each other: if you know their indices, you can read them all at
// once.
const ahead = [stream.firstMessageIndex];
for (let i = 1; i < 3; i++) ahead.push(await bob.nextMessageBoxIndex(ahead[i - 1]!));
const boxes = await Promise.all(ahead.map((box) => bob.read(stream.readCap, box)));
// #endregion
assert.deepEqual(
  boxes.map(({ plaintext }) => utf8ToText(plaintext)),
  said,
);
console.log(`Bob heard: ${heard.join("; ")}`);
