/** Opening files to read, so that nothing waits where no signal is heard. */
import type { Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { UsageError } from "./failure.js";
import { fileProblem } from "./private-file.js";

/** Pipes that this process was handed, by a shell's `<(…)` for one: they have a writer. */
const HANDED = /^\/(?:dev\/(?:fd\/\d+|stdin)|proc\/(?:self|\d+)\/fd\/\d+)$/;

/**
 * Opens a file, or a folder for those who look at what it is. Opening a named pipe would wait for
 * a writer, and reading a terminal for a person, and neither could be interrupted.
 * @throws UsageError when it cannot be opened, or is a named pipe, a device or a socket.
 */
export async function openToRead(path: string): Promise<FileHandle> {
  try {
    const other = otherKindOf(await stat(path), path);
    if (other === null) return await open(path, "r");
    throw new UsageError(`cannot read ${path}: it is a ${other}, and no regular file`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${path}: ${fileProblem(error)}`, { cause: error });
  }
}

function otherKindOf(stats: Stats, path: string): string | null {
  if (stats.isFIFO()) return HANDED.test(path) ? null : "named pipe";
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return "device";
  return stats.isSocket() ? "socket" : null;
}
