/** `katz channel invite`: makes a voucher for a new contact. */
import { toBase64 } from "katzenpost-thinclient";
import { type StoreFlags, contactNamed, withChannels } from "../../channel-store.js";
import type { ClientFlags } from "../../connect.js";
import { contactMade } from "./contact-made.js";

/** Flags of the command. */
export interface InviteFlags extends ClientFlags, StoreFlags {
  /** Our name as the other side sees it. */
  readonly as?: string;
}

/** Prints a voucher, and waits until it is answered. */
export function invite(flags: InviteFlags, name: string): Promise<void> {
  return withChannels(flags, async (run, channels) => {
    const { output } = run;
    const contact =
      (await contactNamed(channels, name)) ??
      (await channels.contacts.invite(name, { displayName: flags.as }));
    const { voucher } = contact;
    if (voucher) {
      const text = toBase64(voucher);
      output.result(text, { type: "voucher", voucher: text });
      output.remark("hand this voucher over in private: anyone who has it can answer it");
    }
    await contactMade(run, flags, contact);
  });
}
