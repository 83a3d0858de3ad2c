/** Reads files that a user names, so that no read blocks without handling signals. */
import { type Stats, closeSync, constants, openSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { UsageError } from "./failure.js";
import { fileProblem } from "./private-file.js";

/** Pipes that this process inherited, for example from a shell's `<(…)`: they have a writer. */
const HANDED = /^\/(?:dev\/(?:fd\/\d+|stdin)|proc\/(?:self|\d+)\/fd\/\d+)$/;

const READ_BYTES = 1 << 18;

/** An opened input. */
interface Input {
  readonly stats: Stats;
  readonly chunks: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly close: () => Promise<void>;
}

/**
 * Opens a regular file, or a folder for callers who check its type.
 * @throws UsageError when it cannot be opened, or is a pipe, a device or a socket.
 */
export async function openRegular(path: string): Promise<FileHandle> {
  return reading(path, async () => {
    const stats = await stat(path);
    refuseUnusual(stats, path, stats.isFIFO());
    return open(path, "r");
  });
}

/**
 * Reads a whole file.
 * @param check checks the file's type before it is read; its error is passed on.
 * @throws UsageError as {@link chunksOf}, and when it has more than `limit` bytes; the reason of
 * `signal`.
 */
export async function readWhole(
  path: string,
  limit: number,
  signal: AbortSignal,
  check: (stats: Stats) => void = () => {},
): Promise<{ readonly bytes: Uint8Array; readonly stats: Stats }> {
  const input = await openInput(path);
  try {
    check(input.stats);
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of input.chunks(signal)) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit)
        throw new UsageError(`${path} is too long: it has more than ${limit} bytes`);
    }
    return { bytes: new Uint8Array(Buffer.concat(chunks)), stats: input.stats };
  } finally {
    await input.close();
  }
}

/**
 * Reads a file in chunks.
 * @throws UsageError when it cannot be read, or is a named pipe, a device or a socket; the reason
 * of `signal`, at once.
 */
export async function* chunksOf(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const input = await openInput(path);
  try {
    yield* input.chunks(signal);
  } finally {
    await input.close();
  }
}

/** Whether a path leads to a named pipe, which may have no other end. */
export async function isNamedPipe(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null);
  return stats !== null && stats.isFIFO() && !HANDED.test(path);
}

/**
 * Opening a named pipe would wait for a writer, and reading a terminal for a person. Neither could
 * be interrupted, so they are refused.
 */
async function openInput(path: string): Promise<Input> {
  return reading(path, async () => {
    const stats = await stat(path);
    const isHanded = stats.isFIFO() && HANDED.test(path);
    refuseUnusual(stats, path, stats.isFIFO() && !isHanded);
    return isHanded ? handedPipe(path, stats) : ordinaryFile(path);
  });
}

/** A pipe as a stream: the event loop waits for it, not a thread. */
function handedPipe(path: string, stats: Stats): Input {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = ((): Socket => {
    try {
      return new Socket({ fd, readable: true, writable: false });
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  })();
  async function* chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const stop = (): void => void socket.destroy(signal.reason as Error);
    signal.throwIfAborted();
    signal.addEventListener("abort", stop, { once: true });
    try {
      yield* socket as AsyncIterable<Uint8Array>;
    } catch (error) {
      signal.throwIfAborted();
      throw unreadable(path, error);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
  return { stats, chunks, close: () => Promise.resolve(void socket.destroy()) };
}

async function ordinaryFile(path: string): Promise<Input> {
  const handle = await open(path, "r");
  async function* chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (;;) {
      signal.throwIfAborted();
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await reading(path, () => handle.read(buffer, 0, READ_BYTES, null));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  }
  return { stats: await handle.stat(), chunks, close: () => handle.close() };
}

function refuseUnusual(stats: Stats, path: string, isNamedPipe: boolean): void {
  const isDevice = stats.isCharacterDevice() || stats.isBlockDevice();
  const what = isNamedPipe
    ? "named pipe"
    : isDevice
      ? "device"
      : stats.isSocket()
        ? "socket"
        : null;
  if (what !== null) {
    throw new UsageError(`cannot read ${path}: it is a ${what}, not a regular file`);
  }
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): UsageError {
  return new UsageError(`cannot read ${path}: ${fileProblem(cause)}`, { cause });
}
