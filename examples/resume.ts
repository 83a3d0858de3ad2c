/**
 * A writer that is killed in the middle of its work and started again: nothing is lost or
 * duplicated. The program starts itself as the writer, kills it, and reads what was written.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  MessageBoxIndex,
  ThinClient,
  WriteCap,
  fromHex,
  randomBytes,
  toHex,
  utf8ToText,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

const LINES = Array.from({ length: 40 }, (_, i) => `line ${i}`);

// #region state
/** What the writer must know to go on. It holds secrets: mode 0600. */
interface State {
  readonly sessionToken: string;
  readonly writeCap: string;
  /** The index of the next line, and its number: both are decided before the box is written. */
  readonly index: string;
  readonly line: number;
}

/** Replaces the file as a whole: a crash leaves the old one or the new one. */
async function save(path: string, state: State): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(state), { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
// #endregion

// #region writer
async function write(address: string, path: string): Promise<void> {
  let state = JSON.parse(await readFile(path, "utf8")) as State;
  await using client = await ThinClient.connect(
    { dial: { tcp: { address } } },
    { sessionToken: fromHex(state.sessionToken) }, // resumes the session of the killed process
  );
  const writeCap = WriteCap.fromHex(state.writeCap);
  while (state.line < LINES.length) {
    const index = MessageBoxIndex.fromHex(state.index);
    // If the crash came after this write, the line is already there; writing it again is safe.
    const { nextMessageBoxIndex } = await client.write(writeCap, index, LINES[state.line]!, {
      ifExists: "error", // other bytes would be from another writer
    });
    state = { ...state, index: toHex(nextMessageBoxIndex), line: state.line + 1 };
    await save(path, state);
    process.stdout.write(`${state.line} written\n`);
  }
}
// #endregion

/** Runs the writer in a process of its own. */
function startWriter(address: string, path: string): ChildProcess {
  const self = fileURLToPath(import.meta.url);
  return spawn(process.execPath, [self, "writer", address, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function main(): Promise<void> {
  await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
  await using reader = await ThinClient.connect(daemon.config());
  const folder = await mkdtemp(join(tmpdir(), "katz-resume-"));
  const path = join(folder, "state.json");
  const { writeCap, readCap, firstMessageIndex } = await reader.newKeypair(randomBytes(32));
  await save(path, {
    sessionToken: toHex(randomBytes(16)),
    writeCap: WriteCap.toHex(writeCap),
    index: MessageBoxIndex.toHex(firstMessageIndex),
    line: 0,
  });
  const { address } = daemon.config().dial.resolve();

  const killed = startWriter(address, path);
  await once(killed.stdout!, "data"); // it has written something
  killed.kill("SIGKILL");
  assert.deepEqual(await once(killed, "exit"), [null, "SIGKILL"]);
  const again = startWriter(address, path);
  const ended = once(again, "exit");

  const heard: string[] = [];
  let index = firstMessageIndex;
  while (heard.length < LINES.length) {
    const box = await reader.read(readCap, index, { timeoutMs: 30_000 });
    heard.push(utf8ToText(box.plaintext));
    index = box.nextMessageBoxIndex;
  }
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(heard, LINES);
  const after = reader.read(readCap, index, { wait: false });
  await assert.rejects(after, { code: "REPLICA_ERROR_BOX_ID_NOT_FOUND" });
  await rm(folder, { recursive: true });
  console.log(`${heard.length} lines came once each, though their writer was killed`);
}

if (process.argv[2] === "writer") await write(process.argv[3]!, process.argv[4]!);
else await main();
