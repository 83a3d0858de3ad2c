/** The bytes that a command writes: from a file, or from standard input. */
import { chunksOf, readWhole } from "./input-file.js";
import { readStdin, stdinChunks } from "./secret-input.js";

/**
 * Reads a whole file; `-` is standard input.
 * @throws UsageError when it cannot be read or has more than `limit` bytes.
 */
export async function readPayload(
  path: string,
  limit: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (path === "-") return readStdin(limit, signal);
  return (await readWhole(path, limit, signal)).bytes;
}

/**
 * Reads a file in chunks; `-` is standard input.
 * @throws UsageError when it cannot be read; the reason of `signal`, at once.
 */
export function payloadOf(path: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  return path === "-" ? stdinChunks(signal) : chunksOf(path, signal);
}
