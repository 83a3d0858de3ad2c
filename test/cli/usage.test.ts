/** Help, command-line mistakes, missing daemons, and readers that exit. */
import assert from "node:assert/strict";
import { type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { katz, linesOf, mainPath, recordsOf, temporaryFolder } from "./katz.js";
import { assertShape } from "./shapes.js";

const folder = temporaryFolder();

const commands = [
  "tour",
  "playground",
  "daemon",
  "doctor",
  "ping",
  "services",
  "couriers",
  "authorities",
  "pki",
  "map",
  "watch",
  "conform",
  "completion",
];

/** Text that a user must never see after a mistake. */
const stackTrace = /^ +at |node:internal|\.js:\d+/m;

test("help lists every command once, and fits 80 columns", async () => {
  const { code, stdout, stderr } = await katz(["--help"]);
  assert.deepEqual([code, stderr], [0, ""]);
  for (const name of commands) {
    assert.equal(stdout.match(new RegExp(`^ {2}${name} `, "gm"))?.length, 1, name);
  }
  assert.ok(!stdout.includes("complete "), "the hidden command is hidden");
  for (const line of linesOf(stdout)) assert.ok(line.length <= 80, line);
  assert.equal((await katz([])).stdout, stdout);
});

test("the help of every command has flags and examples, and fits 80 columns", async () => {
  const root = (await katz(["--help"])).stdout;
  const listed = linesOf(root).flatMap((line) => /^ {2}([a-z]+) {2,}\S/.exec(line)?.[1] ?? []);
  for (const name of commands) assert.ok(listed.includes(name), name);
  let seen = 0;
  for (let i = 0; i < listed.length; i += 4) {
    const some = listed.slice(i, i + 4);
    const helps = await Promise.all(some.map((name) => katz([...name.split(" "), "--help"])));
    for (const [j, { code, stdout, stderr }] of helps.entries()) {
      const name = some[j]!;
      // Subcommands are listed under their command.
      const list = /\nCOMMANDS\n((?: {2}.*\n)*)/.exec(stdout)?.[1] ?? "";
      if (list !== "") {
        listed.push(...[...list.matchAll(/^ {2}([a-z]+) /gm)].map(([, sub]) => `${name} ${sub!}`));
      }
      assert.deepEqual([code, stderr], [0, ""], name);
      assert.match(stdout, new RegExp(`^USAGE\n {2}katz ${name} .*\\[FLAGS\\]\n`), name);
      assert.match(stdout, /\n\nFLAGS\n/, name);
      assert.match(stdout, new RegExp(`\n\nEXAMPLES\n(.*\n)*.*katz ${name}`), name);
      for (const line of linesOf(stdout)) assert.ok(line.length <= 80, `${name}: ${line}`);
      seen++;
    }
  }
  assert.equal(seen, listed.length);
});

test("usage distinguishes required from optional arguments", async () => {
  for (const [command, usage] of [
    ["keygen", "katz keygen --output NAME [FLAGS]"],
    ["receive", "katz receive [TICKET-FILE] [FLAGS]"],
    ["send", "katz send [FILE…] [FLAGS]"],
    ["write", "katz write CAP [FILE] [FLAGS]"],
  ]) {
    assert.equal(linesOf((await katz([command!, "--help"])).stdout)[1], `  ${usage}`);
  }
});

test("help with a command shows the same as that command's --help", async () => {
  for (const [help, flag] of [
    [["help"], ["--help"]],
    [
      ["help", "ping"],
      ["ping", "--help"],
    ],
  ]) {
    const [one, other] = await Promise.all([katz(help!), katz(flag!)]);
    assert.deepEqual(one, other);
    assert.equal(one.code, 0);
  }
  const root = await katz(["help"]);
  assert.match(root.stdout, /^ {2}help {2,}\S/m);
});

test("every command prints the version", async () => {
  const [root, ping] = await Promise.all([katz(["-V"]), katz(["ping", "--version"])]);
  assert.match(root.stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(ping.stdout, root.stdout);
});

const mistakes: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [["pnig"], /there is no command pnig; did you mean ping/],
  [["ping", "--cuont", "3"], /there is no flag --cuont; did you mean --count\?/],
  [["ping", "-x"], /there is no flag -x/],
  [["ping", "-n", "many"], /--count must be a whole number from 1 to 1000000, got "many"/],
  [["ping", "-n", "0"], /--count must be a whole number/],
  [["daemon", "--replicas", "1"], /--replicas must be a whole number from 2 to 256, got "1"/],
  [["ping", "-i", "0"], /--interval must be a time above 0/],
  [["ping", "--timeout", "soon"], /--timeout must be a time above 0.*got "soon"/],
  [["ping", "--address"], /--address needs a value/],
  [["ping", "echo", "more"], /unexpected argument "more"/],
  [["ping", "--address", "tcp:h"], /address "h" has no port/],
  [["ping", "--address", "127.0.0.1:64331"], /\(meant: tcp:127\.0\.0\.1:64331\?\)/],
  [["ping", "--address", "katz.sock"], /has no kind.*expected unix:PATH/],
  [["ping", "--address", "unix:/x", "--config", "y"], /give only one of them/],
  [
    ["ping", "--config", "/nonexistent/c.toml"],
    /--config: .*file not found; it needs two lines: \[Dial\.Tcp\] and Address = "localhost:64331"/,
  ],
  [
    ["conform", "unix:/x", "--area", "everything"],
    /--area must be handshake, frames, .* or vouchers, got "everything"/,
  ],
  [["ping", "--config", ""], /--config must not be empty/],
  [["read", ""], /CAP must not be empty/],
  [["keygen", "-o", ""], /--output must not be empty/],
  [["--json", "ping"], /flags come after the command: katz COMMAND \[FLAGS\]/],
  [["keygen"], /--output is required\. See katz keygen --help/],
  [["keygen", "-o"], /--output needs a value/],
  [["copy"], /FILE is missing/],
  [["copy", "a"], /CAP is missing/],
  [["help", "pnig"], /there is no command pnig; did you mean ping/],
  [["help", "ping", "pki"], /unexpected argument "pki"\. See katz help --help/],
  [["completion"], /SHELL is missing/],
  [["channel", "accept", "bob"], /FILE is missing\. See katz channel accept --help/],
  [["channel", "invite"], /NAME is missing\. See katz channel invite --help/],
  [["completion", "tcsh"], /SHELL must be bash, zsh or fish, got "tcsh"/],
  [["daemon", "--nike", "rsa"], /--nike must be x25519 or CTIDH1024-X25519/],
  [["daemon", "--epoch", "10ms"], /--epoch must be from 1s to 168h, got "10ms"/],
  [
    ["daemon", "--listen", "tcp:0.0.0.0:0"],
    /^katz: not listening on 0\.0\.0\.0: others could reach it\. Listen on 127\.0\.0\.1, or set --allow-remote if /,
  ],
  [["daemon", "--listen", "unix:/nonexistent/x/katz.sock"], /there is no folder/],
];

test("mistakes on the command line end with code 2 and one line that says what is wrong", async () => {
  for (let i = 0; i < mistakes.length; i += 4) {
    const some = mistakes.slice(i, i + 4);
    const ends = await Promise.all(some.map(([args]) => katz(args)));
    for (const [j, { code, stdout, stderr }] of ends.entries()) {
      const [args, message] = some[j]!;
      assert.match(stderr, message, args.join(" "));
      assert.match(stderr, /^katz: /, args.join(" "));
      assert.doesNotMatch(stderr, stackTrace, args.join(" "));
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    }
  }
});

test("the error for a broken configuration names the file and the mistake", async () => {
  const file = join(folder, "broken.toml");
  writeFileSync(file, "[Dial.Tcp]\nAdress = 'localhost:1'\n");
  const { code, stderr } = await katz(["ping"], { env: { KATZENPOST_THINCLIENT: file } });
  assert.equal(code, 2);
  assert.match(stderr, /^katz: KATZENPOST_THINCLIENT: .*broken\.toml.*Adress/);
  assert.doesNotMatch(stderr, stackTrace);
});

test("a missing daemon gives code 3 and advice on starting one", async () => {
  const address = `unix:${join(folder, "no.sock")}`;
  const text = await katz(["ping", "--address", address]);
  assert.deepEqual([text.code, text.stdout], [3, ""]);
  assert.match(
    text.stderr,
    /cannot connect to unix:.*(?:npx katzenpost-thinclient|katz) daemon --listen unix:/,
  );
  assert.doesNotMatch(text.stderr, stackTrace);
  const json = await katz(["ping", "--json", "--address", address]);
  const [record] = recordsOf(json.stderr);
  assertShape(record!, "error");
  assert.deepEqual([record!["code"], record!["exitCode"]], ["ERR_CONNECT", 3]);
});

test("the error says where it looked if it found no daemon anywhere", async (t) => {
  const socket = connect({ host: "127.0.0.1", port: 64331 });
  const answers = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "error").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  if (answers) return t.skip("not run: something listens on port 64331 of this machine");
  const { code, stderr } = await katz(["services"]);
  assert.equal(code, 3);
  assert.match(stderr, /^katz: no daemon found: there is no .*katzenpost\/thinclient\.toml/);
  assert.match(stderr, /tcp:127\.0\.0\.1:64331/);
  assert.match(
    stderr,
    /Start a network for development with: (?:npx katzenpost-thinclient|katz) daemon\n/,
  );
  assert.doesNotMatch(stderr, stackTrace);
  const doctor = await katz(["doctor", "--json"]);
  const failed = recordsOf(doctor.stdout).find(({ status }) => status === "failed");
  assert.deepEqual([doctor.code, failed?.["name"], failed?.["code"]], [3, "socket", "ERR_CONNECT"]);
});

