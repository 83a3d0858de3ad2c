/** Small parts that several pages use. */
import type { ComponentChildren } from "preact";
import type { ConsoleAction } from "../src/console/protocol.js";
import { testCodeFor } from "../src/console/test-code.js";
import type { Knowledge } from "./knowledge.js";
import { perform, state } from "./store.js";

/** What stands where nothing can be known. */
export function Unknown({ why }: { readonly why?: string }) {
  return (
    <span class="unknown" title={why ?? "This daemon does not tell."}>
      unknown
    </span>
  );
}

/** A value, or that it is unknown. */
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

/** A fact with its name, and what it means. */
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

/** A question that a newcomer may have, with its answer. */
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

/** What a party learns and does not learn. */
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

/** A button that does something; with `showCode` the line of test code stands beside it. */
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
      onClick={() => perform(action)}
      title={code}
      aria-pressed={pressed}
      disabled={disabled}
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

/** A time in words that is as exact as it needs to be. */
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

/** A rate per ms as packets a second. */
export function perSecond(rate: number): string {
  const value = rate * 1000;
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** A number of things. */
export function counted(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`;
}

/** A moment of the day. */
export function clockTime(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
