/** `katz copy`: a payload of any length into one or several streams, by one copy command. */
import {
  CopyCommandFailedError,
  CopyFailedError,
  type CopyProgress,
  REPLICA_ERROR_BOX_ALREADY_EXISTS,
  equalBytes,
} from "katzenpost-thinclient";
import { TakenBoxError } from "../box-outcome.js";
import { OpenCapability } from "../capability-file.js";
import { type ClientFlags, type ClientRun, withClient } from "../connect.js";
import { UsageError } from "../failure.js";
import { payloadOf } from "../payload.js";
import { prepare } from "../prepare.js";
import { bar, duration, size } from "../terminal.js";
import { counted } from "../text.js";

/** Flags of the command. */
export interface CopyFlags extends ClientFlags {
  /** Whether to leave the capability files as they are. */
  readonly keep: boolean;
}

/** Copies a file to every stream. */
export async function copy(flags: CopyFlags, file: string, ...sources: string[]): Promise<void> {
  const capabilities = await prepare(flags, async ({ signal }) => {
    if ([file, ...sources].filter((name) => name === "-").length > 1) {
      throw new UsageError("only one of the arguments can be standard input");
    }
    const opened: OpenCapability[] = [];
    for (const source of sources) opened.push(await OpenCapability.open(source, signal));
    for (const [i, capability] of opened.entries()) {
      const writeCap = capability.forWriting();
      const other = opened.slice(0, i).find((one) => equalBytes(one.forWriting(), writeCap));
      if (other) {
        throw new UsageError(`${other.name} and ${capability.name} are one stream: give it once`);
      }
    }
    return opened;
  });
  if (capabilities) await withClient(flags, (run) => copyTo(run, flags, file, capabilities));
}

async function copyTo(
  { client, call, output, signal }: ClientRun,
  flags: CopyFlags,
  file: string,
  capabilities: readonly OpenCapability[],
): Promise<void> {
  if (file === "-" && process.stdin.isTTY) output.remark("payload, then Ctrl-D:");
  const start = performance.now();
  let bytes = 0;
  async function* counting(): AsyncGenerator<Uint8Array> {
    for await (const chunk of payloadOf(file, signal)) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  const destinations = capabilities.map((capability) => {
    return { writeCap: capability.forWriting(), startIndex: capability.index };
  });
  const onProgress = (progress: CopyProgress): void => output.status(progressText(progress));
  const { nextDestIndices } = await client
    .copy(counting(), destinations, { ...call, onProgress })
    .catch((error: unknown) => {
      throw takenBox(error, capabilities) ?? error;
    });
  if (bytes === 0) throw new UsageError(`${file === "-" ? "standard input" : file} is empty`);
  if (!flags.keep) {
    for (const [i, next] of nextDestIndices.entries()) await capabilities[i]!.advance(next);
  }
  output.clearStatus();
  const ms = Math.round(performance.now() - start);
  output.record({ type: "copied", bytes, streams: capabilities.length, ms });
  const to = counted(capabilities.length, "stream");
  output.remark(`copied ${size(bytes)} to ${to} in ${duration(ms)}`);
}

/** The error for a box that holds something else, as `katz write` has it; null for other failures. */
function takenBox(error: unknown, capabilities: readonly OpenCapability[]): TakenBoxError | null {
  if (!(error instanceof CopyFailedError)) return null;
  const { cause, destination, boxesCopied } = error;
  const isTaken =
    cause instanceof CopyCommandFailedError &&
    cause.replicaErrorCode === REPLICA_ERROR_BOX_ALREADY_EXISTS;
  if (!isTaken) return null;
  const capability = destination === null ? undefined : capabilities[destination];
  const done = destination === null ? undefined : boxesCopied?.[destination];
  const where =
    capability === undefined || done === undefined
      ? "a box of a stream"
      : `box ${capability.number + done} of ${capability.name}`;
  return new TakenBoxError(where, `katz read ${capability?.name ?? "CAP"}`, error);
}

function progressText({ phase, boxesDone, boxesTotal }: CopyProgress): string {
  if (phase === "copy") return "a courier is copying …";
  if (boxesTotal === null) return `writing: ${counted(boxesDone, "box", "boxes")}`;
  return `writing ${bar(boxesDone / boxesTotal, 32)} ${boxesDone} of ${boxesTotal} boxes`;
}
