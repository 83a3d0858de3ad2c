/** `katz channel accept`: answers a voucher. */
import { type StoreFlags, contactNamed, withChannels } from "../../channel-store.js";
import type { ClientFlags } from "../../connect.js";
import { prepare } from "../../prepare.js";
import { readVoucher } from "../../voucher-file.js";
import { contactMade } from "./contact-made.js";

/** Flags of the command. */
export interface AcceptFlags extends ClientFlags, StoreFlags {
  /** Our name as the other side sees it. */
  readonly as?: string;
}

/** Answers a voucher, and waits until the answer is stored. */
export async function accept(flags: AcceptFlags, name: string, source: string): Promise<void> {
  const job = await prepare(flags, async (run) => ({ voucher: await readVoucher(run, source) }));
  if (!job) return;
  await withChannels(flags, async (run, channels) => {
    const contact =
      (await contactNamed(channels, name)) ??
      (await channels.contacts.accept(job.voucher, name, { displayName: flags.as }));
    await contactMade(run, flags, contact);
  });
}
