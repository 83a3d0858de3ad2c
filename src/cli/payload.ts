/** What a command is to write: a file, or standard input. */
import { UsageError } from "./failure.js";
import { openToRead } from "./input-file.js";
import { fileProblem } from "./private-file.js";
import { readStdin } from "./secret-input.js";

const READ_BYTES = 1 << 18;

/**
 * A file whole, `-` being standard input.
 * @throws UsageError when it cannot be read or has more than `limit` bytes.
 */
export async function readPayload(
  path: string,
  limit: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (path === "-") return readStdin(limit, signal);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of payloadOf(path, signal)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) throw new UsageError(`${path} has more than ${limit} bytes`);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/**
 * A file bit by bit, `-` being standard input.
 * @throws UsageError when it cannot be read.
 */
export async function* payloadOf(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (path === "-") {
    yield* process.stdin as AsyncIterable<Uint8Array>;
    return;
  }
  try {
    const handle = await openToRead(path);
    try {
      for (;;) {
        signal.throwIfAborted();
        const buffer = Buffer.allocUnsafe(READ_BYTES);
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new UsageError(`cannot read ${path}: ${fileProblem(error)}`, { cause: error });
  }
}
