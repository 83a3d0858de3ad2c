/**
 * The playground's page: it shows examples that users can edit and run on a network in a worker.
 */
import type { RunReport, RunRequest } from "./messages.js";

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
const facts = element("facts", HTMLDListElement);
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

function stop(): void {
  worker?.terminate();
  worker = null;
  stopButton.disabled = true;
  runButton.disabled = false;
}

function report(message: RunReport): void {
  if (message.type === "line") say(message.text, message.failed);
  else if (message.type === "done") {
    say(`(done after ${message.seconds.toFixed(1)} s)`);
    stop();
  } else {
    facts.replaceChildren(
      ...message.facts.flatMap(([name, value]) => {
        const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = name;
        detail.textContent = value;
        return [term, detail];
      }),
    );
  }
}

function run(): void {
  stop();
  output.replaceChildren();
  facts.replaceChildren();
  const started = new Worker(new URL("./runner.js", import.meta.url), { type: "module" });
  worker = started;
  runButton.disabled = true;
  stopButton.disabled = false;
  started.addEventListener("message", (event) => report(event.data as RunReport));
  started.addEventListener("error", (event) => {
    say(event.message, true);
    stop();
  });
  started.postMessage({ code: code.value, modules } satisfies RunRequest);
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
