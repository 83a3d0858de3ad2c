/** `katz channel list`: shows the content of the store. */
import { existsSync } from "node:fs";
import { ThinClient } from "katzenpost-thinclient";
import { type VoucherState, openChannels } from "katzenpost-thinclient/channels";
import { type StoreFlags, storeFolder } from "../../channel-store.js";
import type { Output, OutputFlags } from "../../output.js";
import { runCommand } from "../../run.js";
import { counted, table } from "../../text.js";

/** The states of a contact that does not wait for the other side. */
const isOver: ReadonlySet<VoucherState> = new Set(["opened", "answered", "failed", "cancelled"]);

/** Flags of the command. */
export interface ListFlags extends OutputFlags, StoreFlags {}

/** Lists contacts, groups and channels; it does not need a daemon. */
export function list(flags: ListFlags): Promise<void> {
  return runCommand(flags, async ({ output }) => {
    const folder = storeFolder(flags);
    if (!existsSync(folder)) {
      output.remark("the store is empty: it was not created yet");
      return;
    }
    // Never started: listing the store does not need the network.
    const client = new ThinClient({ dial: { tcp: { address: "127.0.0.1:1" } } });
    try {
      await using channels = await openChannels(client, folder);
      const contacts = await channels.contacts.list();
      show(output, [
        ...contacts.map((contact) => ({
          record: { type: "contact", ...contact },
          cells: [contact.name, "contact", contact.failure ?? contact.state],
        })),
        ...(await channels.groups.list()).map((group) => ({
          record: { type: "group", ...group },
          cells: [group.name, "group", group.failure ?? (group.isJoined ? "joined" : "joining")],
        })),
        ...(await channels.list()).map((channel) => ({
          record: { type: "channel", ...channel },
          cells: [
            channel.name,
            channel.kind,
            channel.kind === "reader"
              ? `at box ${channel.position}`
              : channel.isForked
                ? "forked: it sends nothing more"
                : `${counted(channel.queued, "message")} in the outbox`,
          ],
        })),
      ]);
      const waiting = contacts.filter(({ state }) => !isOver.has(state)).length;
      if (waiting > 0) {
        output.remark(
          `${counted(waiting, "contact waits", "contacts wait")} for the other side: the same ` +
            "invite or accept continues, katz channel cancel NAME withdraws",
        );
      }
    } finally {
      await client.stop();
    }
  });
}

interface Row {
  readonly record: { readonly type: string };
  readonly cells: readonly string[];
}

function show(output: Output, rows: readonly Row[]): void {
  if (rows.length === 0) output.remark("the store is empty");
  for (const { record } of rows) output.record({ ...record });
  for (const line of table(rows.map(({ cells }) => cells))) output.line(line);
}
