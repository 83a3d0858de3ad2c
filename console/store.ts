/** The state of the page as signals: components that read a signal are redrawn when it changes. */
import { computed, signal } from "@preact/signals";
import type { ConsoleAction, ConsoleEvent, ConsoleState, ToPage } from "../src/console/protocol.js";
import { Timeline } from "../src/console/timeline.js";
import { type ConnectionState, connect } from "./connection.js";
import { Traffic } from "./traffic.js";

/** The state of the connection to the console process. */
export const connection = signal<ConnectionState>("connecting");
/** The latest state; null until the first one arrives. */
export const state = signal<ConsoleState | null>(null);
/** The latest events, for the log. */
export const log = signal<readonly ConsoleEvent[]>([]);
/** Increases with every change of {@link timeline}. */
export const timelineVersion = signal(0);
/** The calls, assembled from the events. */
export let timeline = new Timeline();
/** The packets that are under way. */
export const traffic = new Traffic();
/** The current time, updated four times a second, for countdowns. */
export const second = signal(Date.now());

/** The ticks of the last minute: when each was, and whether a client's packet used it. */
export const ticks = signal<readonly { readonly at: number; readonly used: boolean }[]>([]);

const MOST_LOGGED = 500;
const MINUTE_MS = 60_000;

let seen = -1;

/** The daemon's current time. */
export function now(): number {
  const clock = state.value?.clock;
  return state.value?.about.virtual && clock ? clock.now : Date.now();
}

/** Whether the network is embedded: the page then sees inside it, not only what a client sees. */
export const isEmbedded = computed(() => state.value?.about.mode === "embedded");
/** Whether the daemon sends its trace events to this page. */
export const isTraced = computed(() => {
  const mode = state.value?.about.mode;
  return mode === "embedded" || mode === "joined";
});

function take(message: ToPage): void {
  if (message.type === "snapshot") {
    // A lower number means that the console process restarted: its events replace the old ones.
    const last = message.events.at(-1)?.seq ?? -1;
    if (last < seen) {
      seen = -1;
      timeline = new Timeline();
      traffic.clear();
      log.value = [];
      ticks.value = [];
    }
    state.value = message.state;
  } else if (state.value !== null) {
    state.value = { ...state.value, ...message.state };
  }
  const fresh = message.events.filter(({ seq }) => seq > seen);
  if (fresh.length === 0) return;
  seen = fresh.at(-1)!.seq;
  // Packets that arrived before the page was opened are counted, but not drawn.
  traffic.advance(now());
  for (const event of fresh) {
    timeline.add(event);
    traffic.add(event);
  }
  timelineVersion.value++;
  log.value = [...log.value, ...fresh].slice(-MOST_LOGGED);
  const freshTicks = fresh.flatMap((event) =>
    event.event === "tick" ? [{ at: event.at, used: event.used }] : [],
  );
  if (freshTicks.length > 0) {
    const since = now() - MINUTE_MS;
    ticks.value = [...ticks.value, ...freshTicks].filter(({ at }) => at > since);
  }
}

let send: (action: ConsoleAction) => void = () => {};

/** Starts listening to the console process. */
export function start(): void {
  send = connect({ onState: (how) => (connection.value = how), onMessage: take });
  setInterval(() => {
    second.value = Date.now();
    traffic.advance(now());
  }, 250);
}

/** Asks the console process to perform an action. */
export function perform(action: ConsoleAction): void {
  send(action);
}
