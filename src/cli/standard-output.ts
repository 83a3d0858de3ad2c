/**
 * Standard output, written completely or with an error. Node's own stream does not check how much
 * of a chunk a file took, so if the disk fills up, the rest is lost silently.
 */
import { fstatSync, fsyncSync, writeSync } from "node:fs";
import { UsageError } from "./failure.js";
import { fileProblem } from "./private-file.js";

const FD = 1;

let isFileKnown: boolean | null = null;

/** Whether it is a file: then it is written synchronously, and nothing else writes to it. */
function isFile(): boolean {
  return (isFileKnown ??= fstatSync(FD).isFile());
}

/** Standard output; fits a `Terminal`. */
export const standardOutput = {
  get isTTY(): boolean {
    return process.stdout.isTTY;
  },

  get columns(): number | undefined {
    return process.stdout.columns;
  },

  /** Writes all of it. @throws UsageError when a file does not accept it. */
  write(data: string | Uint8Array): void {
    if (!isFile()) {
      process.stdout.write(data);
      return;
    }
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    reported(() => {
      for (let at = 0; at < bytes.length;) at += writeSync(FD, bytes, at);
    });
  },

  /**
   * Resolves when everything written has left this process, and is on disk if it is a file.
   * @throws UsageError when it could not be written.
   */
  async settled(): Promise<void> {
    if (isFile()) {
      reported(() => fsyncSync(FD));
      return;
    }
    await new Promise<void>((resolve, reject) => {
      process.stdout.write("", (error) => (error ? reject(error) : resolve()));
    });
  },
};

/** Runs `work`, which writes. @throws UsageError for errors of the system. */
function reported(work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new UsageError(`standard output cannot be written: ${fileProblem(error)}`, {
      cause: error,
    });
  }
}
