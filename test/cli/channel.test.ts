/** `katz channel`: its subcommands, with a daemon in a separate process. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Ended, interruptOnce, katz, linesOf, recordsOf } from "./katz.js";
import { assertShape } from "./shapes.js";
import { TransferNetwork } from "./transfer-network.js";

const network = new TransferNetwork();
before(() => network.ready());
after(() => network[Symbol.asyncDispose]());

const TIMEOUT = { timeout: 180_000 };

/** Runs a subcommand on a store in `folder`. */
function runner(folder: string) {
  return (store: string, args: readonly string[], input?: string): Promise<Ended> =>
    network.katz(["channel", ...args, "--store", join(folder, store)], {
      cwd: folder,
      ...(input === undefined ? {} : { input }),
    });
}

test("creates, sends on, imports and reads a channel across processes", TIMEOUT, async () => {
  const run = runner(network.newFolder());
  const folder = network.newFolder();
  const cap = join(folder, "news.read");
  const created = await run("a", ["create", "news", "-o", cap, "--json"]);
  assert.equal(created.code, 0, created.stderr);
  const [record] = recordsOf(created.stdout);
  assertShape(record!, "channel");
  assert.deepEqual([record!["name"], record!["kind"], record!["queued"]], ["news", "writer", 0]);
  assert.equal(statSync(cap).mode & 0o777, 0o600);

  const queued = await run("a", ["send", "news", "--queue", "--json"], "first\n");
  assert.equal(queued.code, 0, queued.stderr);
  assertShape(recordsOf(queued.stdout)[0]!, "delivery");
  const stored = await run("a", ["send", "news", "--json"], "second\n");
  assert.equal(stored.code, 0, stored.stderr);
  const [delivery] = recordsOf(stored.stdout);
  assertShape(delivery!, "delivery");
  assert.deepEqual([delivery!["state"], delivery!["bytes"]], ["stored", 7]);

  const kept = await run("b", ["read", "from-a", "--import", cap, "--keep"]);
  assert.deepEqual([kept.code, kept.stdout], [0, "first\n"], kept.stderr);
  const both = await run("b", ["read", "from-a", "--import", cap, "-n", "2", "--json"]);
  assert.equal(both.code, 0, both.stderr);
  const messages = recordsOf(both.stdout);
  for (const message of messages) assertShape(message, "message of channel");
  assert.deepEqual(
    messages.map(({ plaintextBase64 }) =>
      Buffer.from(String(plaintextBase64), "base64").toString(),
    ),
    ["first\n", "second\n"],
  );
  assert.equal(messages[1]!["id"], delivery!["id"]);
  // The box is empty, so the command waits as long as it may.
  const nothing = await run("b", ["read", "from-a", "--timeout", "300ms"]);
  assert.deepEqual([nothing.code, nothing.stdout], [5, ""], nothing.stderr);
  assert.match(nothing.stderr, /^katz: no message arrived on "from-a"/);
});

test("invites and accepts contacts, and lists them without a daemon", TIMEOUT, async () => {
  const folder = network.newFolder();
  const run = runner(folder);
  // Ctrl-C before the answer: the voucher is kept and shown again.
  const first = await katz(
    ["channel", "invite", "bob", "--as", "alice", "--json", "--store", join(folder, "a")],
    { cwd: folder, env: network.env, onStdout: interruptOnce },
  );
  assert.equal(first.code, 130, first.stderr);
  const [voucher] = recordsOf(first.stdout);
  assertShape(voucher!, "voucher");
  const path = join(folder, "voucher");
  writeFileSync(path, String(voucher!["voucher"]), { mode: 0o600 });
  const [invited, accepted] = await Promise.all([
    run("a", ["invite", "bob"]),
    run("b", ["accept", "alice", "voucher", "--as", "bob", "--json"]),
  ]);
  assert.equal(invited.code, 0, invited.stderr);
  assert.deepEqual(linesOf(invited.stdout), [String(voucher!["voucher"])]);
  assert.equal(accepted.code, 0, accepted.stderr);
  const [contact] = recordsOf(accepted.stdout);
  assertShape(contact!, "contact");
  assert.deepEqual(
    [contact!["name"], contact!["state"], contact!["displayName"]],
    ["alice", "answered", "alice"],
  );
  const complete = await run("b", ["cancel", "alice"]);
  assert.equal(complete.code, 2);
  assert.match(complete.stderr, /"alice" is a contact already/);
  // send and read take the names of contacts.
  const sent = await run("b", ["send", "alice", "--quiet"], "hello");
  assert.deepEqual([sent.code, sent.stdout, sent.stderr], [0, "", ""]);
  const read = await run("a", ["read", "bob"]);
  assert.deepEqual([read.code, read.stdout], [0, "hello"], read.stderr);

  const list = await katz(["channel", "list", "--json", "--store", join(folder, "a")]);
  assert.equal(list.code, 0, list.stderr);
  const records = recordsOf(list.stdout);
  assert.deepEqual(
    records.map(({ type, name }) => `${String(type)} ${String(name)}`),
    ["contact bob", "channel from bob", "channel to bob"],
  );
  for (const record of records) assertShape(record, String(record["type"]));
  const table = await katz(["channel", "list", "--store", join(folder, "a")]);
  assert.match(table.stdout, /^bob +contact +opened/m);
});

