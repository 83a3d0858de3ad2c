/** How a case says what it found. */
import type { Bytes } from "../bytes/bytes.js";

/** What one case found. */
export type Verdict = "pass" | "fail" | "differs (allowed)";

/** The daemon breaks the protocol; the message says how. */
export class Violation extends Error {}

/** The daemon does otherwise than this project's, in a way that clients have to live with. */
export class AllowedDifference {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Goes on only if `condition` holds. @throws Violation with `reason`, which says what is wrong. */
export function must(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Violation(reason);
}

/** Goes on only if a reply carries that code. @throws Violation. */
export function mustAnswer(code: number, reply: { readonly errorCode: number }): void {
  must(reply.errorCode === code, `code ${code} was to come, ${reply.errorCode} came`);
}

/** Goes on only if bytes are there and have that length. @throws Violation. */
export function mustHave(
  name: string,
  bytes: Uint8Array | null,
  length: number,
): asserts bytes is Bytes {
  must(
    bytes?.length === length,
    `${name} must have ${length} bytes, ${bytes === null ? "none came" : `${bytes.length} came`}`,
  );
}
