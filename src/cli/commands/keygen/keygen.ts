/** `katz keygen`: makes a new stream of boxes, as two capability files. */
import { rm } from "node:fs/promises";
import { generateKeypair } from "katzenpost-thinclient/bacap";
import { capabilityText } from "../../capability-file.js";
import { UsageError } from "../../failure.js";
import type { OutputFlags } from "../../output.js";
import { createFile, fileProblem } from "../../private-file.js";
import { runCommand } from "../../run.js";

/** Flags of the command. */
export interface KeygenFlags extends OutputFlags {
  /** The beginning of the files' names. */
  readonly output: string;
}

/** Makes NAME.write and NAME.read; it does not need a daemon. */
export function keygen(flags: KeygenFlags): Promise<void> {
  return runCommand(flags, async ({ output }) => {
    const { writeCap, readCap, firstMessageIndex: index } = generateKeypair();
    const write = `${flags.output}.write`;
    const read = `${flags.output}.read`;
    await create(write, capabilityText({ kind: "write", writeCap, index }));
    try {
      await create(read, capabilityText({ kind: "read", readCap, index }));
    } catch (error) {
      // One file without the other would block the next attempt.
      await rm(write);
      throw error;
    }
    output.record({ type: "keypair", write, read });
    for (const path of [write, read]) output.path(path);
    output.remark("hand the second file to readers in private; keep the first");
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
