/** What `copy` reads its payload from, cut into pieces of one length. */
import { describeType, isBytes } from "../bytes/bytes.js";
import type { PlainBytes } from "../bytes/bytes.js";
import { onAbort } from "../clock/on-abort.js";

/** Where a payload comes from: all at once, or bit by bit in any portions. */
export type CopySource = PlainBytes | AsyncIterable<Uint8Array>;

/** A part of a payload. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Whether nothing follows it. */
  readonly isLast: boolean;
}

/** @throws TypeError when `source` is neither bytes nor an async iterable. */
export function checkSource(source: unknown): asserts source is CopySource {
  if (isBytes(source)) return;
  const iterable = source as AsyncIterable<Uint8Array> | null | undefined;
  if (typeof iterable === "object" && typeof iterable?.[Symbol.asyncIterator] === "function") {
    return;
  }
  throw new TypeError(
    "`source` must be a Uint8Array or an async iterable of them, got " + describeType(source),
  );
}

/**
 * Cuts a payload into pieces of `length` bytes; the last may be shorter. None for an empty payload.
 * Reads ahead no more than it takes to know whether a piece is the last one.
 * @param signal ends the waiting for a source that does not go on.
 * @throws TypeError when the source gives something else than bytes; what the source throws.
 */
export async function* piecesOf(
  source: CopySource,
  length: number,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  let held = new Uint8Array(length);
  let filled = 0;
  for await (const chunk of isBytes(source) ? [source] : chunksOf(source, signal)) {
    for (let at = 0; at < chunk.length;) {
      if (filled === length) {
        yield { bytes: held, isLast: false };
        held = new Uint8Array(length);
        filled = 0;
      }
      const part = chunk.subarray(at, at + length - filled);
      held.set(part, filled);
      filled += part.length;
      at += part.length;
    }
  }
  if (filled > 0) yield { bytes: held.subarray(0, filled), isLast: true };
}

async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let waiting = false;
  let done = false;
  try {
    for (;;) {
      waiting = true;
      const result = await unlessAborted(iterator.next(), signal);
      waiting = false;
      if (result.done) {
        done = true;
        return;
      }
      if (!isBytes(result.value)) {
        throw new TypeError(`\`source\` must give Uint8Arrays, gave ${describeType(result.value)}`);
      }
      yield result.value;
    }
  } finally {
    if (!done) {
      const ended = Promise.resolve(iterator.return?.()).catch(() => {});
      // A source that hangs in next() would hang here too.
      if (!waiting) await ended;
    }
  }
}

/** What `promise` gives, unless `signal` is aborted first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    const leave = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(leave);
  });
}
