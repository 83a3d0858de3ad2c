/**
 * Who may connect to a WebSocket listener. Any web page can make a browser connect to any address,
 * so a handshake from a page must have an allowed origin and a token. Programs other than browsers
 * do not send an origin.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import { utf8 } from "../bytes/bytes.js";
import { realClock } from "../clock/real.js";
import { LINGER_MS } from "../transport/limits.js";
import { wsTokenBytes } from "../transport/ws-token.js";
import { isLoopbackHost } from "./node-loopback.js";

/** A listener's rules for handshakes. */
export interface HandshakeRules {
  /** The host as given by the caller. */
  readonly host: string;
  /** Whether only this machine can reach it. */
  readonly loopback: boolean;
  /** Whether it listens on every address of the machine. */
  readonly everywhere: boolean;
  readonly allowedOrigins: readonly string[];
  readonly token: string | undefined;
}

/** The headers of a handshake that are checked. Node's own type would need its declarations. */
interface HandshakeHeaders {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  readonly "sec-websocket-protocol"?: string | undefined;
}

/** The refusal of a handshake. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly text: string;
}

/** Why a handshake with these headers is refused; null if it is accepted. */
export function refusalOf(headers: HandshakeHeaders, rules: HandshakeRules): Refusal | null {
  const { origin } = headers;
  if (origin !== undefined) {
    if (!rules.allowedOrigins.includes(origin)) {
      return forbidden(
        `Pages from ${JSON.stringify(origin)} may not connect here. To allow that origin, start ` +
          `the daemon with it (katz daemon: --allow-origin).`,
      );
    }
    if (!goodHost(headers.host, rules)) {
      return forbidden(
        `A page must not reach this daemon by the name ${JSON.stringify(headers.host ?? "")}. ` +
          `Use localhost, or let the daemon listen on that name.`,
      );
    }
  }
  const offered = offeredTokens(headers);
  const needed = origin !== undefined || !rules.loopback;
  if (offered.length === 0 && !needed) return null;
  if (offered.length === 0) {
    return { status: 401, text: "A token is needed. Offer it as a sub-protocol." };
  }
  if (acceptedProtocol(offered, rules) === null) {
    return { status: 401, text: "The token is wrong." };
  }
  return null;
}

/**
 * The sub-protocol that the listener selects: the one with the right token, or any with a token if
 * none is required; null if there is none.
 */
export function acceptedProtocol(
  protocols: Iterable<string>,
  rules: HandshakeRules,
): string | null {
  for (const protocol of protocols) {
    const bytes = wsTokenBytes(protocol);
    if (bytes === null) continue;
    if (rules.token === undefined || sameSecret(bytes, utf8(rules.token))) return protocol;
  }
  return null;
}

/**
 * Sends a refusal's whole answer and closes the connection, also if the peer keeps its end open: a
 * server that closes waits for every connection.
 */
export function sendRefusal(socket: Duplex, answer: string | Uint8Array): void {
  socket.end(answer);
  const timer = realClock.after(LINGER_MS, () => socket.destroy(), { background: true });
  socket.once("close", () => timer.cancel());
  // Unread bytes would reset the connection and lose the answer.
  socket.resume();
}

// Digests have a fixed length, so this does not reveal the token's length either.
function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  const digest = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function offeredTokens(headers: HandshakeHeaders): string[] {
  return (headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => wsTokenBytes(protocol) !== null);
}

// Against DNS rebinding: a page's own host name may point to this machine, and its browser then
// sends that name.
function goodHost(header: string | undefined, rules: HandshakeRules): boolean {
  const [, ipv6, other] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(header ?? "") ?? [];
  const host = ipv6 ?? other;
  if (host === undefined || host === "") return false;
  if (isLoopbackHost(host) || host.toLowerCase() === rules.host.toLowerCase()) return true;
  // Only names can be rebound.
  return rules.everywhere && (ipv6 !== undefined || /^\d+(\.\d+){3}$/.test(host));
}

function forbidden(text: string): Refusal {
  return { status: 403, text };
}
