/** `katz` as a process: its output, its end, and its errors when it cannot start. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ThinClient } from "../../src/client/thin-client.js";
import { recordsOf } from "../cli/katz.js";
import { assertShape } from "../cli/shapes.js";
import { KATZ, KatzProcess } from "./katz-process.js";
import { noPseudoTerminal, runInTerminal } from "./pseudo-terminal.js";

const ESCAPE = "\u001b";
/** Escape codes for colour or weight. */
const COLOUR = new RegExp(`${ESCAPE}\\[[0-9;]*m`);
const ANY_CODE = new RegExp(`${ESCAPE}\\[[0-9;?]*[A-Za-z]`, "g");

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "katz-cli-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `katz` until it exits. */
async function katz(
  ...args: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await using running = new KatzProcess(args);
  const { code } = await running.ended;
  return { code, stdout: running.stdout, stderr: running.stderr };
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`katz daemon prints one line when it listens, and ends with 0 at ${signal}`, async () => {
    await using running = new KatzProcess(["daemon", "--listen", "tcp:127.0.0.1:0"]);
    const line = await running.firstLine();
    assert.match(line, /^listening on tcp:127\.0\.0\.1:\d+ /);
    assert.match(line, /no anonymity/);
    const [, address] = /tcp:(\S+)/.exec(line)!;
    const client = await ThinClient.connect({ dial: { tcp: { address: address! } } });
    assert.equal(client.isConnected(), true);
    await client.stop();
    running.kill(signal);
    assert.deepEqual(await running.ended, { code: 0, signal: null });
    assert.equal(running.stdout, `${line}\n`);
    assert.equal(running.stderr, "");
  });
}

test("katz daemon listens on several addresses at once", async () => {
  const path = join(folder, "several.sock");
  await using running = new KatzProcess([
    "daemon",
    "--listen",
    `unix:${path}`,
    "--listen",
    "tcp:127.0.0.1:0",
    "--listen",
    "ws://127.0.0.1:0",
  ]);
  const line = await running.firstLine();
  const [, tcp] = /tcp:(\S+)/.exec(line)!;
  const [ws] = /ws:\S+/.exec(line)!;
  const dials = [{ unix: { address: path } }, { tcp: { address: tcp! } }, { ws: { address: ws } }];
  for (const dial of dials) {
    await using client = await ThinClient.connect({ dial });
    assert.equal(client.isConnected(), true);
  }
  running.kill("SIGINT");
  await running.ended;
  assert.throws(() => statSync(path), /ENOENT/, "the socket's file is removed");
});

