/** `katz write`: writes a message into the next box of a stream. */
import { hasCode } from "katzenpost-thinclient";
import { TakenBoxError } from "../../box-outcome.js";
import { OpenCapability } from "../../capability-file.js";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { readPayload } from "../../payload.js";
import { prepare } from "../../prepare.js";

/** Flags of the command. */
export interface WriteFlags extends ClientFlags {
  /** Number of the box; the next one by default. */
  readonly box?: number;
  /** Whether to leave the capability file unchanged. */
  readonly keep: boolean;
}

/** More than the boxes of any network hold. */
const MAX_MESSAGE_BYTES = 1 << 20;

/** Writes one box, and waits until it is stored. */
export async function write(flags: WriteFlags, source: string, file = "-"): Promise<void> {
  const prepared = await prepare(flags, async ({ signal, output }) => {
    if (source === "-" && file === "-") {
      throw new UsageError("the capability and the message cannot both come from standard input");
    }
    const capability = await OpenCapability.open(source, signal);
    capability.forWriting();
    if (file === "-" && process.stdin.isTTY) output.remark("message, then Ctrl-D:");
    const message = await readPayload(file, MAX_MESSAGE_BYTES, signal);
    if (message.length === 0) {
      throw new UsageError("the message is empty: use katz tombstone to delete boxes");
    }
    return { capability, message };
  });
  if (!prepared) return;
  const { capability, message } = prepared;
  await withClient(flags, (run) => writeBox(run, flags, capability, message));
}

async function writeBox(
  { client, call, output }: ClientRun,
  flags: WriteFlags,
  capability: OpenCapability,
  message: Uint8Array,
): Promise<void> {
  const most = client.pigeonholeGeometry.maxPlaintextPayloadLength;
  if (message.length > most) {
    throw new UsageError(
      `the message has ${message.length} bytes, but a box holds ${most}: use katz copy for a ` +
        "payload of several boxes, or katz send for a file",
    );
  }
  const number = flags.box ?? capability.number;
  const index = flags.box === undefined ? capability.index : capability.boxAt(flags.box);
  output.status(`writing box ${number} …`);
  // Waits for the replicas' answer: "written" means that the box holds this message.
  const options = { ...call, ifExists: "error" } as const;
  try {
    const written = await client.write(capability.forWriting(), index, message, options);
    if (!flags.keep) await capability.advance(written.nextMessageBoxIndex);
  } catch (error) {
    if (!hasCode(error, "REPLICA_ERROR_BOX_ALREADY_EXISTS")) throw error;
    const box = `box ${number} of ${capability.name}`;
    throw new TakenBoxError(box, wayPast(capability, number), error);
  }
  output.clearStatus();
  output.record({ type: "written", number, bytes: message.length });
  output.remark(`wrote box ${number}, ${message.length} bytes`);
}

/** What to do about a box that already holds something. */
function wayPast(capability: OpenCapability, number: number): string {
  const next = capability.number;
  // If the position in the file is further on, the boxes up to it may also be taken.
  return next > number
    ? `leave out --box: the next box of ${capability.name} is box ${next}`
    : `skip it with --box ${number + 1}`;
}
