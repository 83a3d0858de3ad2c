/** Vouchers in files: one line of base64. */
import { existsSync } from "node:fs";
import { fromBase64 } from "katzenpost-thinclient";
import { UsageError } from "./failure.js";
import { readWhole } from "./input-file.js";
import type { Run } from "./run.js";
import { firstLine, readStdin, refuseSecret } from "./secret-input.js";

/** Vouchers are much shorter. */
const MAX_VOUCHER_BYTES = 4096;
const VOUCHER_LENGTH = 32;

/**
 * Reads a voucher; `-` is standard input.
 * @throws UsageError when there is none, or when `source` is a voucher itself.
 */
export async function readVoucher(
  { signal }: Run,
  source: string,
): Promise<Uint8Array<ArrayBuffer>> {
  refuseSecret(source, "a voucher");
  if (/^[A-Za-z0-9+/]{43}=$/.test(source) && !existsSync(source)) {
    // A voucher is too short for the check that recognizes secrets by their length.
    throw new UsageError("that looks like a voucher itself: put it into a file, or pipe it in");
  }
  const bytes =
    source === "-"
      ? await readStdin(MAX_VOUCHER_BYTES, signal, true)
      : (await readWhole(source, MAX_VOUCHER_BYTES, signal)).bytes;
  const line = firstLine(Buffer.from(bytes).toString("utf8"));
  try {
    const voucher = fromBase64(line ?? "");
    if (voucher.length === VOUCHER_LENGTH) return voucher;
  } catch {
    // Reported below, without the text.
  }
  throw new UsageError(
    `${source === "-" ? "standard input" : source} does not hold a voucher: a voucher is a line ` +
      "of 44 characters of base64",
  );
}
