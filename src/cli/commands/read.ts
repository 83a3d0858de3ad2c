/** `katz read`: boxes of a stream to standard output. */
import { hasCode, utf8ToText } from "katzenpost-thinclient";
import { nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import { readOutcome } from "../box-outcome.js";
import { OpenCapability } from "../capability-file.js";
import { type ClientFlags, type ClientRun, withClient } from "../connect.js";
import type { Output } from "../output.js";
import { prepare } from "../prepare.js";

/** Flags of the command. */
export interface ReadFlags extends ClientFlags {
  /** How many boxes. */
  readonly count: number;
  /** Number of the first box; the next one unless given. */
  readonly box?: number;
  /** Whether an empty box is an error instead of being waited for. */
  readonly now: boolean;
  /** Whether to leave the capability file as it is. */
  readonly keep: boolean;
}

/** Reads boxes, one after the other. */
export async function read(flags: ReadFlags, source: string): Promise<void> {
  const capability = await prepare(flags, ({ signal }) => OpenCapability.open(source, signal));
  if (capability) await withClient(flags, (run) => readBoxes(run, flags, capability));
}

async function readBoxes(
  { client, call, output }: ClientRun,
  flags: ReadFlags,
  capability: OpenCapability,
): Promise<void> {
  const { readCap } = capability;
  const first = flags.box ?? capability.number;
  let index = flags.box === undefined ? capability.index : capability.boxAt(flags.box);
  for (let number = first; number < first + flags.count; number++) {
    const next = nextMessageBoxIndex(index);
    if (!flags.now) output.status(`waiting for box ${number} …`);
    try {
      const { plaintext } = await client.read(readCap, index, { ...call, wait: !flags.now });
      show(output, number, plaintext);
    } catch (error) {
      // A deleted box is never anything else again: the next call goes past it.
      if (hasCode(error, "REPLICA_ERROR_TOMBSTONE") && !flags.keep) await capability.advance(next);
      throw readOutcome(error, `box ${number} of ${capability.name}`);
    }
    if (!flags.keep) await capability.advance(next);
    index = next;
  }
}

/** To a pipe the very bytes; to a terminal lines that cannot steer it. */
function show(output: Output, number: number, plaintext: Uint8Array): void {
  if (output.json) {
    output.record({ type: "box", number, bytes: plaintext.length, plaintextBase64: plaintext });
  } else if (output.terminal.isTerminal) {
    const text = utf8ToText(plaintext).replace(/\n$/, "");
    for (const line of text.split("\n")) output.line(line, "\t");
  } else {
    output.clearStatus();
    process.stdout.write(plaintext);
  }
}
