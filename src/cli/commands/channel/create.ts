/** `katz channel create`: a channel to send on. */
import { existsSync } from "node:fs";
import { capabilityText } from "../../capability-file.js";
import { type StoreFlags, withChannels } from "../../channel-store.js";
import type { ClientFlags } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { prepare } from "../../prepare.js";
import { createFile, writing } from "../../private-file.js";

/** Flags of the command. */
export interface CreateFlags extends ClientFlags, StoreFlags {
  /** Where to write what readers need. */
  readonly output?: string;
}

/** Creates a channel, and the capability file of its readers. */
export async function create(flags: CreateFlags, name: string): Promise<void> {
  const path = flags.output;
  const job = await prepare(flags, async () => {
    if (path !== undefined && existsSync(path)) {
      throw new UsageError(`${path} is there already and is left alone`);
    }
    return {};
  });
  if (!job) return;
  await withChannels(flags, async ({ output }, channels) => {
    if ((await channels.list()).some((channel) => channel.name === name)) {
      throw new UsageError(
        `there is already a channel ${JSON.stringify(name)}: choose another name`,
      );
    }
    const writer = await channels.create(name);
    if (path !== undefined) {
      const { readCap, nextMessageBoxIndex: index } = await writer.invitation();
      try {
        await writing(path, () =>
          createFile(path, capabilityText({ kind: "read", readCap, index })),
        );
      } catch (error) {
        // A channel that nobody can read would be in the way of the next try.
        await channels.delete(name);
        throw error;
      }
    }
    const info = (await channels.list()).find((channel) => channel.name === name)!;
    output.record({ type: "channel", ...info });
    if (path !== undefined) output.path(path);
    output.remark(
      path === undefined
        ? `created channel ${JSON.stringify(name)}`
        : "give this file to readers, over a private way: anyone who has it can read the channel",
    );
  });
}
