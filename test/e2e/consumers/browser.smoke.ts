/**
 * The packed package in pages: served by Vite and bundled by it, webpack and Rollup, each with the
 * network in a worker, and unbundled.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { HeadlessBrowser, findChromium } from "../browser/chromium.js";
import { type PackedProject, ROOT } from "../package/packed-package.js";
import { projectWith } from "./tools.js";

const executable = findChromium();
const skip = executable === null ? "not run: no Chromium on this machine" : false;

const exampleHtml = readFileSync(join(ROOT, "examples/browser/index.html"), "utf8");

let project: PackedProject;
before(() => {
  project = projectWith(
    "vite",
    "webpack",
    "rollup",
    "@rollup/plugin-node-resolve",
    "@rollup/plugin-commonjs",
  );
  const example = (name: string): string => join(ROOT, "examples/browser", name);
  project.write("index.html", exampleHtml.replace("page.js", "/network-page.ts"));
  for (const name of ["network-page.ts", "network-worker.ts"]) {
    const program = readFileSync(example(name), "utf8");
    project.write(name, program.replace("./network-worker.js", "./network-worker.ts"));
  }
  const config = readFileSync(join(ROOT, "dist/examples/browser/vite.config.js"), "utf8");
  project.write("vite.config.js", config);
});
after(() => project[Symbol.dispose]());

const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript" };

interface Site extends AsyncDisposable {
  readonly origin: string;
  /** The paths that were asked for. */
  readonly asked: readonly string[];
}

