/** What the listeners of Node have in common. */
import type { Server } from "node:net";
import type { Listener, Transport } from "../transport/transport.js";

/** Connections that may wait for `open`; more are disconnected. */
const MOST_EARLY = 128;

/** A {@link Listener} over a server that listens already. */
export class ServerListener implements Listener {
  readonly address: string;
  readonly #server: Server;
  readonly #early: Transport[] = [];
  #onTransport: ((transport: Transport) => void) | null = null;
  #closing: Promise<void> | null = null;
  readonly #onClose: () => void;

  /** @param onClose called when nobody can connect any more. */
  constructor(server: Server, address: string, onClose: () => void = () => {}) {
    this.#server = server;
    this.#onClose = onClose;
    this.address = address;
    // One connection could not be accepted, e.g. for too many open files. Its peer was hung up on,
    // and the next one may do better.
    server.on("error", () => {});
  }

  open(onTransport: (transport: Transport) => void): void {
    this.#onTransport = onTransport;
    for (const transport of this.#early.splice(0)) onTransport(transport);
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      for (const transport of this.#early.splice(0)) transport.destroy();
      // Its callback waits for the connections, too, and those live on. The address is free, and a
      // socket file gone, once the event loop went round.
      this.#server.close();
      this.#onClose();
      setImmediate(resolve);
    });
    return this.#closing;
  }

  /** A connection was made. */
  take(transport: Transport): void {
    if (this.#closing !== null) transport.destroy();
    else if (this.#onTransport !== null) this.#onTransport(transport);
    else if (this.#early.length < MOST_EARLY) this.#early.push(transport);
    else transport.destroy();
  }
}
