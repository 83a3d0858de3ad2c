/** Binds a server to a Unix socket, and handles files that a dead process left behind. */
import { randomUUID } from "node:crypto";
import { chmodSync, existsSync, linkSync, lstatSync, unlinkSync } from "node:fs";
import { type Server, connect } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { isMainThread } from "node:worker_threads";
import { ConfigError } from "../errors/errors.js";
import { describeFailure, failureCode } from "./node-failure.js";
import { isAbstract, systemUnixPath } from "./node-unix-path.js";

/** Only the owner may connect: on Linux that needs write permission. */
const OWNER_ONLY = 0o600;

/**
 * Lets `server` listen on a path or `@name`. A socket file on which nobody answers is removed
 * first.
 * @returns a function that removes the socket file; call it when the server is closed. It removes
 * the file only if it still belongs to this server, even if the process changed its directory.
 * @throws ConfigError when another process answers, when something else has that name, or when the
 * system refuses.
 */
export async function bindUnix(server: Server, address: string): Promise<() => void> {
  if (isAbstract(address) || process.platform === "win32") {
    await listenOn(server, address);
    return () => {};
  }
  // The library reports a missing folder as EACCES.
  const folder = dirname(address);
  if (!existsSync(folder)) {
    throw new ConfigError(
      `cannot listen on unix:${address}: there is no folder ${folder}; create it first`,
    );
  }
  if (existsHere(address)) await removeStale(address);
  // When the server is closed, the library unlinks the name it was given, whoever owns it by then.
  // So it gets a private name, and we create the public one.
  const own = join(folder, ownName(basename(address)));
  await listenOn(server, own, address);
  const { dev, ino } = lstatSync(own);
  const path = resolve(address);
  try {
    chmodSync(own, OWNER_ONLY);
    linkSync(own, address);
  } catch (cause) {
    server.close();
    if (failureCode(cause) === "EEXIST") throw inUse(address);
    const why = describeFailure(cause);
    throw new ConfigError(`cannot listen on unix:${address}: ${why}`, { cause });
  }
  unlinkSync(own);
  return () => {
    const now = lstatSync(path, { throwIfNoEntry: false });
    if (now !== undefined && now.ino === ino && now.dev === dev) unlinkSync(path);
  };
}

/** An unused name, if possible not longer than the public one. */
function ownName(name: string): string {
  const length = Math.max(name.length, 6);
  return `.${randomUUID().replaceAll("-", "")}`.slice(0, length);
}

async function listenOn(server: Server, name: string, address = name): Promise<void> {
  // The file is created within `listen`, and must never be open to others.
  const oldMask = isMainThread ? process.umask(0o177) : null;
  let listening: Promise<void>;
  try {
    listening = new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ path: systemUnixPath(name) }, () => {
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
      `cannot listen on unix:${path}: a file or folder has that name, and is not removed. ` +
        "Remove it, or choose another name",
    );
  }
  if (await answers(path)) throw inUse(path);
  // Another process may have done the same meanwhile, and listen on a new file.
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
      // EAGAIN: it is so busy that its queue is full.
      if (code === "EAGAIN") resolve(true);
      else if (code === "ECONNREFUSED" || code === "ENOENT") resolve(false);
      else {
        const why = describeFailure(cause);
        reject(
          new ConfigError(
            `cannot listen on unix:${path}: there is a socket, and it is unknown whether anybody ` +
              `listens on it: ${why}. Remove it if nobody does, or choose another name`,
            { cause },
          ),
        );
      }
    });
  });
}

function inUse(address: string): ConfigError {
  return new ConfigError(
    `cannot listen on unix:${address}: another process already listens there. ` +
      `Stop it, or choose another name`,
  );
}
