/** The behaviour of `katz` on a terminal; needs Python's pty module. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { type Ended, emptyEnvironment, katz, mainPath, temporaryFolder } from "./katz.js";

const folder = temporaryFolder();
const address = `unix:${join(folder, "katz.sock")}`;
const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0;
const skip = hasPython ? false : "not run: there is no python3 with pty on this machine";
let daemon: DevDaemon;

before(async () => {
  daemon = await DevDaemon.start({ listen: address });
});
after(() => daemon.close());

/** Runs a command on a pseudo-terminal; sends Ctrl-C when `until` was seen. Ends what hangs. */
const program = `
import fcntl, os, pty, re, select, signal, struct, sys, termios, time
until, columns, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execv(command[0], command)
seen, sent, end = b"", False, time.monotonic() + 240
while True:
    if time.monotonic() > end:
        os.kill(pid, signal.SIGKILL)
        break
    if select.select([fd], [], [], 0.1)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    if until and not sent and re.search(until.encode(), seen):
        os.write(fd, b"\\x03")
        sent = True
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(status))
`;

async function onTerminal(
  args: readonly string[],
  options: {
    readonly until?: string;
    readonly columns?: number;
    readonly env?: Record<string, string>;
  } = {},
): Promise<{ code: number | null; text: string }> {
  const { until = "", columns = 80 } = options;
  const command = [until, String(columns), process.execPath, mainPath, ...args];
  const child = spawn("python3", ["-c", program, ...command], {
    env: { ...emptyEnvironment(folder), TERM: "xterm-256color", ...options.env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (data: string) => (text += data));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text };
}

// Built from text, because the linter rejects control characters in a pattern.
const colour = new RegExp(String.raw`\x1b\[\d+m`);
const colours = new RegExp(colour, "g");

test("results have colours on a terminal, except with NO_COLOR", { skip }, async () => {
  const args = ["doctor", "--address", address];
  const styled = await onTerminal(args);
  assert.equal(styled.code, 0);
  assert.match(styled.text, colour);
  const plain = await onTerminal(args, { env: { NO_COLOR: "1" } });
  assert.doesNotMatch(plain.text, colour);
  assert.match(plain.text, /ok +box/);
});

test("doctor and ping fit a terminal of 40 columns", { skip }, async () => {
  for (const args of [["doctor"], ["ping", "-n", "2", "-i", "10ms"]]) {
    const env = { NO_COLOR: "1", TERM: "dumb" };
    const { code, text } = await onTerminal([...args, "--address", address], { columns: 40, env });
    assert.equal(code, 0);
    // Words that are longer than a line, such as addresses, stay whole.
    const wide = text
      .split(/\r?\n/)
      .filter((line) => line.length > 40 && /\S\s+\S/.test(line.trim()))
      .filter((line) => !/^(reply from|min\/avg)/.test(line)); // as other programs read them
    assert.deepEqual(wide, [], args[0]);
  }
});

test(
  "a chat says when it is ready, and under which name the other side writes",
  { skip },
  async () => {
    const options = { env: emptyEnvironment(folder), cwd: folder };
    const end = ["--address", address, "--timeout", "1m"];
    let answering: Promise<Ended> | null = null;
    const inviting = katz(["chat", "bob", "--invite", "--store", "a", ...end], {
      ...options,
      input: "",
      onStdout: (soFar) => {
        if (answering !== null || !soFar.endsWith("\n")) return;
        writeFileSync(join(folder, "voucher"), soFar, { mode: 0o600 });
        const args = ["chat", "alice", "--accept", "voucher", "--as", "Bobby", "--store", "b"];
        answering = katz([...args, ...end], { ...options, input: "" });
      },
    });
    assert.equal((await inviting).code, 0);
    assert.equal((await answering!).code, 0);
    const args = ["chat", "bob", "--store", join(folder, "a"), "--address", address];
    const { code, text } = await onTerminal(args, { until: "Ctrl-D" });
    assert.match(text, /each line that you type is sent to bob \("Bobby"\); Ctrl-D ends the chat/);
    assert.equal(code, 130);
  },
);

test("a daemon updates its status line, and Ctrl-C removes it", { skip }, async () => {
  const args = ["daemon", "--listen", `unix:${join(folder, "d.sock")}`];
  const { code, text } = await onTerminal(args, { until: "epoch \\d+, .* left" });
  assert.equal(code, 0);
  assert.match(text, /listening on unix:.*\(no anonymity: embedded network\)/);
  assert.match(text, /epoch \d+, .* left · 0 clients · /);
  const last = text.lastIndexOf("\x1b[K");
  assert.doesNotMatch(text.slice(last), /epoch/);
});

test("a daemon with --quiet does not show a status line", { skip }, async () => {
  const args = ["daemon", "--quiet", "--listen", `unix:${join(folder, "q.sock")}`];
  const { code, text } = await onTerminal(args, { until: "listening on" });
  assert.equal(code, 0);
  assert.doesNotMatch(text, /epoch/);
});

test(
  "Ctrl-C ends watch with the signal's exit code and leaves the terminal clean",
  { skip },
  async () => {
    const { code, text } = await onTerminal(["watch", "--address", address], {
      until: "newPkiDocument",
    });
    assert.equal(code, 130);
    assert.doesNotMatch(text, /katz:|Error/);
  },
);

test("Ctrl-C ends a copy from the keyboard", { skip }, async () => {
  assert.equal((await katz(["keygen", "-o", join(folder, "s")])).code, 0);
  const args = ["copy", "-", join(folder, "s.write"), "--address", address];
  const { code, text } = await onTerminal(args, { until: "payload, then Ctrl-D:" });
  assert.equal(code, 130, text);
});

test("errors and advice wrap between words", { skip }, async () => {
  const args = ["ping", "--address", "katz.sock"];
  const { text } = await onTerminal(args, { env: { NO_COLOR: "1" } });
  const lines = text.trimEnd().split("\r\n");
  assert.ok(lines.length > 1, text);
  for (const line of lines) assert.ok(line.length <= 80, line);
  const piped = await katz(args);
  assert.equal(piped.stderr.split("\n").length, 2, "one line in a pipe");
  assert.equal(lines.map((line) => line.trim()).join(" "), piped.stderr.trimEnd());
  // Only the first line begins like a message.
  for (const line of lines.slice(1)) assert.match(line, /^ {2}\S/);
});

test("a row of services fits the terminal, and is complete in a pipe", { skip }, async () => {
  for (const command of ["services", "couriers"]) {
    const args = [command, "--address", address];
    const { text } = await onTerminal(args, { env: { NO_COLOR: "1" } });
    const rows = text.trimEnd().split("\r\n").slice(1);
    assert.ok(rows.length > 0);
    for (const row of rows) assert.match(row, /^.{1,61} {2}[0-9a-f]{16}…$/);
    const { stdout } = await katz([...args, "--quiet"]);
    for (const line of stdout.trimEnd().split("\n")) assert.match(line, / [0-9a-f]{64}$/);
  }
});

test("copying a file shows the number of boxes and the time", { skip }, async () => {
  assert.equal((await katz(["keygen", "-o", join(folder, "c")])).code, 0);
  writeFileSync(join(folder, "payload"), Buffer.alloc(150_000, 7));
  const args = ["copy", join(folder, "payload"), join(folder, "c.write"), "--address", address];
  const { code, text } = await onTerminal(args);
  assert.equal(code, 0, text);
  const writing = [...text.matchAll(/writing [█░]+ (\d+) of (\d+) boxes {2}\d+:\d\d/g)];
  assert.ok(writing.length > 1, text);
  // The total is the same from the first box to the last, which reaches it.
  assert.equal(new Set(writing.map(([, , total]) => total)).size, 1, text);
  assert.equal(writing.at(-1)![1], writing.at(-1)![2]);
  assert.match(text, /a courier is copying \d+ boxes …  \d+:\d\d/);
});

test("the status line fits the terminal", { skip }, async () => {
  const args = ["daemon", "--listen", `unix:${join(folder, "w.sock")}`];
  const { text } = await onTerminal(args, { until: "epoch \\d+, .* left" });
  const shown = text.split("\x1b[K").map((part) => part.split("\r")[0]!);
  const status = shown.filter((part) => part.startsWith("epoch "));
  assert.ok(status.length > 0);
  for (const line of status) {
    assert.ok(line.length < 80, line);
    assert.match(line, /0 clients · 0 operations · \d+ packets?, 0 lost/);
  }
});

test("the signed document is not written to a terminal", { skip }, async () => {
  const { code, text } = await onTerminal(["pki", "--raw", "--address", address]);
  assert.equal(code, 2);
  assert.match(text, /--raw writes bytes, not text/);
});

test("help is bold on a terminal, and still fits 80 columns", { skip }, async () => {
  const { text } = await onTerminal(["ping", "--help"]);
  assert.ok(text.includes("\x1b[1mFLAGS\x1b[22m"));
  for (const line of text.split("\r\n")) {
    assert.ok(line.replaceAll(colours, "").length <= 80, line);
  }
});