test("a socket in the usual folder is found without a flag", async () => {
  mkdirSync(join(folder, "run", "katzenpost"), { recursive: true });
  const path = join(folder, "run", "katzenpost", "kpclientd.sock");
  const daemon = await DevDaemon.start({ listen: `unix:${path}` });
  try {
    const env = { XDG_RUNTIME_DIR: join(folder, "run") };
    const { code, stdout } = await katz(["doctor", "--json"], { env });
    const socket = recordsOf(stdout).find(({ name }) => name === "socket");
    assert.equal(code, 0, stdout);
    assert.ok((socket!["detail"] as string).startsWith(`unix:${path} answers`));
    const conform = await katz(["conform", "--area", "keys"], { env });
    assert.match(conform.stdout, /\n6 pass, 0 fail/, "by every command");
  } finally {
    await daemon.close();
  }
});

test("Ctrl-C ends a tour in the middle of a copy, and leaves no folder", async () => {
  let told = false;
  const { code, stderr } = await katz(["tour"], {
    env: { TMPDIR: folder },
    onStdout: (soFar, child) => {
      if (!told && soFar.includes("copied by a courier")) told = child.kill("SIGINT");
    },
  });
  assert.deepEqual([code, stderr], [130, ""]);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("katz-tour")),
    [],
  );
});