test("katz daemon reports a port in use", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const { code, stdout, stderr } = await katz("daemon", "--listen", `tcp:127.0.0.1:${port}`);
  server.close();
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port}`));
  assert.match(stderr, /another (process|program)|in use/);
  assert.doesNotMatch(stderr, /\n {4}at /, "no stack trace for what a user can fix");
});

test("katz daemon replaces the file of a socket that nobody listens on", async () => {
  const path = join(folder, "stale.sock");
  await using first = new KatzProcess(["daemon", "--listen", `unix:${path}`]);
  await first.firstLine();
  first.kill("SIGKILL");
  await first.ended;
  assert.ok(statSync(path).isSocket(), "a killed daemon leaves its file behind");
  await using second = new KatzProcess(["daemon", "--listen", `unix:${path}`]);
  await second.firstLine();
  const client = await ThinClient.connect({ dial: { unix: { address: path } } });
  await client.stop();
});

test("katz daemon does not touch a file that is not a socket, or a socket in use", async () => {
  const path = join(folder, "letter.txt");
  writeFileSync(path, "keep me");
  const { code, stderr } = await katz("daemon", "--listen", `unix:${path}`);
  assert.equal(code, 2);
  assert.match(stderr, /a file or folder has that name, and is not removed/);
  assert.equal(statSync(path).size, 7);

  const busy = join(folder, "busy.sock");
  await using running = new KatzProcess(["daemon", "--listen", `unix:${busy}`]);
  await running.firstLine();
  const second = await katz("daemon", "--listen", `unix:${busy}`);
  assert.equal(second.code, 2);
  assert.match(second.stderr, /another process already listens there\. Stop it, or choose another/);
});

/** Invalid addresses, and the error text for each. */
const WRONG_ADDRESSES: readonly (readonly [string, RegExp])[] = [
  ["nonsense", /unix:PATH, unix:@NAME, tcp:HOST:PORT or ws:\/\/HOST:PORT/],
  ["tcp:127.0.0.1:99999", /port "99999".*0 to 65535/],
  ["tcp:127.0.0.1", /HOST:PORT/],
  ["unix:", /path or @NAME/],
  ["unix:/no/such/folder/socket", /there is no folder \/no\/such\/folder; create it first/],
  ["tcp:0.0.0.0:0", /others could reach it/],
];

for (const [address, said] of WRONG_ADDRESSES) {
  test(`katz daemon says what is wrong with the address ${address}`, async () => {
    const { code, stdout, stderr } = await katz("daemon", "--listen", address);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, said);
    assert.equal(stderr.trim().split("\n").length, 1, "one line");
  });
}

test("the error for an unknown command suggests a similar one", async () => {
  const { code, stderr } = await katz("deamon");
  assert.equal(code, 2);
  assert.match(stderr, /deamon/);
  assert.match(stderr, /daemon/);
});

/** No line is wider than a usual terminal. */
function assertFits(text: string): void {
  for (const line of text.replaceAll(ANY_CODE, "").split(/[\r\n]+/)) {
    assert.ok(line.length <= 80, `at most 80 columns: ${line}`);
  }
}

test("katz tour in a pipe ends with 0 and writes no escape codes", async () => {
  const { code, stdout, stderr } = await katz("tour");
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.ok(!stdout.includes(ESCAPE) && !stdout.includes("\r"));
  assert.match(stdout, /no anonymity/i);
  assertFits(stdout);
  // Outside of this repository there are no other scripts of it.
  assert.match(stdout, /console --open +a page/);
  assert.doesNotMatch(stdout, /npm test/);
});

test("katz tour with --json prints an object for each step", async () => {
  const { code, stdout, stderr } = await katz("tour", "--json");
  assert.deepEqual([code, stderr], [0, ""]);
  const records = recordsOf(stdout);
  const kinds = records.map((record) => {
    const kind =
      record["type"] === "step"
        ? `step ${String(record["step"])}`
        : record["type"] === "summary"
          ? "summary of tour"
          : String(record["type"]);
    assertShape(record, kind);
    return kind;
  });
  assert.deepEqual(kinds, [
    "step network",
    ...Array.from({ length: 5 }, () => "reply"),
    "step refusal",
    ...Array.from({ length: 3 }, () => "step message"),
    "step tombstone",
    "step file",
    "summary of tour",
  ]);
});

test("katz tour with --quiet shows only results", async () => {
  const { code, stdout, stderr } = await katz("tour", "--quiet");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^ {2}epoch/);
  assert.match(stdout, /SHA-256 .* equal\n$/);
  assert.doesNotMatch(stdout, /This starts|What to try next/);
});

test("katz tour is coloured in a terminal unless NO_COLOR is set", async (t) => {
  const missing = noPseudoTerminal();
  if (missing !== null) {
    t.skip(`not run: ${missing}`);
    return;
  }
  const command = [process.execPath, KATZ, "tour"];
  const [coloured, plain] = await Promise.all([
    // Node does not use colours if CI is set, even on a terminal.
    runInTerminal(command, { NO_COLOR: undefined, FORCE_COLOR: undefined, CI: undefined }),
    runInTerminal(command, { NO_COLOR: "1", FORCE_COLOR: undefined, CI: undefined }),
  ]);
  assert.deepEqual([coloured.code, plain.code], [0, 0]);
  assert.match(coloured.screen, COLOUR);
  assert.doesNotMatch(plain.screen, COLOUR);
  for (const { screen } of [coloured, plain]) {
    assert.match(screen, /no anonymity/i);
    assertFits(screen);
  }
});
