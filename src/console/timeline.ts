/** Groups events into one row for each call: the request, what it waits for, and its result. */
import type { TraceHop } from "../mixnet/trace.js";
import { bounded } from "./bounded.js";
import type { ConsoleEvent } from "./protocol.js";

/** One event of a call. */
export interface TimelineStep {
  readonly at: number;
  readonly kind: "sealed" | "queued" | "sent" | "reply" | "ack" | "again" | "lost" | "end";
  readonly text: string;
  /** The nodes on the route, with the packet's delay at each; empty if there is none. */
  readonly way: readonly TraceHop[];
}

/** One call of an application. */
export interface TimelineRow {
  readonly key: string;
  /** The kind of call: `read`, `write`, `copy`, `message`, or the name of a client's call. */
  readonly title: string;
  /** The application's session; null for the console's own calls if only they are known. */
  readonly session: string | null;
  readonly began: number;
  ended: number | null;
  outcome: "running" | "ok" | "refused" | "cancelled";
  /** Thin-client error code; null while it runs, or if unknown. */
  code: number | null;
  attempts: number;
  readonly steps: TimelineStep[];
}

/** The most rows that are kept; the oldest are dropped. */
const MOST_ROWS = 300;
/** The most packets whose rows are remembered. */
const MOST_PACKETS = 5000;

const noWay: readonly TraceHop[] = [];

/** The meanings of the most frequent result codes; others are shown as numbers. */
const meanings: Readonly<Record<number, string>> = {
  1: "there is no such box (yet)",
  2: "the box ID was invalid",
  4: "the replica's database failed",
  5: "the replica found the payload invalid",
  6: "the replica's storage is full",
  7: "the replica failed inside",
  10: "the box was written before",
  11: "the box was deleted",
  24: "cancelled",
};

/** Groups events into rows. */
export class Timeline {
  readonly #rows = new Map<string, TimelineRow>();
  readonly #sealing = new Map<string, number>();
  readonly #sealed = new Map<string, readonly [began: number, ended: number]>();
  readonly #byPacket = new Map<string, TimelineRow>();
  readonly #early = new Map<string, TimelineStep>();
  #onlyClient = true;
  readonly #sessions = new Set<string>();

