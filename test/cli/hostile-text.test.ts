/** Text from the network and from files can neither control the terminal nor forge a line. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { noPseudoTerminal, runInTerminal } from "../e2e/pseudo-terminal.js";
import { EVIL, HostileDaemon } from "./hostile-daemon.js";
import { emptyEnvironment, katz, mainPath, recordsOf, temporaryFolder } from "./katz.js";

const folder = temporaryFolder();
let online: HostileDaemon;
let offline: HostileDaemon;
before(async () => {
  online = await HostileDaemon.start(folder);
  offline = await HostileDaemon.start(folder, false);
});
after(async () => {
  await online[Symbol.asyncDispose]();
  await offline[Symbol.asyncDispose]();
});

// Built from text, because the linter rejects control characters in a pattern.
const harmful = new RegExp(String.raw`[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]`, "u");
/**
 * The escape codes that `katz` itself sends to terminals: its styles, and the start of the line.
 */
const ours = new RegExp(String.raw`\x1b\[(1|2|22|31|32|33|36|39)m|\r\x1b\[K|\r(?=\n)`, "g");

function assertHarmless(text: string, what: string): void {
  const found = harmful.exec(text);
  assert.equal(found, null, `${what}: ${JSON.stringify(text.slice(found?.index).slice(0, 80))}`);
  assert.doesNotMatch(text, /^FORGED/m, what);
}

/** Every command that shows texts from a daemon, and one of them that must appear. */
const commands: readonly (readonly [args: readonly string[], shows: RegExp])[] = [
  [["services"], /svc\\u\{1b\}\]0;x\\u\{7\}\\u\{9b\}2J\\u\{202e\}\\u\{d\}\\u\{a\}FORGED/],
  [["couriers"], /servicenode1\\u\{1b\}/],
  [["authorities"], /auth1\\u\{1b\}[^]*address +tcp:\/\/\\u\{1b\}/],
  [["pki"], /gateway1\\u\{1b\}/],
  [["pki", "--verify"], /not verified/],
  [["map"], /gateway1\\u\{1b\}/],
  [["map", "-o", "-"], /&#x9b;/],
  [["ping", "-n", "2", "-i", "10ms"], /reply from servicenode\d\\u\{1b\}/],
  [["ping", "nonsense", "-n", "1"], /offers no service[^]*svc\\u\{1b\}/],
  [["watch", "-n", "2"], /newPkiDocument/],
  [["doctor"], /failed +signatures/],
];
const commandsOffline: typeof commands = [
  [["watch", "-n", "2"], /not connected: \\u\{1b\}/],
  [["ping", "-n", "1", "--timeout", "300ms"], /katz: /],
  [["doctor", "--timeout", "1s"], /failed +mixnet/],
];

const everyCommand = (): typeof commands => [
  ...commands.map(([args, shows]) => [[...args, "--address", online.address], shows] as const),
  ...commandsOffline.map(
    ([args, shows]) => [[...args, "--address", offline.address], shows] as const,
  ),
];

test("hostile text is escaped in a pipe, as text and as JSON", async () => {
  for (const [args, shows] of everyCommand()) {
    const what = args.join(" ");
    const { stdout, stderr } = await katz(args);
    assertHarmless(stdout, what);
    assertHarmless(stderr, what);
    assert.match(stdout + stderr, shows, what);
    if (args.includes("-o")) continue;
    const json = await katz([...args, "--json"]);
    assertHarmless(json.stdout, what);
    assertHarmless(json.stderr, what);
    assert.ok(recordsOf(json.stdout + json.stderr).length > 0);
  }
});

test("hostile text is complete in JSON", async () => {
  const { stdout } = await katz(["couriers", "--json", "--address", online.address]);
  const nodes = recordsOf(stdout).map(({ node }) => node as string);
  assert.deepEqual(new Set(nodes), new Set([1, 2, 3].map((i) => `servicenode${i}${EVIL}`)));
});

test("hostile text is escaped on a terminal", async (t) => {
  const none = noPseudoTerminal();
  if (none !== null) return t.skip(`not run: ${none}`);
  const env = { ...emptyEnvironment(folder), NO_COLOR: undefined, FORCE_COLOR: undefined };
  let styled = 0;
  for (const [args, shows] of everyCommand()) {
    const { screen } = await runInTerminal([process.execPath, mainPath, ...args], env);
    const what = args.join(" ");
    const text = screen.replaceAll(ours, "");
    assertHarmless(text, what);
    assert.match(text, shows, what);
    if (ours.test(screen)) styled++;
  }
  assert.ok(styled > 3, "some were styled");
});

test("hostile text in boxes is escaped except for line breaks, and a pipe receives the exact bytes", async (t) => {
  const args = ["--address", online.address];
  const options = { cwd: folder };
  await katz(["keygen", "-o", "s"], options);
  await katz(["write", "s.write", ...args], { ...options, input: `a\tb\n${EVIL}\n` });
  const read = ["read", join(folder, "s.read"), "--keep", "--now", ...args];
  assert.equal((await katz(read)).stdout, `a\tb\n${EVIL}\n`);
  const none = noPseudoTerminal();
  if (none !== null) return t.skip(`half of it was not run: ${none}`);
  const { screen } = await runInTerminal([process.execPath, mainPath, ...read], {});
  const text = screen.replaceAll(ours, "");
  assert.equal(text, "a\tb\n\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}\\u{d}\nFORGED \\u{2028}\n");
});

test("hostile text is escaped in configurations, capabilities, and names of files and commands", async () => {
  const name = `x${EVIL}`;
  writeFileSync(join(folder, name), `[Dial.Tcp]\nAddress = "a:1"\n"\\u001b[2J" = 1\n`);
  for (const args of [
    ["services", "--config", name],
    ["services", "--config", `none${EVIL}`],
    ["services", "--address", `unix:${EVIL}`],
    ["services", "--address", EVIL],
    ["read", name],
    ["receive", name],
    ["send", name],
    ["send", `none${EVIL}`],
    ["daemon", "--listen", EVIL],
    ["daemon", "--data", name],
    ["map", "-o", `none/${EVIL}`],
    ["ping", `--${EVIL}`],
    ["ping", "--count", EVIL],
    ["help", EVIL],
    [EVIL],
  ]) {
    const { code, stdout, stderr } = await katz(args, { cwd: folder });
    assert.notEqual(code, 0, args.join(" "));
    assertHarmless(stdout, args.join(" "));
    assertHarmless(stderr, args.join(" "));
    assert.match(stderr, /^katz: /m);
  }
});
