/** docs/cli.md documents every command, flag, exit code and field. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ExitCode } from "../../src/cli/failure.js";
import { katz, linesOf } from "./katz.js";
import { shapes } from "./shapes.js";

const page = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");

test("every command has a section, and each of its flags is named there or above", async () => {
  const listed = linesOf((await katz(["--help"])).stdout).flatMap(
    (line) => /^ {2}([a-z]+) {2,}\S/.exec(line)?.[1] ?? [],
  );
  assert.ok(listed.length >= 12);
  const common = page.slice(0, page.indexOf("\n## Commands"));
  for (let i = 0; i < listed.length; i += 4) {
    const some = listed.slice(i, i + 4);
    const helps = await Promise.all(some.map(helpOf));
    for (const [j, { stdout }] of helps.entries()) {
      const name = some[j]!;
      const section = page.split(`\n### \`katz ${name}\`\n`)[1]?.split("\n### ")[0];
      assert.ok(section !== undefined, `docs/cli.md has no section for katz ${name}`);
      for (const [flag] of stdout.matchAll(/^ {2}(?:-\w| {2}) (--[a-z-]+)/gm)) {
        const long = flag.trim().split(" ").at(-1)!;
        const isNamed = new RegExp(`${long}(?![a-z-])`).test(`${common}${section}`);
        assert.ok(isNamed, `docs/cli.md, section \`katz ${name}\`, does not mention ${long}`);
      }
    }
  }
});

/** The help of a command, and that of its subcommands. */
async function helpOf(name: string): Promise<{ stdout: string }> {
  const { stdout } = await katz([name, "--help"]);
  const commands = /\nCOMMANDS\n((?: {2}.*\n)*)/.exec(stdout)?.[1] ?? "";
  const names = [...commands.matchAll(/^ {2}([a-z]+) /gm)].map(([, subcommand]) => subcommand!);
  const helps = await Promise.all(names.map((subcommand) => katz([name, subcommand, "--help"])));
  return { stdout: [stdout, ...helps.map((help) => help.stdout)].join("") };
}

test("the table lists every exit code", () => {
  for (const code of Object.values(ExitCode)) {
    const isListed = new RegExp(`^\\| ${code} \\|`, "m").test(page);
    assert.ok(isListed, `docs/cli.md does not list the exit code ${code}`);
  }
});

test("the tables list every kind of record with exactly its fields", () => {
  for (const [name, shape] of Object.entries(shapes)) {
    const row = new RegExp(`^\\| \`${name}\` \\| (.*) \\|$`, "m").exec(page)?.[1];
    assert.ok(row !== undefined, `docs/cli.md has no row for ${name}`);
    const fields = [...row.matchAll(/`(\w+)`/g)].map(([, field]) => field!);
    assert.deepEqual(new Set(fields), new Set(Object.keys(shape)), name);
  }
});
