/** One copy command, from its first box to its last envelope (spec/pigeonhole §9.1). */
import { CopyStreamDecoder, type DecodedEnvelope } from "../../crypto/copy-stream/decoder.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import type { Breather } from "../../clock/breather.js";
import type { BoxSource } from "./read-ahead.js";

/** Why a copy ended early. */
export class CopyFailure extends Error {
  override readonly name = "CopyFailure";
  /** The replica's code; 0 if the failure does not come from a replica. */
  readonly errorCode: number;

  constructor(message: string, errorCode = 0) {
    super(message);
    this.errorCode = errorCode;
  }
}

/** The result of a copy. */
export type CopyOutcome =
  | {
      readonly succeeded: true;
      /** How many boxes the stream took. */
      readonly boxes: number;
    }
  | {
      readonly succeeded: false;
      /** The replica's code; 0 if the failure does not come from a replica. */
      readonly errorCode: number;
      /** Which envelope could not be read or written, counted from 1. */
      readonly failedEnvelope: number;
    };

/** What a copy needs. */
export interface CopyRunOptions {
  readonly sizes: PigeonholeSizes;
  readonly source: BoxSource;
  /** Writes an envelope. Rejects with {@link CopyFailure} when it gives up. */
  readonly write: (envelope: DecodedEnvelope) => Promise<void>;
  readonly breather: Breather;
}

/**
 * Writes the envelopes of a stream, one after the other, until the box with the final element.
 * Envelopes written before a failure stay written. The boxes read ahead bound the memory, and the
 * decoder's limits bound the time. A stream that ends within an envelope is a failure, because the
 * rest of the envelope does not exist. Never rejects.
 */
export async function runCopy(options: CopyRunOptions): Promise<CopyOutcome> {
  const { sizes, source, write, breather } = options;
  const decoder = new CopyStreamDecoder(sizes);
  let written = 0;
  try {
    while (!decoder.sawFinal) {
      decoder.addBox(await source.next());
      for (let envelope = decoder.next(); envelope !== null; envelope = decoder.next()) {
        await write(envelope);
        written++;
        await breather.pause();
      }
      await breather.pause();
    }
    if (decoder.remaining > 0) throw new CopyFailure("the stream ends within an envelope");
    return { succeeded: true, boxes: decoder.boxes };
  } catch (error) {
    const errorCode = error instanceof CopyFailure ? error.errorCode : 0;
    return { succeeded: false, errorCode, failedEnvelope: written + 1 };
  }
}
