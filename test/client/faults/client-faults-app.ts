/**
 * A client in a fault schedule, with its connection to the daemon and all events that it receives.
 */
import { ThinClient } from "../../../src/client/thin-client.js";
import type { Clock } from "../../../src/clock/clock.js";
import { type ClientEvent, eventTypes } from "../../../src/config/events.js";
import { ConnectError, SlowConsumerError } from "../../../src/errors/errors.js";
import { memoryPair } from "../../../src/transport/memory.js";
import type { Transport } from "../../../src/transport/transport.js";
import { FaultyLine } from "./client-faults-line.js";

/** A reader that reads nothing until the end of the schedule. */
interface SlowReader {
  readonly from: number;
  readonly maxQueue: number;
  readonly events: AsyncIterator<ClientEvent>;
}

/** The options of an application. */
export interface AppOptions {
  readonly number: number;
  readonly clock: Clock;
  readonly sessionToken: Uint8Array;
  readonly maxInFlight: number;
  /** Connects the client to the daemon; returns false if no daemon runs. */
  readonly serve: (transport: Transport) => boolean;
}

/** The client of one application. */
export class App {
  readonly number: number;
  readonly client: ThinClient;
  /** The current connection of the client, or its last one. */
  line: FaultyLine | null = null;
  /** How many of the next dials fail. */
  refusals = 0;
  /** Whether the next connection is accepted but stays silent. */
  silence = false;
  /** Whether the next connection breaks in the middle of the answer to the session token. */
  cutHandshake = false;
  readonly #events: ClientEvent[] = [];
  readonly #readers: SlowReader[] = [];
  readonly #serve: AppOptions["serve"];

  constructor({ number, clock, sessionToken, maxInFlight, serve }: AppOptions) {
    this.number = number;
    this.#serve = serve;
    this.client = new ThinClient(
      { dial: { unix: { address: "@never-dialled" } } },
      {
        clock,
        sessionToken,
        maxInFlight,
        dial: () => this.#dial(),
        reconnect: { initialDelayMs: 400, maxDelayMs: 4000 },
      },
    );
    for (const type of eventTypes) {
      this.client.on(type, (event) => void this.#events.push(event));
    }
  }

  async #dial(): Promise<Transport> {
    const [near, far] = memoryPair();
    if (this.refusals > 0) {
      this.refusals--;
      throw new ConnectError("the dial was refused");
    }
    if (this.silence) this.silence = false;
    else if (!this.#serve(far)) throw new ConnectError("no daemon runs");
    this.line = new FaultyLine(near);
    if (this.cutHandshake) this.line.cutNext("down", 1);
    this.cutHandshake = false;
    return this.line;
  }

  /** Whether requests reach the daemon and its answers reach the client. */
  get isServed(): boolean {
    return this.client.isState("ready") && this.line!.isSound;
  }

  /** Starts to read events, but does not continue. */
  readSlowly(maxQueue: number): void {
    const events = this.client.events({ maxQueue });
    this.#readers.push({ from: this.#events.length, maxQueue, events });
  }

  /** Lists the events that slow readers missed or got wrong. Call it after the client is closed. */
  async checkReaders(): Promise<{ readonly told: number; readonly wrong: readonly string[] }> {
    const wrong: string[] = [];
    let told = 0;
    for (const { from, maxQueue, events } of this.#readers) {
      const right = this.#events.slice(from);
      let read = 0;
      let wasTold = false;
      try {
        for (let next = await events.next(); !next.done; next = await events.next()) {
          if (next.value !== right[read++]) wrong.push(`event ${read - 1} is a different one`);
        }
      } catch (error) {
        wasTold = error instanceof SlowConsumerError;
      }
      if (read !== Math.min(right.length, maxQueue)) wrong.push(`${read} events were read`);
      if (wasTold !== right.length > maxQueue) wrong.push(`it was reported: ${wasTold}`);
      if (wasTold) told++;
    }
    return { told, wrong };
  }
}
