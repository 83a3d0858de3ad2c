/** Level databases in Node: LevelDB by the package classic-level, which is optional. */
import { chmod, lstat, mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { ConfigError } from "../errors/errors.js";
import type { LevelDatabase } from "./contract.js";

/** Opens the directory `location`. See the contract. */
export async function openLevel(location: string): Promise<LevelDatabase> {
  const path = resolve(location);
  await makePrivate(path);
  const { ClassicLevel } = await loadClassicLevel();
  const database = new ClassicLevel<string, Uint8Array>(path);
  try {
    await database.open();
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause;
    if (cause?.code === "LEVEL_LOCKED") {
      throw new ConfigError(
        `${path} is in use by another process, or a second time by this one; stop that, or use ` +
          "another directory",
        { cause: error },
      );
    }
    throw cause instanceof Error ? cause : error;
  }
  return database as unknown as LevelDatabase;
}

async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  if (!found.isDirectory()) throw new ConfigError(`${path} is not a directory`);
  const user = process.getuid?.();
  if (user !== undefined && found.uid !== user) {
    throw new ConfigError(`${path} belongs to another user; use a directory of your own`);
  }
  if (process.platform !== "win32" && (found.mode & 0o077) !== 0) {
    throw new ConfigError(
      `others may read or change ${path} (mode ${(found.mode & 0o777).toString(8)}); ` +
        `take their rights away: chmod 700 ${path}`,
    );
  }
  await chmod(path, 0o700);
}

async function loadClassicLevel(): Promise<typeof import("classic-level")> {
  try {
    return await import("classic-level");
  } catch (error) {
    throw new ConfigError(
      "the package classic-level, which stores data in files, cannot be loaded; install it: " +
        "npm install classic-level@3",
      { cause: error },
    );
  }
}
