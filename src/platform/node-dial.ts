/** Node's dialers: TCP, Unix sockets and WebSockets. */
import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { type NetConnectOpts, connect, isIP } from "node:net";
import { onAbort } from "../clock/on-abort.js";
import { ConfigError, ConnectError } from "../errors/errors.js";
import { checkUnixPath, formatHostPort, parseHostPort } from "../transport/address.js";
import type { Transport } from "../transport/transport.js";
import type { DialOptions, TcpNetwork } from "./contract.js";
import { describeFailure, failureCode } from "./node-failure.js";
import { ReadMemory, socketTransport } from "./node-socket.js";
import { checkUnixLength, padsAbstractNames, systemUnixPath } from "./node-unix-path.js";
export { dialWs } from "./node-dial-ws.js";

/** How long each address of a host is tried before the next one, in ms. */
const ATTEMPT_MS = 1000;

const families = { tcp: 0, tcp4: 4, tcp6: 6 } as const;

/** See the contract. @throws ConnectError; ConfigError when the address is malformed. */
export async function dialTcp(
  address: string,
  network: TcpNetwork,
  options: DialOptions = {},
): Promise<Transport> {
  const { host, port } = parseHostPort(address);
  const family = families[network];
  const literal = isIP(host);
  if (family !== 0 && literal !== 0 && literal !== family) {
    throw new ConfigError(
      `${network} cannot reach ${formatHostPort({ host, port })}: that is IPv${literal}`,
    );
  }
  const where = `${network}:${formatHostPort({ host, port })}`;
  return connected(
    {
      host,
      port,
      family,
      lookup: lookupIpv4First,
      autoSelectFamily: family === 0,
      autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
      noDelay: true,
    },
    where,
    `tcp:${formatHostPort({ host, port })}`,
    options.signal,
  );
}

/** See the contract. @throws ConnectError; ConfigError when the path is empty or too long. */
export async function dialUnix(address: string, options: DialOptions = {}): Promise<Transport> {
  checkUnixPath(address);
  checkUnixLength(address);
  const where = `unix:${address}`;
  const path = systemUnixPath(address);
  return connected({ path }, where, where, options.signal);
}

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

// A daemon on "localhost" is on 127.0.0.1 far more often than on ::1.
function lookupIpv4First(host: string, options: LookupOptions, callback: LookupCallback): void {
  const family = options.family === 4 || options.family === 6 ? options.family : 0;
  lookup(host, { all: true, family }, (error, addresses) => {
    const sorted = error ? [] : addresses.toSorted((a, b) => a.family - b.family);
    const first = sorted[0];
    if (error || first === undefined) callback(error, "", 0);
    else if (options.all) callback(null, sorted);
    else callback(null, first.address, first.family);
  });
}

function connected(
  options: NetConnectOpts,
  where: string,
  listenOn: string,
  signal: AbortSignal | undefined,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const memory = new ReadMemory();
    const socket = connect({ ...options, onread: memory.onread });
    // Nothing is read before the transport is opened.
    socket.pause();
    const leave =
      signal &&
      onAbort(signal, () => {
        socket.destroy();
        reject(signal.reason);
      });
    socket.once("connect", () => {
      leave?.();
      // Here and not after an await, because an error could come in between and find no listener.
      resolve(socketTransport(socket, where, memory));
    });
    socket.on("error", (cause) => {
      leave?.();
      reject(connectError(where, listenOn, cause));
    });
  });
}

// Codes that mean that the address is valid and no daemon is there.
const noDaemon = new Set(["ECONNREFUSED", "ENOENT"]);

function connectError(where: string, listenOn: string, cause: Error): ConnectError {
  let hint = "";
  if (noDaemon.has(failureCode(cause) ?? "")) {
    hint =
      `. Is the daemon running? To start one with an embedded network: ` +
      `npx katzenpost-thinclient daemon --listen ${listenOn}`;
    if (padsAbstractNames && listenOn.startsWith("unix:@")) {
      hint +=
        `. This Node (${process.version}) reaches an abstract socket only if a similar Node ` +
        `listens; for other daemons use a path, TCP, or Node 22`;
    }
  }
  return new ConnectError(`cannot connect to ${where}: ${describeFailure(cause)}${hint}`, {
    cause,
  });
}
