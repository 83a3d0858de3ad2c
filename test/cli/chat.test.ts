/** `katz chat`: two people, and messages typed while the other is away. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
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
  },
);

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
