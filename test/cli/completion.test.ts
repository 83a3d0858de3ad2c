/** The completion scripts: their shells load them, and they offer what the parser accepts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { emptyEnvironment, katz, linesOf, mainPath, recordsOf, temporaryFolder } from "./katz.js";
import { assertShape } from "./shapes.js";

const folder = temporaryFolder();

const propose = async (...words: string[]): Promise<string[]> => {
  const { code, stdout, stderr } = await katz(["complete", "--", ...words]);
  assert.deepEqual([code, stderr], [0, ""]);
  return linesOf(stdout).map((line) => line.split("\t")[0]!);
};

test("completion offers commands, flags and values, and flags only after a dash", async () => {
  assert.deepEqual(await propose("p"), ["playground", "ping", "pki"]);
  assert.ok((await propose("")).includes("doctor"));
  assert.deepEqual(await propose("ping", "--js"), ["--json"]);
  assert.deepEqual(await propose("ping", ""), ["echo"]);
  assert.deepEqual(await propose("conform", "--area", "v"), ["vouchers"]);
  assert.deepEqual(await propose("completion", ""), ["bash", "zsh", "fish"]);
  assert.deepEqual(await propose("help", "pk"), ["pki"]);
  assert.deepEqual(await propose("ping", "--address", "t"), ["tcp:127.0.0.1:64331"]);
  assert.deepEqual(await propose("ping", "--config", ""), []);
  assert.deepEqual(await propose("nonsense", ""), []);
});

test("--json puts the script into a member of an object", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout: script } = await katz(["completion", shell]);
    const { code, stdout } = await katz(["completion", shell, "--json"]);
    const [record] = recordsOf(stdout);
    assertShape(record!, "completion");
    assert.deepEqual([code, record], [0, { type: "completion", shell, script }]);
  }
});

test("bash loads the completion script and completes with it, also after colons", async (t) => {
  if (spawnSync("bash", ["--version"]).status !== 0) return t.skip("not run: there is no bash");
  const { stdout: script } = await katz(["completion", "bash"]);
  assert.equal(spawnSync("bash", ["-n"], { input: script }).status, 0);
  const file = join(folder, "katz.bash");
  writeFileSync(file, script);
  const lines = ["katz pi", "katz ping --qu", "katz ping --address tcp:127.0.0.1:"];
  const program = [
    `katz() { "${process.execPath}" "${mainPath}" "$@"; }`,
    `source "${file}"`,
    ...lines.map(
      (line) =>
        `COMP_LINE="${line}"; COMP_POINT=\${#COMP_LINE}; COMPREPLY=(); _katz 2>/dev/null; ` +
        `echo "\${COMPREPLY[*]}"`,
    ),
  ].join("\n");
  const { stdout } = spawnSync("bash", ["-c", program], { encoding: "utf8" });
  assert.deepEqual(linesOf(stdout), ["ping", "--quiet", "64331"]);
});

/**
 * For each shell, the code that defines `katz` as a command and prints its completions as lines.
 */
const harnesses = {
  zsh: {
    before: [
      "autoload -Uz compinit; compinit -u -D",
      `katz() { "${process.execPath}" "${mainPath}" "$@" }`,
    ],
    ask: [
      `_describe() { print -rl -- "\${(@P)2}" }`,
      `_files() { print files }`,
      "words=(katz pi) CURRENT=2; _katz",
      "words=(katz ping --address tcp:127.0.0.1:) CURRENT=4; _katz",
      "words=(katz ping --config '') CURRENT=4; _katz",
    ],
    answers: [/^ping:Measure/, /^tcp\\:127\.0\.0\.1\\:64331:/, /^files$/],
  },
  fish: {
    before: [`function katz; "${process.execPath}" "${mainPath}" $argv; end`],
    ask: [
      `complete -C "katz pi"`,
      `complete -C "katz ping --address tcp:127.0.0.1:"`,
      `complete -C "katz ping --config ${folder}/katz.fi"`,
    ],
    answers: [/^ping\tMeasure/, /^tcp:127\.0\.0\.1:64331\t/, /katz\.fish$/],
  },
} as const;

for (const shell of ["zsh", "fish"] as const) {
  test(`${shell} loads the completion script and completes with it`, async (t) => {
    const { code, stdout: script } = await katz(["completion", shell]);
    assert.equal(code, 0);
    if (spawnSync(shell, ["--version"]).status !== 0) {
      return t.skip(`not run: there is no ${shell} on this machine`);
    }
    const file = join(folder, `katz.${shell}`);
    writeFileSync(file, script);
    assert.equal(spawnSync(shell, ["-n", file]).status, 0);
    const { before, ask, answers } = harnesses[shell];
    const program = [...before, `source "${file}"`, ...ask].join("\n");
    const options = shell === "zsh" ? ["-f"] : ["--no-config"];
    const env = emptyEnvironment(folder);
    const { stdout } = spawnSync(shell, [...options, "-c", program], { encoding: "utf8", env });
    const lines = linesOf(stdout);
    assert.equal(lines.length, answers.length, stdout);
    for (const [i, answer] of answers.entries()) assert.match(lines[i]!, answer);
  });
}
