/** Tickets: what a receiver needs to fetch files, as one word (docs/transfer.md). */
import { createHash } from "node:crypto";
import { ReadCap } from "katzenpost-thinclient";
import { parseReadCap } from "katzenpost-thinclient/bacap";
import { UsageError } from "../failure.js";

/** The beginning of every ticket; the digit is the version of the format. */
const TICKET_PREFIX = "katz1";

/** Length of the checksum in bytes: with the capability's 136 bytes, base64 has no remainder. */
const CHECKSUM_LENGTH = 5;
const PAYLOAD_LENGTH = ReadCap.length! + CHECKSUM_LENGTH;

/** Length of a ticket in characters. */
export const TICKET_LENGTH = TICKET_PREFIX.length + (PAYLOAD_LENGTH / 3) * 4;

/** The ticket for a stream whose first box is the one that `readCap` begins at. */
export function encodeTicket(readCap: ReadCap): string {
  const payload = Buffer.concat([readCap, checksum(readCap)]);
  return TICKET_PREFIX + payload.toString("base64url");
}

/**
 * Reads a ticket.
 * @throws UsageError, without repeating it, when it is not a ticket or was changed on its way.
 */
export function decodeTicket(text: string): ReadCap {
  const version = /^katz(\d)/.exec(text)?.[1];
  if (version === undefined) throw new UsageError("not a ticket: tickets begin with katz1");
  if (!text.startsWith(TICKET_PREFIX)) {
    throw new UsageError(`this ticket is of version ${version}, which needs a newer katz`);
  }
  const encoded = text.slice(TICKET_PREFIX.length);
  if (!/^[A-Za-z0-9_-]*$/.test(encoded)) throw damaged("invalid character");
  if (text.length !== TICKET_LENGTH) {
    throw damaged(`it must have ${TICKET_LENGTH} characters, but has ${text.length}`);
  }
  const payload = new Uint8Array(Buffer.from(encoded, "base64url"));
  const bytes = payload.subarray(0, ReadCap.length!);
  if (!checksum(bytes).equals(payload.subarray(ReadCap.length!))) {
    throw damaged("its checksum is wrong");
  }
  try {
    return parseReadCap(bytes);
  } catch (error) {
    // Its checksum is right, so it was made like this.
    const advice = ["Ask its sender for another one"];
    throw new UsageError("the ticket's key is invalid", { cause: error, advice });
  }
}

function damaged(why: string): UsageError {
  const advice = ["Copy it again, or ask its sender for it"];
  return new UsageError(`the ticket was cut or changed on its way: ${why}`, { advice });
}

/** The first bytes of SHA-256 over prefix and capability. */
function checksum(readCap: Uint8Array): Buffer {
  const hash = createHash("sha256").update(TICKET_PREFIX).update(readCap);
  return hash.digest().subarray(0, CHECKSUM_LENGTH);
}
