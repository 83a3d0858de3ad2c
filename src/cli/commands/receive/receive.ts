/** `katz receive`: fetches the files of a ticket. */
import { type MessageBoxIndex, type ReadCap, hasCode, toHex } from "katzenpost-thinclient";
import { firstIndexOf, nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import { readOutcome } from "../../box-outcome.js";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { readWhole } from "../../input-file.js";
import { Patience } from "../../patience.js";
import { prepare } from "../../prepare.js";
import type { Run } from "../../run.js";
import { askHidden, firstLine, readStdin, refuseSecret } from "../../secret-input.js";
import { duration, size } from "../../terminal.js";
import { counted } from "../../text.js";
import { claim } from "../../transfer/claim.js";
import { Checkpoints } from "../../transfer/checkpoints.js";
import { problemOfOwnName } from "../../transfer/file-name.js";
import { inOrder } from "../../transfer/in-order.js";
import { IncomingFiles, Target } from "../../transfer/incoming-files.js";
import {
  type Manifest,
  TransferError,
  boxesFor,
  dataLength,
  decodeHead,
  headLength,
} from "../../transfer/manifest.js";
import { PartialFolder, type ReceivePosition } from "../../transfer/partial-folder.js";
import { Progress } from "../../transfer/progress.js";
import { RECONNECT, tellReconnects } from "../../reconnects.js";
import { decodeTicket } from "../../transfer/ticket.js";

/** Flags of the command. */
export interface ReceiveFlags extends ClientFlags {
  /** The folder to receive into; the current one by default. */
  readonly into?: string;
  /** The name for the only file. */
  readonly name?: string;
  /** Whether to replace existing files. */
  readonly force: boolean;
}

/** Tickets are much shorter. */
const MAX_TICKET_BYTES = 65_536;

/** A head that was read, and the box where the files' bytes begin. */
interface Head {
  readonly bytes: Uint8Array;
  readonly position: ReceivePosition;
}

/** Receives the files of a ticket. */
export async function receive(flags: ReceiveFlags, ...sources: string[]): Promise<void> {
  const job = await prepare(flags, async (run) => {
    const problem = flags.name === undefined ? null : problemOfOwnName(flags.name);
    if (problem !== null) throw new UsageError(`--name cannot be used: ${problem}`);
    for (const source of sources) refuseSecret(source, "a ticket");
    if (sources.length > 1) throw new UsageError("receive takes one file with a ticket, or -");
    const ticket = await readTicket(run, sources[0]);
    const readCap = decodeTicket(ticket);
    return { readCap, folder: await PartialFolder.at(flags.into ?? ".", ticket) };
  });
  if (!job) return;
  const { readCap, folder } = job;
  await withClient(flags, (run) => receiveFiles(run, flags, readCap, folder), {
    reconnect: RECONNECT,
  });
}

async function readTicket({ signal, output }: Run, source: string | undefined): Promise<string> {
  const text =
    source === undefined
      ? await askHidden("Ticket: ", signal)
      : source === "-"
        ? await readStdin(MAX_TICKET_BYTES, signal, true)
        : await readTicketFile(source, { signal, output });
  const line = firstLine(Buffer.from(text).toString("utf8"));
  if (line === null) throw new UsageError("the ticket is missing: the input was empty");
  return line;
}

async function readTicketFile(path: string, { signal, output }: Run): Promise<Uint8Array> {
  const { bytes } = await readWhole(path, MAX_TICKET_BYTES, signal, ({ mode }) => {
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      output.remark(
        `other users may read ${path}: anyone who has a ticket can fetch its files; make it private: ` +
          `chmod 600 ${path}`,
      );
    }
  });
  return bytes;
}

/** Receives with a connected client. */
export async function receiveFiles(
  run: ClientRun,
  flags: ReceiveFlags,
  readCap: ReadCap,
  folder: PartialFolder,
): Promise<void> {
  tellReconnects(run);
  const { output } = run;
  await using _claimed = await claim(await folder.identity(), {
    message: "another katz receive is fetching this ticket into the same folder",
    advice: "Wait for it, or receive into another folder with --into",
  });
  const target = new Target(flags.into ?? ".", flags.force);
  const start = performance.now();
  const kept = await folder.load();
  if (kept) output.remark(`continuing after ${counted(kept.position.boxesDone, "box", "boxes")}`);
  const head = kept ? { bytes: kept.head, position: kept.position } : await readHead(run, readCap);
  const manifest = decodeHead(head.bytes, flags.name);
  const there: boolean[] = [];
  for (const file of manifest.files) there.push(await target.holds(file));
  if (!there.every(Boolean)) {
    await folder.create(head.bytes, head.position);
    try {
      await readData(run, { readCap, head, manifest, folder, there });
    } catch (error) {
      // Repeating does not help against wrong bytes or deleted boxes.
      const isFinal = error instanceof TransferError || hasCode(error, "REPLICA_ERROR_TOMBSTONE");
      if (isFinal) await folder.remove();
      else output.remark("stopped: run the same command to continue");
      throw error;
    }
    for (const [i, file] of manifest.files.entries()) await target.place(folder.pathOf(i), file);
    await target.sync();
  }
  await folder.remove();
  output.clearStatus();
  for (const file of manifest.files) {
    const { name, size: bytes, sha256 } = file;
    const path = target.pathOf(file);
    output.record({ type: "received", name, path, bytes, sha256: toHex(sha256) });
    output.path(path);
  }
  const what = `${counted(manifest.files.length, "file")}, ${size(dataLength(manifest))}`;
  output.remark(`received ${what} in ${duration(performance.now() - start)}; digests are correct`);
}

