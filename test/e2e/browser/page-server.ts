/** Serves one page with the client in it, on this machine. */
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>katz</title>
<script type="module" src="/client.js"></script>`;

/** A module as a page's script: everything it exports is `window.katz`. */
async function script(module: string): Promise<string> {
  const result = await build({
    stdin: {
      contents: `import * as katz from ${JSON.stringify(module)}; globalThis.katz = katz;`,
      resolveDir: root,
    },
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["browser"],
    write: false,
  });
  return result.outputFiles[0]!.text;
}

/** The page's server. */
export class PageServer implements AsyncDisposable {
  readonly #server: Server;
  /** What a browser says the page comes from. */
  readonly origin: string;

  private constructor(server: Server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param module what the page has: the client, unless another is named. */
  static async start(module = "katzenpost-thinclient"): Promise<PageServer> {
    const code = await script(module);
    const server = createServer((request, response) => {
      const isScript = request.url === "/client.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? code : PAGE);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new PageServer(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
