/** The entry point of the console: it shows six pages and handles mouse and keyboard. */
import { effect, signal } from "@preact/signals";
import { render } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { LogDrawer, isOpen, lastOutcome } from "./log-drawer.js";
import { Boxes } from "./pages/boxes.js";
import { DocumentPage } from "./pages/document.js";
import { Faults } from "./pages/faults.js";
import { Network, frames } from "./pages/network.js";
import { Now } from "./pages/now.js";
import { TimelinePage } from "./pages/timeline.js";
import { connection, start, state, traffic } from "./store.js";

const pages = [
  { name: "Now", body: Now },
  { name: "Timeline", body: TimelinePage },
  { name: "Network", body: Network },
  { name: "Boxes", body: Boxes },
  { name: "Document", body: DocumentPage },
  { name: "Faults", body: Faults },
] as const;

/** Beside a program, the map comes first. */
const page = signal(document.documentElement.dataset["host"] === "page" ? 2 : 0);
/** Whether the user changed the page. The heading of the new page then takes the focus. */
const moved = signal(false);

type Theme = "auto" | "dark" | "light";
const THEME_KEY = "katz console theme";
const theme = signal<Theme>((localStorage.getItem(THEME_KEY) as Theme | null) ?? "auto");
// Outside the component: an effect of it runs after a frame was painted in the old theme.
effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});

const KEYS_KEY = "katz console keys";
/** Whether single keys switch pages. Speech input and other aids press keys that nobody meant. */
const hasKeys = signal(localStorage.getItem(KEYS_KEY) !== "off");

function switchKeys(): void {
  hasKeys.value = !hasKeys.value;
  localStorage.setItem(KEYS_KEY, hasKeys.value ? "on" : "off");
}

function go(to: number): void {
  moved.value = true;
  page.value = to;
}

function onKey(event: KeyboardEvent): void {
  const { target, key } = event;
  if (!hasKeys.value || event.ctrlKey || event.metaKey || event.altKey) return;
  const types = target instanceof HTMLInputElement && target.type !== "range";
  if (types || target instanceof HTMLSelectElement) return;
  const to = Number(key) - 1;
  if (to >= 0 && to < pages.length) go(to);
  else if (key === "l" || key === "L") isOpen.value = !isOpen.value;
}

function nextTheme(): void {
  theme.value = ({ auto: "dark", dark: "light", light: "auto" } as const)[theme.value];
  localStorage.setItem(THEME_KEY, theme.value);
}

const connections = {
  connecting: "Connecting to the console's process …",
  open: "",
  lost: "The console's process is gone. This page connects again when it is back.",
  "no token":
    "The address lacks its last part, which is the key to this page. Open the whole address that katz console printed.",
  waiting: "No program has run yet. Run one beside this console, and see here what it does.",
  closed: "The program's network has ended. The time slider on the Network page still shows it.",
} as const;

function Console() {
  const heading = useRef<HTMLHeadingElement>(null);
  const { name, body: Body } = pages[page.value]!;
  // Before the page is painted: keys that the user presses then must not meet the old focus.
  useLayoutEffect(() => {
    if (moved.value) heading.current?.focus();
    document.title = `${name} · katz console`;
  }, [name]);
  const problem = connections[connection.value];
  return (
    <>
      <header>
        <div class="brand">
          <strong>katz</strong> console
        </div>
        <nav aria-label="Pages">
          {pages.map(({ name: title }, i) => (
            <button
              key={title}
              type="button"
              aria-current={page.value === i ? "page" : undefined}
              onClick={() => go(i)}
            >
              <kbd aria-hidden="true">{i + 1}</kbd> {title}
            </button>
          ))}
        </nav>
        <button type="button" class="theme" onClick={switchKeys}>
          Keys: {hasKeys.value ? "on" : "off"}
        </button>
        <button type="button" class="theme" onClick={nextTheme}>
          Theme: {theme.value}
        </button>
      </header>
      <main>
        <h1 ref={heading} tabIndex={-1}>
          {name}
        </h1>
        <div role="status">{problem !== "" && <p class="problem">{problem}</p>}</div>
        <p class="hidden" role="status">
          {lastOutcome.value}
        </p>
        {state.value !== null && <Body />}
      </main>
      {state.value !== null && <LogDrawer />}
    </>
  );
}

document.addEventListener("keydown", onKey);
start();
render(<Console />, document.getElementById("console")!);

// For the tests: they read frame times and add packets by the hundred.
Object.assign(globalThis, { katzConsole: { frames, traffic } });
