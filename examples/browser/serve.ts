/** Serves the page, and an embedded daemon that it may connect to. */
import { readFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { randomBytes, toHex } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

const source = (name: string): string =>
  fileURLToPath(new URL(`../../../examples/browser/${name}`, import.meta.url));

// #region build
/** The scripts of the page and of its shared worker by URL, each with all that it imports. */
async function bundle(): Promise<Map<string, string>> {
  const result = await build({
    entryPoints: [source("page.ts"), source("connection-worker.ts")],
    bundle: true,
    format: "esm",
    platform: "browser", // picks the package's code for browsers
    outdir: "/",
    write: false,
  });
  return new Map(result.outputFiles.map(({ path, text }) => [`/${basename(path)}`, text]));
}
// #endregion

/** A page that is served until it is disposed of. */
export interface ServedPage extends AsyncDisposable {
  readonly url: string;
  /** How many connections the daemon has. */
  connections(): number;
}

/** Starts everything. */
export async function servePage(): Promise<ServedPage> {
  const [scripts, html] = await Promise.all([bundle(), readFile(source("index.html"))]);
  const server: Server = createServer((request, response) => {
    const script = scripts.get(request.url ?? "");
    response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
    response.end(script ?? html);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  // #region daemon
  const token = toHex(randomBytes(16));
  const daemon = await DevDaemon.start({
    listen: "ws://127.0.0.1:0",
    allowedOrigins: [origin], // pages of other origins are refused,
    token, // and so are those that do not know this
  });
  // #endregion

  return {
    url: `${origin}/#${daemon.addresses[0]},${token}`,
    connections: () => daemon.daemon.load.connections,
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await daemon.close();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = await servePage();
  console.log(`open ${page.url}\nCtrl-C ends it`);
}
