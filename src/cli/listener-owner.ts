/**
 * Whose program listens at an address of this machine. Any user can take a TCP port or an abstract
 * name that is free, and would be given capabilities and plaintexts by anyone who connects without
 * asking.
 */
import { readFileSync, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { DialConfig } from "katzenpost-thinclient";

/** Who listens. */
export type Owner =
  /** This user, or root, who can read everything anyway. */
  | { readonly kind: "trusted" }
  /** Somebody else; `who` is a phrase. */
  | { readonly kind: "other"; readonly who: string }
  /** It cannot be found out; `why` is a phrase. */
  | { readonly kind: "unknown"; readonly why: string };

const trusted: Owner = { kind: "trusted" };

const untold: Owner = { kind: "unknown", why: "this system does not tell who listens there" };

/** Who listens now at the place that `dial` leads to; where nobody does, that is `unknown`, too. */
export function ownerOf(dial: DialConfig): Owner {
  // Windows: neither sockets in the file system with an owner nor a list of who listens where.
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
 * Of a socket in the file system, anyone who could put it there: its owner, and those who may rename
 * what is on the way to it.
 */
function ownerOfPath(path: string): Owner {
  try {
    // Anyone who owns a symbolic link on the way could turn it after it was looked at.
    if (realpathSync(path) !== path) return { kind: "other", who: "is a symbolic link" };
    const owner = byUser(statSync(path).uid);
    if (owner.kind !== "trusted") return owner;
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      const { uid, mode } = statSync(folder);
      if (!isTrusted(uid)) {
        return { kind: "other", who: `is in ${folder}, which belongs to user ${uid}` };
      }
      // In a folder with the sticky bit others can only remove what is theirs.
      if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0) {
        return { kind: "other", who: `is in ${folder}, which others may write to` };
      }
      if (folder === dirname(folder)) return trusted;
    }
  } catch {
    return { kind: "unknown", why: "it cannot be inspected" };
  }
}

/** State of a socket that listens, in the tables of the system. */
const LISTENING = "0A";

/** Of a port, who has the socket there. Linux only: other systems keep it to themselves. */
function ownerOfPort(address: string): Owner {
  const digits = /^127\.0\.0\.1:(\d+)$/.exec(address)?.[1];
  if (digits === undefined || process.platform !== "linux") return untold;
  const port = Number(digits);
  const listeners = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => listenersIn(file, port));
  // The most specific one gets the connections; one for all addresses gets what is left.
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

/** The flag of a Unix socket that listens, in the table of the system. */
const ACCEPTS = "00010000";

/**
 * Of an abstract name, whose processes have its socket. The table of names tells no owner;
 * processes of others cannot be looked into, but by root, so that only what is this user's own is
 * known.
 */
function ownerOfName(name: string): Owner {
  const unknown: Owner = { kind: "unknown", why: "abstract sockets have no owner to look at" };
  const line = linesOf("/proc/net/unix").find((text) => {
    const [, , , flags, , , , shown] = text.trim().split(/\s+/);
    // Older versions of Node pad the name: the table shows an @ for each byte of it.
    return flags === ACCEPTS && shown?.replace(/@+$/, "") === name;
  });
  const inode = line?.trim().split(/\s+/)[6];
  if (inode === undefined) return unknown;
  const holders = holdersOf(`socket:[${inode}]`);
  const other = holders.find((uid) => !isTrusted(uid));
  if (other !== undefined) return byUser(other);
  return holders.length > 0 ? trusted : unknown;
}

/** The users of the processes that have a socket open, as far as they can be looked into. */
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
