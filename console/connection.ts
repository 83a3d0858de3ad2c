/** The page's connection to the console process. */
import {
  type ConsoleAction,
  type ToPage,
  decodeToPage,
  encodeMessage,
} from "../src/console/protocol.js";
import { wsTokenProtocol } from "../src/transport/ws-token.js";

/**
 * `waiting` and `closed` are for a console beside a program in the same page: no program has run
 * yet, or its network is gone.
 */
export type ConnectionState = "connecting" | "open" | "lost" | "no token" | "waiting" | "closed";

/** Delay before the next connection attempt, in ms. */
const RETRY_MS = 1000;

/** Key of the token in the session storage: it survives a reload, but only in this tab. */
const TOKEN_KEY = "katz console token";

/**
 * Takes the token from the address and hides it there; after a reload, returns the stored token.
 */
function takeToken(): string {
  const fromAddress = location.hash.slice(1);
  if (fromAddress !== "") {
    sessionStorage.setItem(TOKEN_KEY, fromAddress);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN_KEY) ?? "";
}

/** What a connection calls when its state changes or a message arrives. */
export interface ConnectionHandlers {
  readonly onState: (state: ConnectionState) => void;
  readonly onMessage: (message: ToPage) => void;
}

/** What the page around the console sends. */
type FromHost =
  | { readonly type: "message"; readonly message: ToPage }
  | { readonly type: "begun" | "closed" };

/** Takes messages from the page around this one, which runs the network. */
function connectToHost({ onState, onMessage }: ConnectionHandlers): (a: ConsoleAction) => void {
  const host = window.parent;
  addEventListener("message", ({ data, source, origin }: MessageEvent<FromHost>) => {
    if (source !== host || origin !== location.origin) return;
    if (data.type === "message") {
      onState("open");
      onMessage(data.message);
    } else onState(data.type === "begun" ? "connecting" : "closed");
  });
  onState("waiting");
  host.postMessage({ type: "ready" }, location.origin);
  return (action) => host.postMessage({ type: "action", action }, location.origin);
}

/**
 * Connects, and reconnects when the connection is lost. Returns the function that sends actions.
 */
export function connect({ onState, onMessage }: ConnectionHandlers): (a: ConsoleAction) => void {
  if (document.documentElement.dataset["host"] === "page") {
    return connectToHost({ onState, onMessage });
  }
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
