/**
 * How many ticks of the send schedule carry the work of `katz send`, `receive` and `copy`, at the
 * usual network's rates: one packet per second, with mixing. The clock is virtual, so the commands
 * run in this process, with a client on that clock.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { OpenCapability } from "../../src/cli/capability-file.js";
import { copyTo } from "../../src/cli/commands/copy/copy.js";
import { receiveFiles } from "../../src/cli/commands/receive/receive.js";
import { sendFiles } from "../../src/cli/commands/send/send.js";
import type { ClientRun } from "../../src/cli/connect.js";
import { Output } from "../../src/cli/output.js";
import { findFiles } from "../../src/cli/transfer/outgoing-files.js";
import { PartialFolder } from "../../src/cli/transfer/partial-folder.js";
import { decodeTicket } from "../../src/cli/transfer/ticket.js";
import type { ThinClient } from "../../src/client/thin-client.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { shareOfTicks } from "../e2e/share-of-ticks.js";
import { TwoClients } from "../e2e/two-clients.js";
import { katz, temporaryFolder } from "./katz.js";

const clock = new VirtualClock();
const folder = temporaryFolder();
const flags = { json: false, quiet: true };
let both: TwoClients;
before(async () => {
  // The file in which a sender records its progress.
  process.env["XDG_STATE_HOME"] = join(folder, "state");
  // Ticks of LambdaL always carry decoys, even if there is work.
  both = await TwoClients.start({ clock, seed: "katz ticks", mixing: "realistic", lambdaL: 0 });
});
after(() => both[Symbol.asyncDispose]());

/** Prints nothing, and stores the results. */
class SilentOutput extends Output {
  readonly results: string[] = [];
  override line(text = ""): void {
    this.results.push(text);
  }
  override path(path: string): void {
    this.results.push(path);
  }
  override status(text: string): void {
    this.#onStatus(text);
  }
  #onStatus: (text: string) => void = () => {};
  /** Resolves when the progress line contains the text. */
  said(what: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.#onStatus = (text) => void (what.test(text) && resolve());
    });
  }
}

function runOf(client: ThinClient): ClientRun & { readonly output: SilentOutput } {
  const { signal } = new AbortController();
  const place = { address: "memory" } as ClientRun["place"];
  return { client, place, signal, output: new SilentOutput(flags), call: { signal } };
}

async function assertShare(work: () => Promise<unknown>): Promise<void> {
  const measured = await shareOfTicks(both.daemon, clock, work, { waitsForDisk: true });
  assert.ok(measured.share >= 0.9, JSON.stringify(measured));
}

for (const [what, count, each] of [
  ["one file of 60 boxes", 1, 90_000],
  ["400 files, whose list takes a dozen boxes", 400, 400],
] as const) {
  test(`sending and receiving ${what} uses 90 % of the ticks`, { timeout: 300_000 }, async () => {
    const source = join(folder, `source ${count}`);
    mkdirSync(source);
    for (let i = 0; i < count; i++) writeFileSync(join(source, `file ${i}`), randomBytes(each));
    const sending = runOf(both.alice);
    const files = await findFiles([source], undefined, () => {});
    await assertShare(() => sendFiles(sending, files, false));
    const [ticket] = sending.output.results;
    await clock.advance(60_000);
    const into = join(folder, `target ${count}`);
    const partial = await PartialFolder.at(into, ticket!);
    const receiving = runOf(both.bob);
    const asked = { ...flags, into, force: false };
    await assertShare(() => receiveFiles(receiving, asked, decodeTicket(ticket!), partial));
    assert.equal(receiving.output.results.length, count);
  });
}

test("copying uses 90 % of the ticks while boxes are written", { timeout: 300_000 }, async () => {
  const payload = join(folder, "payload");
  writeFileSync(payload, randomBytes(90_000));
  const { code, stderr } = await katz(["keygen", "-o", "stream"], { cwd: folder });
  assert.equal(code, 0, stderr);
  const copying = runOf(both.alice);
  const { signal } = copying;
  const capability = await OpenCapability.open(join(folder, "stream.write"), signal);
  let copied: Promise<void> = Promise.resolve();
  await assertShare(async () => {
    copied = copyTo(copying, { ...flags, keep: false }, payload, [capability]);
    await Promise.race([copied, copying.output.said(/a courier is copying/)]);
  });
  await clock.runUntil(copied);
});
