/**
 * Digests are computed from the files on disk, even if another process wrote to them; and only one
 * receiver runs at a time.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { generateKeypair } from "katzenpost-thinclient/bacap";
import { IncomingFiles } from "../../src/cli/transfer/incoming-files.js";
import { PartialFolder } from "../../src/cli/transfer/partial-folder.js";
import { encodeTicket } from "../../src/cli/transfer/ticket.js";
import { KatzProcess } from "../e2e/katz-process.js";
import { TransferNetwork, contentsOf, digestOf } from "./transfer-network.js";

const network = new TransferNetwork();
before(() => network.ready());
after(() => network[Symbol.asyncDispose]());

const first = new Uint8Array(1000).fill(1);
const second = new Uint8Array(1000).fill(2);
const entry = (name: string, bytes: Uint8Array) => ({
  name,
  size: bytes.length,
  sha256: new Uint8Array(createHash("sha256").update(bytes).digest()),
});
const manifest = { chunk: 500, files: [entry("one", first), entry("two", second)] };

async function newPartial(): Promise<PartialFolder> {
  const { readCap, firstMessageIndex: index } = generateKeypair();
  const folder = await PartialFolder.at(network.newFolder(), encodeTicket(readCap));
  await folder.create(new Uint8Array(1), { boxesDone: 1, index });
  return folder;
}

test("damage by another process is found when the file is complete", async () => {
  const folder = await newPartial();
  const files = await IncomingFiles.open(folder, manifest, [false, false], 0);
  await files.append(first.subarray(0, 500));
  // Simulates another receiver that starts from the beginning.
  writeFileSync(folder.pathOf(0), "");
  await assert.rejects(files.append(first.subarray(500)), /its SHA-256 digest is different/);
  await files.close();
});

test("a partial download of the right size is checked by its contents", async () => {
  const folder = await newPartial();
  writeFileSync(folder.pathOf(0), new Uint8Array(1000).fill(9));
  await assert.rejects(
    IncomingFiles.open(folder, manifest, [false, false], 1000),
    /the partial download in .* is damaged: start again/,
  );
  writeFileSync(folder.pathOf(0), first);
  writeFileSync(folder.pathOf(1), second.subarray(0, 700));
  const files = await IncomingFiles.open(folder, manifest, [false, false], 1500);
  await files.append(second.subarray(500));
  await files.finish();
  assert.deepEqual(new Uint8Array(readFileSync(folder.pathOf(1))), second);
  await files.close();
});

test("what an earlier run left in a file is not taken for a part of it, however long it is", async () => {
  for (const done of [0, 500, 1000, 1500]) {
    const folder = await newPartial();
    const junk = new Uint8Array(3000).fill(9);
    const rest = Math.max(0, done - 1000);
    writeFileSync(
      folder.pathOf(0),
      done >= 1000 ? first : Buffer.concat([first.subarray(0, done), junk]),
    );
    writeFileSync(folder.pathOf(1), Buffer.concat([second.subarray(0, rest), junk]));
    const files = await IncomingFiles.open(folder, manifest, [false, false], done);
    await files.append(Buffer.concat([first, second]).subarray(done));
    await files.finish();
    assert.deepEqual(new Uint8Array(readFileSync(folder.pathOf(0))), first);
    assert.deepEqual(new Uint8Array(readFileSync(folder.pathOf(1))), second);
    await files.close();
  }
});

test("a part that cannot be read is reported with its path", async () => {
  const folder = await newPartial();
  mkdirSync(folder.pathOf(0));
  await assert.rejects(IncomingFiles.open(folder, manifest, [false, false], 1000), {
    name: "UsageError",
    message: `cannot read ${folder.pathOf(0)}: it is a folder`,
  });
});

test("a second sender of the same files is refused, and the first one's ticket stays valid", async () => {
  const file = network.newFile(1_000_000);
  await using one = new KatzProcess(["send", file], network.env);
  const ticket = await one.firstLine();
  // So that it is not done before the second one begins.
  one.kill("SIGSTOP");
  const two = await network.katz(["send", file]);
  one.kill("SIGCONT");
  assert.deepEqual([two.code, two.stdout], [2, ""], two.stderr);
  assert.match(two.stderr, /another katz send is sending the same files/);
  assert.equal((await one.ended).code, 0, one.stderr);
  const into = network.newFolder();
  const got = await network.katz(["receive", "-", "--into", into], { input: `${ticket}\n` });
  assert.equal(got.code, 0, got.stderr);
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
});

test("a second receiver of one ticket into one folder is refused and changes nothing", async () => {
  const file = network.newFile(1_000_000);
  const sent = await network.katz(["send", file, "--quiet"]);
  assert.equal(sent.code, 0, sent.stderr);
  const ticket = join(network.newFolder(), "ticket");
  writeFileSync(ticket, sent.stdout, { mode: 0o600 });
  const into = network.newFolder();
  const args = ["receive", ticket, "--into", into];
  await using one = new KatzProcess(args, network.env);
  const partial = (): string | undefined =>
    readdirSync(into).find((name) => name.endsWith("partial"));
  const early = one.ended.then(() => assert.fail(`ended early: ${one.stderr}`));
  early.catch(() => {});
  while (partial() === undefined) await Promise.race([sleep(5), early]);
  one.kill("SIGSTOP");
  const two = await network.katz(args);
  one.kill("SIGCONT");
  assert.equal(two.code, 2, two.stderr);
  assert.match(two.stderr, /another katz receive is fetching this ticket into the same folder/);
  assert.equal((await one.ended).code, 0, one.stderr);
  assert.deepEqual(contentsOf(into), ["file.bin"]);
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
  assert.equal(statSync(into).isDirectory(), true);
  // Another folder can receive at the same time.
  const elsewhere = join(into, "other");
  mkdirSync(elsewhere);
  assert.equal((await network.katz(["receive", ticket, "--into", elsewhere])).code, 0);
});
