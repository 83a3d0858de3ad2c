/**
 * How a token is sent to a WebSocket listener: as the name of a sub-protocol, because that is the
 * only thing that a browser lets a page set, and because a URL ends up in logs and histories. A
 * listener that accepts the token answers with the same name; otherwise a browser drops the
 * connection.
 */
import { describeType, fromBase64, toBase64, utf8 } from "../bytes/bytes.js";

/** The prefix of the sub-protocol's name; the token's UTF-8 bytes in base64url follow. */
export const WS_TOKEN_PREFIX = "katzenpost.token.";

/**
 * The sub-protocol that carries `token`. Every name of this form is an HTTP token (RFC 9110 section
 * 5.6.2), as RFC 6455 section 4.1 requires.
 * @throws TypeError when `token` is not a string; RangeError when it is empty.
 */
export function wsTokenProtocol(token: string): string {
  if (typeof token !== "string") {
    throw new TypeError(`\`token\` must be a string, got ${describeType(token)}`);
  }
  if (token === "") throw new RangeError("`token` must not be empty");
  const base64 = toBase64(utf8(token));
  return WS_TOKEN_PREFIX + base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The token's bytes in a sub-protocol; null if it does not carry a token. */
export function wsTokenBytes(protocol: string): Uint8Array | null {
  if (!protocol.startsWith(WS_TOKEN_PREFIX)) return null;
  try {
    return fromBase64(protocol.slice(WS_TOKEN_PREFIX.length));
  } catch {
    return null;
  }
}
