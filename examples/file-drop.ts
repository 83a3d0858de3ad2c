/**
 * A file dropped into a stream of boxes, picked up by whoever has the ticket.
 *
 * It uses `copy`, not a channel: a courier writes all boxes at once, and neither side keeps the file
 * in memory or a second time on disk. Use a channel for what must survive a crash while it is sent.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageBoxIndex, ReadCap, ThinClient, randomBytes } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

// #region ticket
/** All that the receiver needs. Whoever has it can read the file: it is a secret. */
interface Ticket {
  readonly readCap: string;
  readonly index: string;
  readonly length: number;
  readonly sha256: string;
}
// #endregion

// #region drop
async function drop(client: ThinClient, path: string): Promise<Ticket> {
  const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
  const { size } = await stat(path);
  const digest = createHash("sha256");
  async function* pieces(): AsyncGenerator<Uint8Array, void> {
    for await (const piece of createReadStream(path) as AsyncIterable<Uint8Array>) {
      digest.update(piece);
      yield piece;
    }
  }
  // The file is read while it is sent, so memory use does not grow with its length.
  await client.copy(pieces(), [{ writeCap, startIndex: firstMessageIndex }]);
  return {
    readCap: ReadCap.toHex(readCap),
    index: MessageBoxIndex.toHex(firstMessageIndex),
    length: size,
    sha256: digest.digest("hex"),
  };
}
// #endregion

// #region pick-up
async function pickUp(client: ThinClient, ticket: Ticket, path: string): Promise<void> {
  const readCap = ReadCap.fromHex(ticket.readCap);
  let index = MessageBoxIndex.fromHex(ticket.index);
  const digest = createHash("sha256");
  const file = await open(path, "wx"); // fails if the file exists
  try {
    for (let at = 0; at < ticket.length;) {
      const { plaintext, nextMessageBoxIndex } = await client.read(readCap, index);
      digest.update(plaintext);
      await file.write(plaintext);
      at += plaintext.length;
      index = nextMessageBoxIndex;
    }
  } finally {
    await file.close();
  }
  if (digest.digest("hex") !== ticket.sha256) {
    await rm(path);
    throw new Error("the received file is not the one that was sent");
  }
}
// #endregion

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using sender = await ThinClient.connect(daemon.config());
await using receiver = await ThinClient.connect(daemon.config());
const folder = await mkdtemp(join(tmpdir(), "katz-file-drop-"));
await writeFile(join(folder, "sent"), randomBytes(50_000));

const ticket = await drop(sender, join(folder, "sent"));
await pickUp(receiver, ticket, join(folder, "received"));

assert.deepEqual(await readFile(join(folder, "received")), await readFile(join(folder, "sent")));
const forged = { ...ticket, sha256: "00" };
await assert.rejects(pickUp(receiver, forged, join(folder, "forged")), /not the one that was sent/);
await rm(folder, { recursive: true });
console.log("50,000 bytes were dropped and picked up; a wrong digest was refused");
