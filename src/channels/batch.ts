/**
 * Messages of several channels that become readable together: they are written as a temporary
 * stream, and a courier copies them to their boxes. Before the copy command nobody can read any of
 * them; after it the courier finishes without us.
 *
 * A batch can be run again from the start at any point. Its boxes and their bytes are fixed, and
 * replicas report success for an identical rewrite.
 */
import { concatBytes, randomBytes } from "../bytes/bytes.js";
import { nextMessageBoxIndex } from "../bacap/message-box-index.js";
import { BOX_PATIENCE_MS, type ChannelClient } from "./channel-client.js";
import type { BatchPart } from "./writer.js";

/** Overhead of a copied box, in bytes: it holds this much less than a directly written box. */
export const COPY_OVERHEAD = 4;
/** The most boxes that the daemon seals in one request: each costs a real daemon seconds. */
const BOXES_PER_CALL = 32;
/** The most boxes of the temporary stream that are in progress at once. */
const WINDOW = 8;
/**
 * The most boxes of a batch. Couriers give up beyond 65,536, which includes those of the temporary
 * stream.
 */
export const MAX_BATCH_BOXES = 32_768;

/** Copies all parts to their boxes. */
export async function runBatch(
  client: ChannelClient,
  parts: readonly BatchPart[],
  signal: AbortSignal,
): Promise<void> {
  const stream = await client.newKeypair(randomBytes(32), { signal });
  let index = stream.firstMessageIndex;
  const inFlight = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | null = null;
  const pieces = [...piecesOf(parts)];
  let buffer: Uint8Array | null = null;
  for (const [i, destinations] of pieces.entries()) {
    // Sealing the rest, which takes a real daemon long, would only delay the next try.
    if (failure) break;
    const made = await client.createCourierEnvelopesFromMultiPayload(
      { destinations, isStart: i === 0, isLast: i === pieces.length - 1, buffer },
      { signal },
    );
    buffer = made.buffer;
    for (const element of made.envelopes) {
      while (inFlight.size >= WINDOW) await Promise.race(inFlight);
      if (failure) break;
      const written = client
        .write(stream.writeCap, index, element, { signal, timeoutMs: BOX_PATIENCE_MS })
        .then(
          () => {},
          (error: unknown) => void (failure ??= { error }),
        )
        .finally(() => inFlight.delete(written));
      inFlight.add(written);
      index = nextMessageBoxIndex(index);
    }
  }
  await Promise.all(inFlight);
  if (failure) throw (failure as { readonly error: unknown }).error;
  await client.startResendingCopyCommand(stream.writeCap, { signal });
}

/**
 * The destinations of each call: parts with at most as many boxes as the daemon can seal at once.
 */
function* piecesOf(
  parts: readonly BatchPart[],
): Generator<
  { payload: Uint8Array; writeCap: BatchPart["writeCap"]; startIndex: BatchPart["startIndex"] }[]
> {
  let destinations = [];
  let boxes = 0;
  for (const part of parts) {
    let index = part.startIndex;
    for (let at = 0; at < part.boxes.length;) {
      const some = part.boxes.slice(at, at + BOXES_PER_CALL - boxes);
      destinations.push({
        payload: concatBytes(...some),
        writeCap: part.writeCap,
        startIndex: index,
      });
      for (let i = 0; i < some.length; i++) index = nextMessageBoxIndex(index);
      at += some.length;
      boxes += some.length;
      if (boxes === BOXES_PER_CALL) {
        yield destinations;
        destinations = [];
        boxes = 0;
      }
    }
  }
  if (destinations.length > 0) yield destinations;
}
