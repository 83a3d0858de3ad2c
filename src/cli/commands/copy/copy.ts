/**
 * `katz copy`: writes a payload of any length into one or several streams with one copy command.
 */
import { stat } from "node:fs/promises";
import {
  CopyCommandFailedError,
  CopyFailedError,
  type CopyProgress,
  REPLICA_ERROR_BOX_ALREADY_EXISTS,
  equalBytes,
  planCopyPayload,
} from "katzenpost-thinclient";
import { TakenBoxError } from "../../box-outcome.js";
import { OpenCapability } from "../../capability-file.js";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { payloadOf } from "../../payload.js";
import { prepare } from "../../prepare.js";
import { bar, duration, size } from "../../terminal.js";
import { clock, counted } from "../../text.js";

/** Flags of the command. */
export interface CopyFlags extends ClientFlags {
  /** Whether to leave the capability files unchanged. */
  readonly keep: boolean;
}

/** How often the elapsed time is redrawn while a courier works, in milliseconds. */
const REDRAW_MS = 1000;

/** Copies a file to every stream. */
export async function copy(flags: CopyFlags, file: string, ...sources: string[]): Promise<void> {
  const capabilities = await prepare(flags, async ({ signal }) => {
    if ([file, ...sources].filter((name) => name === "-").length > 1) {
      throw new UsageError("only one argument can be standard input");
    }
    const opened: OpenCapability[] = [];
    for (const source of sources) opened.push(await OpenCapability.open(source, signal));
    for (const [i, capability] of opened.entries()) {
      const writeCap = capability.forWriting();
      const other = opened.slice(0, i).find((one) => equalBytes(one.forWriting(), writeCap));
      if (other) {
        throw new UsageError(
          `${other.name} and ${capability.name} are the same stream: give it once`,
        );
      }
    }
    return opened;
  });
  if (capabilities) await withClient(flags, (run) => copyTo(run, flags, file, capabilities));
}

/** Copies the payload with a connected client. */
export async function copyTo(
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
  const length = await lengthOf(file);
  const boxes =
    length === null
      ? null
      : planCopyPayload(client.pigeonholeGeometry, length, destinations.length).elements;
  let last: CopyProgress | null = null;
  const show = (): void => {
    if (last === null) return;
    output.status(progressText(last, boxes, performance.now() - start, output.statusWidth));
  };
  const onProgress = (progress: CopyProgress): void => {
    last = progress;
    show();
  };
  // A courier does not report progress.
  const redraw = setInterval(show, REDRAW_MS);
  const { nextDestIndices } = await client
    .copy(counting(), destinations, { ...call, onProgress })
    .catch((error: unknown) => {
      throw takenBox(error, capabilities) ?? error;
    })
    .finally(() => clearInterval(redraw));
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

/**
 * The error for a box that already holds something else, as in `katz write`; null for other
 * failures.
 */
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
  return new TakenBoxError(where, `skip it with katz read ${capability?.name ?? "CAP"}`, error);
}

/** Bytes of a regular file; null if the length is unknown before the end. */
async function lengthOf(file: string): Promise<number | null> {
  if (file === "-") return null;
  const stats = await stat(file).catch(() => null);
  // System files such as those in /proc report length 0 although they have content.
  return stats?.isFile() && stats.size > 0 ? stats.size : null;
}

/**
 * How long to wait before showing the remaining time, in milliseconds, because boxes come in
 * bursts.
 */
const FIRST_RATE_MS = 2000;

/** Maximum width of the bar. */
const MAX_BAR = 32;

/**
 * @param expected boxes of the temporary stream, until the library knows their number.
 * @param width maximum number of characters.
 */
export function progressText(
  progress: CopyProgress,
  expected: number | null,
  ms: number,
  width: number,
): string {
  const { phase, boxesDone } = progress;
  const time = clock(Math.floor(ms / 1000));
  if (phase === "copy") {
    const boxes = progress.boxesTotal;
    const what = boxes === null ? "" : ` ${counted(boxes, "box", "boxes")}`;
    return `a courier is copying${what} …  ${time}`;
  }
  const total = progress.boxesTotal ?? expected;
  if (total === null) return `writing: ${counted(boxesDone, "box", "boxes")}  ${time}`;
  const left =
    boxesDone > 0 && ms >= FIRST_RATE_MS
      ? `${clock(((total - boxesDone) * ms) / boxesDone / 1000)} left`
      : time;
  const [begin, end] = ["writing ", `${boxesDone} of ${total} boxes  ${left}`];
  const room = Math.min(MAX_BAR, width - begin.length - end.length - 1);
  return room < 4 ? begin + end : `${begin}${bar(boxesDone / total, room)} ${end}`;
}
