/** A writer and a reader that keep cursors and envelopes in files, and crash at the worst moments. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  EnvelopeDescriptor,
  EnvelopeHash,
  type EncryptWriteResult,
  MessageBoxIndex,
  ReadCap,
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
const folder = await mkdtemp(join(tmpdir(), "katz-cursors-"));

// #region state
/** A writer's cursor, and the envelope that may have left. All of it is secret: mode 0600. */
interface WriterState {
  readonly writeCap: string;
  readonly index: string;
  /** Null when nothing is under way. */
  readonly outgoing: {
    readonly text: string;
    readonly envelopeDescriptor: string;
    readonly messageCiphertext: string;
    readonly envelopeHash: string;
    readonly nextIndex: string;
  } | null;
}

/** Replaces the file as a whole: a crash leaves the old one or the new one. */
async function save(path: string, state: object): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(state), { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
// #endregion

/** Where the program crashes; for this example only. */
let crashes: ("before sending" | "after sending" | "after reading")[] = [];
function mayCrash(here: (typeof crashes)[number]): void {
  if (crashes[0] !== here) return;
  crashes = crashes.slice(1);
  throw new Error(`crashed ${here}`);
}

// #region write
/** Writes `text` to the next box, or finishes what a crash interrupted: then `text` is not used. */
async function write(client: ThinClient, path: string, text: string): Promise<string> {
  let state = JSON.parse(await readFile(path, "utf8")) as WriterState;
  const writeCap = WriteCap.fromHex(state.writeCap);
  const index = MessageBoxIndex.fromHex(state.index);
  if (state.outgoing === null) {
    // One index, one plaintext: the envelope is saved before it is sent. From then on, nothing else
    // is ever sealed for this index, because the first envelope may have filled the box.
    state = {
      ...state,
      outgoing: kept(text, await client.encryptWrite(utf8(text), writeCap, index)),
    };
    await save(path, state);
  }
  mayCrash("before sending");
  const { outgoing } = state;
  await client.startResendingEncryptedMessage({
    writeCap,
    messageBoxIndex: index,
    envelopeDescriptor: EnvelopeDescriptor.fromHex(outgoing!.envelopeDescriptor),
    messageCiphertext: fromHex(outgoing!.messageCiphertext),
    envelopeHash: EnvelopeHash.fromHex(outgoing!.envelopeHash),
  });
  mayCrash("after sending");
  // The cursor moves only now.
  await save(path, { ...state, index: outgoing!.nextIndex, outgoing: null });
  return outgoing!.text;
}

function kept(text: string, sealed: EncryptWriteResult): WriterState["outgoing"] {
  return {
    text, // replicas forget their keys after a week or two: then seal the same text again
    envelopeDescriptor: EnvelopeDescriptor.toHex(sealed.envelopeDescriptor),
    messageCiphertext: toHex(sealed.messageCiphertext),
    envelopeHash: EnvelopeHash.toHex(sealed.envelopeHash),
    nextIndex: MessageBoxIndex.toHex(sealed.nextMessageBoxIndex),
  };
}
// #endregion

// #region read
/** Reads the next box. The cursor moves after `handle`: a crash repeats a message and loses none. */
async function read(
  client: ThinClient,
  path: string,
  handle: (text: string) => void,
): Promise<void> {
  const state = JSON.parse(await readFile(path, "utf8")) as { readCap: string; index: string };
  const readCap = ReadCap.fromHex(state.readCap);
  const box = await client.read(readCap, MessageBoxIndex.fromHex(state.index));
  handle(utf8ToText(box.plaintext));
  mayCrash("after reading");
  await save(path, { ...state, index: MessageBoxIndex.toHex(box.nextMessageBoxIndex) });
}
// #endregion

const [writerFile, readerFile] = [join(folder, "writer.json"), join(folder, "reader.json")];
{
  await using client = await ThinClient.connect(daemon.config());
  const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
  const index = MessageBoxIndex.toHex(firstMessageIndex);
  await save(writerFile, { writeCap: WriteCap.toHex(writeCap), index, outgoing: null });
  await save(readerFile, { readCap: ReadCap.toHex(readCap), index });
}

const texts = ["one", "two", "three"];
const written: string[] = [];
crashes = ["before sending", "after sending"];
while (written.length < texts.length) {
  await using client = await ThinClient.connect(daemon.config()); // a new process, each time
  try {
    written.push(await write(client, writerFile, texts[written.length]!));
  } catch (error) {
    assert.match(String(error), /crashed/);
  }
}
assert.deepEqual(written, texts);

const heard: string[] = [];
crashes = ["after reading"];
while (heard.length < texts.length + 1) {
  await using client = await ThinClient.connect(daemon.config());
  try {
    await read(client, readerFile, (text) => heard.push(text));
  } catch (error) {
    assert.match(String(error), /crashed/);
  }
}
assert.deepEqual(heard, ["one", "one", "two", "three"]);
await rm(folder, { recursive: true });
console.log("three crashes: no box was lost or overwritten, one message was read twice");
