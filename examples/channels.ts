/**
 * Messages that survive crashes: channels by voucher, and a group of three.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ThinClient, utf8ToText } from "katzenpost-thinclient";
import { type Group, openChannels } from "katzenpost-thinclient/channels";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
const folder = await mkdtemp(join(tmpdir(), "channels-"));
await using alice = await ThinClient.connect(daemon.config());
await using bob = await ThinClient.connect(daemon.config());
await using carol = await ThinClient.connect(daemon.config());

// #region open
// In Node a store is a folder, in a page a name. One process at a time uses it.
await using ours = await openChannels(alice, join(folder, "alice"));
await using theirs = await openChannels(bob, join(folder, "bob"));
// #endregion

// #region send
const writer = await ours.create("news");
// Resolves when the message is on the disk here. From then on it arrives, whatever crashes.
const delivery = await writer.send("hello");
await delivery.stored; // wait for this to know that the replicas have it
// What a reader needs. It is secret: hand it over in private.
const invitation = await writer.invitation();
// #endregion

// #region read
const reader = await theirs.import("Alice's news", invitation, { from: "start" });
for await (const message of reader) {
  console.log(message.id, utf8ToText(message.bytes));
  break; // not acknowledged: it comes again; asking for the next one acknowledges it
}
// #endregion

// #region again
// What was read can be read again; `ack: "manual"` acknowledges nothing by itself.
for await (const message of reader.messages({ from: 0n, ack: "manual" })) {
  // Here: store the message and its id in your own database. Then:
  await message.ack(); // this message and all before it
  break;
}
// #endregion

// #region atomic
const [left, right] = [await ours.create("left"), await ours.create("right")];
// The readers of both get these together: one copy command makes them readable.
const both = await ours.atomically((batch) => {
  batch.send(left, "the key is under the mat");
  batch.send(right, "nobody is at home");
});
await both.stored;
// #endregion

// #region streams
// Takes a chunk only while fewer than 64 messages wait, and closes when the replicas have all.
const lines = new Blob(["one long text, ", "cut as it comes"]).stream();
await lines.pipeTo(left.writable());

const arrived = await theirs.import("left", await left.invitation(), { from: "start" });
const heardLeft: string[] = [];
for await (const bytes of arrived.readable()) {
  heardLeft.push(utf8ToText(bytes)); // one chunk for each message
  if (heardLeft.join(" ").endsWith("it comes")) break;
}
// #endregion
assert.match(heardLeft.join(" "), /^the key is under the mat one long text, /);

// #region statistics
const { boxesWritten, queued } = ours.statistics();
console.log(`${boxesWritten} boxes written, ${queued} messages wait`);
// #endregion

// #region contact
// Alice makes a voucher and hands its 32 bytes to Bob, in private.
const toBob = await ours.contacts.invite("Bob", { displayName: "Alice" });
const voucher = toBob.voucher!;
// Bob answers it. Both sides continue after a restart: `contacts.get` finds an exchange in
// progress.
const toAlice = await theirs.contacts.accept(voucher, "Alice", { displayName: "Bob" });

const atAlice = await toBob.ready(); // a writer, and a reader
const atBob = await toAlice.ready();
assert.equal(toAlice.info.displayName, "Alice"); // chosen by the other side: show it with care
await atAlice.writer.send("only Bob can read this");
for await (const message of atBob.reader) {
  assert.equal(utf8ToText(message.bytes), "only Bob can read this");
  break;
}
// #endregion

await using hers = await openChannels(carol, join(folder, "carol"));
// #region group
const friends = await ours.groups.create("friends", { displayName: "Alice" });
// A newcomer makes a voucher; any member admits it, and everybody is told.
const bobs = await theirs.groups.join("friends", { displayName: "Bob" });
await friends.induct(bobs.voucher!);
await bobs.joined();
const carols = await hers.groups.join("friends", { displayName: "Carol" });
await bobs.induct(carols.voucher!);
await carols.joined();

await friends.send("hello, both");
await carols.send("hello from Carol");
// #endregion

// #region hear
/** What the others say, up to `count` texts. */
async function hear(group: Group, count: number): Promise<string[]> {
  const heard: string[] = [];
  for await (const { sender, message } of group.messages()) {
    if (message?.type !== "text") continue; // "introduction": somebody came
    heard.push(`${sender.displayName}: ${message.text}`);
    if (heard.length === count) break;
  }
  return heard;
}
// #endregion
assert.deepEqual(await hear(friends, 1), ["Carol: hello from Carol"]);
assert.deepEqual((await hear(bobs, 2)).sort(), ["Alice: hello, both", "Carol: hello from Carol"]);
assert.deepEqual(await hear(carols, 1), ["Alice: hello, both"]);

// #region delete
// Messages that were read can be deleted here, and sent messages at the replicas.
await reader.deleteRead();
await writer.delete(delivery.id);
// #endregion

await Promise.all([ours, theirs, hers].map((channels) => channels.close()));

// #region later
// Each later run: the stores know their channels by name.
await using oursLater = await openChannels(alice, join(folder, "alice"));
const sameWriter = await oursLater.writer("news");
await sameWriter.send("still here");

await using theirsLater = await openChannels(bob, join(folder, "bob"));
const sameReader = await theirsLater.reader("Alice's news"); // continues where it was
// #endregion
for await (const { bytes } of sameReader) {
  assert.equal(utf8ToText(bytes), "still here");
  break;
}
await Promise.all([oursLater, theirsLater].map((channels) => channels.close()));
await rm(folder, { recursive: true });
console.log("everybody heard everybody");
