/** `katz send` and `katz receive`, each as a separate process, through one daemon. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { encodeHead } from "../../src/cli/transfer/manifest.js";
import { katz, linesOf, mainPath, recordsOf } from "./katz.js";
import { noPseudoTerminal, runInTerminal } from "../e2e/pseudo-terminal.js";
import { assertShape } from "./shapes.js";
import { TransferNetwork, contentsOf, digestOf } from "./transfer-network.js";

const network = new TransferNetwork();
before(() => network.ready());
after(() => network[Symbol.asyncDispose]());

const sha256 = (bytes: Uint8Array | string): Uint8Array =>
  new Uint8Array(createHash("sha256").update(bytes).digest());
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A transfer of one small file, built by hand. */
function publishFile(name: string, text: string, digest = sha256(text)): Promise<string> {
  const files = [{ name, size: text.length, sha256: digest }];
  return network.publish(encodeHead({ chunk: 1000, files }), bytesOf(text));
}

const stackTrace = /^ +at |node:internal|\.js:\d+/m;

test("two megabytes arrive unchanged, and nothing else remains", { timeout: 300_000 }, async () => {
  const file = network.newFile(2_000_000);
  const sent = await network.katz(["send", file]);
  assert.equal(sent.code, 0, sent.stderr);
  assert.match(sent.stdout, /^katz1[A-Za-z0-9_-]{188}\n$/);
  assert.match(
    sent.stderr,
    /^sent file\.bin, 2\.0 MB, in [\d.]+ (?:ms|s|min); it is kept for a week\n.* katz receive, .*\n$/,
  );
  const into = network.newFolder();
  const received = await network.katz(["receive", "-", "--into", into], { input: sent.stdout });
  assert.deepEqual([received.code, received.stdout], [0, `${join(into, "file.bin")}\n`]);
  assert.match(
    received.stderr,
    /^received 1 file, 2\.0 MB in [\d.]+ (?:ms|s|min); digests are correct\n$/,
  );
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
  assert.deepEqual(contentsOf(into), ["file.bin"]);
  assert.deepEqual(contentsOf(network.states), []);
  assert.ok(!`${sent.stderr}${received.stderr}`.includes(sent.stdout.slice(5, 25)));
});

test("one ticket carries several files, empty ones too, into the current folder", async () => {
  const folder = network.newFolder();
  const files = ["empty", "one", "two", "last"].map((name) => join(folder, name));
  for (const [i, file] of files.entries()) writeFileSync(file, "x".repeat([0, 1, 4000, 0][i]!));
  const ticketFile = join(folder, "ticket");
  const sent = await network.katz(["send", "--json", ...files]);
  const [ticket, done] = recordsOf(sent.stdout);
  assertShape(ticket!, "ticket");
  assertShape(done!, "sent");
  assert.deepEqual([ticket!["bytes"], done!["boxes"], sent.stderr], [4001, 4, ""]);
  writeFileSync(ticketFile, `\n  ${String(ticket!["ticket"])}\nthe rest is not read\n`, {
    mode: 0o600,
  });
  const into = network.newFolder();
  const named = await network.katz(["receive", "--name", "x", ticketFile], { cwd: into });
  assert.deepEqual(
    [named.code, named.stderr],
    [2, "katz: --name is for one file, but there are 4\n"],
  );
  const received = await network.katz(["receive", "--json", ticketFile], { cwd: into });
  assert.deepEqual([received.code, received.stderr], [0, ""]);
  const records = recordsOf(received.stdout);
  for (const record of records) assertShape(record, "received");
  assert.deepEqual(
    records.map(({ path }) => path),
    files.map((file) => basename(file)),
  );
  for (const file of files) assert.equal(digestOf(join(into, basename(file))), digestOf(file));
  assert.deepEqual(contentsOf(into), ["empty", "last", "one", "two"]);
});

