/** The page's connection to the console's process. */
import {
  type ConsoleAction,
  type ToPage,
  decodeToPage,
  encodeMessage,
} from "../src/console/protocol.js";
import { wsTokenProtocol } from "../src/transport/ws-token.js";

/** How the connection is. */
export type ConnectionState = "connecting" | "open" | "lost" | "no token";

/** How long to wait before the next try, in ms. */
const RETRY_MS = 1000;

/** Under this name the token outlives a reload of the page, in this tab only. */
const TOKEN_KEY = "katz console token";

/** The token from the address, which is taken out of sight, or from before a reload. */
function takeToken(): string {
  const fromAddress = location.hash.slice(1);
  if (fromAddress !== "") {
    sessionStorage.setItem(TOKEN_KEY, fromAddress);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN_KEY) ?? "";
}

/** What hears of the connection. */
export interface ConnectionHandlers {
  readonly onState: (state: ConnectionState) => void;
  readonly onMessage: (message: ToPage) => void;
}

/** Connects, and connects again when the connection was lost. Gives what sends. */
export function connect({ onState, onMessage }: ConnectionHandlers): (a: ConsoleAction) => void {
  const token = takeToken();
  if (token === "") {
    onState("no token");
    return () => {};
  }
  let socket: WebSocket | null = null;
  const dial = (): void => {
    const dialled = new WebSocket(`ws://${location.host}/socket`, [wsTokenProtocol(token)]);
    dialled.binaryType = "arraybuffer";
    dialled.addEventListener("open", () => {
      socket = dialled;
      onState("open");
    });
    dialled.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) => {
      onMessage(decodeToPage(new Uint8Array(data)));
    });
    dialled.addEventListener("close", () => {
      socket = null;
      onState("lost");
      setTimeout(dial, RETRY_MS);
    });
  };
  onState("connecting");
  dial();
  return (action) => socket?.send(encodeMessage(action));
}
