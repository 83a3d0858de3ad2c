/** Common code of Node's listeners. */
import type { Server } from "node:net";
import type { Listener, Transport } from "../transport/transport.js";

/** How many connections may wait for `open`; further ones are disconnected. */
const MOST_EARLY = 128;

/** A {@link Listener} for a server that already listens. */
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
    // One connection could not be accepted, e.g. because of too many open files. The peer was
    // disconnected; the next one may succeed.
    server.on("error", () => {});
  }

  open(onTransport: (transport: Transport) => void): void {
    this.#onTransport = onTransport;
    for (const transport of this.#early.splice(0)) onTransport(transport);
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      for (const transport of this.#early.splice(0)) transport.destroy();
      // The server's callback would also wait for the connections, which stay open. The address is
      // free, and a socket file removed, after one turn of the event loop.
      this.#server.close();
      this.#onClose();
      setImmediate(resolve);
    });
    return this.#closing;
  }

  /** Takes a new connection. */
  take(transport: Transport): void {
    if (this.#closing !== null) transport.destroy();
    else if (this.#onTransport !== null) this.#onTransport(transport);
    else if (this.#early.length < MOST_EARLY) this.#early.push(transport);
    else transport.destroy();
  }
}