test("a receiver may start before the boxes are written", async () => {
  const file = network.newFile(20_000);
  const into = network.newFolder();
  let receiving: ReturnType<TransferNetwork["katz"]> | undefined;
  const sent = await katz(["send", file], {
    env: network.env,
    onStdout: (ticket) => {
      receiving ??= network.katz(["receive", "-", "--into", into], { input: ticket });
    },
  });
  assert.equal(sent.code, 0, sent.stderr);
  assert.equal((await receiving)!.code, 0);
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
});

test("a full disk is reported with the path, and nothing is lost", async () => {
  const file = network.newFile(40_000);
  const [sent, into] = [await network.katz(["send", file]), network.newFolder()];
  // A limit stands for the full disk: 16 blocks of 1024 bytes.
  const script = 'ulimit -f 16; exec "$0" "$@"';
  const args = ["-c", script, process.execPath, mainPath, "receive", "-", "--into", into];
  // With coverage, its file would also exceed the limit.
  const env = { ...process.env, ...network.env, NODE_V8_COVERAGE: "" };
  const child = spawn("bash", args, { env });
  child.stdin.end(sent.stdout);
  let errors = "";
  child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(code, 2);
  assert.match(errors, /cannot write .*\.partial\/file-0: it would be larger than files may be/);
  assert.doesNotMatch(errors, stackTrace);
  const again = await network.katz(["receive", "-", "--into", into], { input: sent.stdout });
  assert.equal(again.code, 0, again.stderr);
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
});

test("an existing file is not replaced, unless it is identical or --force is given", async () => {
  const ticket = await publishFile("note.txt", "from afar");
  const receive = (...args: string[]): ReturnType<TransferNetwork["katz"]> =>
    network.katz(["receive", "-", "--into", into, ...args], { input: ticket });
  const into = network.newFolder();
  const path = join(into, "note.txt");
  writeFileSync(path, "mine");
  const refused = await receive();
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(refused.stderr, /note\.txt already exists: .*--force.*--name NAME/);
  assert.equal(readFileSync(path, "utf8"), "mine");
  assert.deepEqual(contentsOf(into), ["note.txt"]);

  assert.equal((await receive("--name", ".other")).stdout, `${join(into, ".other")}\n`);
  assert.equal(readFileSync(join(into, ".other"), "utf8"), "from afar");
  assert.equal((await receive("--force")).code, 0);
  assert.equal(readFileSync(path, "utf8"), "from afar");
  const time = new Date(1e12);
  utimesSync(path, time, time);
  assert.equal((await receive()).code, 0);
  assert.equal(statSync(path).mtimeMs, 1e12, "the same file is left alone");
  assert.deepEqual(contentsOf(into), [".other", "note.txt"]);
});

test("--force replaces symbolic links, and never follows them", async () => {
  const ticket = await publishFile("link", "new");
  const into = network.newFolder();
  const outside = join(network.newFolder(), "outside");
  symlinkSync(outside, join(into, "link"));
  const args = ["receive", "-", "--into", into];
  assert.equal((await network.katz(args, { input: ticket })).code, 2);
  assert.equal((await network.katz([...args, "--force"], { input: ticket })).code, 0);
  assert.ok(!existsSync(outside));
  assert.ok(lstatSync(join(into, "link")).isFile());
});

test("a folder in the way is not replaced, even with --force", async () => {
  const ticket = await publishFile("dir", "new");
  const into = network.newFolder();
  mkdirSync(join(into, "dir"));
  const args = ["receive", "-", "--into", into, "--force"];
  const { code, stderr } = await network.katz(args, { input: ticket });
  assert.equal(code, 2);
  assert.match(stderr, /dir already exists, and it is a folder/);
  assert.deepEqual(contentsOf(into), ["dir"]);
});