  /** The rows, the newest first. */
  get rows(): TimelineRow[] {
    return [...this.#rows.values()].reverse();
  }

  /** The sessions of all applications that were seen, the console's own included. */
  get sessions(): ReadonlySet<string> {
    return this.#sessions;
  }

  /** Takes the next event. */
  add(event: ConsoleEvent): void {
    if ("session" in event) this.#sessions.add(event.session);
    if (event.source === "daemon") this.#onlyClient = false;
    switch (event.event) {
      case "request":
        if (event.request !== null && event.kind.startsWith("encrypt")) {
          bounded(this.#sealing, MOST_PACKETS).set(`${event.session} ${event.request}`, event.at);
        }
        return;
      case "queued": {
        const { session, request, envelope, operation, at, waiting, meanMs } = event;
        const sealed = envelope === null ? undefined : this.#sealed.get(`${session} ${envelope}`);
        const row = this.#open({
          key: `${session} ${request ?? `at ${at} ${event.seq}`}`,
          title: operation,
          session,
          began: sealed?.[0] ?? at,
        });
        if (sealed) {
          const text = "sealed in an envelope for two replicas";
          row.steps.push({ at: sealed[1], kind: "sealed", text, way: noWay });
        }
        const wait = meanMs > 0 ? `, ${Math.round(waiting * meanMs)} ms on average` : "";
        const text = `waits for a tick, ${waiting} in the queue${wait}`;
        row.steps.push({ at, kind: "queued", text, way: noWay });
        return;
      }
      case "sent":
        if (event.source === "link") this.#linkSent(event);
        else this.#daemonSent(event);
        return;
      case "reply": {
        const row = this.#byPacket.get(event.packet);
        row?.steps.push({
          at: event.at,
          kind: "reply",
          text: "the reply arrived and was opened",
          way: noWay,
        });
        return;
      }
      case "lost": {
        const row = event.packet === null ? undefined : this.#byPacket.get(event.packet);
        const what = event.way === "forward" ? "the packet" : "the reply";
        const text = `${what} was lost; only the embedded network knows`;
        row?.steps.push({ at: event.at, kind: "lost", text, way: noWay });
        return;
      }
      case "acknowledged":
        this.#step(event, "ack", "the courier has it, but no answer yet");
        return;
      case "again": {
        const when = event.inMs > 0 ? ` in ${Math.round(event.inMs)} ms` : "";
        const why = event.why === "silence" ? "nothing came back: " : "";
        this.#step(event, "again", `${why}asks again${when} (attempt ${event.attempt})`);
        return;
      }
      case "cancelled":
        this.#end(event, "cancelled", null);
        return;
      case "answered":
        if (event.source === "daemon") this.#answered(event);
        return;
      case "began":
        if (!this.#onlyClient) return;
        this.#open({
          key: `call ${event.call}`,
          title: event.operation,
          session: null,
          began: event.at,
        });
        return;
      case "ended": {
        const row = this.#rows.get(`call ${event.call}`);
        if (!row) return;
        row.ended = event.at;
        row.outcome = event.outcome === "ok" ? "ok" : "refused";
        row.steps.push({ at: event.at, kind: "end", text: event.outcome, way: noWay });
        return;
      }
      default:
    }
  }

  #open(row: Pick<TimelineRow, "key" | "title" | "session" | "began">): TimelineRow {
    const opened: TimelineRow = {
      ...row,
      ended: null,
      outcome: "running",
      code: null,
      attempts: 0,
      steps: [],
    };
    bounded(this.#rows, MOST_ROWS).set(row.key, opened);
    return opened;
  }

  #row(event: { readonly session: string; readonly request: string | null }) {
    return this.#rows.get(`${event.session} ${event.request}`);
  }

  #step(
    event: { readonly session: string; readonly request: string | null; readonly at: number },
    kind: TimelineStep["kind"],
    text: string,
  ): void {
    this.#row(event)?.steps.push({ at: event.at, kind, text, way: noWay });
  }

  #linkSent(event: Extract<ConsoleEvent, { readonly source: "link"; readonly event: "sent" }>) {
    if (event.packet === null || event.decoy) return;
    const way = [...event.forward, ...event.reply];
    const step: TimelineStep = { at: event.at, kind: "sent", text: "packet out", way };
    bounded(this.#early, MOST_PACKETS).set(event.packet, step);
  }

  // The link reports a packet before the daemon does.
  #daemonSent(event: Extract<ConsoleEvent, { readonly source: "daemon"; readonly event: "sent" }>) {
    const row = this.#row(event);
    if (!row) return;
    row.attempts = event.attempt;
    const way = event.packet === null ? undefined : this.#early.get(event.packet)?.way;
    if (event.packet !== null) bounded(this.#byPacket, MOST_PACKETS).set(event.packet, row);
    const attempt = event.attempt > 1 ? ` (attempt ${event.attempt})` : "";
    row.steps.push({
      at: event.at,
      kind: "sent",
      text: `packet out on a tick${attempt}`,
      way: way ?? noWay,
    });
  }

  #answered(
    event: Extract<ConsoleEvent, { readonly source: "daemon"; readonly event: "answered" }>,
  ): void {
    const { session, request, envelope, at, code } = event;
    const sealing = `${session} ${request}`;
    const began = this.#sealing.get(sealing);
    if (envelope !== null && began !== undefined) {
      bounded(this.#sealed, MOST_PACKETS).set(`${session} ${envelope}`, [began, at]);
      this.#sealing.delete(sealing);
      return;
    }
    this.#end(event, code === 0 ? "ok" : "refused", code);
  }

  #end(
    event: { readonly session: string; readonly request: string | null; readonly at: number },
    outcome: "ok" | "refused" | "cancelled",
    code: number | null,
  ): void {
    const row = this.#row(event);
    if (!row || row.ended !== null) return;
    row.ended = event.at;
    row.outcome = outcome;
    row.code = code;
    const why = code === null || code === 0 ? "" : ` with code ${code}`;
    const meaning = code === null ? undefined : meanings[code];
    const text = outcome === "ok" ? "done" : `ended${why}${meaning ? `: ${meaning}` : ""}`;
    row.steps.push({ at: event.at, kind: "end", text, way: noWay });
  }
}
