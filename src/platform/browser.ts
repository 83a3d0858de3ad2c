/** The platform of browsers: WebSockets only, no files, primitives in JavaScript. */
import { ConfigError, UnsupportedTransportError } from "../errors/errors.js";
import type { Transport } from "../transport/transport.js";
import type * as here from "./browser.js";
import type * as contract from "./contract.js";

export { crc32 } from "../bytes/crc32.js";
export {
  aes256Ctr,
  blake2b512,
  chacha20Poly1305Open,
  chacha20Poly1305Seal,
  ed25519Verify,
  hkdfBlake2b512,
  hmacSha256,
  sha512,
  shake256,
  x25519PublicKey,
  x25519SharedSecret,
} from "./browser-crypto.js";
export { gunzip, gzip } from "./browser-gzip.js";
export { dialWs } from "./browser-websocket.js";
export { offThreadX25519 } from "./browser-x25519.js";
export { spawnCtidhWorker } from "./browser-worker.js";

/** A page that goes away closes its WebSocket; the daemon's grace period handles the rest. */
export function onProcessEnd(_callback: () => void): () => void {
  return () => {};
}

/** The part of a page's or worker's global scope that is used here. */
interface WakingScope {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
  readonly document?: WakingScope & { readonly visibilityState: string };
}

/** See the contract. */
export function onWake(callback: () => void): () => void {
  const scope = globalThis as unknown as WakingScope;
  const { document } = scope;
  const onVisibility = (): void => {
    if (document?.visibilityState === "visible") callback();
  };
  // Back from the cache of pages, and back on the network.
  const types = ["pageshow", "online"];
  for (const type of types) scope.addEventListener?.(type, callback);
  document?.addEventListener?.("visibilitychange", onVisibility);
  return () => {
    for (const type of types) scope.removeEventListener?.(type, callback);
    document?.removeEventListener?.("visibilitychange", onVisibility);
  };
}

function unsupported(what: string, address: string): Promise<never> {
  return Promise.reject(
    new UnsupportedTransportError(
      `cannot connect to ${address}: a browser has no ${what}. ` +
        `Let the daemon listen on a WebSocket and dial that: { ws: { address: "ws://…" } }`,
    ),
  );
}

/** Always rejects. @throws UnsupportedTransportError */
export function dialTcp(
  address: string,
  network: contract.TcpNetwork,
  _options?: contract.DialOptions,
): Promise<Transport> {
  return unsupported("TCP sockets", `${network}:${address}`);
}

/** Always rejects. @throws UnsupportedTransportError */
export function dialUnix(address: string, _options?: contract.DialOptions): Promise<Transport> {
  return unsupported("Unix sockets", `unix:${address}`);
}

/** Always rejects. @throws ConfigError */
export function readText(_path: string): Promise<string> {
  return Promise.reject(
    new ConfigError("a browser cannot read files; pass the text or the values"),
  );
}

/** Compiles only if this file satisfies the contract. */
export type Honours<T extends typeof contract = typeof here> = T;
