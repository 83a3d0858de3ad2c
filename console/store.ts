/** What the page knows, as signals: components that read one are drawn again when it changes. */
import { computed, signal } from "@preact/signals";
import type { ConsoleAction, ConsoleEvent, ConsoleState, ToPage } from "../src/console/protocol.js";
import { Timeline } from "../src/console/timeline.js";
import { type ConnectionState, connect } from "./connection.js";
import { Traffic } from "./traffic.js";

/** How the connection to the console's process is. */
export const connection = signal<ConnectionState>("connecting");
/** The last state; null before the first. */
export const state = signal<ConsoleState | null>(null);
/** The last events, for the log. */
export const log = signal<readonly ConsoleEvent[]>([]);
/** Counts the changes of {@link timeline}. */
export const timelineVersion = signal(0);
/** Calls, folded out of the events. */
export let timeline = new Timeline();
/** Packets that are under way. */
export const traffic = new Traffic();
/** The time, once a second, for what counts down. */
export const second = signal(Date.now());

/** Used and unused ticks of the last minute, by when they were. */
export const ticks = signal<readonly { readonly at: number; readonly used: boolean }[]>([]);

const MOST_LOGGED = 500;
const MINUTE_MS = 60_000;

let seen = -1;

/** The daemon's time now. */
export function now(): number {
  const clock = state.value?.clock;
  return state.value?.about.virtual && clock ? clock.now : Date.now();
}

/** Whether everything inside can be seen, or only what a client sees. */
export const isEmbedded = computed(() => state.value?.about.mode === "embedded");
/** Whether the daemon tells its events here. */
export const isTraced = computed(() => {
  const mode = state.value?.about.mode;
  return mode === "embedded" || mode === "joined";
});

function take(message: ToPage): void {
  if (message.type === "snapshot") {
    // Another process has other events.
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
  // What has arrived before the page was opened is counted, not drawn.
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

/** Begins to listen to the console's process. */
export function start(): void {
  send = connect({ onState: (how) => (connection.value = how), onMessage: take });
  setInterval(() => {
    second.value = Date.now();
    traffic.advance(now());
  }, 250);
}

/** Asks the process to do something. */
export function perform(action: ConsoleAction): void {
  send(action);
}
