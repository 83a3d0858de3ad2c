/** What channels need from a thin client, and what they report about their work. */
import type { ThinClient } from "../client/thin-client.js";

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
>;

/** Internal events: names and numbers only, never contents or capabilities. */
export type ChannelDiagnostic =
  | {
      readonly type: "boxWritten";
      readonly channel: string;
      readonly id: bigint;
      /** From the start of the call to the replicas' answer, in ms. */
      readonly durationMs: number;
    }
  | {
      /** The write is tried again after `pauseMs`. */
      readonly type: "writeFailed";
      readonly channel: string;
      readonly id: bigint;
      readonly error: unknown;
      readonly pauseMs: number;
    }
  | {
      readonly type: "polled";
      readonly channel: string;
      /** How many of the requested boxes were there. */
      readonly found: number;
      readonly asked: number;
      readonly durationMs: number;
      /** Time until the next attempt, in ms; 0 if any box was there. */
      readonly pauseMs: number;
    }
  | { readonly type: "readFailed"; readonly channel: string; readonly error: unknown }
  | { readonly type: "gap"; readonly channel: string; readonly boxes: number }
  | { readonly type: "forked"; readonly channel: string; readonly id: bigint };

/** Receives internal events; if it throws, the error is ignored. */
export type DiagnosticsHook = (event: ChannelDiagnostic) => void;
