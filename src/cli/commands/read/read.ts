/** `katz read`: writes the boxes of a stream to standard output. */
import { type MessageBoxIndex, hasCode, utf8ToText } from "katzenpost-thinclient";
import { nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import { readOutcome } from "../../box-outcome.js";
import { OpenCapability } from "../../capability-file.js";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import type { Output } from "../../output.js";
import { Patience } from "../../patience.js";
import { prepare } from "../../prepare.js";
import { standardOutput } from "../../standard-output.js";
import { inOrder } from "../../transfer/in-order.js";

/** Flags of the command. */
export interface ReadFlags extends ClientFlags {
  /** Number of boxes. */
  readonly count: number;
  /** Number of the first box; the next one by default. */
  readonly box?: number;
  /** Whether an empty box is an error. By default the command waits. */
  readonly now: boolean;
  /** Whether to leave the capability file unchanged. */
  readonly keep: boolean;
}

/** Reads boxes, one after the other. */
export async function read(flags: ReadFlags, source: string): Promise<void> {
  const capability = await prepare(flags, ({ signal }) => OpenCapability.open(source, signal));
  if (capability) await withClient(flags, (run) => readBoxes(run, flags, capability));
}

async function readBoxes(
  { client, call, output, signal }: ClientRun,
  flags: ReadFlags,
  capability: OpenCapability,
): Promise<void> {
  const { readCap } = capability;
  const first = flags.box ?? capability.number;
  let index = flags.box === undefined ? capability.index : capability.boxAt(flags.box);
  let waitedFor = first;
  using patience = new Patience(
    output,
    () => `box ${waitedFor} of ${capability.name}, empty so far`,
  );
  if (!flags.now) output.status(`waiting for box ${first} …`);
  await inOrder<{ readonly next: MessageBoxIndex } & Outcome>({
    from: first,
    to: first + flags.count,
    signal,
    start(_box, ending) {
      const place = index;
      const next = (index = nextMessageBoxIndex(place));
      const options = { ...call, wait: !flags.now, signal: ending };
      // A failure is reported when its turn comes, so that the boxes before it are read anyway.
      return client.read(readCap, place, options).then(
        ({ plaintext }) => ({ next, plaintext }),
        (error: unknown) => ({ next, error }),
      );
    },
    async take(number, { next, ...outcome }) {
      if ("error" in outcome) {
        const { error } = outcome;
        // A deleted box stays deleted, so the next call skips it.
        if (hasCode(error, "REPLICA_ERROR_TOMBSTONE") && !flags.keep)
          await capability.advance(next);
        throw readOutcome(error, `box ${number} of ${capability.name}`);
      }
      await show(output, number, outcome.plaintext);
      if (!flags.keep) await capability.advance(next);
      waitedFor = number + 1;
      patience.came();
    },
  });
  output.clearStatus();
}

/** The result of reading a box. */
type Outcome = { readonly plaintext: Uint8Array } | { readonly error: unknown };

/** A pipe gets the exact bytes; a terminal gets lines without control characters. */
async function show(output: Output, number: number, plaintext: Uint8Array): Promise<void> {
  if (output.json) {
    output.record({ type: "box", number, bytes: plaintext.length, plaintextBase64: plaintext });
  } else if (output.terminal.isTerminal) {
    const text = utf8ToText(plaintext).replace(/\n$/, "");
    for (const line of text.split("\n")) output.line(line, "\t");
  } else {
    output.clearStatus();
    standardOutput.write(plaintext);
  }
  await standardOutput.settled();
}
