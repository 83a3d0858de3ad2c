/** Two parties who talk: a stream of boxes in each direction, and an invitation that starts it. */
import assert from "node:assert/strict";
import {
  MessageBoxIndex,
  ReadCap,
  ThinClient,
  type WriteCap,
  randomBytes,
  utf8ToText,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using alice = await ThinClient.connect(daemon.config());
await using bob = await ThinClient.connect(daemon.config());

// #region writer
/** Writes one box after the other. */
class Writer {
  readonly #client: ThinClient;
  readonly #writeCap: WriteCap;
  #index: MessageBoxIndex;

  constructor(client: ThinClient, writeCap: WriteCap, index: MessageBoxIndex) {
    this.#client = client;
    this.#writeCap = writeCap;
    this.#index = index;
  }

  async write(text: string): Promise<void> {
    // A box that holds something else is an error: by default it would count as written.
    const written = await this.#client.write(this.#writeCap, this.#index, text, {
      ifExists: "error",
    });
    this.#index = written.nextMessageBoxIndex; // only when the box is written
  }
}
// #endregion

// #region reader
/** Every message from `index` on, as it comes; waits for those not written yet. */
async function* messages(
  client: ThinClient,
  readCap: ReadCap,
  index: MessageBoxIndex,
  signal?: AbortSignal,
): AsyncGenerator<string, void> {
  for (let at = index; ;) {
    const { plaintext, nextMessageBoxIndex } = await client.read(readCap, at, { signal });
    yield utf8ToText(plaintext);
    at = nextMessageBoxIndex;
  }
}
// #endregion

// #region invitation
// Alice creates a stream for her messages. Reading it requires its ReadCap and an index.
const toBob = await alice.newKeypair(randomBytes(32));
const invitation = JSON.stringify({
  readCap: ReadCap.toBase64(toBob.readCap),
  index: MessageBoxIndex.toBase64(toBob.firstMessageIndex),
});

// The invitation reaches Bob in another way: on paper, as a QR code, through another channel.
const invited = JSON.parse(invitation) as { readCap: string; index: string };
const fromAlice = messages(
  bob,
  ReadCap.fromBase64(invited.readCap),
  MessageBoxIndex.fromBase64(invited.index),
);
// #endregion

// #region talk
const aliceWrites = new Writer(alice, toBob.writeCap, toBob.firstMessageIndex);
const said = ["hello Bob", "nobody sees that we talk", "bye"];
for (const text of said) await aliceWrites.write(text);

const heard: string[] = [];
for await (const text of fromAlice) {
  heard.push(text);
  if (text === "bye") break;
}
// #endregion
assert.deepEqual(heard, said);

// #region ahead
// Boxes are independent of each other: if you know their indices, you can read them all at
// once.
const ahead = [toBob.firstMessageIndex];
for (let i = 1; i < 3; i++) ahead.push(await bob.nextMessageBoxIndex(ahead[i - 1]!));
const boxes = await Promise.all(ahead.map((index) => bob.read(toBob.readCap, index)));
// #endregion
assert.deepEqual(
  boxes.map(({ plaintext }) => utf8ToText(plaintext)),
  said,
);
console.log(`Bob heard: ${heard.join("; ")}`);
