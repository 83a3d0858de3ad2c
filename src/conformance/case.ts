/** What a case is. */
import type { Scene } from "./scene.js";
import type { AllowedDifference } from "./verdict.js";

/** What a case is about. `storage`, `copying` and `messages` need a network that works. */
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
  /** A sentence: what the daemon does when it is right. */
  readonly name: string;
  /** Passes when it returns nothing. @throws Violation when the daemon is wrong. */
  run(scene: Scene): Promise<AllowedDifference | void>;
}

/** Cases of one area. */
export function casesOf(
  area: ConformanceArea,
  cases: Readonly<Record<string, ConformanceCase["run"]>>,
): ConformanceCase[] {
  return Object.entries(cases).map(([name, run]) => ({ area, name, run }));
}
