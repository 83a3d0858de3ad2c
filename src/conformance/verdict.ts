/** How a case reports its result. */
import type { Bytes } from "../bytes/bytes.js";

/** The result of one case. */
export type Verdict = "pass" | "fail" | "differs (allowed)";

/** The daemon breaks the protocol; the message says how. */
export class Violation extends Error {}

/** The daemon differs from this project's daemon in a way that clients must tolerate. */
export class AllowedDifference {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Checks that `condition` holds. @throws Violation with `reason`, which says what is wrong. */
export function must(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Violation(reason);
}

/** Checks that a reply has that code. @throws Violation. */
export function mustAnswer(code: number, reply: { readonly errorCode: number }): void {
  must(reply.errorCode === code, `expected code ${code}, got ${reply.errorCode}`);
}

/** Checks that the bytes exist and have that length. @throws Violation. */
export function mustHave(
  name: string,
  bytes: Uint8Array | null,
  length: number,
): asserts bytes is Bytes {
  must(
    bytes?.length === length,
    `${name} must have ${length} bytes, ${bytes === null ? "but is missing" : `got ${bytes.length}`}`,
  );
}
