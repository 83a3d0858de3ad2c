/** Folders that hold secrets: they belong to this user, and others cannot read them. */
import { lstat, realpath } from "node:fs/promises";
import { ConfigError } from "../errors/errors.js";
import { describeFailure } from "./node-failure.js";
import { makeFolder } from "./node-make-folder.js";

/**
 * Creates a folder for its owner only, or checks an existing one.
 * @param name the folder's description for messages, as in "data directory /srv/katz".
 * @returns its real path, without symbolic links.
 * @throws ConfigError when it cannot be created, belongs to another user, or is open to others.
 */
export async function openPrivateFolder(path: string, name: string): Promise<string> {
  try {
    await makeFolder(path, 0o700);
  } catch (cause) {
    throw new ConfigError(`${name} cannot be made: ${describeFailure(cause)}`, { cause });
  }
  const real = await realpath(path);
  const folder = await lstat(real);
  if (!folder.isDirectory()) throw new ConfigError(`${name} is not a folder: use another path`);
  const { uid, mode } = folder;
  const own = process.getuid?.();
  if (own === undefined) return real;
  if (uid !== own) {
    throw new ConfigError(
      `${name} belongs to the user with number ${uid}, not to ${own}: use another directory`,
    );
  }
  if ((mode & 0o077) !== 0) {
    const rights = (mode & 0o777).toString(8).padStart(4, "0");
    throw new ConfigError(
      `${name} has mode ${rights}, so others can read the keys in it: make it private ` +
        `(chmod 700), or use another directory`,
    );
  }
  return real;
}
