/** `katz channel cancel`: withdraws an invitation, or gives up answering one. */
import { type StoreFlags, contactNamed, withChannels } from "../../channel-store.js";
import type { ClientFlags } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { LastingWait } from "../../lasting-wait.js";

/** Flags of the command. */
export interface CancelFlags extends ClientFlags, StoreFlags {}

/** Removes a contact that waits or failed, and deletes its voucher at the replicas. */
export function cancel(flags: CancelFlags, name: string): Promise<void> {
  return withChannels(flags, async ({ output, signal }, channels) => {
    const quoted = JSON.stringify(name);
    const contact = await contactNamed(channels, name);
    if (!contact) {
      throw new UsageError(`the store has no contact ${quoted}`, {
        advice: ["katz channel list shows the contacts"],
      });
    }
    const { role, state } = contact.info;
    if (state === "opened" || state === "answered") {
      throw new UsageError(
        `${quoted} is a contact already: its voucher was answered, so it cannot be withdrawn`,
      );
    }
    using wait = new LastingWait(signal, flags.timeout);
    wait.begin("the voucher was not deleted at the replicas in time");
    await channels.contacts.cancel(name);
    output.status("deleting the voucher at the replicas …");
    let isDeleted = false;
    try {
      await contact.stored({ signal: wait.signal });
      isDeleted = true;
    } finally {
      output.clearStatus();
      if (!isDeleted) {
        output.remark(
          `${quoted} is removed; the next command on this store deletes its voucher at the replicas`,
        );
      }
    }
    output.record({ type: "contact", ...contact.info });
    output.remark(
      role === "newcomer" && state !== "failed"
        ? `the voucher for ${quoted} is withdrawn: nobody can answer it`
        : `${quoted} is removed`,
    );
  });
}
