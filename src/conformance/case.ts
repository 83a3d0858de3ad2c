/** The definition of a case. */
import type { Scene } from "./scene.js";
import type { AllowedDifference } from "./verdict.js";

/**
 * The area of a case. `sessions`, `operations`, `storage`, `copying` and `messages` need a working
 * network, and `envelopes` and `documents` a PKI document.
 */
export type ConformanceArea =
  | "handshake"
  | "frames"
  | "sessions"
  | "keys"
  | "envelopes"
  | "operations"
  | "storage"
  | "copying"
  | "messages"
  | "documents"
  | "vouchers";

/** One thing that a daemon must do. */
export interface ConformanceCase {
  readonly area: ConformanceArea;
  /** A sentence that describes the correct behaviour. */
  readonly name: string;
  /** Passes if it returns nothing. @throws Violation when the daemon is wrong. */
  run(scene: Scene): Promise<AllowedDifference | void>;
}

/** Cases of one area. */
export function casesOf(
  area: ConformanceArea,
  cases: Readonly<Record<string, ConformanceCase["run"]>>,
): ConformanceCase[] {
  return Object.entries(cases).map(([name, run]) => ({ area, name, run }));
}
