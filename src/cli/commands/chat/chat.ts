/** `katz chat`: two people at two terminals, over channels that survive everything. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fromBase64, hasCode, toBase64, utf8ToText } from "katzenpost-thinclient";
import {
  type Channels,
  type Contact,
  type Writer,
  openChannels,
} from "katzenpost-thinclient/channels";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { readWhole } from "../../input-file.js";
import { prepare } from "../../prepare.js";
import { makeFolder } from "../../private-file.js";
import { RECONNECT, tellReconnects } from "../../reconnects.js";
import type { Run } from "../../run.js";
import { firstLine, readStdin, refuseSecret } from "../../secret-input.js";
import { counted } from "../../text.js";
import { stateFolder } from "../../user-folders.js";

/** Flags of the command. */
export interface ChatFlags extends ClientFlags {
  /** Whether to make a voucher. */
  readonly invite: boolean;
  /** A file with a voucher to answer. */
  readonly accept?: string;
  /** What the other side calls us. */
  readonly as?: string;
  /** The folder of the channels. */
  readonly store?: string;
  /** Ends after so many messages. */
  readonly count?: number;
}

/** Vouchers are shorter; what is longer is something else. */
const MAX_VOUCHER_BYTES = 4096;
const VOUCHER_LENGTH = 32;

/** Talks until the input ends, the count is reached, or Ctrl-C. */
export async function chat(flags: ChatFlags, name: string): Promise<void> {
  const job = await prepare(flags, async (run) => {
    if (flags.invite && flags.accept !== undefined) {
      throw new UsageError("give --invite or --accept, not both");
    }
    const voucher = flags.accept === undefined ? null : await readVoucher(run, flags.accept);
    const folder = flags.store ?? join(stateFolder(process.env), "katzenpost", "channels");
    await makeFolder(dirname(folder), 0o700);
    return { voucher, folder };
  });
  if (!job) return;
  const { voucher, folder } = job;
  await withClient(
    flags,
    async (run) => {
      tellReconnects(run);
      await using channels = await openChannels(run.client, folder);
      const contact = await contactOf(channels, flags, name, voucher);
      await talk(run, flags, contact);
    },
    { online: false, reconnect: RECONNECT },
  );
}

async function readVoucher({ signal }: Run, source: string): Promise<Uint8Array<ArrayBuffer>> {
  refuseSecret(source, "a voucher");
  if (/^[A-Za-z0-9+/]{43}=$/.test(source) && !existsSync(source)) {
    // Shorter than the secrets that are known by their length alone.
    throw new UsageError("that looks like a voucher itself: put it into a file, or pipe it in");
  }
  const bytes =
    source === "-"
      ? await readStdin(MAX_VOUCHER_BYTES, signal, true)
      : (await readWhole(source, MAX_VOUCHER_BYTES, signal, () => {})).bytes;
  const line = firstLine(Buffer.from(bytes).toString("utf8"));
  try {
    const voucher = fromBase64(line ?? "");
    if (voucher.length === VOUCHER_LENGTH) return voucher;
  } catch {
    // Told below, without the text.
  }
  throw new UsageError("there is no voucher in it: a voucher is a line of 44 characters of base64");
}

async function contactOf(
  channels: Channels,
  flags: ChatFlags,
  name: string,
  voucher: Uint8Array<ArrayBuffer> | null,
): Promise<Contact> {
  const options = { displayName: flags.as };
  try {
    return await channels.contacts.get(name);
  } catch (error) {
    if (!hasCode(error, "ERR_CHANNEL_NOT_FOUND")) throw error;
  }
  if (voucher) return channels.contacts.accept(voucher, name, options);
  if (flags.invite) return channels.contacts.invite(name, options);
  throw new UsageError(`nobody is called ${JSON.stringify(name)} here yet`, {
    advice: ["Make a voucher with --invite, or answer one with --accept FILE"],
  });
}

async function talk(run: ClientRun, flags: ChatFlags, contact: Contact): Promise<void> {
  const { output, signal } = run;
  const { voucher } = contact;
  if (voucher) {
    const text = toBase64(voucher);
    output.result(text, { type: "voucher", voucher: text });
    output.remark("hand this voucher over in private: whoever has it can answer it");
  }
  output.status("waiting for the other side …");
  const { writer, reader } = await contact.ready({ signal });
  output.clearStatus();
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const lines = sendLines(writer, both);
  const hear = async (): Promise<void> => {
    let seen = 0;
    for await (const { id, bytes, gap } of reader.messages({ signal: both })) {
      const text = utf8ToText(bytes);
      if (gap > 0) output.warning(`${counted(gap, "box", "boxes")} before this were lost`);
      output.result(`${contact.name}: ${text}`, { type: "message", id: String(id), text, gap });
      if (++seen === flags.count) break;
    }
  };
  const heard = hear();
  // Whichever ends the talk, what was typed is on its way before the command is over.
  heard.catch(() => {});
  lines.catch(() => {});
  if (flags.count === undefined) await Promise.race([lines, heard]);
  else await Promise.all([lines, heard]);
  output.status("waiting until what was sent is stored …");
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
