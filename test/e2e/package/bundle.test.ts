/** The package in a browser's bundle: nothing from Node, and limited sizes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import viteConfig from "../../../examples/browser/vite.config.js";
import { ROOT, manifest } from "./packed-package.js";

/** The largest size, gzipped, of a page's bundle with everything that the main entry exports. */
const MOST_BYTES = 63 * 1024;
/** The same with the client alone, as most pages import it. */
const MOST_CLIENT_BYTES = 61_000;

const FOR_PAGES = {
  bundle: true as const,
  format: "esm" as const,
  platform: "browser" as const,
  conditions: ["browser"],
  write: false as const,
  metafile: true as const,
  logLevel: "silent" as const,
};

/** Bundles a page's script; any import from Node makes the build fail. */
async function bundle(code: string): Promise<{ gzipped: number; inputs: string[]; text: string }> {
  const result = await build({
    stdin: { contents: code, resolveDir: ROOT },
    ...FOR_PAGES,
    minify: true,
  });
  const inputs = Object.keys(result.metafile.inputs);
  const { contents, text } = result.outputFiles[0]!;
  return { gzipped: gzipSync(contents, { level: 9 }).length, inputs, text };
}

const { name } = manifest();
const BUNDLES = {
  [`all of ${name}`]: `export * from "${name}"`,
  "just ThinClient": `export { ThinClient } from "${name}"`,
  [`all of ${name}/wire`]: `export * from "${name}/wire"`,
  [`all of ${name}/bacap`]: `export * from "${name}/bacap"`,
};

test("a page's bundle of just ThinClient has at most 61 kB", async () => {
  const { gzipped } = await bundle(`export { ThinClient } from "${name}"`);
  assert.ok(gzipped <= MOST_CLIENT_BYTES, `${gzipped} bytes gzipped`);
});

for (const [what, code] of Object.entries(BUNDLES)) {
  test(`a page's bundle of ${what} contains nothing of Node and at most 63 KiB`, async (t) => {
    const { gzipped, inputs } = await bundle(code);
    t.diagnostic(`${what}: ${(gzipped / 1024).toFixed(1)} KiB gzipped`);
    const ofNode = inputs.filter((input) => /platform\/node|node_modules\/ws\//.test(input));
    assert.deepEqual(ofNode, []);
    assert.ok(gzipped <= MOST_BYTES, `${gzipped} bytes gzipped, at most ${MOST_BYTES}`);
  });
}

test("errors keep their names in a minified bundle", async (t) => {
  const { text } = await bundle(`export * from "${name}"; export * from "${name}/channels"`);
  const folder = mkdtempSync(join(tmpdir(), "katz-bundle-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "bundle.mjs");
  writeFileSync(file, text);
  const exported = (await import(pathToFileURL(file).href)) as object;
  const entries = Object.entries(exported) as [string, typeof Error][];
  const errors = entries.filter(([, { prototype }]) => prototype instanceof Error);
  assert.ok(errors.length > 40, `only ${errors.length}`);
  // The first arguments of classes that take another one than a message.
  const firsts: Readonly<Record<string, unknown>> = {
    CopyFailedError: new Error("why"),
    TombstoneRangeError: new Error("why"),
    PkiVerificationError: ["why"],
  };
  for (const [expected, Kind] of errors) {
    const args = [firsts[expected] ?? "why", { envelopes: [], boxesCopied: [] }, {}];
    const error = Reflect.construct(Kind, args) as Error;
    // Abstract classes have no code, and nobody makes their errors.
    if ("code" in error) assert.equal(error.name, expected);
  }
});

test("a bundle for browsers cannot contain Node's modules", async () => {
  await assert.rejects(bundle(`export * from "${name}/testing"`), /node:/);
});

test("a bundle for Node that swallowed a native package says what to leave out", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "katz-bundle-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const outfile = join(folder, "bundle.cjs");
  const code = `import { DevDaemon } from "${name}/testing";
    DevDaemon.start({ dataDirectory: ${JSON.stringify(join(folder, "data"))} })
      .then(() => console.log("started"), ({ message }) => console.log(message));`;
  const stdin = { contents: code, resolveDir: ROOT };
  const forNode = { stdin, outfile, bundle: true, platform: "node", format: "cjs" } as const;
  await build({ ...forNode, logLevel: "silent" });
  const output = execFileSync(process.execPath, [outfile], { encoding: "utf8" });
  assert.match(output, /leave classic-level out of it/);
  assert.doesNotMatch(output, /npm install/);
});

/** The largest size, gzipped, that a worker loads at its start for a network in a page. */
const MOST_NETWORK_BYTES = 130_000;

test("a network in a page loads at most 130 kB, and a database only if it keeps boxes", async (t) => {
  const result = await build({
    stdin: {
      contents: `import { EmbeddedDaemon } from "${name}/network";
        import { listenForPorts } from "${name}/workers";
        globalThis.all = [EmbeddedDaemon, listenForPorts];`,
      resolveDir: ROOT,
    },
    bundle: true,
    splitting: true,
    outdir: "out",
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["browser"],
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const { outputs } = result.metafile;
  const loaded = new Set<string>();
  const visit = (path: string): void => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { kind, path: next } of outputs[path]!.imports) {
      if (kind === "import-statement") visit(next);
    }
  };
  visit(Object.keys(outputs).find((path) => path.endsWith("stdin.js"))!);
  const gzipped = result.outputFiles
    .filter((file) => [...loaded].some((path) => file.path.endsWith(path)))
    .reduce((sum, file) => sum + gzipSync(file.contents, { level: 9 }).length, 0);
  t.diagnostic(`a network in a page: ${(gzipped / 1000).toFixed(1)} kB gzipped`);
  assert.ok(gzipped <= MOST_NETWORK_BYTES, `${gzipped} bytes gzipped`);
  const inputs = [...loaded].flatMap((path) => Object.keys(outputs[path]!.inputs));
  assert.ok(!inputs.some((input) => input.includes("abstract-level")));
});

test("the guide's configuration of Vite names each CommonJS package that a page reaches", async () => {
  const subpaths = [
    "",
    "/channels",
    "/network",
    "/workers",
    "/wire",
    "/bacap",
    "/errors",
    "/daemon",
  ];
  const { metafile } = await build({
    stdin: {
      contents: subpaths.map((path, at) => `export * as m${at} from "${name}${path}";`).join("\n"),
      resolveDir: ROOT,
    },
    ...FOR_PAGES,
    absWorkingDir: ROOT,
    splitting: true,
    outdir: "out",
  });
  // The development server serves the modules of an excluded package, and all that they import, as
  // they are.
  const commonJs = Object.values(metafile.inputs)
    .filter(({ format }) => format === "esm")
    .flatMap(({ imports }) => imports.filter(({ path }) => metafile.inputs[path]?.format === "cjs"))
    .map(({ path }) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)![1]!);
  const { exclude, include } = viteConfig.optimizeDeps;
  assert.deepEqual(exclude, [name]);
  assert.deepEqual(
    include,
    [...new Set(commonJs)].map((dependency) => `${name} > ${dependency}`),
  );
});
