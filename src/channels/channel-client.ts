/** What channels need of a thin client, and what they are told of how it goes. */
import type { ThinClient } from "../client/thin-client.js";

/** The calls of a thin client that channels are made of. None of them names a courier. */
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

/** What happens inside; names and numbers only, never contents or capabilities. */
export type ChannelDiagnostic =
  | {
      readonly type: "boxWritten";
      readonly channel: string;
      readonly id: bigint;
      /** From the start of the call to the replicas' verdict, in ms. */
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
      /** Boxes that were there, of those asked for. */
      readonly found: number;
      readonly asked: number;
      readonly durationMs: number;
      /** Until the next question, in ms; 0 when something was there. */
      readonly pauseMs: number;
    }
  | { readonly type: "readFailed"; readonly channel: string; readonly error: unknown }
  | { readonly type: "gap"; readonly channel: string; readonly boxes: number }
  | { readonly type: "forked"; readonly channel: string; readonly id: bigint };

/** Hears of what happens inside; what it throws is ignored. */
export type DiagnosticsHook = (event: ChannelDiagnostic) => void;
