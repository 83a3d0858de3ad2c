/** The log drawer: it shows every event as one line and is available on every page. */
import { computed, signal } from "@preact/signals";
import type { ConsoleEvent } from "../src/console/protocol.js";
import { clockTime, duration } from "./parts.js";
import { log } from "./store.js";

/** Whether the drawer is open. */
export const isOpen = signal(false);
const showsCover = signal(false);

const MOST_SHOWN = 200;

export function LogDrawer() {
  const lines = log.value.filter((event) => showsCover.value || !isCover(event));
  const last = lines.at(-1);
  return (
    <details
      class="log"
      open={isOpen.value}
      onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}
    >
      <summary>
        <span>Log</span> <span class="last">{last ? line(last) : "nothing yet"}</span>
      </summary>
      {isOpen.value && (
        <>
          <label>
            <input
              type="checkbox"
              checked={showsCover.value}
              onInput={({ currentTarget }) => (showsCover.value = currentTarget.checked)}
            />{" "}
            show cover traffic and unused ticks
          </label>
          <ol tabIndex={0} aria-label="Events, the newest first">
            {lines
              .slice(-MOST_SHOWN)
              .reverse()
              .map((event) => (
                <li key={event.seq} class={event.source}>
                  <time>{clockTime(event.at)}</time> <span class="source">{event.source}</span>{" "}
                  <span>{line(event)}</span>
                </li>
              ))}
          </ol>
        </>
      )}
    </details>
  );
}

function isCover(event: ConsoleEvent): boolean {
  if (event.event === "tick") return true;
  return "decoy" in event && event.decoy;
}

/** The calls that a page's buttons make; the console makes others of its own. */
const ofButtons: ReadonlySet<string> = new Set([
  "blockingSendMessage",
  "write",
  "read",
  "tombstone",
]);

/** How the last action of a page ended, for screen readers. */
export const lastOutcome = computed(() => {
  const last = log.value.findLast(
    (event) =>
      event.event === "failed" || (event.event === "ended" && ofButtons.has(event.operation)),
  );
  return last === undefined ? "" : line(last);
});

/** Describes an event in a few words. */
function line(event: ConsoleEvent): string {
  switch (event.event) {
    case "connecting":
      return `dials ${event.gateway}${event.address === null ? "" : ` at ${event.address}`}`;
    case "connected":
      return `is connected to ${event.gateway} after ${duration(event.durationMs)}`;
    case "disconnected":
      return `lost ${event.gateway ?? "its gateway"}: ${event.reason}`;
    case "document":
      return `has the document of epoch ${event.epoch}, ${event.length} bytes`;
    case "documentRefused":
      return `refused the document of epoch ${event.epoch} from ${event.gateway}: ${event.reason}`;
    case "sent":
      if (event.source === "daemon") {
        return `sent packet ${event.attempt} of request ${event.request ?? "without ID"}`;
      }
      return `${event.decoy ? "cover traffic" : "a packet"} left by ${[...event.forward]
        .map(({ node }) => node)
        .join(" → ")}`;
    case "reply":
      return `opened the reply to ${event.decoy ? "cover traffic" : `packet ${event.packet}`}`;
    case "lost":
      return `${event.way === "forward" ? "a packet" : "a reply"} was lost`;
    case "session":
      return `program ${event.session}: ${event.state}`;
    case "request":
      return `program ${event.session} asks: ${event.kind}`;
    case "queued":
      return `a ${event.operation} waits for a tick, ${event.waiting} in the queue`;
    case "tick":
      return event.used ? "a tick, used by a packet" : "a tick, used by cover traffic";
    case "acknowledged":
      return `a courier has request ${event.request}`;
    case "again":
      return `asks again for ${event.request}, attempt ${event.attempt}`;
    case "answered":
      if (event.source === "storage") return `${event.to} answers ${event.from}`;
      return `answered ${event.request ?? "a request"}${event.code === 0 ? "" : ` with code ${event.code}`}`;
    case "cancelled":
      return `request ${event.request} was given up`;
    case "asked":
      return `${event.from} asks ${event.to}`;
    case "began":
      return `call of this console: ${event.operation}`;
    case "ended":
      return `${event.operation}: ${event.outcome} after ${duration(event.durationMs)}`;
    case "did":
      return event.code ?? event.text;
    case "failed":
      return event.text;
  }
}
