/**
 * The link state of a joined daemon, for `katz doctor`: a file in the user's runtime folder, named
 * after the daemon's process. It holds only names, numbers and times, never contents or keys.
 */
import { readFile, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "katzenpost-thinclient";
import type { JoinedDaemonState } from "katzenpost-thinclient/join";
import { makeFolder, replaceFile } from "./private-file.js";
import { duration } from "./terminal.js";
import { counted } from "./text.js";
import { type Environment, runtimeFolder } from "./user-folders.js";

/** A state older than this, in milliseconds, belongs to a daemon that was killed. */
const STALE_MS = 30_000;
/**
 * A clock that is off by this much may cost packets: a tenth of the shortest usual epoch, in
 * milliseconds.
 */
export const SKEW_WARNING_MS = 12_000;

/** The most bytes that are read. */
const MAX_BYTES = 65_536;

function folderOf(env: Environment): string {
  return join(runtimeFolder(env), "katzenpost");
}

function pathOf(instanceToken: Uint8Array, env: Environment): string {
  return join(folderOf(env), `link-${toHex(instanceToken)}.json`);
}

/** Writes the state. @throws errors of the system or of `replaceFile`. */
export async function writeLinkState(
  instanceToken: Uint8Array,
  state: JoinedDaemonState,
  env: Environment = process.env,
): Promise<void> {
  await makeFolder(folderOf(env), 0o700);
  await replaceFile(pathOf(instanceToken, env), JSON.stringify(state));
}

/** The state of that daemon; null if it publishes none, or is gone. */
export async function readLinkState(
  instanceToken: Uint8Array,
  env: Environment = process.env,
): Promise<JoinedDaemonState | null> {
  const path = pathOf(instanceToken, env);
  try {
    const { mtimeMs, size, uid } = await stat(path);
    const isOurs = process.getuid === undefined || uid === process.getuid();
    if (!isOurs || size > MAX_BYTES || Date.now() - mtimeMs > STALE_MS) return null;
    return JSON.parse(await readFile(path, "utf8")) as JoinedDaemonState;
  } catch {
    return null;
  }
}

/** Removes the state of a daemon that stops, and of daemons that were killed. */
export async function removeLinkStates(
  instanceToken: Uint8Array,
  env: Environment = process.env,
): Promise<void> {
  await rm(pathOf(instanceToken, env), { force: true });
  for (const name of await readdir(folderOf(env)).catch(() => [])) {
    if (!/^link-[0-9a-f]{32}\.json$/.test(name)) continue;
    const path = join(folderOf(env), name);
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > STALE_MS) await rm(path, { force: true });
  }
}

/** The state as text, one fact per entry. */
export function linkText({ link, waiting, operations }: JoinedDaemonState): string[] {
  const { phase, gateway, address, lastError, clockSkewMs, epoch, documents, documentProblem } =
    link;
  const where = `${gateway ?? "no gateway"}${address === null ? "" : ` at ${address}`}`;
  const texts = [phase === "connected" ? `connected to ${where}` : `${phase}: ${where}`];
  if (phase !== "connected" && lastError !== null) texts.push(`last failure: ${lastError}`);
  if (clockSkewMs !== null) {
    const sign = clockSkewMs < 0 ? "-" : "+";
    const off = `clock ${sign}${duration(Math.abs(clockSkewMs))} of the gateway's`;
    texts.push(
      Math.abs(clockSkewMs) < SKEW_WARNING_MS
        ? off
        : `${off}: set it, or set EnableTimeSync = true under [Debug] in the file`,
    );
  }
  const current = documents.find((document) => document.epoch === epoch);
  texts.push(
    current === undefined
      ? `no document of epoch ${epoch}${documentProblem === null ? "" : ` (${documentProblem})`}`
      : `document of epoch ${epoch} signed by ${current.signers.join(" ")}`,
  );
  texts.push(
    `${counted(link.sent, "packet")} sent, including ${counted(link.decoys, "decoy")}; ` +
      `${link.replies} replies`,
  );
  if (waiting.packets > 0) texts.push(waitingText(waiting));
  if (operations > 0) texts.push(counted(operations, "operation"));
  return texts;
}

/** The most applications that are listed. */
const MAX_LISTED_CLIENTS = 8;

/**
 * How many packets wait and for how long; with several applications, also the position of each
 * one's packets.
 */
function waitingText({ packets, ms, clients }: JoinedDaemonState["waiting"]): string {
  const all = `${counted(packets, "packet")} waiting, the last for ${duration(ms)}`;
  if (clients.length < 2) return all;
  const listed = clients.slice(0, MAX_LISTED_CLIENTS).map((client) => {
    const { first, last } = client;
    const places = first === last ? `place ${first}` : `places ${first} to ${last}`;
    return `${places} (${duration(client.ms)})`;
  });
  const more = clients.length - listed.length;
  return `${all}; by application: ${listed.join(", ")}${more > 0 ? `, ${more} more` : ""}`;
}
