/** `katz keygen`, `write`, `read`, `tombstone` and `copy`, each as a separate process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  lstatSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fromBase64 } from "katzenpost-thinclient";
import { type Ended, katz, linesOf, mainPath, recordsOf } from "./katz.js";
import { assertShape } from "./shapes.js";
import { TransferNetwork, contentsOf } from "./transfer-network.js";

const network = new TransferNetwork();
before(() => network.ready());
after(() => network[Symbol.asyncDispose]());

/** A new stream: `s.write` and `s.read` in a folder of their own. */
async function newStream(): Promise<{
  folder: string;
  run: (args: readonly string[], input?: string) => Promise<Ended>;
}> {
  const folder = network.newFolder();
  const run = (args: readonly string[], input?: string): Promise<Ended> =>
    network.katz(args, { cwd: folder, ...(input !== undefined && { input }) });
  const made = await run(["keygen", "-o", "s", "--quiet"]);
  assert.deepEqual([made.code, made.stdout, made.stderr], [0, "s.write\ns.read\n", ""]);
  return { folder, run };
}

/** Runs `katz` under a shell, which sets limits. */
async function shell(
  script: string,
  args: readonly string[],
  cwd: string,
): Promise<Omit<Ended, "signal">> {
  const child = spawn("bash", ["-c", script, process.execPath, mainPath, ...args], {
    cwd,
    // With coverage, its file would also exceed the limits.
    env: { ...process.env, ...network.env, NODE_V8_COVERAGE: "" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: "", stderr };
}

const ok = (ended: Ended): string => {
  assert.equal(ended.code, 0, ended.stderr);
  return ended.stdout;
};

test(
  "bytes that a full disk refused are read again, not skipped",
  { skip: process.platform === "win32" && "not run: Windows has no limits of file sizes" },
  async () => {
    const { folder, run } = await newStream();
    for (const letter of ["a", "b"]) ok(await run(["write", "s.write"], letter.repeat(1500)));
    const out = join(folder, "out");
    // A limit stands for the full disk: one block of 1024 bytes, which takes the first part of a
    // box.
    const script = `ulimit -f 1; exec "$0" "$@" > ${out}`;
    const args = ["read", "s.read", "-n", "2"];
    const full = await shell(script, args, folder);
    assert.equal(full.code, 2);
    assert.match(full.stderr, /^katz: standard output cannot be written: .*larger than files may/);
    assert.equal(ok(await run(args)), "a".repeat(1500) + "b".repeat(1500));
    const json = await shell(script, [...args, "--box", "0", "--json"], folder);
    assert.equal(json.code, 2);
  },
);

test("boxes are read ahead and delivered in order, and a failure comes after the boxes before it", async () => {
  const { run } = await newStream();
  const texts = Array.from({ length: 40 }, (_, i) => `box ${i};`);
  for (const text of texts.slice(0, 5)) ok(await run(["write", "s.write"], text));
  const some = await run(["read", "s.read", "-n", "7", "--now"]);
  assert.equal(some.stdout, texts.slice(0, 5).join(""));
  assert.equal(some.code, 6);
  assert.match(some.stderr, /box 5 of s\.read holds nothing yet/);
  assert.equal((await run(["read", "s.read", "--now"])).code, 6, "the five are recorded");
});

test("keygen creates two private files without a daemon, and replaces none", async () => {
  const folder = network.newFolder();
  const made = await katz(["keygen", "--output", "k", "--json"], { cwd: folder });
  assert.equal(made.code, 0, made.stderr);
  assertShape(recordsOf(made.stdout)[0]!, "keypair");
  assert.deepEqual(contentsOf(folder), ["k.read", "k.write"]);
  for (const [name, kind, length] of [
    ["k.read", "read", 136],
    ["k.write", "write", 168],
  ] as const) {
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    const text = readFileSync(join(folder, name), "utf8");
    assert.match(
      text,
      new RegExp(`^# A secret: .*\nkind = "${kind}"\ncapability = ".*"\nindex = `),
    );
    const [, capability, index] = /capability = "(.*)"\nindex = "(.*)"\n$/.exec(text)!;
    assert.equal(fromBase64(capability!).length, length);
    assert.equal(fromBase64(index!).length, 104);
    assert.ok(!`${made.stdout}${made.stderr}`.includes(capability!.slice(0, 20)));
  }
  const before = readFileSync(join(folder, "k.write"));
  const again = await katz(["keygen", "-o", "k"], { cwd: folder });
  assert.deepEqual([again.code, again.stdout], [2, ""]);
  assert.match(again.stderr, /k\.write already exists and is left unchanged/);
  assert.deepEqual(readFileSync(join(folder, "k.write")), before);
  renameSync(join(folder, "k.write"), join(folder, "other"));
  assert.equal((await katz(["keygen", "-o", "k"], { cwd: folder })).code, 2);
  assert.deepEqual(contentsOf(folder), ["k.read", "other"], "no file without the other");
  const nowhere = await katz(["keygen", "-o", "missing/k"], { cwd: folder });
  assert.match(nowhere.stderr, /cannot write .*there is no such file or folder/);
});

test("read returns every written box byte for byte", async () => {
  const { folder, run } = await newStream();
  const first = await run(["write", "s.write"], "hello\n");
  assert.deepEqual([ok(first), first.stderr], ["", "wrote box 0, 6 bytes\n"]);
  writeFileSync(join(folder, "message"), Buffer.from([0, 255, 27, 10]));
  const second = await run(["write", "s.write", "message", "--json"]);
  assertShape(recordsOf(ok(second))[0]!, "written");
  assert.equal(ok(await run(["read", "s.read"])), "hello\n");
  const record = recordsOf(ok(await run(["read", "s.read", "--json"])))[0]!;
  assertShape(record, "box");
  assert.deepEqual(record, { type: "box", number: 1, bytes: 4, plaintextBase64: "AP8bCg==" });
  assert.deepEqual(contentsOf(folder), ["message", "s.read", "s.write"]);
  assert.equal(statSync(join(folder, "s.read")).mode & 0o777, 0o600);
});

test("--keep keeps an index, and boxes can be read by number", async () => {
  const { folder, run } = await newStream();
  for (const text of ["a", "b", "c"]) ok(await run(["write", "s.write"], text));
  const before = readFileSync(join(folder, "s.read"));
  assert.equal(ok(await run(["read", "s.read", "--keep"])), "a");
  assert.deepEqual(readFileSync(join(folder, "s.read")), before);
  assert.equal(ok(await run(["read", "s.read", "-n", "2"])), "ab");
  assert.equal(ok(await run(["read", "s.read", "--box", "0"])), "a", "going back");
  assert.equal(ok(await run(["read", "s.read"])), "c", "does not put the index back");
  assert.equal(ok(await run(["read", "s.write", "--box", "1"])), "b", "writers can read");
});

test("write does not overwrite a box that holds something else; the same content is a success", async () => {
  const { run } = await newStream();
  ok(await run(["write", "s.write", "--keep"], "first"));
  ok(await run(["write", "s.write", "--keep"], "first"));
  const other = await run(["write", "s.write"], "second");
  assert.equal(other.code, 6);
  assert.equal(
    other.stderr,
    "katz: box 0 of s.write holds something else\nIf you wrote it, skip it with --box 1\n",
  );
  ok(await run(["write", "s.write", "--box", "1"], "second"));
  ok(await run(["write", "s.write"], "third"));
  const behind = await run(["write", "s.write", "--box", "0"], "fourth");
  assert.match(
    behind.stderr,
    /\nIf you wrote it, leave out --box: the next box of s\.write is box 3\n$/,
  );
  assert.equal(ok(await run(["read", "s.read", "-n", "3"])), "firstsecondthird");
});

test("read waits for an empty box, or ends with code 6 with --now", async () => {
  const { run } = await newStream();
  const now = await run(["read", "s.read", "--now"]);
  assert.equal(now.code, 6);
  assert.equal(now.stderr, "katz: box 0 of s.read holds nothing yet\n");
  const late = await run(["read", "s.read", "--timeout", "500ms"]);
  assert.equal(late.code, 5);
  assert.match(
    late.stderr,
    /^katz: box 0 of s\.read: .* 500 ms: the box was still empty after .*\n$/,
  );
  const reading = run(["read", "s.read"]);
  ok(await run(["write", "s.write"], "there"));
  assert.equal(ok(await reading), "there");
});

test("tombstones delete single boxes or all, and read continues after them", async () => {
  const { run } = await newStream();
  for (const text of ["a", "b", "c", "d"]) ok(await run(["write", "s.write"], text));
  const one = await run(["tombstone", "s.write", "--box", "1", "--json"]);
  assertShape(recordsOf(ok(one))[0]!, "deleted");
  assert.equal(ok(await run(["read", "s.read"])), "a");
  const gone = await run(["read", "s.read"]);
  assert.equal(gone.code, 6);
  assert.equal(gone.stderr, "katz: box 1 of s.read was deleted by its writer\n");
  assert.equal(ok(await run(["read", "s.read"])), "c");
  const all = await run(["tombstone", "s.write", "--all"]);
  assert.equal(all.stderr, "deleted 4 boxes, 0 to 3\n");
  assert.equal((await run(["read", "s.read"])).code, 6);
  ok(await run(["tombstone", "s.write", "--box", "4", "-n", "2"]));
  assert.equal((await run(["tombstone", "s.write", "--box", "1"])).stderr, "deleted box 1\n");
  const next = await run(["write", "s.write"], "after");
  assert.match(next.stderr, /wrote box 6/, "deleted boxes are not written to");
  for (const args of [[], ["--all", "--box", "1"], ["--all", "-n", "2"]]) {
    const { code, stderr } = await run(["tombstone", "s.write", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /say which boxes/);
  }
  assert.equal((await run(["tombstone", "s.read", "--all"])).code, 2);
});

test("--quiet prints an outcome as one line, with the same exit code", async () => {
  const { folder, run } = await newStream();
  ok(await run(["write", "s.write"], "a"));
  ok(await run(["write", "s.write"], "b"));
  ok(await run(["tombstone", "s.write", "--box", "1"]));
  writeFileSync(join(folder, "open"), readFileSync(join(folder, "s.read")), { mode: 0o644 });
  const outcomes: readonly (readonly [code: number, line: RegExp, args: readonly string[]])[] = [
    [6, /^katz: box 2 of s\.read holds nothing yet$/, ["read", "s.read", "--now", "--box", "2"]],
    [6, /^katz: box 1 of s\.read was deleted by its writer$/, ["read", "s.read", "--box", "1"]],
    [6, /^katz: box 0 of s\.write holds something else$/, ["write", "s.write", "--box", "0"]],
    [
      5,
      /^katz: box 2 .* 300 ms: the box was still empty after /,
      ["read", "s.read", "--box", "2", "--timeout", "300ms"],
    ],
    [2, /^katz: the permissions 0644 of open are too open/, ["read", "open"]],
  ];
  for (const [code, line, args] of outcomes) {
    const quiet = await run([...args, "--quiet"], "c");
    assert.deepEqual([quiet.code, quiet.stdout], [code, ""], args.join(" "));
    assert.equal(linesOf(quiet.stderr).length, 1, quiet.stderr);
    assert.match(linesOf(quiet.stderr)[0]!, line);
  }
});

test("copy puts a payload into several streams at once", async () => {
  const [a, b] = [await newStream(), await newStream()];
  const payload = Buffer.from(Array.from({ length: 4000 }, (_, i) => i % 251));
  writeFileSync(join(a.folder, "payload"), payload);
  const other = join(b.folder, "s.write");
  const copied = await a.run(["copy", "payload", "s.write", other, "--json"]);
  const record = recordsOf(ok(copied)).at(-1)!;
  assertShape(record, "copied");
  assert.deepEqual([record["bytes"], record["streams"]], [4000, 2]);
  for (const { run } of [a, b]) {
    const boxes = recordsOf(ok(await run(["read", "s.read", "-n", "3", "--json"])));
    const parts = boxes.map((box) => Buffer.from(box["plaintextBase64"] as string, "base64"));
    assert.deepEqual(Buffer.concat(parts), payload);
    const written = await run(["write", "s.write"], "next");
    assert.match(written.stderr, /wrote box 3/);
  }
  const empty = await a.run(["copy", "-", "s.write"], "");
  assert.deepEqual([empty.code, empty.stderr], [2, "katz: standard input is empty\n"]);
  assert.equal((await a.run(["copy", "payload"])).code, 2);
  assert.equal((await a.run(["copy", "none", "s.write"])).code, 2);
});

test("copy does not overwrite a taken box, and refuses to use one stream twice", async () => {
  const { folder, run } = await newStream();
  writeFileSync(join(folder, "payload"), "x".repeat(4000));
  const cap = readFileSync(join(folder, "s.write"));
  writeFileSync(join(folder, "same"), cap, { mode: 0o600 });
  for (const other of ["s.write", "same"]) {
    const { code, stderr } = await run(["copy", "payload", "s.write", other]);
    assert.deepEqual(
      [code, stderr],
      [2, `katz: s.write and ${other} are the same stream: give it once\n`],
    );
  }
  ok(await run(["write", "s.write", "--box", "1", "--keep"], "taken"));
  const taken = await run(["copy", "payload", "s.write"]);
  assert.equal(taken.code, 6, taken.stderr);
  assert.equal(
    taken.stderr,
    "katz: box 1 of s.write holds something else\n" +
      "If you wrote it, skip it with katz read s.write\n",
  );
  assert.match(ok(await run(["read", "s.write", "-n", "2"])), /^x+taken$/);
  ok(await run(["copy", "payload", "s.write"]));
});

test("a capability may be read from standard input", async () => {
  const { folder, run } = await newStream();
  const writeCap = readFileSync(join(folder, "s.write"), "utf8");
  const readCap = readFileSync(join(folder, "s.read"), "utf8");
  writeFileSync(join(folder, "message"), "piped");
  ok(await run(["write", "-", "message"], writeCap));
  assert.equal(ok(await run(["read", "-", "--box", "0"], readCap)), "piped");
  ok(await run(["copy", "message", "-"], writeCap));
  const both = await run(["write", "-"], writeCap);
  assert.equal(both.code, 2);
  assert.match(both.stderr, /cannot both come from standard input/);
  assert.equal((await run(["copy", "-", "-"], writeCap)).code, 2);
  assert.equal(readFileSync(join(folder, "s.write"), "utf8"), writeCap);
});

test("capability files that others can read are refused, as ssh does with keys", async () => {
  const { folder, run } = await newStream();
  for (const mode of [0o640, 0o604, 0o620, 0o666, 0o610]) {
    chmodSync(join(folder, "s.read"), mode);
    const { code, stdout, stderr } = await run(["read", "s.read", "--now"]);
    assert.deepEqual([code, stdout], [2, ""]);
    const octal = mode.toString(8).padStart(4, "0");
    assert.match(stderr, new RegExp(`permissions ${octal} of s\\.read are too open`));
    assert.match(stderr, /chmod 600 s\.read/);
  }
  chmodSync(join(folder, "s.read"), 0o400);
  assert.equal((await run(["read", "s.read", "--now"])).code, 6);
  const shared = await run(["read", "/tmp"]);
  assert.deepEqual([shared.code, shared.stderr], [2, "katz: /tmp is a folder, not a capability\n"]);
});

test("a file that is not a capability is refused without showing its contents", async () => {
  const { folder, run } = await newStream();
  const good = readFileSync(join(folder, "s.write"), "utf8");
  const [, capability] = /capability = "(.*)"/.exec(good)!;
  const damaged = capability!.replace(/^./, (first) => (first === "A" ? "B" : "A"));
  const texts: readonly (readonly [string, RegExp])[] = [
    ["", /kind must be/],
    ["not toml at all", /invalid TOML at line 1/],
    [`capability = "${capability}`, /invalid TOML at line/],
    [good.replace('"write"', '"read"'), /capability is damaged/],
    [good.replace(capability!, damaged), /capability is damaged/],
    [good.replace(capability!, `${capability!.slice(0, 40)}!`), /capability must be base64/],
    [good.replace(/index = .*/, 'index = "AAAA"'), /index is damaged/],
    [good.replace(/index = .*/, `index = "${"A".repeat(139)}="`), /index lies before/],
    [`${good}secret = "${capability}"\n`, /an unknown key/],
    ["x".repeat(10_000), /too long/],
  ];
  for (const [text, message] of texts) {
    writeFileSync(join(folder, "bad"), text, { mode: 0o600 });
    const { code, stderr } = await run(["read", "bad", "--now"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
    assert.ok(!stderr.includes(capability!.slice(5, 35)), stderr);
  }
  // A file that is not a capability gets no advice about its permissions.
  writeFileSync(join(folder, "package.json"), '{ "name": "x" }\n', { mode: 0o644 });
  const other = await run(["read", "package.json", "--now"]);
  assert.equal(other.stderr, "katz: package.json is not a capability: invalid TOML at line 1\n");
  const argv = await run(["read", capability!, "--now"]);
  assert.equal(argv.code, 2);
  assert.match(argv.stderr, /other users of this machine can read command lines/);
  assert.ok(!argv.stderr.includes(capability!.slice(5, 35)));
  const reader = await run(["write", "s.read"], "x");
  assert.match(reader.stderr, /s\.read can only read; this needs a capability that can write/);
});

test("the error for a message that does not fit a box, or is missing, says what to use instead", async () => {
  const { run } = await newStream();
  const long = await run(["write", "s.write"], "x".repeat(1600));
  assert.equal(long.code, 2);
  assert.match(long.stderr, /1600 bytes, but a box holds 1549: use katz copy/);
  const none = await run(["write", "s.write"], "");
  assert.match(none.stderr, /the message is empty: use katz tombstone to delete boxes/);
  assert.equal(ok(await run(["write", "s.write"], "x".repeat(1549))), "");
});

test("a symbolic link to a capability remains a link, and old leftovers are removed", async () => {
  const { folder, run } = await newStream();
  renameSync(join(folder, "s.write"), join(folder, "real"));
  symlinkSync("real", join(folder, "s.write"));
  const [old, young, other] = ["0", "1", "x"].map((digit) => `.real.${digit.repeat(12)}.tmp`);
  for (const name of [old!, young!, other!]) writeFileSync(join(folder, name), "", { mode: 0o600 });
  utimesSync(join(folder, old!), 1, 1);
  ok(await run(["write", "s.write"], "x"));
  assert.ok(lstatSync(join(folder, "s.write")).isSymbolicLink());
  assert.match((await run(["write", "s.write"], "y")).stderr, /wrote box 1/);
  assert.deepEqual(contentsOf(folder), [young, other, "real", "s.read", "s.write"]);
});
