/**
 * A file that is uploaded with progress. The uploading process and then the daemon are killed in the
 * middle; the same call continues. The program starts itself as the uploader.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DevDaemon } from "katzenpost-thinclient/testing";
// #region upload
import { open, readFile, rename, writeFile } from "node:fs/promises";
import {
  MessageBoxIndex,
  ReadCap,
  ThinClient,
  WriteCap,
  randomBytes,
  toHex,
} from "katzenpost-thinclient";
import { nextMessageBoxIndex } from "katzenpost-thinclient/bacap";

/** How far an upload is. The WriteCap is a secret: mode 0600. */
interface Upload {
  readonly writeCap: string;
  /** The first box that may not be written yet, and how many bytes are before it. */
  readonly index: string;
  readonly done: number;
}

/** A daemon takes in 16 packets of a client. */
const AT_ONCE = 16;

/** Writes the rest of a file into boxes. After a crash, the same call continues. */
async function upload(
  client: ThinClient,
  path: string,
  statePath: string,
  show: (done: number, size: number) => void,
): Promise<void> {
  let state = JSON.parse(await readFile(statePath, "utf8")) as Upload;
  const writeCap = WriteCap.fromHex(state.writeCap);
  const boxLength = client.pigeonholeGeometry.maxPlaintextPayloadLength;
  const content = await readFile(path);
  while (state.done < content.length) {
    let index = MessageBoxIndex.fromHex(state.index);
    let at = state.done;
    const boxes = [];
    while (at < content.length && boxes.length < AT_ONCE) {
      boxes.push({ index, plaintext: content.subarray(at, at + boxLength) });
      at += boxLength;
      index = nextMessageBoxIndex(index);
    }
    await Promise.all(
      // A box that already holds these bytes is a success; other bytes are from a changed file.
      boxes.map((box) => client.write(writeCap, box.index, box.plaintext, { ifExists: "error" })),
    );
    state = { ...state, index: toHex(index), done: Math.min(at, content.length) };
    await save(statePath, state);
    show(state.done, content.length);
  }
}

/** Replaces the file as a whole: a crash leaves the old one or the new one. */
async function save(path: string, state: Upload): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(state), { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
// #endregion

// #region download
/** What a reader needs. It is secret: hand it over in private. */
interface Ticket {
  readonly readCap: string;
  readonly index: string;
  readonly length: number;
}

/** Fetches a file, also while it is still being uploaded. */
async function download(client: ThinClient, ticket: Ticket, path: string): Promise<void> {
  const readCap = ReadCap.fromHex(ticket.readCap);
  let index = MessageBoxIndex.fromHex(ticket.index);
  const boxLength = client.pigeonholeGeometry.maxPlaintextPayloadLength;
  const file = await open(path, "wx", 0o600); // fails if the file exists
  try {
    for (let at = 0; at < ticket.length;) {
      const indices = [];
      const left = Math.ceil((ticket.length - at) / boxLength);
      while (indices.length < Math.min(AT_ONCE, left)) {
        indices.push(index);
        index = nextMessageBoxIndex(index);
      }
      const boxes = await Promise.all(indices.map((box) => client.read(readCap, box)));
      for (const { plaintext } of boxes) {
        await file.write(plaintext);
        at += plaintext.length;
      }
    }
  } finally {
    await file.close();
  }
}
// #endregion

/** Runs the uploader in a process of its own. */
function startUpload(...args: string[]): ChildProcess {
  const self = fileURLToPath(import.meta.url);
  return spawn(process.execPath, [self, ...args], { stdio: ["ignore", "pipe", "inherit"] });
}

async function main(): Promise<void> {
  await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
  await using reader = await ThinClient.connect(daemon.config());
  const folder = await mkdtemp(join(tmpdir(), "katz-file-"));
  const [path, statePath] = [join(folder, "file"), join(folder, "state.json")];
  const content = randomBytes(150_000);
  await writeFile(path, content);

  const { writeCap, readCap, firstMessageIndex } = await reader.newKeypair(randomBytes(32));
  const index = MessageBoxIndex.toHex(firstMessageIndex);
  await save(statePath, { writeCap: WriteCap.toHex(writeCap), index, done: 0 });
  const ticket = { readCap: ReadCap.toHex(readCap), index, length: content.length };
  const downloading = download(reader, ticket, join(folder, "copy"));

  const args = [daemon.addresses[0]!, path, statePath];
  const killed = startUpload(...args);
  await once(killed.stdout!, "data"); // it has written something
  killed.kill("SIGKILL");
  assert.deepEqual(await once(killed, "exit"), [null, "SIGKILL"]);

  const again = startUpload(...args);
  const ended = once(again, "exit");
  await once(again.stdout!, "data");
  again.stdout!.resume();
  await daemon.crash(); // as kill -9 would
  await daemon.restart();
  assert.deepEqual(await ended, [0, null]);

  await downloading;
  const copy = await readFile(join(folder, "copy"));
  assert.ok(copy.equals(content));
  await rm(folder, { recursive: true });
  console.log(`${content.length.toLocaleString("en")} bytes arrived, though everything was killed`);
}

const [address, path, statePath] = process.argv.slice(2);
if (address !== undefined) {
  await using client = await ThinClient.connect(address, { reconnect: { initialDelayMs: 50 } });
  await upload(client, path!, statePath!, (done, size) => {
    process.stdout.write(`${Math.floor((100 * done) / size)} %\n`);
  });
} else await main();
