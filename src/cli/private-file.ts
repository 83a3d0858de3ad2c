/** Files that hold secrets: only for their owner, and replaced atomically. */
import { randomBytes } from "node:crypto";
import { link, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { syncFile, syncFolder } from "../platform/node-small-file.js";
import { UsageError } from "./failure.js";

export { makeFolder } from "../platform/node-make-folder.js";

/**
 * Writes a file with mode 0600, replacing an existing one. After a crash of the process or the
 * machine, the file holds the old text or the new one, never a part.
 * @throws UsageError when it cannot be written.
 */
export async function replaceFile(path: string, text: string | Uint8Array): Promise<void> {
  await writing(path, () => viaTemporary(path, text, (temporary) => rename(temporary, path)));
}

/**
 * The same for a file that must not exist yet.
 * @throws UsageError when a file with that name exists.
 */
export async function createFile(path: string, text: string): Promise<void> {
  await viaTemporary(path, text, async (temporary) => {
    try {
      await link(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      throw existing(path, error);
    }
    await rm(temporary);
  });
}

/** The error for a file that must not exist yet. */
export function existing(path: string, cause?: unknown): UsageError {
  const advice = ["Choose another name, or move the file away"];
  return new UsageError(`${path} already exists and is left unchanged`, { cause, advice });
}

async function viaTemporary(
  path: string,
  text: string | Uint8Array,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  const random = randomBytes(6).toString("hex");
  const temporary = join(folder, `${temporaryPrefix(path)}${random}.tmp`);
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await syncFile(handle);
    } finally {
      await handle.close();
    }
    await place(temporary);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function temporaryPrefix(path: string): string {
  return `.${basename(path).slice(0, 64)}.`;
}

/**
 * Deletes temporary files left by processes that were killed while they wrote `path`.
 * @param olderThanMs spares files that a running process may be writing.
 */
export async function removeLeftovers(path: string, olderThanMs: number): Promise<void> {
  const folder = dirname(path);
  const prefix = temporaryPrefix(path);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || !/^[0-9a-f]{12}\.tmp$/.test(name.slice(prefix.length)))
      continue;
    const leftover = join(folder, name);
    const age = await stat(leftover).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => -1,
    );
    if (age >= olderThanMs) await rm(leftover, { force: true });
  }
}

/**
 * Runs `work`, which writes to a file.
 * @throws UsageError that names the file, for errors of the system; otherwise what `work` throws.
 */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new UsageError(`cannot write ${path}: ${fileProblem(error)}`, { cause: error });
  }
}

/** A phrase for an error of the system about a file. */
export function fileProblem(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const words: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file or folder",
    EACCES: "permission denied",
    EISDIR: "it is a folder",
    ENOTDIR: "a part of its path is not a folder",
    ENOSPC: "the disk is full",
    EDQUOT: "your disk quota is used up",
    EFBIG: "it would be larger than files may be here",
    EROFS: "the disk is read-only",
    ELOOP: "it is a symbolic link",
  };
  return words[code ?? ""] ?? message;
}
