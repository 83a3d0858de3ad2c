/** `katz send`: writes files into boxes and prints a ticket for them. */
import { type MessageBoxIndex, hasCode } from "katzenpost-thinclient";
import {
  advanceMessageBoxIndex,
  firstIndexOf,
  messageBoxCounter,
  nextMessageBoxIndex,
  readCapOf,
} from "katzenpost-thinclient/bacap";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { prepare } from "../../prepare.js";
import type { Run } from "../../run.js";
import { duration, size } from "../../terminal.js";
import { counted } from "../../text.js";
import { claim } from "../../transfer/claim.js";
import { Checkpoints } from "../../transfer/checkpoints.js";
import { problemOfName } from "../../transfer/file-name.js";
import { inOrder } from "../../transfer/in-order.js";
import { boxesFor, encodeHead } from "../../transfer/manifest.js";
import {
  FileChanged,
  type FoundFile,
  digestFiles,
  findFiles,
  piecesOf,
} from "../../transfer/outgoing-files.js";
import { Progress } from "../../transfer/progress.js";
import { RECONNECT, tellReconnects } from "../../reconnects.js";
import { type SendState, StateFile, newState } from "../../transfer/send-state.js";
import { type SpooledInput, spoolStdin } from "../../transfer/spool.js";
import { encodeTicket } from "../../transfer/ticket.js";

/** Flags of the command. */
export interface SendFlags extends ClientFlags {
  /** The name to send the file under. */
  readonly name?: string;
  /** Whether standard input is a message. */
  readonly text: boolean;
}

/** The default name of a message. */
const TEXT_NAME = "message.txt";

/** Sends files; prints the ticket as soon as it is valid. */
export async function send(flags: SendFlags, ...paths: string[]): Promise<void> {
  const isInput = flags.text || paths.includes("-");
  const job = await prepare(flags, (run) =>
    isInput ? findInput(run, flags, paths) : findOnDisk(run, flags, paths),
  );
  if (!job) return;
  try {
    await withClient(flags, (run) => sendFiles(run, job.files, isInput), { reconnect: RECONNECT });
  } finally {
    await job.spool?.[Symbol.asyncDispose]();
  }
}

/** What to send. */
interface Job {
  readonly files: readonly FoundFile[];
  readonly spool: SpooledInput | null;
}

async function findOnDisk({ output }: Run, { name }: SendFlags, paths: string[]): Promise<Job> {
  if (paths.length === 0) throw new UsageError("FILE is missing; use - for standard input");
  let leftOut = 0;
  const files = await findFiles(paths, name, () => leftOut++);
  if (leftOut > 0)
    output.remark(
      `left out: ${counted(leftOut, "hidden file or folder", "hidden files and folders")}`,
    );
  return { files, spool: null };
}

async function findInput({ output, signal }: Run, flags: SendFlags, paths: string[]): Promise<Job> {
  const { text, name = text ? TEXT_NAME : undefined } = flags;
  if (paths.some((path) => path !== "-") || paths.length > 1) {
    throw new UsageError(
      "standard input must be sent alone: send other files with a separate command",
    );
  }
  if (name === undefined) {
    throw new UsageError("standard input needs a name: give it one with --name NAME");
  }
  const problem = problemOfName(name);
  if (problem !== null) throw new UsageError(`--name cannot be used: ${problem}`);
  if (process.stdin.isTTY) output.remark("message, then Ctrl-D:");
  const spool = await spoolStdin(signal);
  return { files: await findFiles([spool.path], name), spool };
}

/** Sends the files with a connected client. @param isInput whether they came on standard input. */
export async function sendFiles(
  run: ClientRun,
  files: readonly FoundFile[],
  isInput: boolean,
): Promise<void> {
  tellReconnects(run);
  const { client, output, signal } = run;
  const chunk = client.pigeonholeGeometry.maxPlaintextPayloadLength;
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const stateFile = await StateFile.open(files);
  await using _claimed = await claim(stateFile.path, {
    message: "another katz send is sending the same files",
    advice: "Wait for it: its ticket is valid for the files that it found when it began",
  });
  const { state: interrupted, obsolete } = await stateFile.load(chunk);
  let state = interrupted;
  const isResumed = state !== null;
  if (state) {
    output.remark(`continuing after ${counted(state.boxesDone, "box", "boxes")}`);
  } else {
    if (obsolete !== null) {
      output.remark(`${obsolete}: this is a new ticket; the earlier one cannot be completed`);
    }
    using reading = new Progress(output, "reading", 0, total);
    const entries = await digestFiles(files, signal, (done, name) => reading.update(done, name));
    state = newState(files, entries, chunk);
    await stateFile.save(state);
  }
  output.clearStatus();
  // The ticket is valid from here on: anyone who has it waits for the boxes.
  const ticket = encodeTicket(readCapOf(state.writeCap));
  output.result(ticket, { type: "ticket", ticket, bytes: total, names: files.map((f) => f.name) });
  const start = performance.now();
  try {
    const boxes = await writeAll(run, state, stateFile, isResumed);
    await stateFile.remove();
    const ms = Math.round(performance.now() - start);
    output.clearStatus();
    output.record({ type: "sent", bytes: total, boxes, ms });
    const what = files.length === 1 ? files[0]!.name : counted(files.length, "file");
    output.remark(`sent ${what}, ${size(total)}, in ${duration(ms)}; it is kept for a week`);
    output.remark("the recipient runs katz receive, which asks for the ticket");
  } catch (error) {
    // Standard input can be read only once.
    if (error instanceof FileChanged || isInput) await stateFile.remove();
    else output.remark("stopped: run the same command to continue");
    throw error;
  }
}

