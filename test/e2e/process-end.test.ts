/**
 * A client's process that ends without stop(): the daemon releases everything that it holds for it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { DevDaemon } from "katzenpost-thinclient/testing";

const childPath = fileURLToPath(new URL("./process-end-child.js", import.meta.url));

/** A client in its own process. */
function start(address: string, how: string) {
  const child = spawn(process.execPath, [childPath, address, how], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    /** Its next line of output. */
    line: async (): Promise<unknown> => (await lines.next()).value,
    /** Its exit code, or the signal that ended it. */
    ended: new Promise<number | string>((resolve) =>
      child.once("exit", (code, signal) => resolve(code ?? signal!)),
    ),
  };
}

/** Runs a client until it has ended; returns its exit code or signal. */
async function run(address: string, how: string): Promise<number | string> {
  const client = start(address, how);
  await client.line();
  if (how.startsWith("SIG")) client.process.kill(how as NodeJS.Signals);
  return client.ended;
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
    // A session with the application's own token is meant to be resumed.
    ["keep", 7, 1],
    // No process can handle SIGKILL, so the grace period ends the session.
    ["SIGKILL", "SIGKILL", 1],
  ];
  for (const [how, ends, sessions] of cases) {
    it(`by ${how} leaves ${sessions} sessions`, async () => {
      await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
      assert.equal(await run(daemon.addresses[0]!.slice("tcp:".length), how), ends);
      assert.equal(await sessionsAfter(daemon, 0), sessions);
    });
  }

  it("is not caused by a signal that the application handles, so the session continues", async () => {
    for (const how of ["reload", "reload once", "reload, then let go"]) {
      await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
      const client = start(daemon.addresses[0]!.slice("tcp:".length), how);
      assert.equal(await client.line(), "ready");
      client.process.kill("SIGHUP");
      assert.equal(await client.line(), "bigint after 0 losses", how);
      assert.equal(daemon.daemon.load.sessions, 1);
      // Once the application has removed its handler, the signal ends the process again, and the
      // session.
      const ending = how === "reload" ? "SIGTERM" : "SIGHUP";
      client.process.kill(ending);
      assert.equal(await client.ended, ending);
      assert.equal(await sessionsAfter(daemon, 0), 0);
    }
  });

  it("ends the session if a handler exits", async () => {
    await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
    const client = start(daemon.addresses[0]!.slice("tcp:".length), "end itself");
    assert.equal(await client.line(), "ready");
    client.process.kill("SIGTERM");
    assert.equal(await client.ended, 7);
    assert.equal(await sessionsAfter(daemon, 0), 0);
  });
});
