/** Small components that several pages use. */
import type { ComponentChildren } from "preact";
import type { ConsoleAction } from "../src/console/protocol.js";
import { testCodeFor } from "../src/console/test-code.js";
import type { Knowledge } from "./knowledge.js";
import { perform, state } from "./store.js";

/** A placeholder for a value that the page cannot know. */
export function Unknown({ why }: { readonly why?: string }) {
  return (
    <span class="unknown" title={why ?? "This daemon does not report it."}>
      unknown
    </span>
  );
}

/** Shows a value, or says that it is unknown. */
export function Known({
  value,
  why,
}: {
  readonly value: string | number | null | undefined;
  readonly why?: string;
}) {
  if (value === null || value === undefined) return why ? <Unknown why={why} /> : <Unknown />;
  return <>{value}</>;
}

/** Shows a fact, its name and its meaning. */
export function Fact({
  name,
  children,
  more,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
  readonly more: string;
}) {
  return (
    <section class="fact card">
      <h2>{name}</h2>
      <div class="value">{children}</div>
      <p class="more">{more}</p>
    </section>
  );
}

/** Shows a question that a newcomer may have; opening it shows the answer. */
export function Explain({
  question,
  children,
}: {
  readonly question: string;
  readonly children: ComponentChildren;
}) {
  return (
    <details class="explain">
      <summary>{question}</summary>
      <div>{children}</div>
    </details>
  );
}

/** Lists what a party learns and does not learn. */
export function Learns({ of }: { readonly of: Knowledge }) {
  return (
    <div class="learns">
      <p>{of.what}</p>
      <h3>It learns</h3>
      <ul>
        {of.learns.map((one) => (
          <li key={one}>{one}</li>
        ))}
      </ul>
      <h3>It does not learn</h3>
      <ul class="not">
        {of.not.map((one) => (
          <li key={one}>{one}</li>
        ))}
      </ul>
    </div>
  );
}

/** A button that performs an action; `showCode` shows the line of test code beside it. */
export function Do({
  action,
  children,
  showCode = false,
  pressed,
  disabled = false,
}: {
  readonly action: ConsoleAction;
  readonly children: ComponentChildren;
  readonly showCode?: boolean;
  readonly pressed?: boolean;
  readonly disabled?: boolean;
}) {
  const replicas = state.value?.replicas?.map(({ name }) => name) ?? [];
  const code = testCodeFor(action, replicas);
  const button = (
    <button
      type="button"
      onClick={() => {
        if (!disabled) perform(action);
      }}
      title={code}
      aria-pressed={pressed}
      // Not `disabled`: a button that is disabled when it is pressed would lose the focus.
      aria-disabled={disabled}
    >
      {children}
    </button>
  );
  if (!showCode) return button;
  return (
    <div class="with-code">
      {button}
      <code>{code}</code>
    </div>
  );
}

/** A duration in words, only as precise as is useful. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 60_000) return `${Math.round(ms / 1000)} s`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.floor((ms % 60_000) / 1000);
  if (minutes < 60 && seconds === 0) return `${minutes} min`;
  return minutes < 60
    ? `${minutes} min ${seconds} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Converts a rate per ms to packets per second. */
export function perSecond(rate: number): string {
  const value = rate * 1000;
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** A count and its noun, in the singular or the plural. */
export function counted(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`;
}

/** The UTC time of day, with milliseconds. */
export function clockTime(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
