/**
 * `katz tour`: starts an embedded network and shows what a thin client can do with it, in a few
 * seconds.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ThinClient, isThinClientError, utf8 } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { commandName } from "../../command-name.js";
import type { Output, OutputFlags } from "../../output.js";
import { round } from "../../ping-statistics.js";
import { runCommand } from "../../run.js";
import { bar, duration } from "../../terminal.js";
import { table, wrap } from "../../text.js";
import { showBoxes } from "./boxes.js";
import { showNetwork } from "./network.js";

const PINGS = 5;

/** Options for every call, so that Ctrl-C ends it. */
export interface Interruptible {
  readonly signal: AbortSignal;
}

/** Runs the tour; the exit code is 0 if everything worked. */
export function tour(flags: OutputFlags): Promise<void> {
  return runCommand(flags, async ({ output, signal }) => {
    const folder = await mkdtemp(join(tmpdir(), "katz-tour-"));
    try {
      await run(output, join(folder, "katz.sock"), { signal });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

const WELCOME =
  "This starts a whole Katzenpost network inside one process and talks to it over a real Unix " +
  "socket. Such an embedded network gives NO ANONYMITY: it does not mix, and everything happens " +
  "on this machine. Use it for development and tests.";

const OF_THE_REPOSITORY = [
  ["examples/echo.ts", "the first ten lines of a client"],
  ["npm test", "everything this does, checked"],
];

/** Whether this is the `npm start` of the repository, whose other scripts can be run, too. */
function isRepository(): boolean {
  const { npm_lifecycle_event: script, npm_package_name: name } = process.env;
  return script === "start" && name === "katzenpost-thinclient";
}

async function run(output: Output, socket: string, call: Interruptible): Promise<void> {
  const start = performance.now();
  output.heading(output.style("bold", "Katzenpost thin client: the tour"));
  output.heading();
  const { isTerminal, width } = output.terminal;
  for (const line of wrap(WELCOME, isTerminal ? Math.min(width, 78) : 78)) output.heading(line);
  await using daemon = await DevDaemon.start({ listen: `unix:${socket}` });
  await using client = await ThinClient.connect(daemon.config());
  await showNetwork(output, client, daemon.network.epoch().leftMs, call);
  await ping(output, client, call);
  await showFailure(output, client, call);
  await showBoxes(output, client, daemon.config(), call);
  output.record({ type: "summary", anonymity: false, ms: round(performance.now() - start) });
  output.heading();
  output.heading(output.style("bold", "What to try next"));
  const rows = [
    [`${commandName()} daemon`, "a network to develop against"],
    [`${commandName()} console --open`, "a page that shows a network"],
    [`${commandName()} --help`, "what else katz can do"],
    ...(isRepository() ? OF_THE_REPOSITORY : []),
  ];
  for (const line of table(rows)) output.heading(`  ${line}`);
}

async function ping(output: Output, client: ThinClient, call: Interruptible): Promise<void> {
  output.heading();
  output.heading(output.style("bold", "Five messages to the echo service, and back"));
  const echo = client.getService("echo");
  const node = echo.mixDescriptor.name;
  const times: number[] = [];
  for (let seq = 1; seq <= PINGS; seq++) {
    const text = `ping ${seq}`;
    const start = performance.now();
    const reply = await client.blockingSendMessage(text, ...echo.toDestination(), call);
    const ms = round(performance.now() - start);
    times.push(ms);
    // The reply is padded with zeros to the packet's length.
    const intact = utf8(text).every((byte, at) => reply[at] === byte);
    output.record({ type: "reply", seq, service: "echo", node, ms, intact });
    const sign = intact ? output.style("green", "ok") : output.style("red", "damaged");
    const share = ms / Math.max(...times);
    output.line(`  ${text}  ${sign}  ${duration(ms).padStart(8)}  ${bar(share, 24)}`);
  }
}

async function showFailure(output: Output, client: ThinClient, call: Interruptible): Promise<void> {
  output.heading();
  output.heading(
    output.style("bold", "A message that cannot be sent, and how the client reports it"),
  );
  const [, queue] = client.getService("echo").toDestination();
  const nobody = client
    .getService("echo")
    .toDestination()[0]
    .map((byte) => byte ^ 0xff);
  try {
    await client.blockingSendMessage("hello?", nobody as never, queue, call);
  } catch (error) {
    if (!isThinClientError(error)) throw error;
    const { code, message } = error;
    output.record({ type: "step", step: "refusal", code, message });
    output.line(`  ${output.style("yellow", error.name)} (${code})`);
    for (const line of wrap(message, 74)) output.line(`    ${line}`);
    return;
  }
  throw new Error("a message to a node that does not exist was sent");
}
