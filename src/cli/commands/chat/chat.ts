/** `katz chat`: two people talk at two terminals over durable channels. */
import { createInterface } from "node:readline";
import { toBase64, utf8ToText } from "katzenpost-thinclient";
import type { Channels, Contact, Writer } from "katzenpost-thinclient/channels";
import { type StoreFlags, contactNamed, withChannels } from "../../channel-store.js";
import type { ClientFlags, ClientRun } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { lossOf } from "../../lost-message.js";
import { prepare } from "../../prepare.js";
import { quoted } from "../../repeated.js";
import { standardOutput } from "../../standard-output.js";
import { counted } from "../../text.js";
import { readVoucher } from "../../voucher-file.js";

/** Flags of the command. */
export interface ChatFlags extends ClientFlags, StoreFlags {
  /** Whether to make a voucher. */
  readonly invite: boolean;
  /** A file with a voucher to answer. */
  readonly accept?: string;
  /** Our name as the other side sees it. */
  readonly as?: string;
  /** Ends after this many messages. */
  readonly count?: number;
}

/** Runs the chat until the input ends, the count is reached, or Ctrl-C. */
export async function chat(flags: ChatFlags, name: string): Promise<void> {
  const job = await prepare(flags, async (run) => {
    if (flags.invite && flags.accept !== undefined) {
      throw new UsageError("give either --invite or --accept, not both");
    }
    return { voucher: flags.accept === undefined ? null : await readVoucher(run, flags.accept) };
  });
  if (!job) return;
  await withChannels(flags, async (run, channels) => {
    const contact = await contactOf(channels, flags, name, job.voucher);
    await talk(run, flags, contact);
  });
}

async function contactOf(
  channels: Channels,
  flags: ChatFlags,
  name: string,
  voucher: Uint8Array<ArrayBuffer> | null,
): Promise<Contact> {
  const options = { displayName: flags.as };
  const known = await contactNamed(channels, name);
  if (known) return known;
  if (voucher) return channels.contacts.accept(voucher, name, options);
  if (flags.invite) return channels.contacts.invite(name, options);
  throw new UsageError(`there is no contact ${JSON.stringify(name)} yet`, {
    advice: ["Make a voucher with --invite, or answer one with --accept FILE"],
  });
}

async function talk(run: ClientRun, flags: ChatFlags, contact: Contact): Promise<void> {
  const { output, signal } = run;
  const { voucher } = contact;
  if (voucher) {
    const text = toBase64(voucher);
    output.result(text, { type: "voucher", voucher: text });
    output.remark("hand this voucher over in private: anyone who has it can answer it");
  }
  output.status("waiting for the other side …");
  const { writer, reader } = await contact.ready({ signal });
  output.clearStatus();
  if (process.stdin.isTTY) {
    const { name, info } = contact;
    const other = info.displayName === name ? null : info.displayName;
    const who = other === null ? name : `${name} (${quoted(other)})`;
    output.remark(`each line that you type is sent to ${who}; Ctrl-D ends the chat`);
  }
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const lines = sendLines(writer, both);
  const hear = async (): Promise<void> => {
    let seen = 0;
    for await (const message of reader.messages({ ack: "manual", signal: both })) {
      const { id, bytes, gap } = message;
      const loss = lossOf(message);
      const text = loss === null ? utf8ToText(bytes) : null;
      if (gap > 0) output.warning(`${counted(gap, "box", "boxes")} before this message were lost`);
      if (loss === null) output.line(`${contact.name}: ${text}`);
      else output.warning(loss);
      output.record({ type: "message", id: String(id), text, gap });
      // Acknowledged only when it is written out, and also if it is the last one.
      await standardOutput.settled();
      await message.ack();
      if (++seen === flags.count) break;
    }
  };
  const heard = hear();
  // Either side may end the chat; typed lines are on their way before the command ends.
  heard.catch(() => {});
  lines.catch(() => {});
  if (flags.count === undefined) await Promise.race([lines, heard]);
  else await Promise.all([lines, heard]);
  output.status("waiting until your messages are stored …");
  for (const delivery of await writer.outbox()) await delivery.stored;
  stop.abort();
  await heard.catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  output.clearStatus();
}

/** Sends standard input line by line. */
async function sendLines(writer: Writer, signal: AbortSignal): Promise<void> {
  const lines = createInterface({ input: process.stdin, signal });
  for await (const line of lines) if (line !== "") await writer.send(line);
  signal.throwIfAborted();
}
