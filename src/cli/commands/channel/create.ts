/** `katz channel create`: makes a channel for sending. */
import { existsSync } from "node:fs";
import { capabilityText } from "../../capability-file.js";
import { type StoreFlags, withChannels } from "../../channel-store.js";
import type { ClientFlags } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { prepare } from "../../prepare.js";
import { createFile, existing, writing } from "../../private-file.js";

/** Flags of the command. */
export interface CreateFlags extends ClientFlags, StoreFlags {
  /** Where to write the capability file for readers. */
  readonly output?: string;
}

/** Creates a channel and the capability file for its readers. */
export async function create(flags: CreateFlags, name: string): Promise<void> {
  const path = flags.output;
  const job = await prepare(flags, async () => {
    if (path !== undefined && existsSync(path)) {
      throw existing(path);
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
        // Without its file nobody can read the channel, and it would block the next attempt.
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
        : "hand this file to readers in private: anyone who has it can read the channel",
    );
  });
}
