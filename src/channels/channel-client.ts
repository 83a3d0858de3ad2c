/** What channels need from a thin client, and what they report about their work. */
import type { MessageBoxIndex, ReadCap } from "../bytes/opaque.js";
import type { ThinClient } from "../client/thin-client.js";
import { hasCode } from "../errors/errors.js";

/** The calls of a thin client that channels use. None of them names a courier. */
export type ChannelClient = Pick<
  ThinClient,
  | "read"
  | "write"
  | "tombstone"
  | "newKeypair"
  | "createCourierEnvelopesFromMultiPayload"
  | "startResendingCopyCommand"
  | "voucherMint"
  | "voucherInduct"
  | "voucherOpen"
  | "voucherDeriveStream"
  | "pkiDocument"
  | "pigeonholeGeometry"
  | "closed"
  | "isState"
  | "on"
>;

/** The result of reading one box. */
export type BoxResult =
  | { readonly kind: "found"; readonly plaintext: Uint8Array }
  | { readonly kind: "deleted" }
  | { readonly kind: "missing" };

/**
 * How long reading or writing a box may take, in ms, before it is tried again with another envelope,
 * and so with another courier. kpclientd drops an operation without an answer if a courier's answer
 * cannot be read (spec/thin-protocol §10, defect 16): one bad courier would stop a channel for good.
 * It is much longer than an answer takes, also when packets wait for their turn.
 */
export const BOX_PATIENCE_MS: number = 30 * 60_000;

/** Reads a box without waiting for it. @throws (rejects) with the error of a read that failed. */
export async function readBox(
  client: ChannelClient,
  readCap: ReadCap,
  index: MessageBoxIndex,
  signal: AbortSignal,
): Promise<BoxResult> {
  try {
    const options = { wait: false, signal, timeoutMs: BOX_PATIENCE_MS };
    const { plaintext } = await client.read(readCap, index, options);
    return { kind: "found", plaintext };
  } catch (error) {
    if (hasCode(error, "REPLICA_ERROR_TOMBSTONE")) return { kind: "deleted" };
    if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) return { kind: "missing" };
    throw error;
  }
}

/** Internal events: names and numbers only, never contents or capabilities. */
export type ChannelDiagnostic =
  | BoxWrittenDiagnostic
  | WriteFailedDiagnostic
  | PolledDiagnostic
  | ReadFailedDiagnostic
  | GapDiagnostic
  | ForkedDiagnostic;

interface DiagnosticBase {
  /** Name of the channel in this store. */
  readonly channel: string;
}

/** The replicas have a box. */
export interface BoxWrittenDiagnostic extends DiagnosticBase {
  /** Always `boxWritten`. */
  readonly type: "boxWritten";
  /** The message that the box belongs to: `Delivery.id`. */
  readonly id: bigint;
  /** From the start of the call, or of the whole batch, to the replicas' answer, in ms. */
  readonly durationMs: number;
}

/** A box was not written. The write is tried again. */
export interface WriteFailedDiagnostic extends DiagnosticBase {
  /** Always `writeFailed`. */
  readonly type: "writeFailed";
  /** The message that the box belongs to: `Delivery.id`. */
  readonly id: bigint;
  /** The error of the call. */
  readonly error: unknown;
  /** Time until the next attempt, in ms. */
  readonly pauseMs: number;
}

/** A box was requested, the next one or one of those after it. Looks further ahead are not reported. */
export interface PolledDiagnostic extends DiagnosticBase {
  /** Always `polled`. */
  readonly type: "polled";
  /** Whether it was there. */
  readonly found: boolean;
  /** From the request to the answer, in ms. */
  readonly durationMs: number;
  /** Time until the next attempt, in ms; 0 if the box was there. */
  readonly pauseMs: number;
}

/** A request failed for another reason than an empty box. It is tried again. */
export interface ReadFailedDiagnostic extends DiagnosticBase {
  /** Always `readFailed`. */
  readonly type: "readFailed";
  /** The error of the call. */
  readonly error: unknown;
}

/** Boxes are lost, and the reader continued after them. */
export interface GapDiagnostic extends DiagnosticBase {
  /** Always `gap`. */
  readonly type: "gap";
  /** How many boxes are lost. */
  readonly boxes: number;
}

/** A box holds other bytes than ours, and the channel stopped. */
export interface ForkedDiagnostic extends DiagnosticBase {
  /** Always `forked`. */
  readonly type: "forked";
  /** The message of that box: `Delivery.id`. */
  readonly id: bigint;
}

/** Receives internal events; if it throws, the error is ignored. */
export type DiagnosticsHook = (event: ChannelDiagnostic) => void;
