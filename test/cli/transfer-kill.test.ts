/** `kill -9` of sender and receiver at ten points, and resuming afterwards. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startKatz } from "./katz.js";
import { TransferNetwork, contentsOf, digestOf } from "./transfer-network.js";

const network = new TransferNetwork();
before(() => network.ready());
after(() => network[Symbol.asyncDispose]());

const FILE_BYTES = 200_000;
const timeout = 300_000;

/** The number of bytes that have arrived in a folder's partial file. */
function bytesIn(into: string): number {
  for (const name of readdirSync(into)) {
    if (!name.endsWith(".partial")) continue;
    try {
      return statSync(join(into, name, "file-0")).size;
    } catch {
      // The file does not exist yet, or no longer.
    }
  }
  return 0;
}

/** Whether a process has ended, by itself or by a signal: a killed process has no exit code. */
function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Kills a process at once; returns whether it was still running. */
async function kill(child: ChildProcess): Promise<boolean> {
  if (isOver(child)) return false;
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await ended;
  return child.signalCode === "SIGKILL";
}

/** Kills a receiver when `bytes` bytes have arrived. */
async function killAt(child: ChildProcess, into: string, bytes: number): Promise<boolean> {
  while (!isOver(child) && bytesIn(into) < bytes) await sleep(2);
  return kill(child);
}

/** The first line that a process prints; the process continues. */
async function firstLine(child: ChildProcess): Promise<string> {
  let text = "";
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  while (!text.includes("\n")) {
    assert.ok(!isOver(child), "it ended without a line");
    await sleep(2);
  }
  return text.slice(0, text.indexOf("\n"));
}

function check(file: string, into: string): void {
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
  assert.deepEqual(contentsOf(into), ["file.bin"]);
  assert.deepEqual(contentsOf(network.states), []);
}

/** Kills a sender some time after it printed its ticket, while a receiver waits. */
async function killSender(share: number): Promise<boolean> {
  const file = network.newFile(FILE_BYTES);
  const into = network.newFolder();
  const sender = startKatz(["send", file], { env: network.env });
  const ticket = await firstLine(sender);
  const receiving = network.katz(["receive", "-", "--into", into], { input: ticket });
  await sleep(share * 300);
  const killed = await kill(sender);
  if (killed) {
    const again = await network.katz(["send", file]);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(again.stdout.trim(), ticket);
  }
  assert.equal((await receiving).code, 0);
  check(file, into);
  return killed;
}

/** Kills a receiver after part of the file has arrived, while a sender continues. */
async function killReceiver(share: number): Promise<boolean> {
  const file = network.newFile(FILE_BYTES);
  const into = network.newFolder();
  const sender = startKatz(["send", file], { env: network.env });
  const senderEnded = once(sender, "close");
  const ticketFile = join(network.newFolder(), "ticket");
  writeFileSync(ticketFile, await firstLine(sender), { mode: 0o600 });
  const args = ["receive", ticketFile, "--into", into];
  const receiver = startKatz(args, { env: network.env });
  const killed = await killAt(receiver, into, share * FILE_BYTES);
  const again = await network.katz(args);
  assert.equal(again.code, 0, again.stderr);
  await senderEnded;
  check(file, into);
  return killed;
}

test(
  "files arrive complete if either side is killed at ten random points",
  { timeout },
  async (t) => {
    let killed = 0;
    for (let point = 0; point < 10; point++) {
      // The first points come before the first byte.
      const share = point < 2 ? 0 : Math.random() * 0.8;
      const side = point % 2 === 0 ? "sender" : "receiver";
      t.diagnostic(`${side} at ${share}`);
      if (await (side === "sender" ? killSender(share) : killReceiver(share))) killed++;
    }
    assert.ok(killed >= 7, `only ${killed} of 10 were still working`);
  },
);

test("a receiver that is killed repeatedly continues each time", { timeout }, async () => {
  const file = network.newFile(400_000);
  const sent = await network.katz(["send", file]);
  const ticketFile = join(network.newFolder(), "ticket");
  writeFileSync(ticketFile, sent.stdout, { mode: 0o600 });
  const into = network.newFolder();
  const args = ["receive", ticketFile, "--into", into];
  const reached: number[] = [];
  // Far from the end, so that there is time to kill it.
  for (const share of [0.1, 0.3, 0.5]) {
    const child = startKatz(args, { env: network.env });
    assert.ok(await killAt(child, into, share * 400_000), `killed at ${share}`);
    reached.push(bytesIn(into));
  }
  assert.ok(
    reached.every((bytes, i) => bytes >= (reached[i - 1] ?? 0)),
    String(reached),
  );
  assert.equal((await network.katz(args)).code, 0);
  check(file, into);
});