test("a reader that goes away early does not cause a failure", async () => {
  const daemon = await DevDaemon.start({ listen: `unix:${join(folder, "k.sock")}` });
  try {
    const args = [mainPath, "ping", "-i", "10ms", "--address", daemon.addresses[0]!];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let errors = "";
    child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    const ended = once(child, "close");
    await Promise.race([once(child.stdout, "data"), ended]);
    child.stdout.destroy();
    const [code] = (await ended) as [number | null];
    assert.deepEqual([code, errors], [0, ""]);
  } finally {
    await daemon.close();
  }
});

test(
  "output that cannot be written causes a failure in one line",
  { skip: !existsSync("/dev/full") },
  async () => {
    const full = openSync("/dev/full", "w");
    try {
      const run = async (stdio: StdioOptions): Promise<readonly [number | null, string]> => {
        const child = spawn(process.execPath, [mainPath, "--help"], { stdio });
        let errors = "";
        child.stderr?.on("data", (text: Buffer) => (errors += text.toString()));
        const [code] = (await once(child, "close")) as [number | null];
        return [code, errors];
      };
      const [code, errors] = await run(["ignore", full, "pipe"]);
      assert.equal(code, 1);
      assert.match(errors, /^katz: standard output cannot be written: ENOSPC.*\n$/);
      assert.deepEqual(await run(["ignore", full, full]), [1, ""]);
    } finally {
      closeSync(full);
    }
  },
);

test("a listener that is not a daemon is recognised before the deadline", async () => {
  const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const path = join(folder, "http.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const { code, stderr } = await katz(["ping", "--address", `unix:${path}`]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /^katz: /);
    assert.doesNotMatch(stderr, stackTrace);
  } finally {
    server.close();
  }
});
