/** Timeline page: one row for each call, which contains everything that happened to the call. */
import { signal } from "@preact/signals";
import type { TimelineRow, TimelineStep } from "../../src/console/timeline.js";
import { programFor } from "../program.js";
import { Do, Explain, duration } from "../parts.js";
import { isTraced, now, second, state, timeline, timelineVersion } from "../store.js";

const filter = signal("");
const copied = signal<string | null>(null);

/** The maximum number of rows on the page. */
const MOST_SHOWN = 60;

const outcomes: Readonly<Record<TimelineRow["outcome"], string>> = {
  running: "waits",
  ok: "done",
  refused: "refused",
  cancelled: "cancelled",
};

export function TimelinePage() {
  void timelineVersion.value;
  void second.value;
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = timeline.rows.filter((row) => {
    const text = `${row.title} ${outcomes[row.outcome]} ${row.session ?? ""} code ${row.code ?? ""}`;
    return words.every((word) => text.toLowerCase().includes(word));
  });
  return (
    <>
      <div class="buttons">
        <label class="filter">
          Filter{" "}
          <input
            type="search"
            value={filter.value}
            placeholder="read refused"
            onInput={({ currentTarget }) => (filter.value = currentTarget.value)}
          />
        </label>
        <Do action={{ do: "echo" }}>Send an echo</Do>
        <Do action={{ do: "write" }}>Write a box</Do>
        <Do action={{ do: "read" }} disabled={state.value!.boxes.length === 0}>
          Read a box
        </Do>
      </div>
      {isTraced.value && (
        <p class="legend">
          <span class="mark sealed" /> is sealed <span class="mark queued" /> waits for a tick{" "}
          <span class="mark sent" /> packet is under way <span class="mark again" /> waits to ask
          again. Open a row to see every step.
        </p>
      )}
      {!isTraced.value && (
        <p class="note">
          <strong>Steps are unknown.</strong> This daemon does not report what happens between a
          call and its answer, so only this console's own calls are here.
        </p>
      )}
      {rows.length === 0 ? (
        <p class="empty">
          {timeline.rows.length === 0
            ? "No call yet. Press a button above, or start your own program."
            : "No call fits the filter."}
        </p>
      ) : (
        <ol class="rows">
          {rows.slice(0, MOST_SHOWN).map((row) => (
            <Row key={row.key} row={row} />
          ))}
        </ol>
      )}
      {rows.length > MOST_SHOWN && (
        <p class="note">{rows.length - MOST_SHOWN} older calls are not shown.</p>
      )}
      <Explain question="Why does a call take so long?">
        <p>
          A call first waits for a tick of the send schedule. Its packet then rests at every node on
          its way, and the reply does the same on the way back. A courier answers at once that it
          has the envelope (acknowledged); the daemon asks again for the answer of the replicas. If
          nothing comes back in time, the daemon sends the same envelope again, with a new reply
          block and on a new path. Slowness is what hides you: a network that passed packets on at
          once would show who talks to whom.
        </p>
      </Explain>
    </>
  );
}

function Row({ row }: { readonly row: TimelineRow }) {
  const end = row.ended ?? now();
  const took = Math.max(0, end - row.began);
  return (
    <li class={`row ${row.outcome}`}>
      <details>
        <summary>
          <span class="what">{row.title}</span>
          <span class="outcome">
            {outcomes[row.outcome]}
            {row.code !== null && row.code !== 0 ? ` (code ${row.code})` : ""}
          </span>
          <span class="took">{duration(took)}</span>
          <span class="session">{programOf(row)}</span>
          <Bar row={row} end={end} />
        </summary>
        <ol class="steps">
          {row.steps.map((step, i) => (
            <Step key={i} step={step} began={row.began} />
          ))}
        </ol>
        <div class="buttons">
          <button type="button" onClick={() => void copyProgram(row)}>
            {copied.value === row.key ? "Copied" : "Copy as program"}
          </button>
        </div>
      </details>
    </li>
  );
}

/**
 * Names the program that made a call. The console is always connected, so a single session is its
 * own.
 */
function programOf({ session }: TimelineRow): string {
  if (session === null || timeline.sessions.size === 1) return "this console";
  return `program ${session}`;
}

async function copyProgram(row: TimelineRow): Promise<void> {
  await navigator.clipboard.writeText(programFor(row.title)).catch(() => {});
  copied.value = row.key;
}

/** Draws what a call waited for, as a bar from its start to its end. */
function Bar({ row, end }: { readonly row: TimelineRow; readonly end: number }) {
  const whole = Math.max(1, end - row.began);
  const parts = row.steps.map((step, i) => {
    const until = row.steps[i + 1]?.at ?? end;
    const x = ((step.at - row.began) / whole) * 100;
    return { kind: step.kind, x, width: Math.max(0.4, ((until - step.at) / whole) * 100) };
  });
  return (
    <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="whole" x="0" y="0" width="100" height="6" />
      {parts.map(({ kind, x, width }, i) => (
        <rect key={i} class={`part ${kind}`} x={x} y="0" width={width} height="6" />
      ))}
    </svg>
  );
}

function Step({ step, began }: { readonly step: TimelineStep; readonly began: number }) {
  return (
    <li class={`step ${step.kind}`}>
      <span class="at">+{duration(Math.max(0, step.at - began))}</span>
      <span>
        {step.text}
        {step.way.length > 0 && (
          <span class="way">
            {step.way.map(({ node, delayMs }, i) => (
              <span key={i} title={`rests ${delayMs} ms at ${node}`}>
                {i > 0 ? " → " : ""}
                {node}
                {delayMs > 0 ? <small> {delayMs} ms</small> : ""}
              </span>
            ))}
          </span>
        )}
      </span>
    </li>
  );
}