/**
 * Reads the first boxes, which describe the files. The first one says how many there are; the
 * others are read several at once, like boxes of data.
 */
async function readHead(run: ClientRun, readCap: ReadCap): Promise<Head> {
  const { client, output, signal, call } = run;
  output.status("waiting for the first box …");
  let at = 0;
  using patience = new Patience(
    output,
    () => `box ${at}, the beginning of the transfer, which its sender has not written yet`,
  );
  let index = firstIndexOf(readCap);
  const parts: Uint8Array[] = [];
  const readUntil = (to: number): Promise<void> =>
    inOrder<Uint8Array>({
      from: at,
      to,
      signal,
      async start(box, ending) {
        const place = index;
        index = nextMessageBoxIndex(place);
        const options = { ...call, signal: ending };
        return (await client.read(readCap, place, options).catch(named(box))).plaintext;
      },
      async take(box, plaintext) {
        if (plaintext.length > (parts[0] ?? plaintext).length) {
          throw new TransferError("its boxes are not cut as they should be");
        }
        parts.push(plaintext);
        at = box + 1;
        patience.came();
      },
    });
  await readUntil(1);
  const [first] = parts as [Uint8Array];
  const boxes = Math.max(1, boxesFor(headLength(first), first.length));
  await readUntil(boxes);
  output.clearStatus();
  return { bytes: new Uint8Array(Buffer.concat(parts)), position: { boxesDone: boxes, index } };
}

/** Names the box in an error of reading it. */
function named(box: number): (error: unknown) => never {
  return (error) => {
    throw readOutcome(error, `box ${box} of this transfer`);
  };
}

/** What to fetch. */
interface Fetch {
  readonly readCap: ReadCap;
  readonly head: Head;
  readonly manifest: Manifest;
  readonly folder: PartialFolder;
  /** Which files are already in place. */
  readonly there: readonly boolean[];
}

/** Reads all data boxes that are missing. */
async function readData(run: ClientRun, fetch: Fetch): Promise<void> {
  const { client, output, signal, call } = run;
  const { readCap, head, manifest, folder } = fetch;
  const { chunk } = manifest;
  const total = dataLength(manifest);
  const boxes = boxesFor(total, chunk);
  const headBoxes = boxesFor(head.bytes.length, chunk);
  const from = head.position.boxesDone - headBoxes;
  if (from < 0 || from > boxes)
    throw new TransferError("its boxes do not have the announced lengths");
  const doneBytes = (dataBoxes: number): number => Math.min(total, dataBoxes * chunk);
  const files = await IncomingFiles.open(folder, manifest, fetch.there, doneBytes(from));
  let { index } = head.position;
  using progress = new Progress(output, "receiving", doneBytes(from), total);
  let taken = from;
  using patience = new Patience(
    output,
    () => `box ${headBoxes + taken} of ${headBoxes + boxes}, which its sender has not written yet`,
  );
  const checkpoints = new Checkpoints<ReceivePosition>(async (position) => {
    await files.sync();
    await folder.save(position);
  });
  try {
    await inOrder<{ plaintext: Uint8Array; after: MessageBoxIndex }>({
      from,
      to: boxes,
      signal,
      async start(box, ending) {
        const place = index;
        const after = (index = nextMessageBoxIndex(place));
        const options = { ...call, signal: ending };
        const reading = client.read(readCap, place, options);
        const { plaintext } = await reading.catch(named(headBoxes + box));
        return { plaintext, after };
      },
      async take(box, { plaintext, after }) {
        const wanted = box === boxes - 1 ? total - box * chunk : chunk;
        if (plaintext.length !== wanted) {
          throw new TransferError("a box holds less than it should: nothing was kept");
        }
        await files.append(plaintext);
        taken = box + 1;
        patience.came();
        progress.update(doneBytes(box + 1), files.name);
        await checkpoints.note({ boxesDone: headBoxes + box + 1, index: after });
      },
    });
    await files.finish();
  } finally {
    await checkpoints.flush();
    await files.close();
  }
}
