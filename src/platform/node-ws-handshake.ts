/**
 * Who may connect to a WebSocket listener. Any web page can make a browser connect to any address,
 * so a handshake from a page must show an origin that is allowed and a token; programs that are no
 * browsers send no origin.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { utf8 } from "../bytes/bytes.js";
import { wsTokenBytes } from "../transport/ws-token.js";
import { isLoopbackHost } from "./node-loopback.js";

/** What a listener asks of a handshake. */
export interface HandshakeRules {
  /** The host as it was asked for. */
  readonly host: string;
  /** Whether only this machine can reach it. */
  readonly loopback: boolean;
  /** Whether it listens on every address of the machine. */
  readonly everywhere: boolean;
  readonly allowedOrigins: readonly string[];
  readonly token: string | undefined;
}

/** Why a handshake is refused. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly text: string;
}

/** Whether a handshake with these headers is refused; null when it may go on. */
export function refusalOf(headers: IncomingHttpHeaders, rules: HandshakeRules): Refusal | null {
  const { origin } = headers;
  if (origin !== undefined) {
    if (!rules.allowedOrigins.includes(origin)) {
      return forbidden(
        `Pages from ${JSON.stringify(origin)} may not connect here. Allow that origin where the ` +
          `daemon is started (katz daemon: --allow-origin).`,
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
 * Which of the sub-protocols offered the listener answers with: the one with the right token, or
 * any with a token where none is asked for; null when there is none.
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

// Digests have one length, so nothing is told about the token's length either.
function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  const digest = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function offeredTokens(headers: IncomingHttpHeaders): string[] {
  return (headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => wsTokenBytes(protocol) !== null);
}

// DNS rebinding: a page's own name may point to this machine, and its browser then says that name.
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