test("names that leave the folder or do harm are refused before anything is fetched", async () => {
  const names = ["../up", "/tmp/absolute", "a\0b", "a\nb", "..", ".profile", "CON", "\x1b[2J"];
  const folder = network.newFolder();
  const into = join(folder, "into");
  mkdirSync(into);
  for (const name of names) {
    const ticket = await publishFile(name, "hostile");
    const { code, stdout, stderr } = await network.katz(["receive", "-", "--into", into], {
      input: ticket,
    });
    assert.deepEqual([code, stdout], [1, ""], name);
    assert.match(stderr, /^katz: the sender named a file ".*": refused, /, name);
    assert.ok(!stderr.includes("\x1b") && !stderr.includes("\0"));
    assert.deepEqual([contentsOf(into), contentsOf(folder)], [[], ["into"]], name);
  }
  const ticket = await publishFile("../up", "tamed");
  const named = await network.katz(["receive", "-", "--into", into, "--name", "tame"], {
    input: ticket,
  });
  assert.equal(named.code, 0, named.stderr);
  assert.deepEqual([contentsOf(into), contentsOf(folder)], [["tame"], ["into"]]);
  const out = ["receive", "-", "--into", into, "--name", "../up"];
  assert.equal((await network.katz(out, { input: ticket })).code, 2);
});

test("wrong digests, wrongly cut boxes and streams of other data leave nothing", async () => {
  const into = network.newFolder();
  const file = { name: "f", size: 5, sha256: sha256("12345") };
  const head = (chunk: number): Uint8Array => encodeHead({ chunk, files: [file] });
  const tickets: readonly (readonly [string, RegExp])[] = [
    [await publishFile("f", "hello", sha256("other")), /its SHA-256 digest is different/],
    [await network.publish(head(1000), bytesOf("123456")), /holds less than it should/],
    [await network.publish(head(1000), bytesOf("1234")), /holds less than it should/],
    [
      await network.publish(head(3), bytesOf("12345")),
      /boxes do not have the announced|less than it should/,
    ],
    [await network.publish(bytesOf("just a message")), /did not write the ticket's boxes/],
    [await network.publish(bytesOf("KATZ\x01\0\0\0\x05hello")), /malformed|refused/],
    [await network.publish(bytesOf("KATZ\x01\x7f\xff\xff\xff.")), /too long/],
  ];
  for (const [ticket, message] of tickets) {
    const { code, stdout, stderr } = await network.katz(["receive", "-", "--into", into], {
      input: ticket,
    });
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, stackTrace);
    assert.deepEqual(contentsOf(into), []);
  }
});

test("boxes that their sender deleted cause a named outcome, and leave nothing", async () => {
  const into = network.newFolder();
  const head = encodeHead({
    chunk: 1000,
    files: [{ name: "f", size: 5, sha256: sha256("12345") }],
  });
  for (const [number, ticket] of [
    [0, await network.publish(null)],
    [1, await network.publish(head, null)],
  ] as const) {
    const { code, stdout, stderr } = await network.katz(["receive", "-", "--into", into], {
      input: ticket,
    });
    assert.deepEqual([code, stdout], [6, ""]);
    assert.equal(stderr, `katz: box ${number} of this transfer was deleted by its writer\n`);
    assert.deepEqual(contentsOf(into), []);
  }
});

test("tickets on the command line, damaged and missing tickets are refused and not repeated", async () => {
  const ticket = await publishFile("f", "x");
  const secret = ticket.slice(20, 60);
  const folder = network.newFolder();
  writeFileSync(join(folder, "empty"), "\n\n");
  const runs: readonly (readonly [string[], string | undefined, RegExp])[] = [
    [[ticket], undefined, /other users of this machine can read command lines/],
    [["-", ticket], "", /other users of this machine can read command lines/],
    [["-"], ticket.slice(0, -1), /cut or changed on its way/],
    [["-"], ticket.replace(/.$/, (last) => (last === "A" ? "B" : "A")), /its checksum is wrong/],
    [["-"], "hello", /not a ticket/],
    [["-"], "", /the input was empty/],
    [[join(folder, "empty")], undefined, /the input was empty/],
    [[join(folder, "none")], undefined, /cannot read .*none: there is no such file/],
    [[folder], undefined, /cannot read .*: it is a folder/],
    [[], undefined, /without a terminal: give a file, or - /],
    [
      ["-", "--into", join(folder, "empty", "in a file")],
      ticket,
      /cannot make \S+empty\/in a file: a part of its path is not a folder\n$/,
    ],
    [["-", "--into", join(folder, "empty")], ticket, /empty is not a folder/],
  ];
  for (const [args, input, message] of runs) {
    const { code, stdout, stderr } = await network.katz(
      ["receive", ...args],
      input === undefined ? {} : { input },
    );
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, message);
    assert.ok(!stderr.includes(secret), "the ticket is not repeated");
    assert.doesNotMatch(stderr, stackTrace);
  }
});

