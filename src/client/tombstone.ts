/** Tombstones for many boxes. spec/thin-protocol §6.2. */
import { MessageBoxIndex, WriteCap } from "../bytes/opaque.js";
import { hasCode, isThinClientError } from "../errors/errors.js";
import { TombstoneRangeError } from "../errors/partial-results.js";
import { checkBoxIndex, checkCallback, checkInteger, checkWriteCap } from "./argument-checks.js";
import { type CallOptions, checkCallOptions } from "./call-options.js";
import type { MeasureOptions } from "./metrics.js";
import { type SizedSession, encryptWrite } from "./pigeonhole.js";
import type { TombstoneEnvelope, TombstoneRangeResult } from "./pigeonhole-types.js";
import { runWithin } from "./run-within.js";

/** How far a tombstone range is. */
export interface TombstoneProgress {
  /** Tombstones made so far, this one included. */
  readonly boxesDone: number;
  /** The call's `maxCount`. */
  readonly boxesTotal: number;
  /** The tombstone just made; one that aborts can keep those it was given. */
  readonly envelope: TombstoneEnvelope;
}

/** Options of `tombstoneRange`. */
export interface TombstoneRangeOptions extends CallOptions {
  /** Called after each tombstone; what it throws ends the call. */
  readonly onProgress?: ((progress: TombstoneProgress) => void) | undefined;
}

/** What {@link tombstoneRange} needs of the client. */
export interface TombstoneContext extends SizedSession {
  readonly options: MeasureOptions;
}

/** Makes tombstones for `maxCount` boxes from `start` on; sends none of them. */
export async function tombstoneRange(
  context: TombstoneContext,
  writeCap: WriteCap,
  start: MessageBoxIndex,
  maxCount: number,
  options?: TombstoneRangeOptions,
): Promise<TombstoneRangeResult> {
  const operation = "tombstoneRange";
  checkCallOptions(options, "onProgress");
  checkWriteCap("writeCap", writeCap);
  checkBoxIndex("start", start);
  checkInteger("maxCount", maxCount, 0xffff_ffff);
  checkCallback("options.onProgress", options?.onProgress);
  const notUsable = context.session.notUsable(operation);
  if (notUsable) throw notUsable;
  const cap = WriteCap.from(writeCap);
  const envelopes: TombstoneEnvelope[] = [];
  let next = MessageBoxIndex.from(start);
  return runWithin(context.options, operation, options, async (signal) => {
    try {
      while (envelopes.length < maxCount) {
        const empty = new Uint8Array(0);
        const made = await encryptWrite(context, empty, cap, next, { signal }, operation);
        const { messageCiphertext, envelopeDescriptor, envelopeHash } = made;
        const boxIndex = next;
        const envelope = { messageCiphertext, envelopeDescriptor, envelopeHash, boxIndex };
        envelopes.push(envelope);
        next = made.nextMessageBoxIndex;
        const boxesDone = envelopes.length;
        options?.onProgress?.({ boxesDone, boxesTotal: maxCount, envelope });
      }
    } catch (error) {
      // What ends every call alike reads alike: an abort, the deadline, a closed client.
      const common = signal.aborted || hasCode(error, "ERR_CLOSED");
      if (common || !isThinClientError(error)) throw error;
      throw new TombstoneRangeError(error, { envelopes, next }, { operation });
    }
    return { envelopes, next };
  });
}
