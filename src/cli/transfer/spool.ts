/**
 * Keeps standard input in a file until it is sent, because its length and digest are sent first.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../failure.js";
import { fileProblem, makeFolder, writing } from "../private-file.js";
import { stdinChunks } from "../secret-input.js";
import { stateFolder } from "../user-folders.js";

/** A file that only its owner can read, deleted when it is disposed of. */
export interface SpooledInput extends AsyncDisposable {
  readonly path: string;
}

/**
 * Reads standard input to its end.
 * @throws UsageError when it is empty, or the disk does not accept it; the reason of `signal`.
 */
export async function spoolStdin(signal: AbortSignal): Promise<SpooledInput> {
  const base = join(stateFolder(process.env), "katzenpost", "send-input");
  let folder: string;
  try {
    await makeFolder(base, 0o700);
    folder = await mkdtemp(join(base, "i-"));
  } catch (error) {
    throw new UsageError(`cannot use ${base}: ${fileProblem(error)}`, { cause: error });
  }
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const path = join(folder, randomBytes(4).toString("hex"));
  try {
    let length = 0;
    await writing(path, async () => {
      const handle = await open(path, "wx", 0o600);
      try {
        for await (const chunk of stdinChunks(signal)) {
          await handle.writeFile(chunk);
          length += chunk.length;
        }
      } finally {
        await handle.close();
      }
    });
    if (length === 0) throw new UsageError("standard input was empty");
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: remove };
}
