// All checks that run no tests: lint, format, unused code, and the package as a registry and its
// users see it. The build has already checked the types.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** The largest allowed size of the packed package, in bytes. */
const MOST_PACKED_BYTES = 750_000;

const run = promisify(execFile);
const shell = process.platform === "win32";
const tool = (name, args) => run(join("node_modules", ".bin", name), args, { shell });

/** Runs one check and reports the result. */
async function check(what, work) {
  try {
    const remark = await work();
    console.log(`${what}: ok${typeof remark === "string" ? `, ${remark}` : ""}`);
  } catch (error) {
    console.error(`${what}: failed\n${error.stdout ?? error.message}${error.stderr ?? ""}`);
    process.exitCode = 1;
  }
}

await check("lint", () => tool("oxlint", []));
await check("format", () =>
  tool("oxfmt", [
    "--check",
    "src",
    "console",
    "playground",
    "test",
    "bench",
    "examples",
    "scripts",
  ]),
);
await check("unused code (knip)", () => tool("knip", ["--no-progress"]));

const folder = mkdtempSync(join(tmpdir(), "katz-check-"));
try {
  let tarball = "";
  await check("packed size", async () => {
    // The steps of a real pack except the build.
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
    await run(process.execPath, ["scripts/packed-form.mjs", "--begin"]);
    const packed = run("npm", args, { shell });
    await packed.catch(() => {});
    await run(process.execPath, ["scripts/packed-form.mjs", "--end"]);
    const [{ filename, size }] = JSON.parse((await packed).stdout);
    tarball = join(folder, filename);
    const text = `${Math.round(size / 1000)} kB of at most ${MOST_PACKED_BYTES / 1000} kB`;
    if (size > MOST_PACKED_BYTES) throw new Error(text);
    return text;
  });
  await check("scripts of the package", async () => {
    const { stdout } = await run("tar", ["-xzOf", tarball, "package/package.json"]);
    const { scripts } = JSON.parse(stdout);
    // npm warns its users of scripts that run at an install, and these are not in the package.
    const named = ["preinstall", "install", "postinstall", "prepare"].filter((one) => scripts[one]);
    if (named.length > 0) throw new Error(`package.json has ${named.join(", ")}`);
  });
  await check("package (publint)", () => tool("publint", ["--strict", tarball]));
  // The package is ESM only, for resolvers that support "exports".
  await check("types (attw)", () => tool("attw", ["--profile", "esm-only", tarball]));
} finally {
  rmSync(folder, { recursive: true });
}
