// Builds the playground: a folder that any web server can serve unchanged. Needs the build.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleConsole } from "./build-console.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const name = "katzenpost-thinclient";
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The modules that programs may import, and their files. */
const modules = {
  [name]: "client.js",
  [`${name}/bacap`]: "bacap.js",
  [`${name}/channels`]: "channels.js",
  [`${name}/errors`]: "errors.js",
  [`${name}/network`]: "network.js",
  [`${name}/testing`]: "testing.js",
  [`${name}/workers`]: "workers.js",
  "node:assert/strict": "assert.js",
};

/** The examples that need only those modules, and of `testing` only `DevDaemon`. */
async function examples() {
  const { default: typescript } = await import("typescript");
  const found = [];
  for (const file of readdirSync(join(root, "examples")).sort()) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    const source = readFileSync(join(root, "examples", file), "utf8");
    const imports = [...source.matchAll(/^import [^;]*?from "([^"]+)";/gms)];
    const runs = imports.every(
      ([whole, from]) =>
        from in modules && (!from.endsWith("/testing") || /\{ DevDaemon \}/.test(whole)),
    );
    if (!runs || imports.length === 0 || /\bprocess\.|\bBuffer\b/.test(source)) continue;
    const [, about = ""] = /^\/\*\*\s*(.*?)\s*\*\//s.exec(source) ?? [];
    const { outputText } = typescript.transpileModule(source, {
      compilerOptions: { target: "esnext", module: "esnext", removeComments: false },
    });
    found.push({
      name: basename(file, ".ts"),
      about: about.replace(/\s*\n\s*\*?\s*/g, " "),
      code: `${outputText
        .replace(/^\/\*\*.*?\*\/\s*/s, "")
        .replace(/^\s*\/\/ #(end)?region.*\n/gm, "")
        .trim()}\n`,
    });
  }
  // The shortest one first.
  return found.sort((a, b) => Number(b.name === "echo") - Number(a.name === "echo"));
}

const ofPackage = {
  client: "dist/src/index.js",
  bacap: "dist/src/bacap/index.js",
  channels: "dist/src/channels/index.js",
  errors: "dist/src/errors/index.js",
  network: "dist/src/network/index.js",
  workers: "dist/src/workers/index.js",
  "browser-ctidh-worker": "dist/src/platform/browser-ctidh-worker.js",
};

/**
 * Builds it into `folder`.
 * @param whole whether to include the package's own code, for web servers that serve the folder
 * unchanged. Otherwise `katz playground` serves that code, and the console beside the programs,
 * from the installed package.
 * @returns the names of the examples.
 */
export async function buildPlayground(folder, whole) {
  const { build } = await import("esbuild");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: {
      page: "playground/page.ts",
      runner: "playground/runner.ts",
      testing: "playground/testing.ts",
      assert: "playground/assert.ts",
      ...(whole ? ofPackage : {}),
    },
    outdir: folder,
    bundle: true,
    splitting: true,
    chunkNames: "chunk-[hash]",
    minify: true,
    // Errors show their names.
    keepNames: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["browser"],
    define: { version: JSON.stringify(version) },
    legalComments: "none",
    logLevel: "warning",
    plugins: [whole ? compiled : placed],
  });
  if (whole) await bundleConsole(folder);
  for (const file of ["index.html", "console.html", "playground.css"]) {
    copyFileSync(join(root, "playground", file), join(folder, file));
  }
  const own = ["testing.js", "assert.js"];
  const places = Object.entries(modules).map(([from, file]) => [
    from,
    whole || own.includes(file) ? file : `bare/${from}`,
  ]);
  const index = { modules: Object.fromEntries(places), examples: await examples() };
  writeFileSync(join(folder, "examples.json"), JSON.stringify(index));
  return index.examples.map((example) => example.name);
}

/** The package's modules that programs cannot import, but the playground's own code does. */
const inner = /^\.\.\/src\//;
const isOwnCode = (importer) => dirname(importer) === join(root, "playground");

/** Uses the compiled modules, so that nothing is included twice. */
const compiled = {
  name: "compiled",
  setup({ onResolve }) {
    onResolve({ filter: inner }, ({ path, importer }) =>
      isOwnCode(importer) ? { path: join(root, "dist", path.slice(3)) } : undefined,
    );
  },
};

/** Leaves the package's modules to the server. */
const placed = {
  name: "placed",
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^${name}(/|$)`) }, ({ path }) => ({
      path: `/bare/${path}`,
      external: true,
    }));
    onResolve({ filter: inner }, ({ path, importer }) =>
      isOwnCode(importer)
        ? { path: `/modules/0/dist/${path.slice(3)}`, external: true }
        : undefined,
    );
  },
};
