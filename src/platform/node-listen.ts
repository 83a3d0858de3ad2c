/** Listening sockets. Not part of `#platform`, because only programs for Node listen. */
import { type Server, createServer } from "node:net";
import { checkFields } from "../errors/config-checks.js";
import { ConfigError } from "../errors/errors.js";
import { type Address, checkUnixPath, formatHostPort } from "../transport/address.js";
import type { Listener } from "../transport/transport.js";
import type { TcpNetwork } from "./contract.js";
import { ServerListener } from "./node-accepting.js";
import { type WsListenOptions, checkWsListen, listenWs } from "./node-listen-ws.js";
import { addressToListenOn } from "./node-loopback.js";
import { bindTcp } from "./node-tcp-bind.js";
import { socketTransport } from "./node-socket.js";
import { bindUnix } from "./node-unix-bind.js";
import { checkUnixLength } from "./node-unix-path.js";

export { type WsListenOptions, type WsRefusal, listenWs } from "./node-listen-ws.js";

/** Options of {@link listenTcp}. */
export interface TcpListenOptions {
  /** Whether other machines may connect; default false. */
  readonly allowRemote?: boolean | undefined;
}

/**
 * Listens on a Unix socket: a path, or `@name` for a Linux abstract one.
 *
 * For a path, a socket file is created to which only its owner can connect (mode 0600). It is
 * removed on close, and the file of a dead process is replaced. An abstract socket has no such
 * protection: every local user can connect to it. On Node 20 only Node 20 can connect to it (see
 * `padsAbstractNames`).
 * @throws ConfigError when another process already listens there, or the name cannot be used.
 */
export async function listenUnix(address: string): Promise<Listener> {
  checkUnixPath(address);
  checkUnixLength(address);
  const server = newServer();
  const removeFile = await bindUnix(server, address);
  return accepting(server, `unix:${address}`, () => `unix:${address}`, removeFile);
}

/**
 * Listens on a TCP port; port 0 means a free one. By default only loopback addresses are allowed.
 * @throws ConfigError when the port is in use, or the address cannot be used.
 */
export async function listenTcp(
  host: string,
  port: number,
  network: TcpNetwork = "tcp",
  options: TcpListenOptions = {},
): Promise<Listener> {
  checkFields("listenTcp", options, ["allowRemote"]);
  const address = await addressToListenOn(host, network, options.allowRemote === true);
  const server = newServer();
  const bound = await bindTcp(server, "tcp:", address, port, network === "tcp6");
  return accepting(
    server,
    `tcp:${formatHostPort({ host: address, port: bound })}`,
    (peer) => `tcp:${formatHostPort({ host: peer.address, port: peer.port })}`,
  );
}

/** Options of {@link listen}; those of a WebSocket are only allowed for `ws:` addresses. */
export type AnyListenOptions = Omit<WsListenOptions, "host" | "port">;

/**
 * Listens on an address of {@link import("../transport/address.js").parseAddress}.
 * @throws ConfigError as the function for its kind; for `wss:`, which needs a server in front; for
 * options that do not apply to the kind.
 */
export async function listen(address: Address, options: AnyListenOptions = {}): Promise<Listener> {
  if (address.kind === "ws") {
    refuseSecure(address);
    return listenWs({ ...options, host: address.host, port: address.port });
  }
  if (address.kind === "unix") {
    checkFields("listen on a Unix socket", options, []);
    return listenUnix(address.path);
  }
  return listenTcp(address.host, address.port, address.network, options);
}

// A connection must not start reading before a transport is made from it.
function newServer(): Server {
  return createServer({ pauseOnConnect: true, noDelay: true });
}

/**
 * Checks, without opening anything, whether {@link listen} accepts that address with those options.
 * It does not check who has the port or the name.
 * @throws ConfigError as {@link listen}.
 */
export async function checkListen(address: Address, options: AnyListenOptions = {}): Promise<void> {
  if (address.kind === "ws") {
    refuseSecure(address);
    await checkWsListen({ ...options, host: address.host, port: address.port });
  } else if (address.kind === "unix") {
    checkFields("listen on a Unix socket", options, []);
    checkUnixPath(address.path);
    checkUnixLength(address.path);
  } else {
    checkFields("listenTcp", options, ["allowRemote"]);
    await addressToListenOn(address.host, address.network, options.allowRemote === true);
  }
}

function refuseSecure({ secure }: Address & { readonly kind: "ws" }): void {
  if (!secure) return;
  throw new ConfigError(
    "cannot listen on wss: put a server with a certificate in front of a ws: listener",
  );
}

function accepting(
  server: Server,
  address: string,
  nameOf: (peer: { readonly address: string; readonly port: number }) => string,
  onClose?: () => void,
): Listener {
  const listener = new ServerListener(server, address, onClose);
  server.on("connection", (socket) => {
    const peer = { address: socket.remoteAddress ?? "?", port: socket.remotePort ?? 0 };
    listener.take(socketTransport(socket, nameOf(peer)));
  });
  return listener;
}
