/**
 * The user's folders, as in the XDG Base Directory Specification. As it demands, variables with a
 * relative path are ignored.
 */
import { statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The folder for the user's configuration files. */
export function configFolder(env: Environment): string {
  return absolute(env["XDG_CONFIG_HOME"]) ?? join(home(env), ".config");
}

/** The folder for program state that should survive. */
export function stateFolder(env: Environment): string {
  return absolute(env["XDG_STATE_HOME"]) ?? join(home(env), ".local", "state");
}

/**
 * The folder for the user's sockets: `$XDG_RUNTIME_DIR`, or else the folder that systemd makes, or
 * else a folder of this user among the temporary files. Other users must not use the last one
 * either: its maker makes it private, and its users check its owner.
 */
export function runtimeFolder(env: Environment): string {
  const told = absolute(env["XDG_RUNTIME_DIR"]);
  if (told !== null) return told;
  const uid = process.getuid?.();
  if (uid === undefined) return join(tmpdir(), "katzenpost-runtime");
  const ofSystemd = `/run/user/${uid}`;
  const stats = statSync(ofSystemd, { throwIfNoEntry: false });
  return stats?.uid === uid ? ofSystemd : join(tmpdir(), `katzenpost-runtime-${uid}`);
}

function home(env: Environment): string {
  return absolute(env["HOME"]) ?? homedir();
}

function absolute(path: string | undefined): string | null {
  return path !== undefined && isAbsolute(path) ? path : null;
}
