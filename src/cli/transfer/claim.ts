/**
 * Allows one process per transfer: two receivers would cut each other's files, and two senders
 * would overwrite each other's notes.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { type Server, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../failure.js";

/**
 * Claims `what`, a text that other users do not know, until it is disposed of. It takes a name of
 * the system that the system frees when the process ends, however it ends. Processes that do not
 * see each other's names (in different containers) are not kept apart; the digests of the files on
 * disk detect the damage.
 * @param taken what to report if another process has it, and what to do then.
 * @throws UsageError when another process has it.
 */
export async function claim(
  what: string,
  taken: { readonly message: string; readonly advice: string },
): Promise<AsyncDisposable> {
  const name = `katz-${createHash("sha256").update("claim").update(what).digest("hex").slice(0, 32)}`;
  const path =
    process.platform === "linux"
      ? `\0${name}`
      : process.platform === "win32"
        ? `\\\\.\\pipe\\${name}`
        : join(tmpdir(), name);
  // Here the name is a file, which may be left over from a killed process.
  const isFile = process.platform !== "linux" && process.platform !== "win32";
  const server = await listening(path).catch(async (error: unknown) => {
    if (!isTaken(error)) throw error;
    if (!isFile || (await answers(path))) throw refusal(taken, error);
    await rm(path, { force: true });
    return listening(path).catch((again: unknown) => {
      throw isTaken(again) ? refusal(taken, again) : again;
    });
  });
  server.unref();
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

function listening(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen({ path }, () => resolve(server));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EADDRINUSE";
}

function refusal(
  { message, advice }: { readonly message: string; readonly advice: string },
  cause: unknown,
): UsageError {
  return new UsageError(message, { cause, advice: [advice] });
}
