/** The browser's WebSocket as a Transport, and its dialer. */
import { isArrayBuffer } from "../bytes/bytes.js";
import type { Timer } from "../clock/clock.js";
import { onAbort } from "../clock/on-abort.js";
import { realClock } from "../clock/real.js";
import { ConnectError, ProtocolError } from "../errors/errors.js";
import { formatAddress, formatHostPort, parseWsUrl, shownAddress } from "../transport/address.js";
import { MAX_WEBSOCKET_MESSAGE_BYTES } from "../transport/limits.js";
import type { Transport } from "../transport/transport.js";
import { type WebSocketPort, WebSocketTransport } from "../transport/websocket.js";
import { wsTokenProtocol } from "../transport/ws-token.js";
import type { DialOptions } from "./contract.js";

/** The part of a browser's WebSocket that is used here. */
interface BrowserWebSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array): void;
  close(code?: number): void;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
}
declare const WebSocket: new (url: string, protocols: string[]) => BrowserWebSocket;

/** How often a full queue is checked, in ms: browsers do not report when it gets shorter. */
const POLL_MS = 5;

class BrowserWebSocketPort implements WebSocketPort {
  readonly #socket: BrowserWebSocket;
  #timer: Timer | null = null;

  constructor(socket: BrowserWebSocket) {
    this.#socket = socket;
  }

  get queuedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(chunk: Uint8Array): void {
    this.#socket.send(chunk);
  }

  close(code: number): void {
    // Of the codes below 3000 a page may only send 1000; without a code the peer sees 1005.
    this.#socket.close(code === 1000 ? code : undefined);
  }

  terminate(): void {
    this.#timer?.cancel();
    this.#socket.close();
  }

  // A browser cannot make the peer wait, so data is buffered up to a limit (see below).
  pause(): void {}
  resume(): void {}

  onceDrained(limit: number, callback: () => void): void {
    const look = (): void => {
      if (this.queuedBytes < limit) callback();
      else this.#timer = realClock.after(POLL_MS, look);
    };
    look();
  }
}

function transportOf(socket: BrowserWebSocket, address: string): Transport {
  const transport = new WebSocketTransport(new BrowserWebSocketPort(socket), address);
  socket.onmessage = ({ data }) => {
    if (!isArrayBuffer(data)) {
      transport.onText();
      return;
    }
    transport.onBinary(new Uint8Array(data));
    if (transport.heldBytes > 2 * MAX_WEBSOCKET_MESSAGE_BYTES) {
      transport.onFailure(
        new ProtocolError(`${address} sent more than this page could buffer while it was paused`),
      );
    }
  };
  socket.onclose = ({ code }) => transport.onClosed(code);
  return transport;
}

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
  return new Promise((resolve, reject) => {
    const socket = newSocket(formatAddress(address), where, protocols);
    socket.binaryType = "arraybuffer";
    const settle = (): void => {
      leave?.();
      socket.onopen = null;
      socket.onclose = null;
    };
    const leave =
      signal &&
      onAbort(signal, () => {
        settle();
        socket.close();
        reject(signal.reason);
      });
    socket.onopen = () => {
      settle();
      resolve(transportOf(socket, where));
    };
    socket.onclose = ({ code }) => {
      settle();
      // Browsers hide the reason from pages on purpose; the console shows it.
      reject(
        new ConnectError(
          `cannot connect to ${where} (code ${code}). Is a daemon listening there, and does it ` +
            `accept this page's origin and token? To start one with an embedded network: ` +
            `npx katzenpost-thinclient daemon --listen ws://${formatHostPort(address)}${ofThisPage()}`,
        ),
      );
    };
  });
}

/** The flag that admits this page; empty if the page does not know its origin. */
function ofThisPage(): string {
  const { location } = globalThis as { readonly location?: { readonly origin?: unknown } };
  return typeof location?.origin === "string" ? ` --allow-origin ${location.origin}` : "";
}

function newSocket(url: string, where: string, protocols: string[]): BrowserWebSocket {
  try {
    return new WebSocket(url, protocols);
  } catch (cause) {
    // For example ws: from an https: page. The browser's message may repeat the address with its
    // query, so it is not kept as the cause.
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectError(`cannot connect to ${where}: ${why.replaceAll(url, where)}`);
  }
}
