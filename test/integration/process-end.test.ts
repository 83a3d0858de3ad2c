/** A client's process that ends without stop(): what the daemon holds of it is released. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { DevDaemon } from "katzenpost-thinclient/daemon";

const child = fileURLToPath(new URL("./process-end-child.js", import.meta.url));

/** Runs a client in a process of its own until it has ended; gives its exit code or signal. */
async function run(address: string, how: string): Promise<number | string> {
  const process = spawn(globalThis.process.execPath, [child, address, how], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | string>((resolve) =>
    process.once("exit", (code, signal) => resolve(code ?? signal!)),
  );
  await new Promise((resolve) => process.stdout.once("data", resolve));
  if (how.startsWith("SIG")) process.kill(how as NodeJS.Signals);
  return ended;
}

async function sessionsAfter(daemon: DevDaemon, connections: number): Promise<number> {
  const { daemon: served } = daemon;
  while (served.load.connections > connections) await new Promise((r) => setTimeout(r, 5));
  return served.load.sessions;
}

describe("the end of a client's process", () => {
  const cases: [how: string, ends: number | string, sessions: number][] = [
    ["exit", 7, 0],
    ["SIGTERM", "SIGTERM", 0],
    ["SIGINT", "SIGINT", 0],
    // With a token of its own the session is meant to be taken up again.
    ["keep", 7, 1],
    // Nobody can act on SIGKILL: the grace period ends the session.
    ["SIGKILL", "SIGKILL", 1],
  ];
  for (const [how, ends, sessions] of cases) {
    it(`by ${how} leaves ${sessions} sessions`, async () => {
      await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
      assert.equal(await run(daemon.addresses[0]!.slice("tcp:".length), how), ends);
      assert.equal(await sessionsAfter(daemon, 0), sessions);
    });
  }
});
