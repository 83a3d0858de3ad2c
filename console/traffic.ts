/** Packets on their planned routes across the map, and how many packets each node has seen. */
import type { ConsoleEvent } from "../src/console/protocol.js";

/** One stop on a packet's route: the packet arrives at `node` and rests there. */
interface Stop {
  readonly node: string;
  readonly from: number;
  readonly until: number;
}

/** A packet, or a command between courier and replica, on the map. */
export interface MovingPacket {
  readonly id: string | null;
  readonly kind: "packet" | "decoy" | "storage";
  readonly stops: readonly Stop[];
  /** An angle that separates this packet from others at the same node. */
  readonly phase: number;
  /** The first stop that counts for its node: a sender does not count its own packets. */
  readonly first: number;
  /** How many of the stops are already in the counts of their nodes. */
  counted: number;
  /** When the packet was lost; null if it was not. */
  lostAt: number | null;
}

/** Where a packet is at a given time. */
export interface Place {
  readonly from: string;
  readonly to: string;
  /** 0 at `from`, 1 at `to`. */
  readonly share: number;
  /** Whether the packet is lost. */
  readonly lost: boolean;
}

/** Longest time to draw a move from one node to the next, in ms. */
const LONGEST_MOVE_MS = 450;
/** The share of a rest that the move to the node may take. */
const MOVE_SHARE = 0.6;
/** Shortest time to draw a packet at a node, in ms. */
const SHORTEST_STOP_MS = 250;
/** How long a lost packet is drawn, in ms. */
const LOST_MS = 1500;
/** How long a command between courier and replica is drawn, in ms. */
const STORAGE_MS = 600;
const MOST_PACKETS = 2000;

/** The name of the application on the map. */
export const YOU = "you";

/** Tracks packets on the map. */
export class Traffic {
  #packets: MovingPacket[] = [];
  /** The last packets, moving or not, in the order of their events: for looking back. */
  #history: MovingPacket[] = [];
  readonly #counts = new Map<string, number>();
  /** The counts without the packets of the history. */
  readonly #before = new Map<string, number>();
  #now = 0;
  #seen = 0;

  get packets(): readonly MovingPacket[] {
    return this.#packets;
  }

  /** How many packets each node has seen so far, including cover traffic. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** When the oldest packet left that can still be shown; null before the first one. */
  get since(): number | null {
    return this.#history[0]?.stops[0]!.from ?? null;
  }

  clear(): void {
    this.#packets = [];
    this.#history = [];
    this.#counts.clear();
    this.#before.clear();
  }

  /** The packets that may have been under way at the time `at`, which may be long ago. */
  packetsAt(at: number): readonly MovingPacket[] {
    return this.#history.filter(({ stops }) => stops[0]!.from <= at && at <= stops.at(-1)!.until);
  }

  /** How many packets each node had seen at the time `at`. */
  countsAt(at: number): ReadonlyMap<string, number> {
    const counts = new Map(this.#before);
    for (const packet of this.#history) countStops(packet, 1, at, counts);
    return counts;
  }

  /** Adds the packets of one event, or marks a packet as lost. */
  add(event: ConsoleEvent): void {
    if (event.source === "storage") {
      const { at, from, to } = event.event === "asked" ? event : { ...event, ...turned(event) };
      this.#put({
        id: null,
        kind: "storage",
        stops: [
          { node: from, from: at, until: at },
          { node: to, from: at, until: at + STORAGE_MS },
        ],
        first: event.event === "asked" ? 1 : 2,
        lostAt: null,
      });
      return;
    }
    if (event.event === "lost" && event.packet !== null) {
      const packet = this.#packets.findLast(({ id }) => id === event.packet);
      // The packet still leaves its node and is then lost on the way.
      if (packet) packet.lostAt = event.at + (event.way === "forward" ? SHORTEST_STOP_MS : 0);
      return;
    }
    if (event.source !== "link" || event.event !== "sent") return;
    const stops: Stop[] = [{ node: YOU, from: event.at, until: event.at }];
    let at = event.at;
    for (const { node, delayMs } of [...event.forward, ...event.reply]) {
      stops.push({ node, from: at, until: at + Math.max(delayMs, SHORTEST_STOP_MS) });
      at += delayMs;
    }
    if (event.reply.length > 0) {
      stops.push({ node: YOU, from: at, until: at + SHORTEST_STOP_MS });
    }
    const kind = event.decoy ? "decoy" : "packet";
    this.#put({ id: event.packet, kind, stops, first: 1, lostAt: null });
  }

  #put(put: Omit<MovingPacket, "phase" | "counted">): void {
    const packet: MovingPacket = { ...put, counted: put.first, phase: this.#seen++ * 2.4 };
    this.#history.push(packet);
    if (this.#history.length > MOST_PACKETS) {
      countStops(this.#history.shift()!, 1, Infinity, this.#before);
    }
    // A packet that arrived before the page was opened is only counted.
    this.#count(packet);
    if (packet.stops.at(-1)!.until < this.#now) return;
    this.#packets.push(packet);
    if (this.#packets.length > MOST_PACKETS) this.#packets.shift();
  }

  /** Counts packets up to the time `now`, and drops those that have arrived or were lost. */
  advance(now: number): void {
    this.#now = now;
    for (const packet of this.#packets) this.#count(packet);
    this.#packets = this.#packets.filter(({ stops, lostAt }) =>
      lostAt === null ? stops.at(-1)!.until > now : lostAt + LOST_MS > now,
    );
  }

  #count(packet: MovingPacket): void {
    packet.counted = countStops(packet, packet.counted, this.#now, this.#counts);
  }
}

/** Counts a packet at its stops from number `from` on, up to a time; returns the next stop. */
function countStops(
  { stops, lostAt, first }: MovingPacket,
  from: number,
  until: number,
  counts: Map<string, number>,
): number {
  let at = Math.max(from, first);
  for (; at < stops.length; at++) {
    const stop = stops[at]!;
    if (stop.from > until || (lostAt !== null && stop.from > lostAt)) break;
    counts.set(stop.node, (counts.get(stop.node) ?? 0) + 1);
  }
  return at;
}

function turned({ from, to }: { readonly from: string; readonly to: string }) {
  return { from: to, to: from };
}

/** Where a packet is at a given time; null if it is not on the map. */
export function placeOf({ stops, lostAt }: MovingPacket, time: number): Place | null {
  if (lostAt !== null && time > lostAt + LOST_MS) return null;
  const now = lostAt === null ? time : Math.min(time, lostAt);
  let at = -1;
  for (let i = 1; i < stops.length; i++) if (stops[i]!.from <= now) at = i;
  if (at < 1) return null;
  const { node, from, until } = stops[at]!;
  if (lostAt === null && now > until) return null;
  const move = Math.min(LONGEST_MOVE_MS, (until - from) * MOVE_SHARE);
  const share = move <= 0 ? 1 : Math.min(1, (now - from) / move);
  return { from: stops[at - 1]!.node, to: node, share, lost: lostAt !== null && time >= lostAt };
}
