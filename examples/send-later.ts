/** Envelopes that are sealed without a connection to the mixnet, kept in a file, and sent later. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  EnvelopeDescriptor,
  EnvelopeHash,
  type KeypairResult,
  MessageBoxIndex,
  ThinClient,
  WriteCap,
  fromHex,
  randomBytes,
  toHex,
  utf8,
  utf8ToText,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());
const folder = await mkdtemp(join(tmpdir(), "katz-later-"));
const path = join(folder, "outbox.json");

// #region prepare
/** An envelope as it is kept. The descriptor and the WriteCap are secrets: mode 0600. */
interface Kept {
  readonly writeCap: string;
  readonly messageBoxIndex: string;
  readonly envelopeDescriptor: string;
  readonly messageCiphertext: string;
  readonly envelopeHash: string;
}

/** Seals each text for the next box of the stream, and sends nothing. */
async function prepare(texts: readonly string[], stream: KeypairResult): Promise<Kept[]> {
  const kept: Kept[] = [];
  let index = stream.firstMessageIndex;
  for (const text of texts) {
    // The daemon needs a PKI document for this, but no connection to the mixnet.
    const sealed = await client.encryptWrite(utf8(text), stream.writeCap, index);
    kept.push({
      writeCap: WriteCap.toHex(stream.writeCap),
      messageBoxIndex: MessageBoxIndex.toHex(index),
      envelopeDescriptor: EnvelopeDescriptor.toHex(sealed.envelopeDescriptor),
      messageCiphertext: toHex(sealed.messageCiphertext),
      envelopeHash: EnvelopeHash.toHex(sealed.envelopeHash),
    });
    index = sealed.nextMessageBoxIndex;
  }
  return kept;
}
// #endregion

const stream = await client.newKeypair(randomBytes(32));
daemon.network.faults.setOnline(false);
while (client.isConnected()) await new Promise((resolve) => setTimeout(resolve, 5));
const texts = ["written", "on", "the train"];
await writeFile(path, JSON.stringify(await prepare(texts, stream)), { mode: 0o600, flush: true });
daemon.network.faults.setOnline(true);

// #region send
/** Sends what was kept. It is safe to repeat: each envelope writes the same box with the same text. */
async function send(sender: ThinClient, kept: readonly Kept[]): Promise<void> {
  await sender.waitUntilOnline();
  await Promise.all(
    kept.map((one) =>
      sender.startResendingEncryptedMessage({
        writeCap: WriteCap.fromHex(one.writeCap),
        messageBoxIndex: MessageBoxIndex.fromHex(one.messageBoxIndex),
        envelopeDescriptor: EnvelopeDescriptor.fromHex(one.envelopeDescriptor),
        messageCiphertext: fromHex(one.messageCiphertext),
        envelopeHash: EnvelopeHash.fromHex(one.envelopeHash),
      }),
    ),
  );
}
// #endregion

// Another program may send them, with another client: what it needs is in the file.
await using later = await ThinClient.connect(daemon.config());
const kept = JSON.parse(await readFile(path, "utf8")) as Kept[];
await send(later, kept);
await send(later, kept);
await rm(folder, { recursive: true });

let index = stream.firstMessageIndex;
for (const text of texts) {
  const { plaintext, nextMessageBoxIndex } = await later.read(stream.readCap, index);
  assert.equal(utf8ToText(plaintext), text);
  index = nextMessageBoxIndex;
}
console.log(`${texts.length} texts were sealed offline and sent later`);
