/** `katz keygen`: a new stream of boxes, as two capability files. */
import { rm } from "node:fs/promises";
import { generateKeypair } from "katzenpost-thinclient/bacap";
import { capabilityText } from "../../capability-file.js";
import { UsageError } from "../../failure.js";
import type { OutputFlags } from "../../output.js";
import { createFile, fileProblem } from "../../private-file.js";
import { runCommand } from "../../run.js";

/** Flags of the command. */
export interface KeygenFlags extends OutputFlags {
  /** What the names of the files begin with. */
  readonly output: string;
}

/** Makes NAME.write and NAME.read; needs no daemon. */
export function keygen(flags: KeygenFlags): Promise<void> {
  return runCommand(flags, async ({ output }) => {
    const { writeCap, readCap, firstMessageIndex: index } = generateKeypair();
    const write = `${flags.output}.write`;
    const read = `${flags.output}.read`;
    await create(write, capabilityText({ kind: "write", writeCap, index }));
    try {
      await create(read, capabilityText({ kind: "read", readCap, index }));
    } catch (error) {
      // One without the other would be in the way of the next try.
      await rm(write);
      throw error;
    }
    output.record({ type: "keypair", write, read });
    for (const path of [write, read]) output.path(path);
    output.remark("give the second to readers, over a private way; keep the first");
  });
}

async function create(path: string, text: string): Promise<void> {
  try {
    await createFile(path, text);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot write ${path}: ${fileProblem(error)}`, { cause: error });
  }
}