test("a ticket that others can read is used, with a warning that says what to do", async (t) => {
  if (process.platform === "win32") return t.skip("not run: Windows has no such modes");
  const file = join(network.newFolder(), "ticket");
  writeFileSync(file, "\n");
  chmodSync(file, 0o644);
  const { stderr } = await network.katz(["receive", file]);
  assert.match(
    stderr,
    /^other users may read .*; make it private: chmod 600 \S+ticket\nkatz: the ticket is missing/,
  );
});

test("files that cannot be sent are reported before the command looks for a daemon", async () => {
  const folder = network.newFolder();
  for (const name of ["a", ".hidden", "A"]) writeFileSync(join(folder, name), name);
  const env = { ...network.env, KATZENPOST_THINCLIENT: "unix:/nonexistent/katz.sock" };
  const runs: readonly (readonly [string[], RegExp])[] = [
    [[], /FILE/],
    [[join(folder, "none")], /cannot read .*none: there is no such file/],
    [[network.newFolder()], /has no files in it/],
    [["/dev/null"], /not a regular file/],
    [[join(folder, ".hidden")], /begins with a dot.*--name/],
    [[join(folder, "a"), join(folder, "A")], /have the same name/],
    [["--name", "x", join(folder, "a"), join(folder, "A")], /--name is for one file/],
    [["--name", "../x", join(folder, "a")], /cannot be sent under the name/],
  ];
  for (const [args, message] of runs) {
    const { code, stdout, stderr } = await katz(["send", ...args], { env });
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, message);
  }
  const ok = await katz(["send", join(folder, "a")], { env });
  assert.equal(ok.code, 3, "the missing daemon is reported only afterwards");
});

test("Ctrl-C leaves private files with the ticket and everything needed to continue", async () => {
  const file = network.newFile(400_000);
  /** How many boxes the sender has noted as written. */
  const noted = (): number => {
    try {
      const [state] = readdirSync(network.states).filter((name) => name.endsWith(".json"));
      const text = readFileSync(join(network.states, state!), "utf8");
      return (JSON.parse(text) as { boxesDone: number }).boxesDone;
    } catch {
      return 0;
    }
  };
  let told = false;
  const stopped = await katz(["send", file], {
    env: network.env,
    onStdout: (_, child) => {
      if (told) return;
      told = true;
      const timer = setInterval(() => {
        if (noted() === 0) return;
        clearInterval(timer);
        child.kill("SIGINT");
      }, 5);
      child.once("close", () => clearInterval(timer));
    },
  });
  assert.equal(stopped.code, 130);
  assert.match(stopped.stderr, /^stopped: run the same command to continue\n$/);
  const [state] = readdirSync(network.states);
  assert.equal(statSync(join(network.states, state!)).mode & 0o777, 0o600);
  assert.equal(statSync(network.states).mode & 0o777, 0o700);
  const into = network.newFolder();
  const early = await katz(["receive", "-", "--into", into, "--timeout", "3s"], {
    env: network.env,
    input: stopped.stdout,
  });
  assert.equal(early.code, 5, early.stderr);
  const [partial] = contentsOf(into);
  assert.match(partial!, /^\.katz-[0-9a-f]{16}\.partial$/);
  assert.equal(statSync(join(into, partial!)).mode & 0o777, 0o700);
  for (const name of contentsOf(join(into, partial!))) {
    assert.equal(statSync(join(into, partial!, name)).mode & 0o777, 0o600, name);
  }
  const again = await network.katz(["send", file]);
  assert.deepEqual([again.code, again.stdout], [0, stopped.stdout]);
  assert.match(again.stderr, /^continuing after \d+ box/);
  const received = await network.katz(["receive", "-", "--into", into], { input: again.stdout });
  assert.equal(received.code, 0, received.stderr);
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
  assert.deepEqual(contentsOf(into), ["file.bin"]);
});