/**
 * Writes all boxes that are not written yet; returns how many there are. Another daemon process may
 * have another network, without the boxes written before. Then all are written again, into the same
 * boxes.
 */
async function writeAll(
  run: ClientRun,
  begun: SendState,
  stateFile: StateFile,
  isResumed: boolean,
): Promise<number> {
  let state = begun;
  let isDoubtful = isResumed;
  using _watching = run.client.on("reconnected", ({ newInstance }) => {
    if (newInstance) isDoubtful = true;
  });
  for (;;) {
    const looks = isDoubtful;
    isDoubtful = false;
    if (looks && !(await isThere(run, state))) {
      run.output.remark("the boxes sent before are gone: sending them again, for the same ticket");
      state = { ...state, boxesDone: 0, index: firstIndexOf(state.writeCap) };
      await stateFile.save(state);
    }
    const written = await writeBoxes(run, state, stateFile);
    if (!isDoubtful) return written.boxesDone;
    state = written;
  }
}

/** Whether the first and the last written box still hold something. */
async function isThere({ client, call, output }: ClientRun, state: SendState): Promise<boolean> {
  const { writeCap, boxesDone } = state;
  if (boxesDone === 0) return true;
  output.status("checking whether the boxes sent before are still there …");
  const first = firstIndexOf(writeCap);
  const last = advanceMessageBoxIndex(first, messageBoxCounter(first) + BigInt(boxesDone - 1));
  try {
    for (const index of [first, last]) {
      await client.read(readCapOf(writeCap), index, { ...call, wait: false });
    }
    return true;
  } catch (error) {
    if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) return false;
    throw error;
  } finally {
    output.clearStatus();
  }
}

/** Writes all boxes that are not written yet; returns the state after the last one. */
async function writeBoxes(
  run: ClientRun,
  state: SendState,
  stateFile: StateFile,
): Promise<SendState> {
  const { client, output, signal, call } = run;
  const { files, chunk, writeCap, digests } = state;
  const entries = files.map(({ name, size: bytes }, i) => {
    return { name, size: bytes, sha256: digests[i]! };
  });
  const head = encodeHead({ chunk, files: entries });
  const headBoxes = boxesFor(head.length, chunk);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const boxes = headBoxes + boxesFor(total, chunk);
  const dataDone = (boxesDone: number): number =>
    Math.min(total, Math.max(0, boxesDone - headBoxes) * chunk);
  const pieces = piecesOf(files, chunk, Math.max(0, state.boxesDone - headBoxes));
  using progress = new Progress(output, "sending", dataDone(state.boxesDone), total);
  const checkpoints = new Checkpoints<SendState>((note) => stateFile.save(note));
  let index = state.index;
  try {
    await inOrder<MessageBoxIndex>({
      from: state.boxesDone,
      to: boxes,
      signal,
      async start(box, ending) {
        const place = index;
        const after = (index = nextMessageBoxIndex(place));
        const plaintext =
          box < headBoxes
            ? head.subarray(box * chunk, (box + 1) * chunk)
            : (await pieces.next()).value;
        await client.write(writeCap, place, plaintext as Uint8Array, { ...call, signal: ending });
        return after;
      },
      async take(box, after) {
        progress.update(dataDone(box + 1), nameAt(files, dataDone(box)));
        await checkpoints.note({ ...state, boxesDone: box + 1, index: after });
      },
    });
    // Check the end of the last file too: it may have changed.
    await pieces.next();
  } finally {
    await pieces.return(undefined);
    await checkpoints.flush();
  }
  return { ...state, boxesDone: boxes, index };
}

/** Name of the file that holds the byte at this position. */
function nameAt(files: readonly FoundFile[], at: number): string {
  let end = 0;
  return files.find((file) => (end += file.size) > at)?.name ?? files.at(-1)!.name;
}
