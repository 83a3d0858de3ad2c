/** `katz tombstone`: deletes boxes. */
import type { MessageBoxIndex } from "katzenpost-thinclient";
import { nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import { OpenCapability } from "../../capability-file.js";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { prepare } from "../../prepare.js";
import { bar } from "../../terminal.js";
import { counted } from "../../text.js";
import { inOrder } from "../../transfer/in-order.js";

/** Flags of the command. */
export interface TombstoneFlags extends ClientFlags {
  /** Number of the first box. */
  readonly box?: number;
  /** How many boxes; 1 by default. */
  readonly count?: number;
  /** Delete all boxes that were written. */
  readonly all: boolean;
  /** Whether to leave the capability file unchanged. */
  readonly keep: boolean;
}

/** Deletes boxes, whatever they hold. */
export async function tombstone(flags: TombstoneFlags, source: string): Promise<void> {
  const capability = await prepare(flags, async ({ signal }) => {
    if (flags.all === (flags.box !== undefined) || (flags.all && flags.count !== undefined)) {
      throw new UsageError("say which boxes to delete: --box N, --box N --count M, or --all");
    }
    const opened = await OpenCapability.open(source, signal);
    opened.forWriting();
    return opened;
  });
  if (capability) await withClient(flags, (run) => deleteBoxes(run, flags, capability));
}

async function deleteBoxes(
  { client, call, output, signal }: ClientRun,
  flags: TombstoneFlags,
  capability: OpenCapability,
): Promise<void> {
  const writeCap = capability.forWriting();
  const from = flags.box ?? 0;
  const count = flags.all ? capability.number : (flags.count ?? 1);
  let index = capability.boxAt(from);
  await inOrder<MessageBoxIndex>({
    from: 0,
    to: count,
    signal,
    async start(_box, ending) {
      const place = index;
      const after = (index = nextMessageBoxIndex(place));
      await client.tombstone(writeCap, place, { ...call, signal: ending });
      return after;
    },
    take(box) {
      output.status(`deleting ${bar((box + 1) / count, 32)} ${box + 1} of ${count}`);
      return Promise.resolve();
    },
  });
  // A message in a deleted box would never be seen, so the next write must skip it.
  if (!flags.keep && count > 0) await capability.advance(index);
  output.clearStatus();
  output.record({ type: "deleted", number: from, boxes: count });
  const which =
    count === 1
      ? `box ${from}`
      : `${counted(count, "box", "boxes")}${count > 0 ? `, ${from} to ${from + count - 1}` : ""}`;
  output.remark(`deleted ${which}`);
}