/** Serves the files of a folder, and pages by path. */
async function serve(folder: string, pages: Readonly<Record<string, string>> = {}): Promise<Site> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    const path = request.url === "/" ? "/index.html" : request.url!;
    const file = normalize(join(folder, path));
    response.setHeader("content-type", types[extname(path)] ?? "text/plain");
    if (pages[path] !== undefined) response.end(pages[path]);
    else {
      assert.ok(file.startsWith(folder + sep));
      readFile(file).then(
        (body) => response.end(body),
        () => response.writeHead(404).end(),
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    asked,
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Opens the example's page, and has it send an echo. */
async function sendsAnEcho({ origin }: Site): Promise<void> {
  await using browser = await HeadlessBrowser.start(executable!);
  const page = await browser.context.newPage();
  await page.goto(origin);
  await page.getByText("connected").waitFor();
  await page.getByRole("button").click();
  await page.getByText("hello from a page").waitFor();
  assert.match(await page.locator("#log").innerText(), /^connected\nhello from a page\n?$/);
}

test(
  "Vite bundles the example with its workers, and the bundle runs",
  { skip, timeout: 300_000 },
  async () => {
    project.node("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn");
    await using site = await serve(join(project.folder, "dist"));
    await sendsAnEcho(site);
    assert.match(site.asked.join(" "), /\/network-worker/);
  },
);

/** Programs that bundle `page.js` and its worker into the folder `out`. */
const bundlers = {
  // It finds the worker.
  webpack: `
    import webpack from "webpack";
    webpack(
      { mode: "production", entry: "./page.js", output: { path: import.meta.dirname + "/out" } },
      (error, stats) => {
        if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
      },
    );`,
  Rollup: `
    import commonjs from "@rollup/plugin-commonjs";
    import resolve from "@rollup/plugin-node-resolve";
    import { rollup } from "rollup";
    const bundle = await rollup({
      input: { main: "page.js", "network-worker": "network-worker.js" },
      plugins: [resolve({ browser: true, preferBuiltins: false }), commonjs()],
      onwarn() {},
    });
    await bundle.write({ dir: "out", format: "es" });`,
};

for (const [name, program] of Object.entries(bundlers)) {
  test(
    `${name} bundles the example with its worker, and the bundle runs`,
    { skip, timeout: 300_000 },
    async () => {
      const compiled = (file: string): string =>
        readFileSync(join(ROOT, "dist/examples/browser", file), "utf8");
      project.write("page.js", compiled("network-page.js"));
      project.write("network-worker.js", compiled("network-worker.js"));
      project.write("bundle.js", program);
      rmSync(join(project.folder, "out"), { recursive: true, force: true });
      project.node("bundle.js");
      const html = exampleHtml.replace("page.js", "/main.js");
      await using site = await serve(join(project.folder, "out"), { "/index.html": html });
      await sendsAnEcho(site);
    },
  );
}

/** Starts Vite's development server with the project's configuration. */
async function serveByVite(): Promise<AsyncDisposable & { readonly origin: string }> {
  // The project's dependencies are links into this repository: see `PackedProject`.
  project.write(
    "serve.js",
    `import { createServer } from "vite";
    const fs = { allow: ${JSON.stringify([project.folder, ROOT])} };
    const server = await createServer({ logLevel: "error", server: { host: "127.0.0.1", hmr: false, fs } });
    await server.listen();
    console.log(server.httpServer.address().port);`,
  );
  const child = spawn(process.execPath, ["serve.js"], {
    cwd: project.folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  for await (const line of createInterface(child.stdout)) {
    if (!/^\d+$/.test(line)) continue;
    return {
      origin: `http://127.0.0.1:${line}`,
      async [Symbol.asyncDispose](): Promise<void> {
        child.kill();
        await ended;
      },
    };
  }
  throw new Error("Vite's development server ended");
}

test(
  "Vite's development server serves the example, with stores in its worker and in the page",
  { skip, timeout: 300_000 },
  async () => {
    await using site = await serveByVite();
    await using browser = await HeadlessBrowser.start(executable!);
    const page = await browser.context.newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    await page.goto(site.origin);
    await Promise.race([
      page.getByText("connected").waitFor(),
      page
        .waitForEvent("pageerror")
        .then((error) => assert.fail(`${String(error)}\n${said.join("\n")}`)),
    ]);
    await page.getByRole("button").click();
    await page.getByText("hello from a page").waitFor();
    // A second tab uses the same network, and a reload finds the store free.
    const second = await browser.context.newPage();
    await second.goto(site.origin);
    await second.getByText("connected").waitFor();
    await second.close();
    await page.reload();
    await page.getByText("connected").waitFor();

    const heard = await page.evaluate(async (from) => {
      const { ThinClient, utf8ToText } = (await import(
        from
      )) as typeof import("../../../src/index.js");
      const { EmbeddedDaemon } = (await import(
        `${from}/network`
      )) as typeof import("../../../src/network/index.js");
      const { openChannels } = (await import(
        `${from}/channels`
      )) as typeof import("../../../src/channels/index.js");
      const embedded = await EmbeddedDaemon.start();
      const dial = embedded.dial.bind(embedded);
      const client = await ThinClient.connect("ws://in-this-page:1", { dial });
      const channels = await openChannels(client, "alice");
      const writer = await channels.create("news");
      await writer.send("hello");
      const reader = await channels.import("same", await writer.invitation(), { from: "start" });
      for await (const { bytes } of reader) return utf8ToText(bytes);
      return undefined;
    }, "/@id/katzenpost-thinclient");
    assert.equal(heard, "hello");
    assert.deepEqual(
      said.filter((line) => /error/i.test(line)),
      [],
    );
  },
);

test(
  "a page loads the unbundled modules with an import map",
  { skip, timeout: 300_000 },
  async () => {
    const guide = readFileSync(join(ROOT, "docs/guide/browser.md"), "utf8");
    const [map] = /<script type="importmap">[^]*?<\/script>/.exec(guide)!;
    const html = `<!doctype html><title>plain</title>${map}<script type="module">
    import * as katz from "katzenpost-thinclient"; globalThis.katz = katz;</script>`;
    await using site = await serve(project.folder, { "/plain.html": html });
    const token = "a-token-for-pages";
    await using daemon = await DevDaemon.start({
      listen: "ws://127.0.0.1:0",
      allowedOrigins: [site.origin],
      token,
    });
    await using browser = await HeadlessBrowser.start(executable!);
    const page = await browser.context.newPage();
    await page.goto(`${site.origin}/plain.html`);
    await page.waitForFunction(() => "katz" in globalThis);
    const echo = await page.evaluate(
      async ([address, token]) => {
        const { ThinClient, utf8ToText } = (
          globalThis as unknown as { katz: typeof import("../../../src/index.js") }
        ).katz;
        const ws = { address: address!, token: token! };
        const client = await ThinClient.connect({ dial: { ws } });
        const service = client.getService("echo");
        const reply = await client.blockingSendMessage("plain", ...service.toDestination());
        await client.stop();
        return utf8ToText(reply.subarray(0, 5));
      },
      [daemon.addresses[0]!, token] as const,
    );
    assert.equal(echo, "plain");
  },
);
