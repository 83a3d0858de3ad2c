/** Binding a server to a Unix socket, past what a dead process left behind. */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, linkSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import { type Server, connect } from "node:net";
import { dirname, join, resolve } from "node:path";
import { isMainThread } from "node:worker_threads";
import { ConfigError } from "../errors/errors.js";
import { describeFailure, failureCode } from "./node-failure.js";
import { LONGEST_PATH, isAbstract, systemUnixPath } from "./node-unix-path.js";

/** Only the owner may connect: on Linux that takes the right to write. */
const OWNER_ONLY = 0o600;

/**
 * Lets `server` listen on a path or `@name`. A socket file that nobody answers on is removed first.
 * @returns removes the socket file, when the server is closed; not one of that name that is another's.
 * @throws ConfigError when somebody does answer, when something else has that name, or when the
 * system refuses.
 */
export async function bindUnix(server: Server, address: string): Promise<() => void> {
  if (isAbstract(address)) {
    await listenOn(server, address, address);
    return () => {};
  }
  // The library reports a missing folder as EACCES.
  const folder = dirname(address);
  if (!existsSync(folder)) {
    throw new ConfigError(
      `cannot listen on unix:${address}: there is no folder ${folder}; make it first`,
    );
  }
  if (existsHere(address)) await removeStale(address);
  const path = resolve(address);
  // When it is closed the library removes whatever has the name that it was given: by then that may be
  // another process's socket, or for a relative path a file of another folder. So it gets a name that
  // is gone at once.
  const given = join(dirname(path), `.${randomBytes(3).toString("hex")}`);
  if (process.platform === "win32" || Buffer.byteLength(given) > LONGEST_PATH) {
    await listenOn(server, address, address);
    if (process.platform !== "win32") chmodSync(address, OWNER_ONLY);
    return () => {};
  }
  await listenOn(server, given, address);
  try {
    chmodSync(given, OWNER_ONLY);
    giveName(given, path);
  } catch (cause) {
    server.close();
    if (failureCode(cause) === "EEXIST") throw inUse(address);
    const why = describeFailure(cause);
    throw new ConfigError(`cannot listen on unix:${address}: ${why}`, { cause });
  }
  const { ino, dev } = lstatSync(path);
  return () => {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there?.ino === ino && there.dev === dev) unlinkSync(path);
  };
}

/** Moves a socket file to a name that nothing has. @throws what the system says, EEXIST for one. */
function giveName(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Not every system links sockets. That nothing has the name was looked at a moment ago.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP"].includes(failureCode(error) ?? "")) throw error;
    renameSync(from, to);
    return;
  }
  unlinkSync(from);
}

async function listenOn(server: Server, path: string, address: string): Promise<void> {
  // The file is made within `listen`, and must at no moment be open to others.
  const oldMask = isMainThread ? process.umask(0o177) : null;
  let listening: Promise<void>;
  try {
    listening = new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ path: systemUnixPath(path) }, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
  } finally {
    if (oldMask !== null) process.umask(oldMask);
  }
  try {
    await listening;
  } catch (cause) {
    if (failureCode(cause) === "EADDRINUSE") throw inUse(address);
    const why = describeFailure(cause);
    throw new ConfigError(`cannot listen on unix:${address}: ${why}`, { cause });
  }
}

function existsHere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function removeStale(path: string): Promise<void> {
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (before === undefined) return;
  if (!before.isSocket()) {
    throw new ConfigError(
      `cannot listen on unix:${path}: there is something else of that name, which is not removed`,
    );
  }
  if (await answers(path)) throw inUse(path);
  // Another process may have done the same since, and listen on a new file by now.
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now === undefined) return;
  if (now.ino !== before.ino || now.dev !== before.dev) throw inUse(path);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (cause) => {
      const code = failureCode(cause);
      // EAGAIN: so busy that its queue is full.
      if (code === "EAGAIN") resolve(true);
      else if (code === "ECONNREFUSED" || code === "ENOENT") resolve(false);
      else {
        const why = describeFailure(cause);
        reject(
          new ConfigError(
            `cannot listen on unix:${path}: a socket is there, and whether somebody listens on ` +
              `it cannot be found out: ${why}`,
            { cause },
          ),
        );
      }
    });
  });
}

function inUse(address: string): ConfigError {
  return new ConfigError(
    `cannot listen on unix:${address}: another process listens there already. ` +
      `Stop it, or choose another name`,
  );
}
