/** `katz chat`: two people, and messages typed while the other is away. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ThinClient, utf8 } from "katzenpost-thinclient";
import { generateKeypair, nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import { openChannels } from "katzenpost-thinclient/channels";
import { interruptOnce, katz, linesOf, recordsOf } from "./katz.js";
import { assertShape } from "./shapes.js";
import { TransferNetwork } from "./transfer-network.js";

const network = new TransferNetwork();
before(() => network.ready());
after(() => network[Symbol.asyncDispose]());

test(
  "two people chat, and one receives later what the other typed meanwhile",
  { timeout: 180_000 },
  async () => {
    const folder = network.newFolder();
    const run = (store: string, args: readonly string[], input: string) =>
      network.katz(["chat", ...args, "--store", join(folder, store)], { cwd: folder, input });
    // Ctrl-C before the other side answered: the voucher is kept and shown again.
    const first = await katz(
      ["chat", "bob", "--invite", "--as", "alice", "--json", "--store", join(folder, "a")],
      {
        cwd: folder,
        env: network.env,
        onStdout: interruptOnce,
      },
    );
    const record = recordsOf(first.stdout)[0]!;
    assertShape(record, "voucher");
    writeFileSync(join(folder, "v"), String(record["voucher"]), { mode: 0o600 });
    const [alice, bob] = await Promise.all([
      run("a", ["bob"], "hello bob\n"),
      run("b", ["alice", "--accept", "v", "--as", "bob", "-n", "1"], ""),
    ]);
    assert.equal(alice.code, 0, alice.stderr);
    assert.equal(bob.code, 0, bob.stderr);
    assert.deepEqual(linesOf(bob.stdout), ["alice: hello bob"]);
    const alone = await run("b", ["alice"], "hello alice\nand again\n");
    assert.equal(alone.code, 0, alone.stderr);
    const later = await run("a", ["bob", "-n", "1", "--json"], "");
    assert.equal(later.code, 0, later.stderr);
    assertShape(recordsOf(later.stdout)[0]!, "message");
    assert.equal(recordsOf(later.stdout)[0]!["text"], "hello alice");
    const next = await run("a", ["bob", "-n", "1"], "");
    assert.deepEqual(linesOf(next.stdout), ["bob: and again"], "a message is shown only once");

    // Messages without a content: one is deleted, one refers to a stream that holds no message.
    const secret = await strangeBoxes(join(folder, "a"));
    const strange = await run("b", ["alice", "-n", "3"], "");
    assert.equal(strange.code, 0, strange.stderr);
    assert.deepEqual(linesOf(strange.stdout), ["alice: still here"]);
    assert.match(strange.stderr, /^katz: message \d+ was deleted by its writer$/m);
    assert.match(strange.stderr, /^katz: message \d+ was lost: its boxes are gone$/m);
    assert.ok(!strange.stdout.includes(secret));
  },
);

/**
 * Continues the channel to Bob of a store with strange boxes and a message; returns a text in the
 * capability that one of them holds.
 */
async function strangeBoxes(store: string): Promise<string> {
  await using client = await ThinClient.connect({ dial: { unix: { address: network.socket } } });
  await using channels = await openChannels(client, store);
  const writer = await channels.writer("to bob");
  const { nextMessageBoxIndex: deleted } = await writer.invitation();
  const side = generateKeypair();
  await client.write(side.writeCap, side.firstMessageIndex, utf8("?"));
  await client.tombstone(writer.writeCap(), deleted);
  const referring = nextMessageBoxIndex(deleted);
  const reference = new Uint8Array([0x49, ...side.readCap]);
  await client.write(writer.writeCap(), referring, reference);
  const message = utf8("M\0still here");
  await client.write(writer.writeCap(), nextMessageBoxIndex(referring), message);
  return Buffer.from(side.readCap).toString();
}

test("refuses an unknown contact, and a voucher on the command line", async () => {
  const folder = network.newFolder();
  const nobody = await network.katz(["chat", "zoe", "--store", join(folder, "s")]);
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /there is no contact "zoe" yet/);
  const secret = Buffer.alloc(32, 7).toString("base64");
  const told = await network.katz(["chat", "zoe", "--accept", secret]);
  assert.equal(told.code, 2);
  assert.ok(!told.stderr.includes(secret));
});
