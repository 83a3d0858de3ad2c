/**
 * The user's own folders, as the XDG Base Directory Specification places them. A variable with a
 * relative path is ignored, as it asks.
 */
import { statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where configuration files of the user are. */
export function configFolder(env: Environment): string {
  return absolute(env["XDG_CONFIG_HOME"]) ?? join(home(env), ".config");
}

/** Where programs keep what should outlive them. */
export function stateFolder(env: Environment): string {
  return absolute(env["XDG_STATE_HOME"]) ?? join(home(env), ".local", "state");
}

/**
 * Where the user's programs put sockets: `$XDG_RUNTIME_DIR`, else the folder that systemd makes,
 * else one of this user in the folder for temporary files. Nobody else may use the last one either:
 * anyone who makes it makes it so, and anyone who finds it looks at its owner.
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
