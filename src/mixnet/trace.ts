/**
 * What a link does, event by event, for people who watch it. The types hold names, shortened IDs,
 * numbers and reasons, and have no field for a payload, a capability or a key.
 */
import { toHex } from "../bytes/bytes.js";
import type { Route } from "./path.js";

/** A node on the route of a packet. */
export interface TraceHop {
  /** Its name in documents, e.g. `mix3`. */
  readonly node: string;
  /** The packet's delay there, in ms, as the sender chose it. */
  readonly delayMs: number;
}

/** One thing that a link did or saw. IDs are the first 4 bytes in hex. */
export type LinkTrace = {
  /** The source of the event: a link to a mixnet. */
  readonly source: "link";
  /** When it happened, in ms since 1970, by the link's clock. */
  readonly at: number;
} & (
  | {
      /** A connection to a gateway is being made. */
      readonly event: "connecting";
      /** Its name in documents. */
      readonly gateway: string;
      /** The dialled URL; null inside one process. */
      readonly address: string | null;
    }
  | {
      /** The handshake has finished: packets can leave. */
      readonly event: "connected";
      /** Its name in documents. */
      readonly gateway: string;
      /** From the dial to the end of the handshake, in ms. */
      readonly durationMs: number;
    }
  | {
      /** The connection ended, or could not be made. */
      readonly event: "disconnected";
      /** Its name in documents; null if none was chosen yet. */
      readonly gateway: string | null;
      /** Why. */
      readonly reason: string;
    }
  | {
      /** A document became known. */
      readonly event: "document";
      /** The epoch of the document. */
      readonly epoch: number;
      /** Its length in bytes. */
      readonly length: number;
    }
  | {
      /** A gateway's document is invalid, so the link leaves that gateway. */
      readonly event: "documentRefused";
      /** The gateway's name in documents. */
      readonly gateway: string;
      /** The epoch of the document that was asked for. */
      readonly epoch: number;
      /** What is wrong with it. */
      readonly reason: string;
    }
  | {
      /** A packet left. All packets have the same length on the wire. */
      readonly event: "sent";
      /** Its SURB ID; null without a reply block. */
      readonly packet: string | null;
      /** Whether it is cover traffic, which nobody else can see. */
      readonly decoy: boolean;
      /** Gateway, one mix per layer, service node, with the delays that the link chose. */
      readonly forward: readonly TraceHop[];
      /** The route of the reply: one mix per layer, gateway; empty without a reply block. */
      readonly reply: readonly TraceHop[];
      /** The planned round-trip time, in ms; 0 without a reply block. */
      readonly replyEtaMs: number;
    }
  | {
      /** A reply was opened. */
      readonly event: "reply";
      /** The packet that it answers. */
      readonly packet: string;
      /** Whether that packet was cover traffic. */
      readonly decoy: boolean;
    }
  | {
      /** A packet or its reply was lost. Only the embedded network knows this. */
      readonly event: "lost";
      /** Its SURB ID; null without a reply block. */
      readonly packet: string | null;
      /** Whether it was cover traffic. */
      readonly decoy: boolean;
      /** Which of the two was lost. */
      readonly way: "forward" | "reply";
    }
);

/** Receives events; it must return quickly. If it throws, the error is ignored. */
export type TraceHook<T> = (trace: T) => void;

/** How many bytes of an ID are shown: enough to tell two apart, too few to look anything up. */
const SHOWN_ID_BYTES = 4;

/** The beginning of an ID in hex, as in events. */
export function shortId(id: Uint8Array): string {
  return toHex(id.subarray(0, SHOWN_ID_BYTES));
}

/** Wraps a hook so that its errors are ignored; null if there is no hook. */
export function quietHook<T>(hook: TraceHook<T> | undefined): TraceHook<T> | null {
  if (hook === undefined) return null;
  return (trace) => {
    try {
      hook(trace);
    } catch {
      // A trace must not disturb what it traces.
    }
  };
}

/** A route as in events. */
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

/** How many events are kept by default. */
const USUAL_CAPACITY = 10_000;

/** Keeps the last events; the oldest are dropped for new ones. */
export class TraceRing<T> {
  readonly #capacity: number;
  readonly #events: T[] = [];
  #added = 0;

  /**
   * @param capacity how many events are kept; 10,000 by default.
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

  /** How many events were added so far, including dropped ones. */
  get added(): number {
    return this.#added;
  }

  /** Adds an event. It can be used as a hook: `onTrace: ring.add`. */
  readonly add = (event: T): void => {
    this.#events[this.#added % this.#capacity] = event;
    this.#added++;
  };

  /**
   * The kept events, oldest first.
   * @param from leaves out events before this number, counted from 0.
   */
  events(from = 0): T[] {
    const first = Math.max(from, this.#added - this.#events.length, 0);
    const found: T[] = [];
    for (let i = first; i < this.#added; i++) found.push(this.#events[i % this.#capacity]!);
    return found;
  }
}
