/**
 * Runs one program in a worker, and reports its output and the events of its network to the page.
 */
import type { RunReport, RunRequest, ToRunner } from "./messages.js";
import { here } from "./testing.js";

function post(report: RunReport): void {
  postMessage(report);
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  const plain = (_: string, part: unknown): unknown =>
    part instanceof Uint8Array
      ? `${part.length} bytes`
      : typeof part === "bigint"
        ? `${part}n`
        : part instanceof Map
          ? Object.fromEntries(part)
          : part;
  try {
    return JSON.stringify(value, plain, 2) ?? String(value);
  } catch {
    return String(value);
  }
}

const print =
  (failed: boolean) =>
  (...values: readonly unknown[]): void =>
    post({ type: "line", text: values.map(shown).join(" "), failed });
Object.assign(console, {
  log: print(false),
  info: print(false),
  debug: print(false),
  warn: print(false),
  error: print(true),
});

function moduleOf(code: string): Promise<unknown> {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  return import(/* @vite-ignore */ url);
}

/** Whether this browser supports `await using`. */
async function knowsUsing(): Promise<boolean> {
  try {
    await moduleOf("async () => { await using nothing = null; };");
    return true;
  } catch {
    return false;
  }
}

/** The program with module names replaced by URLs, in syntax that this browser supports. */
async function prepared({ code, modules }: RunRequest): Promise<string> {
  const placed = code.replace(
    /((?:\bfrom|\bimport)\s*\(?\s*)(["'])([^"'\n]+)\2/g,
    (whole, before: string, _quote: string, name: string) => {
      const place = modules[name];
      if (place !== undefined) return `${before}${JSON.stringify(place)}`;
      if (name.startsWith("node:")) throw new Error(`a page has no module ${name}`);
      return whole;
    },
  );
  // The worker ends with the program, so nothing has to be closed.
  return (await knowsUsing()) ? placed : placed.replace(/\bawait using (?=\w+ =)/g, "const ");
}

async function run(request: RunRequest): Promise<void> {
  const since = performance.now();
  here.mixing = request.mixing;
  try {
    await moduleOf(await prepared(request));
  } catch (error) {
    print(true)(error);
  }
  post({ type: "done", seconds: (performance.now() - since) / 1000 });
}

addEventListener("unhandledrejection", (event) => {
  print(true)(event.reason);
});
addEventListener("message", (event) => {
  const asked = event.data as ToRunner;
  if (asked.type === "run") void run(asked);
  else here.shown?.perform(asked.action);
});
