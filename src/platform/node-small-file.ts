/** Small files that are written completely or not at all. */
import { fsync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";

const sync = promisify(fsync);

/**
 * Makes what was written to a file durable. This does not use the handle's own method, because Yarn's
 * Plug'n'Play replaces it by one that throws.
 */
export async function syncFile(handle: FileHandle): Promise<void> {
  await sync(handle.fd);
}

/**
 * Writes a file for its owner only: first under another name, then renamed, both durably. An
 * existing file with that other name is removed, never written through.
 * @throws the system's error.
 */
export async function writeWhole(file: string, contents: Uint8Array): Promise<void> {
  const made = `${file}.new`;
  await rm(made, { force: true });
  const handle = await open(made, "wx", 0o600);
  try {
    await handle.writeFile(contents);
    await syncFile(handle);
  } finally {
    await handle.close();
  }
  await rename(made, file);
  await syncFolder(dirname(file));
}

/** Makes the names in a folder as durable as its files, if the system can. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await syncFile(handle);
  } finally {
    await handle.close();
  }
}
