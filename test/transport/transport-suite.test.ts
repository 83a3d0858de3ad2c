import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { WebSocket } from "ws";
import { dialWs as dialWsFromBrowser } from "../../src/platform/browser-websocket.js";
import { listen, listenTcp, listenUnix, listenWs } from "../../src/platform/node-listen.js";
import { dialTcp, dialUnix, dialWs } from "../../src/platform/node.js";
import { ConnectError } from "../../src/errors/errors.js";
import { parseAddress } from "../../src/transport/address.js";
import { type MemoryListener, memoryListener } from "../../src/transport/memory.js";
import { dialPort, listenForPorts } from "../../src/workers/message-port.js";
import { oddPieces } from "./transport-recorder.js";
import { type TransportKind, transportSuite } from "./transport-suite.js";

/** A WebSocket with the browsers' interface; theirs does not throw errors without a listener. */
class BrowserLikeWebSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    this.on("error", () => {});
  }
}
Object.assign(globalThis, { WebSocket: BrowserLikeWebSocket });

const folder = mkdtempSync(join(tmpdir(), "katz-transport-"));
after(() => rmSync(folder, { recursive: true }));
let places = 0;

function memoryKind(cut?: (chunk: Uint8Array) => Iterable<Uint8Array>): TransportKind {
  const listeners = new Map<string, MemoryListener>();
  return {
    async listen(address = `memory:${places++}`) {
      const listener = memoryListener({ address, cut });
      listeners.set(address, listener);
      return listener;
    },
    dial(address, options) {
      const listener = listeners.get(address);
      return listener?.dial(options) ?? Promise.reject(new ConnectError(address));
    },
  };
}

/** A worker's scope and the outside are the two ends of a channel. */
function messagePortKind(): TransportKind {
  const scopes = new Map<string, { readonly outside: MessagePort; closed: boolean }>();
  return {
    async listen(address = `port:${places++}`) {
      const { port1: outside, port2: inside } = new MessageChannel();
      const scope = { outside, closed: false };
      scopes.set(address, scope);
      const listener = listenForPorts(inside, address);
      inside.start();
      inside.unref();
      return {
        address,
        open: (onTransport) => listener.open(onTransport),
        async close() {
          scope.closed = true;
          await listener.close();
          inside.close();
        },
      };
    },
    async dial(address, options) {
      const scope = scopes.get(address);
      if (scope === undefined || scope.closed) throw new ConnectError(address);
      return dialPort(scope.outside, { ...options, address });
    },
  };
}

function tcpKind(host: string, network: "tcp" | "tcp4" | "tcp6"): TransportKind {
  const place = (address: string): string => address.slice("tcp:".length);
  return {
    listen: (address) =>
      address === undefined ? listenTcp(host, 0, network) : listen(parseAddress(address)),
    dial: (address, options) => dialTcp(place(address), network, options),
  };
}

function unixKind(next: () => string): TransportKind {
  const place = (address: string): string => address.slice("unix:".length);
  return {
    listen: (address) => listenUnix(address === undefined ? next() : place(address)),
    dial: (address, options) => dialUnix(place(address), options),
  };
}

function wsKind(dial: typeof dialWs, token?: string): TransportKind {
  return {
    listen(address) {
      const port = address === undefined ? 0 : Number(/\d+$/.exec(address)![0]);
      return listenWs({ host: "127.0.0.1", port, token });
    },
    dial: (address, options) => dial(address, { ...options, token }),
  };
}

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.family === "IPv6" && one.internal);
const noIpv6 = hasIpv6 ? undefined : "this machine has no IPv6 loopback";
const noAbstract = process.platform === "linux" ? undefined : "only Linux has abstract sockets";

const counts = [
  transportSuite("memory", memoryKind()),
  transportSuite("memory in odd cuts", memoryKind(oddPieces)),
  transportSuite("message port", messagePortKind()),
  transportSuite("tcp", tcpKind("127.0.0.1", "tcp")),
  transportSuite("tcp4", tcpKind("localhost", "tcp4")),
  transportSuite("tcp6", tcpKind("::1", "tcp6"), noIpv6),
  transportSuite(
    "unix",
    unixKind(() => join(folder, `${places++}.sock`)),
  ),
  transportSuite(
    "abstract unix",
    unixKind(() => `@katz-transport-${process.pid}-${places++}`),
    noAbstract,
  ),
  transportSuite("ws", wsKind(dialWs)),
  transportSuite("ws with a token", wsKind(dialWs, "open sesame ✓")),
  transportSuite("ws from a browser", { ...wsKind(dialWsFromBrowser), takesInAll: true }),
  transportSuite("ws from a browser with a token", {
    ...wsKind(dialWsFromBrowser, "open sesame ✓"),
    takesInAll: true,
  }),
];

test("every kind ran the complete suite", () => {
  assert.deepEqual(
    counts,
    counts.map(() => 60),
  );
});
