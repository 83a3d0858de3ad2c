/** The last step of `katz channel invite` and `accept`. */
import type { Contact } from "katzenpost-thinclient/channels";
import type { ClientFlags, ClientRun } from "../../connect.js";
import { LastingWait } from "../../lasting-wait.js";
import { Patience } from "../../patience.js";

/** Waits until both channels of a contact exist, and reports it. */
export async function contactMade(
  { output, signal }: ClientRun,
  flags: ClientFlags,
  contact: Contact,
): Promise<void> {
  const { name } = contact;
  using wait = new LastingWait(signal, flags.timeout);
  using _patience = new Patience(output, () => `the other side, ${JSON.stringify(name)}`);
  wait.begin(`${JSON.stringify(name)} did not answer in time; run the same command to continue`);
  await contact.ready({ signal: wait.signal });
  // An answer that a restarted daemon has forgotten is written again.
  await contact.stored({ signal: wait.signal });
  output.clearStatus();
  output.record({ type: "contact", ...contact.info });
  const called = contact.info.displayName;
  output.remark(
    `${JSON.stringify(name)} is a contact` +
      (called === null ? "" : ` (its own name: ${JSON.stringify(called)})`) +
      `: katz channel send ${JSON.stringify(name)}`,
  );
}
