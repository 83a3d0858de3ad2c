/**
 * The playground's page: it shows examples that users can edit and run on a network in a worker.
 */
import type { FromConsole, RunReport, ToConsole, ToRunner } from "./messages.js";

/** The examples that the build takes from `examples/`. */
interface Example {
  readonly name: string;
  readonly about: string;
  readonly code: string;
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page lacks #${id}`);
  return found;
}

const examplesList = element("examples", HTMLSelectElement);
const about = element("about", HTMLParagraphElement);
const code = element("code", HTMLTextAreaElement);
const output = element("output", HTMLPreElement);
const frame = element("console", HTMLIFrameElement);
const realistic = element("realistic", HTMLInputElement);
const runButton = element("run", HTMLButtonElement);
const stopButton = element("stop", HTMLButtonElement);
const resetButton = element("reset", HTMLButtonElement);

const place = (name: string): string => new URL(name, location.href).href;
let examples: readonly Example[] = [];
let modules: Readonly<Record<string, string>> = {};
let worker: Worker | null = null;

function say(text: string, failed = false): void {
  const line = document.createElement("span");
  if (failed) line.className = "failed";
  line.textContent = `${text}\n`;
  output.append(line);
  output.scrollTop = output.scrollHeight;
}

function choose(name: string): void {
  const example = examples.find((one) => one.name === name) ?? examples[0];
  if (example === undefined) return;
  examplesList.value = example.name;
  about.textContent = example.about;
  code.value = example.code;
}

/** Messages that the console's frame could not receive yet; null once it listens. */
let untold: ToConsole[] | null = [];

function tellConsole(message: ToConsole): void {
  if (untold === null) frame.contentWindow?.postMessage(message, location.origin);
  else untold.push(message);
}

function ask(request: ToRunner): void {
  worker?.postMessage(request);
}

function stop(): void {
  if (worker !== null) tellConsole({ type: "closed" });
  worker?.terminate();
  worker = null;
  runButton.disabled = false;
  // A button that is disabled loses the focus.
  if (document.activeElement === stopButton) runButton.focus();
  stopButton.disabled = true;
}

function report(message: RunReport): void {
  if (message.type === "line") say(message.text, message.failed);
  else if (message.type === "console") tellConsole({ type: "message", message: message.message });
  else if (message.type === "closed") tellConsole({ type: "closed" });
  else {
    say(`(done after ${message.seconds.toFixed(1)} s)`);
    // A network that the program did not close runs until the next program, for the console.
    runButton.disabled = false;
  }
}

function run(): void {
  stop();
  output.replaceChildren();
  tellConsole({ type: "begun" });
  const started = new Worker(new URL("./runner.js", import.meta.url), { type: "module" });
  worker = started;
  stopButton.disabled = false;
  if (document.activeElement === runButton) stopButton.focus();
  runButton.disabled = true;
  started.addEventListener("message", (event) => report(event.data as RunReport));
  started.addEventListener("error", (event) => {
    say(event.message, true);
    stop();
  });
  const mixing = realistic.checked ? "realistic" : "instant";
  ask({ type: "run", code: code.value, modules, mixing });
}

runButton.addEventListener("click", run);
stopButton.addEventListener("click", () => {
  stop();
  say("(stopped)");
});
resetButton.addEventListener("click", () => choose(examplesList.value));
examplesList.addEventListener("change", () => {
  location.hash = examplesList.value;
});
addEventListener("hashchange", () => choose(location.hash.slice(1)));
addEventListener("message", ({ data, source, origin }: MessageEvent<FromConsole>) => {
  if (source !== frame.contentWindow || origin !== location.origin) return;
  if (data.type === "action") ask({ type: "action", action: data.action });
  else {
    const waiting = untold ?? [];
    untold = null;
    for (const message of waiting) tellConsole(message);
  }
});
frame.src = "console.html";
code.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  } else if (event.key === "Escape") runButton.focus();
});

const index = (await (await fetch(place("examples.json"))).json()) as {
  readonly examples: readonly Example[];
  readonly modules: Readonly<Record<string, string>>;
};
examples = index.examples;
modules = Object.fromEntries(
  Object.entries(index.modules).map(([name, file]) => [name, place(file)]),
);
for (const { name } of examples) examplesList.add(new Option(name, name));
choose(location.hash.slice(1));
document.body.dataset["ready"] = "yes";
