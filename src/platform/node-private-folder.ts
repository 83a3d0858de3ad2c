/** Folders that hold secrets: of this user, and nobody else's business. */
import { lstat, mkdir, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigError } from "../errors/errors.js";
import { describeFailure } from "./node-failure.js";

/**
 * Makes a folder for its owner only, or takes one that is.
 * @param name for people, as in "data directory /srv/katz".
 * @returns its real path, without symbolic links.
 * @throws ConfigError when it cannot be made, belongs to somebody else, or is open to others.
 */
export async function openPrivateFolder(path: string, name: string): Promise<string> {
  try {
    await makeFolder(path);
  } catch (cause) {
    throw new ConfigError(`${name} cannot be made: ${describeFailure(cause)}`, { cause });
  }
  const real = await realpath(path);
  const { uid, mode } = await lstat(real);
  const own = process.getuid?.();
  if (own === undefined) return real;
  if (uid !== own) {
    throw new ConfigError(
      `${name} belongs to the user with number ${uid}, and this is ${own}: use another directory`,
    );
  }
  if ((mode & 0o077) !== 0) {
    const rights = (mode & 0o777).toString(8).padStart(4, "0");
    throw new ConfigError(
      `${name} has mode ${rights}, so others can get at the keys in it: make it yours alone ` +
        `(chmod 700), or use another directory`,
    );
  }
  return real;
}

/**
 * Makes a folder and those above it. Not by `recursive` alone: where the system says ENOENT
 * although the parent is there, as below /proc, Node tries forever.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    const parent = dirname(resolve(path));
    if (code !== "ENOENT" || (await exists(parent))) throw error;
    await makeFolder(parent);
    await mkdir(path, { mode: 0o700 });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