test("cancel withdraws a voucher, and frees the name", TIMEOUT, async () => {
  const folder = network.newFolder();
  const run = runner(folder);
  const invite = ["channel", "invite", "bob", "--json", "--store", join(folder, "a")];
  const invited = await katz(invite, { cwd: folder, env: network.env, onStdout: interruptOnce });
  const [voucher] = recordsOf(invited.stdout);
  const waiting = await katz(["channel", "list", "--store", join(folder, "a")]);
  assert.match(waiting.stdout, /^bob +contact +(minted|published)/m);
  assert.match(waiting.stderr, /^1 contact waits .*katz channel cancel NAME withdraws/m);
  const cancelled = await run("a", ["cancel", "bob", "--json"]);
  assert.equal(cancelled.code, 0, cancelled.stderr);
  const [contact] = recordsOf(cancelled.stdout);
  assertShape(contact!, "contact");
  assert.deepEqual([contact!["name"], contact!["state"]], ["bob", "cancelled"]);
  const list = await katz(["channel", "list", "--store", join(folder, "a")]);
  assert.deepEqual([list.stdout, list.stderr], ["", "the store is empty\n"]);

  writeFileSync(join(folder, "voucher"), String(voucher!["voucher"]), { mode: 0o600 });
  const late = await run("b", ["accept", "alice", "voucher"]);
  assert.equal(late.code, 1, late.stderr);
  assert.match(late.stderr, /the newcomer deleted the voucher/);
  const removed = await run("b", ["cancel", "alice"]);
  assert.deepEqual([removed.code, removed.stdout], [0, ""], removed.stderr);
  assert.match(removed.stderr, /^"alice" is removed$/m);
  const again = await run("b", ["create", "to alice"]);
  assert.equal(again.code, 0, again.stderr);
});

test("mistakes end with their exit code, and messages do not repeat secrets", TIMEOUT, async () => {
  const folder = network.newFolder();
  const run = runner(folder);
  const secret = Buffer.alloc(32, 7).toString("base64");
  const capability = Buffer.alloc(136, 7).toString("base64");
  for (const [args, code, message] of [
    [["send", "nobody"], 2, /no channel or contact "nobody"/],
    [["read", "nobody"], 2, /no channel or contact "nobody"/],
    [["cancel", "nobody"], 2, /no contact "nobody"/],
    [["accept", "zoe", secret], 2, /looks like a voucher itself/],
    [["read", "zoe", "--import", capability], 2, /looks like a capability itself/],
    [["create", "x".repeat(201)], 2, /`name` must be 1 to 200 characters/],
  ] as const) {
    const ended = await run("s", args, "");
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
    assert.ok(!ended.stderr.includes(secret) && !ended.stderr.includes(capability));
  }
  const once = await run("s", ["create", "news", "--json"]);
  assert.equal(once.code, 0, once.stderr);
  const cap = join(folder, "again.read");
  const twice = await run("s", ["create", "news", "-o", cap]);
  assert.equal(twice.code, 2);
  assert.match(twice.stderr, /there is already a channel "news": choose/);
  assert.equal(existsSync(cap), false);
  writeFileSync(cap, "precious");
  const taken = await run("s", ["create", "other", "-o", cap]);
  assert.deepEqual([taken.code, readFileSync(cap, "utf8")], [2, "precious"]);
  const listed = await run("s", ["list", "--json"]);
  assert.deepEqual(
    recordsOf(listed.stdout).map(({ name }) => name),
    ["news"],
  );
  writeFileSync(join(folder, "file"), "");
  const below = await run("file/deep/s", ["create", "news"]);
  assert.equal(below.code, 2);
  assert.match(
    below.stderr,
    /^katz: cannot use .*\/file\/deep\/s: a part of its path is not a folder$/m,
  );
  const empty = await katz(["channel", "list", "--json", "--store", join(folder, "none")]);
  assert.deepEqual([empty.code, empty.stdout, empty.stderr], [0, "", ""]);
  assert.equal(existsSync(join(folder, "none")), false);
});

test("help and completion know the subcommands", async () => {
  const [group, alone, create, help, wrong, proposed, flags] = await Promise.all([
    katz(["channel", "--help"]),
    katz(["channel"]),
    katz(["channel", "create", "--help"]),
    katz(["help", "channel", "create"]),
    katz(["channel", "craete"]),
    katz(["complete", "--", "channel", ""]),
    katz(["complete", "--", "channel", "read", "--im"]),
  ]);
  assert.equal(alone.stdout, group.stdout);
  for (const name of ["create", "send", "read", "list", "invite", "accept", "cancel"]) {
    assert.match(group.stdout, new RegExp(`^ {2}${name} {2,}\\S`, "m"));
  }
  assert.match(create.stdout, /^USAGE\n {2}katz channel create NAME \[FLAGS\]\n/);
  assert.equal(help.stdout, create.stdout);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /there is no command channel craete; did you mean create\?/);
  assert.deepEqual(
    linesOf(proposed.stdout).map((line) => line.split("\t")[0]),
    ["create", "send", "read", "list", "invite", "accept", "cancel"],
  );
  assert.match(flags.stdout, /^--import\t/);
});
