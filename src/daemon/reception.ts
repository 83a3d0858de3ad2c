/** How a daemon accepts connections while it has no document (spec/thin-protocol §3.1, step 0). */
import type { Clock, Timer } from "../clock/clock.js";
import type { Timing } from "../mixnet/timing.js";
import type { Transport } from "../transport/transport.js";
import type { ClientConnection } from "./client-connection.js";

/** What a reception needs. */
export interface ReceptionOptions {
  readonly clock: Clock;
  readonly timing: Pick<Timing, "documentWaitMs">;
  /** Whether connections wait in parallel; see {@link Kindness.kindConnections}. */
  readonly kind: boolean;
  readonly hasDocument: () => boolean;
  /** Accepts a connection; nothing is sent yet. */
  readonly admit: (transport: Transport) => ClientConnection;
  /** Sends the first two messages, if the client is still there. */
  readonly greet: (connection: ClientConnection) => void;
}

/**
 * Greets a connection when there is a document, or after a while without one. The next connection
 * is not even accepted before that: it waits in line, and a client that has disconnected keeps its
 * place.
 */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #line: Transport[] = [];
  readonly #waiting = new Map<ClientConnection, Timer>();
  #closed = false;

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  /** Takes a new connection. */
  receive(transport: Transport): void {
    this.#line.push(transport);
    this.#next();
  }

  /** Greets those who waited for a document. */
  documentCame(): void {
    for (const connection of Array.from(this.#waiting.keys())) this.#greet(connection);
  }

  /** Closes the waiting connections and cancels all timers. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const transport of this.#line.splice(0)) transport.destroy();
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
  }

  #next(): void {
    const { clock, timing, kind } = this.#options;
    while (this.#line.length > 0 && !this.#closed) {
      if (this.#waiting.size > 0 && !kind) return;
      const connection = this.#options.admit(this.#line.shift()!);
      if (this.#options.hasDocument()) {
        this.#options.greet(connection);
        continue;
      }
      const giveUp = (): void => this.#greet(connection);
      const timer = clock.after(timing.documentWaitMs, giveUp, { background: true });
      this.#waiting.set(connection, timer);
    }
  }

  #greet(connection: ClientConnection): void {
    this.#waiting.get(connection)?.cancel();
    if (!this.#waiting.delete(connection) || this.#closed) return;
    this.#options.greet(connection);
    this.#next();
  }
}
