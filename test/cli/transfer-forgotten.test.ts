/** A daemon that restarts with an empty network: lost boxes do not count as sent. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { KatzProcess } from "../e2e/katz-process.js";
import { katz, temporaryFolder } from "./katz.js";
import { digestOf } from "./transfer-network.js";

const folder = temporaryFolder();
const socket = join(folder, "katz.sock");
const env = {
  HOME: folder,
  XDG_STATE_HOME: join(folder, "state"),
  KATZENPOST_THINCLIENT: `unix:${socket}`,
};
const states = join(folder, "state", "katzenpost", "send");

async function startDaemon(): Promise<KatzProcess> {
  const daemon = new KatzProcess(["daemon", "--listen", `unix:${socket}`]);
  await daemon.firstLine();
  return daemon;
}

/** The number of boxes that the only running sender has recorded. */
function boxesNoted(): number {
  try {
    const [name] = readdirSync(states).filter((one) => one.endsWith(".json"));
    return (JSON.parse(readFileSync(join(states, name!), "utf8")) as { boxesDone: number })
      .boxesDone;
  } catch {
    return 0;
  }
}

async function untilNoted(boxes: number, sender: KatzProcess): Promise<void> {
  const ended = sender.ended.then(() => assert.fail(`ended early: ${sender.stderr}`));
  while (boxesNoted() < boxes) await Promise.race([sleep(20), ended]);
}

async function receives(ticket: string, file: string): Promise<void> {
  const into = join(folder, `into-${ticket.slice(-8)}`);
  mkdirSync(into);
  const { code, stderr } = await katz(["receive", "-", "--into", into, "--timeout", "120s"], {
    env,
    input: `${ticket}\n`,
  });
  assert.equal(code, 0, stderr);
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
}

test("send starts over for the same ticket when the daemon was restarted", async () => {
  const file = join(folder, "file.bin");
  writeFileSync(file, randomBytes(800_000));
  let daemon = await startDaemon();
  const sender = new KatzProcess(["send", file], env);
  const ticket = await sender.firstLine();
  await untilNoted(1, sender);
  daemon.kill("SIGKILL");
  await daemon.ended;
  daemon = await startDaemon();
  assert.deepEqual((await sender.ended).code, 0, sender.stderr);
  assert.match(sender.stderr, /the boxes sent before are gone: sending them again/);
  await receives(ticket, file);

  // The same happens between two runs of the command.
  writeFileSync(file, randomBytes(800_000));
  const first = new KatzProcess(["send", file], env);
  const second = await first.firstLine();
  await untilNoted(1, first);
  first.kill("SIGKILL");
  await first.ended;
  daemon.kill("SIGKILL");
  await daemon.ended;
  daemon = await startDaemon();
  const { code, stdout, stderr } = await katz(["send", file], { env });
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), second);
  await receives(second, file);
  daemon.kill("SIGTERM");
  await daemon.ended;
});
