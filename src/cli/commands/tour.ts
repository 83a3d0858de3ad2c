/** `katz tour`: an embedded network, and what a thin client can do with it, in a few seconds. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ThinClient, isThinClientError, utf8 } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/daemon";
import { aborted } from "../interrupt.js";
import { runCommand } from "../run.js";
import { type Terminal, bar, duration } from "../terminal.js";
import { wrap } from "../text.js";
import { showBoxes } from "./tour-boxes.js";
import { showNetwork } from "./tour-network.js";

const PINGS = 5;

/** Runs the tour; the exit code is 0 when all of it worked. */
export function tour(): Promise<void> {
  return runCommand({ json: false, quiet: false }, async ({ output, signal }) => {
    const folder = await mkdtemp(join(tmpdir(), "katz-tour-"));
    try {
      const interrupted = aborted(signal).then(() => signal.throwIfAborted());
      await Promise.race([run(output.terminal, join(folder, "katz.sock")), interrupted]);
    } finally {
      output.terminal.clearStatus();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

async function run(terminal: Terminal, socket: string): Promise<void> {
  terminal.line(terminal.style("bold", "Katzenpost thin client: the tour"));
  terminal.line();
  terminal.line("This starts a whole Katzenpost network inside one process and talks to it over");
  terminal.line("a real Unix socket. Such an embedded network gives NO ANONYMITY: nobody mixes,");
  terminal.line("everything happens on this machine. It is for development and tests.");
  await using daemon = await DevDaemon.start({ listen: `unix:${socket}` });
  await using client = await ThinClient.connect(daemon.config());
  await showNetwork(terminal, client, daemon.network.epoch().leftMs);
  await ping(terminal, client);
  await showFailure(terminal, client);
  await showBoxes(terminal, client, daemon.config());
  terminal.line();
  terminal.line(terminal.style("bold", "What to try next"));
  terminal.line("  npx katz daemon --listen tcp:127.0.0.1:64331   a network to develop against");
  terminal.line("  npx katz --help                                what else katz can do");
  terminal.line("  examples/echo.ts                               the first ten lines of a client");
  terminal.line("  npm test                                       everything this does, checked");
}

async function ping(terminal: Terminal, client: ThinClient): Promise<void> {
  terminal.line();
  terminal.line(terminal.style("bold", "Five messages to the echo service, and back"));
  const echo = client.getService("echo");
  const times: number[] = [];
  for (let i = 1; i <= PINGS; i++) {
    const text = `ping ${i}`;
    const start = performance.now();
    const reply = await client.blockingSendMessage(text, ...echo.toDestination());
    const taken = performance.now() - start;
    times.push(taken);
    // The reply is padded with zeros to the packet's length.
    const same = utf8(text).every((byte, at) => reply[at] === byte);
    const sign = same ? terminal.style("green", "ok") : terminal.style("red", "damaged");
    const share = taken / Math.max(...times);
    terminal.line(`  ${text}  ${sign}  ${duration(taken).padStart(8)}  ${bar(share, 24)}`);
  }
}

async function showFailure(terminal: Terminal, client: ThinClient): Promise<void> {
  terminal.line();
  terminal.line(terminal.style("bold", "A message that cannot be sent, and what you are told"));
  const [, queue] = client.getService("echo").toDestination();
  const nobody = client
    .getService("echo")
    .toDestination()[0]
    .map((byte) => byte ^ 0xff);
  try {
    await client.blockingSendMessage("hello?", nobody as never, queue);
  } catch (error) {
    if (!isThinClientError(error)) throw error;
    terminal.line(`  ${terminal.style("yellow", error.name)} (${error.code})`);
    for (const line of wrap(error.message, 74)) terminal.line(`    ${line}`);
    return;
  }
  throw new Error("a message to a node that does not exist was sent");
}
