/**
 * Finds out whose program listens at an address of this machine. Any user can take a free TCP port
 * or abstract name, and would then receive capabilities and plaintexts from clients that do not
 * check.
 */
import { readFileSync, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { DialConfig } from "katzenpost-thinclient";

/** The owner of a listener. */
export type Owner =
  /** This user, or root, who can read everything anyway. */
  | { readonly kind: "trusted" }
  /** Another user; `who` is a phrase. */
  | { readonly kind: "other"; readonly who: string }
  /** It cannot be determined; `why` is a phrase. */
  | { readonly kind: "unknown"; readonly why: string };

const trusted: Owner = { kind: "trusted" };

const untold: Owner = { kind: "unknown", why: "this system does not say who listens there" };

/** The owner of the listener at the place that `dial` leads to; if nobody listens, `unknown`. */
export function ownerOf(dial: DialConfig): Owner {
  // Windows: sockets in the file system have no owner, and there is no list of listeners.
  if (process.getuid === undefined) return untold;
  const { network, address } = dial.resolve();
  if (network !== "unix") return ownerOfPort(address);
  return address.startsWith("@") ? ownerOfName(address) : ownerOfPath(address);
}

function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.getuid!();
}

function byUser(uid: number): Owner {
  return isTrusted(uid) ? trusted : { kind: "other", who: `belongs to user ${uid}` };
}

/**
 * For a socket in the file system: everyone who could have put it there, which is its owner and
 * anyone who may rename a part of its path.
 */
function ownerOfPath(path: string): Owner {
  try {
    // The owner of a symbolic link on the path could redirect it after the check.
    if (realpathSync(path) !== path) return { kind: "other", who: "is a symbolic link" };
    const owner = byUser(statSync(path).uid);
    if (owner.kind !== "trusted") return owner;
    const problem = problemOfPlace(path);
    return problem === null ? trusted : { kind: "other", who: problem };
  } catch {
    return { kind: "unknown", why: "it cannot be inspected" };
  }
}

/**
 * Why another user may put something else in the place of a file, by renaming a part of its path, as
 * a phrase; null if nobody but root may.
 * @param path absolute, without symbolic links. The file itself is not checked.
 * @throws errors of the system.
 */
export function problemOfPlace(path: string): string | null {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { uid, mode } = statSync(folder);
    if (!isTrusted(uid)) return `is in ${folder}, which belongs to user ${uid}`;
    // In a folder with the sticky bit, users can remove only their own files.
    if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0) {
      return `is in ${folder}, where other users may write`;
    }
    if (folder === dirname(folder)) return null;
  }
}

/** The state of a listening socket in the system's tables. */
const LISTENING = "0A";

/** For a port: the owner of its socket. Linux only, because other systems do not show it. */
function ownerOfPort(address: string): Owner {
  const digits = /^127\.0\.0\.1:(\d+)$/.exec(address)?.[1];
  if (digits === undefined || process.platform !== "linux") return untold;
  const port = Number(digits);
  const listeners = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => listenersIn(file, port));
  // The most specific listener gets the connections; one for all addresses gets the rest.
  const exact = listeners.filter(({ local }) => local.endsWith("0100007F"));
  const takers = exact.length > 0 ? exact : listeners.filter(({ local }) => /^0+$/.test(local));
  const other = takers.find(({ uid }) => !isTrusted(uid));
  if (other !== undefined) return byUser(other.uid);
  return takers.length > 0 ? trusted : untold;
}

function listenersIn(file: string, port: number): { local: string; uid: number }[] {
  return linesOf(file).flatMap((line) => {
    const [, place = "", , state, , , , uid] = line.trim().split(/\s+/);
    const [local = "", hex = ""] = place.split(":");
    if (state !== LISTENING || Number.parseInt(hex, 16) !== port) return [];
    return [{ local, uid: Number(uid) }];
  });
}

/** The flag of a listening Unix socket in the system's table. */
const ACCEPTS = "00010000";

/**
 * For an abstract name: the processes that have its socket. The table of names does not show an
 * owner, and only root can inspect other users' processes, so only the user's own sockets are
 * recognized.
 */
function ownerOfName(name: string): Owner {
  const unknown: Owner = { kind: "unknown", why: "abstract sockets have no owner to check" };
  const line = linesOf("/proc/net/unix").find((text) => {
    const [, , , flags, , , , shown] = text.trim().split(/\s+/);
    // Older versions of Node pad the name: the table shows an @ for each zero byte.
    return flags === ACCEPTS && shown?.replace(/@+$/, "") === name;
  });
  const inode = line?.trim().split(/\s+/)[6];
  if (inode === undefined) return unknown;
  const holders = holdersOf(`socket:[${inode}]`);
  const other = holders.find((uid) => !isTrusted(uid));
  if (other !== undefined) return byUser(other);
  return holders.length > 0 ? trusted : unknown;
}

/** The users of the processes that have a socket open, as far as they can be inspected. */
function holdersOf(socket: string): number[] {
  return namesIn("/proc").flatMap((process) => {
    if (!/^\d+$/.test(process)) return [];
    const folder = `/proc/${process}/fd`;
    const has = namesIn(folder).some((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`) === socket;
      } catch {
        return false;
      }
    });
    if (!has) return [];
    const uid = statSync(`/proc/${process}`, { throwIfNoEntry: false })?.uid;
    return uid === undefined ? [] : [uid];
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "latin1").split("\n");
  } catch {
    return [];
  }
}
