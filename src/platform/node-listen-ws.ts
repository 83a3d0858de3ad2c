/** Listens on WebSockets, for browsers and for programs behind HTTP-only proxies. */
import { type IncomingMessage, STATUS_CODES, createServer } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { checkFields, checkText, quotedList } from "../errors/config-checks.js";
import { ConfigError } from "../errors/errors.js";
import { formatHostPort } from "../transport/address.js";
import { MAX_WEBSOCKET_MESSAGE_BYTES } from "../transport/limits.js";
import type { Listener } from "../transport/transport.js";
import { ServerListener } from "./node-accepting.js";
import { addressToListenOn, isLoopbackAddress } from "./node-loopback.js";
import { bindTcp } from "./node-tcp-bind.js";
import { webSocketTransport } from "./node-websocket.js";
import {
  type HandshakeRules,
  acceptedProtocol,
  refusalOf,
  sendRefusal,
} from "./node-ws-handshake.js";

/** How long a peer may take to send its handshake's headers, in ms. */
const HEADERS_TIMEOUT_MS = 10_000;

/** Options of {@link listenWs}. */
export interface WsListenOptions {
  /** A host name or an IP address. */
  readonly host: string;
  /** 0 means a free port. */
  readonly port: number;
  /**
   * Origins of web pages that may connect, e.g. `http://localhost:8080`; none by default. A page
   * also needs the token.
   */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * The secret that pages must send; all other clients too, unless `host` is a loopback address.
   */
  readonly token?: string | undefined;
  /**
   * Whether `host` may be an address that other machines can reach, which needs a token; default
   * false.
   */
  readonly allowRemote?: boolean | undefined;
  /** Called for every refused handshake; browsers hide the reason from pages. */
  readonly onRefusal?: ((refusal: WsRefusal) => void) | undefined;
}

/** A handshake that was refused. */
export interface WsRefusal {
  /** Origin of the page, as its browser reports it; null for programs other than browsers. */
  readonly origin: string | null;
  /** The reason, in one or two sentences; its origins and host names repeat what the peer sent. */
  readonly reason: string;
}

/**
 * Listens for WebSockets under any path. A handshake with an `Origin` header comes from a browser
 * and needs an allowed origin and the token. A handshake without one needs neither on a loopback
 * address, and the token elsewhere. Others are refused with 401 or 403 and a text that says why.
 */
export async function listenWs(options: WsListenOptions): Promise<Listener> {
  const { address, rules } = await handshakeRules(options);
  const server = createServer((_request, response) => {
    response.writeHead(426, { connection: "close", upgrade: "websocket" });
    response.end("This is a WebSocket listener of a Katzenpost daemon, not a web site.\n");
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  const bound = await bindTcp(server, "ws://", address, options.port, false);
  const listener = new ServerListener(
    server,
    `ws://${formatHostPort({ host: address, port: bound })}`,
  );
  const onSocket = (socket: WebSocket, peer: string): void => {
    listener.take(webSocketTransport(socket, peer));
  };
  acceptUpgrades(server, rules, { onSocket, onRefusal: options.onRefusal });
  return listener;
}

/** The IP address to listen on, and the rules for handshakes. */
async function handshakeRules(
  options: WsListenOptions,
): Promise<{ readonly address: string; readonly rules: HandshakeRules }> {
  const names = ["host", "port", "allowedOrigins", "token", "allowRemote", "onRefusal"];
  checkFields("listenWs", options, names);
  const { host, token } = options;
  const address = await addressToListenOn(host, "tcp", options.allowRemote === true);
  const rules: HandshakeRules = {
    host,
    loopback: isLoopbackAddress(address),
    everywhere: address === "0.0.0.0" || address === "::",
    allowedOrigins: (options.allowedOrigins ?? []).map(checkOrigin),
    token,
  };
  checkToken(rules);
  return { address, rules };
}

/**
 * Checks the options of {@link listenWs} without listening.
 * @throws ConfigError when an option is wrong or unknown.
 */
export async function checkWsListen(options: WsListenOptions): Promise<void> {
  await handshakeRules(options);
}

function acceptUpgrades(
  server: ReturnType<typeof createServer>,
  rules: HandshakeRules,
  hears: {
    readonly onSocket: (socket: WebSocket, peer: string) => void;
    readonly onRefusal: WsListenOptions["onRefusal"];
  },
): void {
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
    // A browser that offered sub-protocols disconnects unless the answer selects one of them.
    handleProtocols: (protocols) => acceptedProtocol(protocols, rules) ?? false,
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Nothing else handles errors while the handshake is being checked.
    socket.on("error", () => socket.destroy());
    const refusal = refusalOf(request.headers, rules);
    if (refusal !== null) {
      refuse(socket, refusal.status, refusal.text);
      hears.onRefusal?.({ origin: request.headers.origin ?? null, reason: refusal.text });
      return;
    }
    const { remoteAddress = "?", remotePort = 0 } = request.socket;
    const peer = `ws://${formatHostPort({ host: remoteAddress, port: remotePort })}`;
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      hears.onSocket(webSocket, peer);
    });
  });
}

function refuse(socket: Duplex, status: 401 | 403, text: string): void {
  const body = Buffer.from(`${text}\n`);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    ...(status === 401 ? ["WWW-Authenticate: Katzenpost-Token"] : []),
  ];
  sendRefusal(socket, Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]));
}

// Browsers write an origin in exactly one way; another spelling would never match.
function checkOrigin(origin: string): string {
  checkText("listenWs: each of allowedOrigins", origin);
  // Browsers send these for pages from files and for sandboxed pages.
  if (origin === "null" || origin === "file://") return origin;
  let canonical: string | undefined;
  try {
    canonical = new URL(origin).origin;
  } catch {
    canonical = undefined;
  }
  if (canonical === origin && canonical !== "null") return origin;
  const meant = canonical === undefined || canonical === "null" ? "" : ` (meant: ${canonical}?)`;
  throw new ConfigError(
    `listenWs: ${JSON.stringify(origin)} is not an origin${meant}; expected e.g. http://localhost:8080`,
  );
}

function checkToken(rules: HandshakeRules): void {
  const { token } = rules;
  if (token !== undefined) {
    checkText("listenWs: token", token);
    if (token === "") throw new ConfigError("listenWs: token must not be empty");
    return;
  }
  if (!rules.loopback) {
    throw new ConfigError("listenWs: allowRemote needs a token, otherwise everybody could connect");
  }
  if (rules.allowedOrigins.length > 0) {
    throw new ConfigError(
      `listenWs: allowedOrigins ${quotedList(rules.allowedOrigins)} needs a token: pages must ` +
        `connect with one`,
    );
  }
}
