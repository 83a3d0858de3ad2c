/** Dialer of Node for WebSockets. */
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

/** A refusal's text is shown up to this many bytes. */
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
    // Stays: ending an unfinished handshake reports an error, too.
    socket.on("error", (cause) => fail(explain(cause, address, options.token), cause));
  });
}

function newSocket(address: ReturnType<typeof parseWsUrl>, protocols: string[]): WebSocket {
  try {
    // The whole address: what is shown leaves the query out.
    return new WebSocket(formatAddress(address), protocols, {
      perMessageDeflate: false,
      maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
      followRedirects: false,
    });
  } catch {
    // Without the cause, whose words repeat the address, query and all.
    throw new ConfigError(`address "${shownAddress(address)}" is not one that WebSockets take`);
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
      `To start one: npx katzenpost-thinclient daemon --listen ws://${formatHostPort(address)}`
    );
  }
  if (token !== undefined && /subprotocol/i.test(cause.message)) {
    return "the listener does not know about tokens; try it without one";
  }
  return describeFailure(cause);
}

/** What the server said instead of agreeing. */
async function refusal(response: IncomingMessage): Promise<string> {
  const status = `it answered ${response.statusCode} ${response.statusMessage}`;
  let text = "";
  try {
    for await (const chunk of response.setEncoding("utf8")) {
      text += chunk;
      if (text.length > LONGEST_REFUSAL) break;
    }
  } catch {
    // The status says enough.
  }
  // One line, printable: the text comes from whatever program listens there.
  const line = text
    .slice(0, LONGEST_REFUSAL)
    .replace(/[\p{C}\s]+/gu, " ")
    .trim();
  return line === "" ? status : `${status}: ${line}`;
}
