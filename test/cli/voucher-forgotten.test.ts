/** A daemon that restarts with an empty network: a voucher that was not answered stays valid. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ThinClient, fromBase64 } from "katzenpost-thinclient";
import { firstIndexOf, readCapOf } from "katzenpost-thinclient/bacap";
import { KatzProcess } from "../e2e/katz-process.js";
import { katz, linesOf, temporaryFolder } from "./katz.js";

const folder = temporaryFolder();
const socket = join(folder, "katz.sock");
const env = { HOME: folder, KATZENPOST_THINCLIENT: `unix:${socket}` };

async function startDaemon(): Promise<KatzProcess> {
  const daemon = new KatzProcess(["daemon", "--listen", `unix:${socket}`]);
  await daemon.firstLine();
  return daemon;
}

async function killed(process: KatzProcess): Promise<void> {
  process.kill("SIGKILL");
  await process.ended;
}

/** Resolves when the payload of a voucher is in its box. */
async function published(voucher: string): Promise<void> {
  await using client = await ThinClient.connect({ dial: { unix: { address: socket } } });
  const { voucherWriteCap: cap } = await client.voucherDeriveStream(fromBase64(voucher));
  await client.read(readCapOf(cap), firstIndexOf(cap), { timeoutMs: 60_000 });
}

test("an invitation survives daemons that forget it", { timeout: 180_000 }, async () => {
  let daemon = await startDaemon();
  const store = (name: string): string[] => ["--store", join(folder, name)];
  const waiting = new KatzProcess(["channel", "invite", "bob", ...store("a")], env);
  const voucher = await waiting.firstLine();
  await published(voucher);
  // Another daemon while the command waits.
  await killed(daemon);
  daemon = await startDaemon();
  await published(voucher);
  // Another daemon between two runs of the command.
  await killed(waiting);
  await killed(daemon);
  daemon = await startDaemon();
  writeFileSync(join(folder, "voucher"), voucher, { mode: 0o600 });
  const [invited, accepted] = await Promise.all([
    katz(["channel", "invite", "bob", ...store("a")], { env }),
    katz(["channel", "accept", "alice", join(folder, "voucher"), ...store("b")], { env }),
  ]);
  assert.equal(invited.code, 0, invited.stderr);
  assert.deepEqual(linesOf(invited.stdout), [voucher]);
  assert.equal(accepted.code, 0, accepted.stderr);
  daemon.kill("SIGTERM");
  await daemon.ended;
});
