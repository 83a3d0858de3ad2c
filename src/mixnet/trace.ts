/**
 * What a link does, told event by event to people who watch it. The types hold names, shortened
 * ids, numbers and reasons: there is no field for a payload, a capability or a key.
 */
import { toHex } from "../bytes/bytes.js";
import type { Route } from "./path.js";

/** A node on the way of a packet. */
export interface TraceHop {
  /** The name that it has in documents, e.g. `mix3`. */
  readonly node: string;
  /** How long the packet rests there, in ms, as the sender chose it. */
  readonly delayMs: number;
}

/** One thing that a link did or saw. Ids are the first 4 bytes in hex. */
export type LinkTrace = {
  /** Who tells: a link to a mixnet. */
  readonly source: "link";
  /** When it happened, in ms since 1970, by the clock of the link. */
  readonly at: number;
} & (
  | {
      /** A connection to a gateway is being made. */
      readonly event: "connecting";
      /** Its name in documents. */
      readonly gateway: string;
      /** The URL that is dialled; null inside one process. */
      readonly address: string | null;
    }
  | {
      /** The handshake is done: packets can leave. */
      readonly event: "connected";
      /** Its name in documents. */
      readonly gateway: string;
      /** From the dial to the end of the handshake. */
      readonly durationMs: number;
    }
  | {
      /** The connection ended, or could not be made. */
      readonly event: "disconnected";
      /** Its name in documents; null when none was chosen yet. */
      readonly gateway: string | null;
      /** Why. */
      readonly reason: string;
    }
  | {
      /** A document became known. */
      readonly event: "document";
      /** The epoch that it is for. */
      readonly epoch: number;
      /** Its length in bytes. */
      readonly length: number;
    }
  | {
      /** A packet left. All packets have the same length on the wire. */
      readonly event: "sent";
      /** Its reply block; null when it has none. */
      readonly packet: string | null;
      /** Whether it is cover traffic, which nobody else can tell. */
      readonly decoy: boolean;
      /** Gateway, one mix a layer, service node: with the delays that the link chose. */
      readonly forward: readonly TraceHop[];
      /** The way of the reply: one mix a layer, gateway; empty without a reply block. */
      readonly reply: readonly TraceHop[];
      /** How long the whole way takes as planned, in ms; 0 without a reply block. */
      readonly replyEtaMs: number;
    }
  | {
      /** A reply was opened. */
      readonly event: "reply";
      /** The packet that it answers. */
      readonly packet: string;
      /** Whether that was cover traffic. */
      readonly decoy: boolean;
    }
  | {
      /** A packet or its reply is gone. Only the embedded network knows this. */
      readonly event: "lost";
      /** Null when it had no reply block. */
      readonly packet: string | null;
      /** Whether it was cover traffic. */
      readonly decoy: boolean;
      /** Which of the two was lost. */
      readonly way: "forward" | "reply";
    }
);

/** Hears of events; must not take long. What it throws is ignored. */
export type TraceHook<T> = (trace: T) => void;

/** How many bytes of an id are told: enough to tell two apart, too few to find anything by it. */
const SHOWN_ID_BYTES = 4;

/** The beginning of an id in hex, as events name it. */
export function shortId(id: Uint8Array): string {
  return toHex(id.subarray(0, SHOWN_ID_BYTES));
}

/** A hook whose errors stay with it; null when nobody wants to hear. */
export function quietHook<T>(hook: TraceHook<T> | undefined): TraceHook<T> | null {
  if (hook === undefined) return null;
  return (trace) => {
    try {
      hook(trace);
    } catch {
      // What watches must not disturb what it watches.
    }
  };
}

/** A route as events tell it. */
export function traceRoute(route: Route): {
  readonly forward: readonly TraceHop[];
  readonly reply: readonly TraceHop[];
} {
  const told = ({ node, delayMs }: Route["forward"][number]): TraceHop => ({
    node: node.name,
    delayMs,
  });
  return { forward: route.forward.map(told), reply: route.reply.map(told) };
}

/** How many events are kept unless something else is said. */
const USUAL_CAPACITY = 10_000;

/** The last events, the oldest of which make room for new ones. */
export class TraceRing<T> {
  readonly #capacity: number;
  readonly #events: T[] = [];
  #added = 0;

  /**
   * @param capacity how many events are kept; 10,000 unless given.
   * @throws RangeError when `capacity` is not a whole number from 1 up.
   */
  constructor(capacity = USUAL_CAPACITY) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new RangeError(
        `\`capacity\` must be a whole number from 1 up, got ${String(capacity)}`,
      );
    }
    this.#capacity = capacity;
  }

  /** How many events were added so far, those that made room included. */
  get added(): number {
    return this.#added;
  }

  /** Adds an event. A hook: `onTrace: ring.add`. */
  readonly add = (event: T): void => {
    this.#events[this.#added % this.#capacity] = event;
    this.#added++;
  };

  /**
   * The events that are kept, oldest first.
   * @param from leaves out those before the event of that number, counted from 0.
   */
  events(from = 0): T[] {
    const first = Math.max(from, this.#added - this.#events.length, 0);
    const found: T[] = [];
    for (let i = first; i < this.#added; i++) found.push(this.#events[i % this.#capacity]!);
    return found;
  }
}
