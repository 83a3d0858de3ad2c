/** Node's dialer for WebSockets. */
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { onAbort } from "../clock/on-abort.js";
import { ConfigError, ConnectError } from "../errors/errors.js";
import { formatAddress, formatHostPort, parseWsUrl, shownAddress } from "../transport/address.js";
import { MAX_WEBSOCKET_MESSAGE_BYTES } from "../transport/limits.js";
import type { Transport } from "../transport/transport.js";
import { wsTokenProtocol } from "../transport/ws-token.js";
import type { DialOptions } from "./contract.js";
import { describeFailure, failureCode } from "./node-failure.js";
import { webSocketTransport } from "./node-websocket.js";

/** The most bytes of a refusal's text that are shown. */
const LONGEST_REFUSAL = 1024;

/** See the contract. @throws ConnectError; ConfigError when the URL is malformed. */
export async function dialWs(
  url: string,
  options: DialOptions & { readonly token?: string | undefined } = {},
): Promise<Transport> {
  const address = parseWsUrl(url);
  const where = shownAddress(address);
  const protocols = options.token === undefined ? [] : [wsTokenProtocol(options.token)];
  const { signal } = options;
  signal?.throwIfAborted();
  const socket = newSocket(address, protocols);
  return new Promise((resolve, reject) => {
    const leave =
      signal &&
      onAbort(signal, () => {
        socket.terminate();
        reject(signal.reason);
      });
    const fail = (what: string, cause?: Error): void => {
      leave?.();
      reject(new ConnectError(`cannot connect to ${where}: ${what}`, { cause }));
    };
    socket.once("open", () => {
      leave?.();
      if (!signal?.aborted) resolve(webSocketTransport(socket, where));
    });
    socket.on("unexpected-response", (_request, response) => {
      void refusal(response).then((text) => {
        fail(text);
        socket.terminate();
      });
    });
    // This listener stays, because ending an unfinished handshake also reports an error.
    socket.on("error", (cause) => fail(explain(cause, address, options.token), cause));
  });
}

function newSocket(address: ReturnType<typeof parseWsUrl>, protocols: string[]): WebSocket {
  try {
    // The whole address; messages leave its query out.
    return new WebSocket(formatAddress(address), protocols, {
      perMessageDeflate: false,
      maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
      followRedirects: false,
    });
  } catch {
    // Without the cause, whose message repeats the address with its query.
    throw new ConfigError(`WebSockets do not accept the address "${shownAddress(address)}"`);
  }
}

function explain(
  cause: Error,
  address: ReturnType<typeof parseWsUrl>,
  token: string | undefined,
): string {
  if (failureCode(cause) === "ECONNREFUSED") {
    return (
      `${describeFailure(cause)}. Is the daemon running? ` +
      `To start one with an embedded network: npx katzenpost-thinclient daemon --listen ws://${formatHostPort(address)}`
    );
  }
  if (token !== undefined && /subprotocol/i.test(cause.message)) {
    return "the listener does not use tokens; try it without one";
  }
  return describeFailure(cause);
}

/** The server's answer when it refused. */
async function refusal(response: IncomingMessage): Promise<string> {
  const status = `it answered ${response.statusCode} ${response.statusMessage}`;
  let text = "";
  try {
    for await (const chunk of response.setEncoding("utf8")) {
      text += chunk;
      if (text.length > LONGEST_REFUSAL) break;
    }
  } catch {
    // The status is enough.
  }
  // One printable line: any program may have sent this text.
  const line = text
    .slice(0, LONGEST_REFUSAL)
    .replace(/[\p{C}\s]+/gu, " ")
    .trim();
  return line === "" ? status : `${status}: ${line}`;
}
