/** `katz channel read`: writes messages to standard output. */
import { toHex, utf8ToText } from "katzenpost-thinclient";
import type { Channels, Message, Reader } from "katzenpost-thinclient/channels";
import { OpenCapability } from "../../capability-file.js";
import { type StoreFlags, readerNamed, withChannels } from "../../channel-store.js";
import type { ClientFlags } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { LastingWait } from "../../lasting-wait.js";
import { lossOf } from "../../lost-message.js";
import type { Output } from "../../output.js";
import { Patience } from "../../patience.js";
import { prepare } from "../../prepare.js";
import { standardOutput } from "../../standard-output.js";
import { counted } from "../../text.js";

/** Flags of the command. */
export interface ReadFlags extends ClientFlags, StoreFlags {
  /** How many messages. */
  readonly count: number;
  /** A capability file for the first use of the channel. */
  readonly import?: string;
  /** Whether the same messages should come again. */
  readonly keep: boolean;
}

/** Reads messages, and marks them as read when they are written. */
export async function read(flags: ReadFlags, name: string): Promise<void> {
  const source = flags.import;
  const job = await prepare(flags, async ({ signal }) => ({
    capability: source === undefined ? null : await OpenCapability.open(source, signal),
  }));
  if (!job) return;
  await withChannels(flags, async ({ output, signal }, channels) => {
    using wait = new LastingWait(signal, flags.timeout);
    const late = `no message arrived on ${JSON.stringify(name)} in time`;
    wait.begin(late);
    if (job.capability) await importFrom(channels, name, job.capability);
    const reader = await readerNamed(channels, name, wait.signal);
    using patience = new Patience(output, () => `a message on ${JSON.stringify(name)}`);
    let seen = 0;
    for await (const message of reader.messages({ ack: "manual", signal: wait.signal })) {
      await show(output, message);
      if (!flags.keep) await message.ack();
      if (++seen === flags.count) break;
      patience.came();
      wait.begin(late);
    }
    output.clearStatus();
  });
}

/**
 * The channel of a capability, which the store keeps from then on. Importing the same one again is
 * allowed.
 */
async function importFrom(
  channels: Channels,
  name: string,
  capability: OpenCapability,
): Promise<void> {
  const known = (await channels.list()).find((channel) => channel.name === name);
  if (!known) {
    const { readCap, index } = capability;
    await channels.import(name, { readCap, nextMessageBoxIndex: index });
    return;
  }
  const reader: Reader | null = known.kind === "reader" ? await channels.reader(name) : null;
  if (reader && toHex(reader.readCap()) === toHex(capability.readCap)) return;
  throw new UsageError(
    `another channel is already named ${JSON.stringify(name)}: import this one under another name`,
  );
}

/** A pipe gets the exact bytes; a terminal gets lines without control characters. */
async function show(output: Output, { id, kind, bytes, gap }: Message): Promise<void> {
  if (gap > 0) output.warning(`${counted(gap, "box", "boxes")} before this message were lost`);
  const loss = lossOf({ id, kind });
  output.record({
    type: "message",
    id,
    kind,
    bytes: bytes.length,
    gap,
    plaintextBase64: loss === null ? bytes : null,
  });
  if (loss !== null) {
    output.warning(loss);
  } else if (!output.json) {
    if (output.terminal.isTerminal) {
      const text = utf8ToText(bytes).replace(/\n$/, "");
      for (const line of text.split("\n")) output.line(line, "\t");
    } else {
      output.clearStatus();
      standardOutput.write(bytes);
    }
  }
  await standardOutput.settled();
}