test("a file that changed since is sent again with another ticket", async () => {
  const file = network.newFile(300_000);
  const first = await katz(["send", file], {
    env: network.env,
    onStdout: (_, child) => child.kill("SIGKILL"),
  });
  assert.equal(first.signal, "SIGKILL");
  writeFileSync(file, "shorter");
  const second = await network.katz(["send", file]);
  assert.equal(second.code, 0);
  assert.notEqual(second.stdout, first.stdout);
  assert.match(
    second.stderr,
    /^file\.bin has changed since the interrupted send: this is a new ticket; the earlier one cannot be completed$/m,
  );
  const third = await network.katz(["send", file]);
  assert.doesNotMatch(third.stderr, /ticket; the earlier/, "nothing was interrupted");
  const into = network.newFolder();
  await network.katz(["receive", "-", "--into", into], { input: second.stdout });
  assert.equal(readFileSync(join(into, "file.bin"), "utf8"), "shorter");
});

test("a partial folder that others could have created is not trusted", async () => {
  const ticket = await publishFile("f", "x");
  const into = network.newFolder();
  const name = createHash("sha256").update("partial").update(ticket).digest("hex").slice(0, 16);
  const path = join(into, `.katz-${name}.partial`);
  mkdirSync(path);
  chmodSync(path, 0o777);
  const open = await network.katz(["receive", "-", "--into", into], { input: ticket });
  assert.equal(open.code, 2);
  assert.match(open.stderr, /exists but is not a folder that only you can use/);
});

test("a terminal asks for the ticket without showing it, and shows progress", async (t) => {
  const none = noPseudoTerminal();
  if (none !== null) return t.skip(`not run: ${none}`);
  const file = network.newFile(60_000);
  const shown = await runInTerminal([process.execPath, mainPath, "send", file], network.env);
  assert.equal(shown.code, 0, shown.screen);
  assert.match(shown.screen, /sending file\.bin [█░]{20} +\d+%/);
  const ticket = linesOf(shown.screen).flatMap((line) => /katz1[\w-]{188}/.exec(line) ?? [])[0]!;
  const into = network.newFolder();
  // The shell types for us: the other end of a terminal writes its input.
  const script =
    "import os,pty,sys,time\npid,fd=pty.fork()\n" +
    "if pid==0: os.execvp(sys.argv[1],sys.argv[1:])\n" +
    "out=b''\n" +
    "while b'Ticket: ' not in out: out+=os.read(fd,4096)\n" +
    `os.write(fd,b'${ticket}\\r')\n` +
    "try:\n  while True:\n    d=os.read(fd,4096)\n    if not d: break\n    out+=d\n" +
    "except OSError: pass\n" +
    "sys.stdout.buffer.write(out)\nsys.exit(os.waitstatus_to_exitcode(os.waitpid(pid,0)[1]))\n";
  const asked = await new Promise<{ screen: string; code: number }>((resolve) => {
    const command = ["-c", script, process.execPath, mainPath, "receive", "--into", into];
    // Waits after the question, so that the answer comes before anything else happens.
    const slow =
      "const {stderr}=process,write=stderr.write;stderr.write=function(t,...a){" +
      "const r=write.call(this,t,...a);if(String(t).includes('Ticket'))" +
      "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0,500);return r}";
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(slow)}`;
    const env = { ...process.env, TERM: "xterm", ...network.env, NODE_OPTIONS };
    execFile("python3", command, { env }, (error, stdout) =>
      resolve({ screen: stdout, code: Number(error?.code ?? 0) }),
    );
  });
  assert.equal(asked.code, 0, asked.screen);
  assert.ok(!asked.screen.includes(ticket.slice(5, 30)), "what was typed is not shown");
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
});
