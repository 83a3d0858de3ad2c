/** Serves one page with the client, on this machine. */
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>katz</title>
<script type="module" src="/client.js"></script>`;

/** A module as a page's script: its exports are `window.katz`. */
function pageScript(module: string): string {
  return `import * as katz from ${JSON.stringify(module)}; globalThis.katz = katz;`;
}

/** A script with all its imports, bundled for a page. */
async function scriptOf(contents: string): Promise<string> {
  const result = await build({
    stdin: { contents, resolveDir: root },
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
  /** The page's origin. */
  readonly origin: string;

  private constructor(server: Server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /**
   * Serves the page at every path except those of scripts.
   * @param module the page's module: the client by default.
   * @param more programs by path, which are bundled; `/client.js` replaces the page's own.
   */
  static async start(
    module = "katzenpost-thinclient",
    more: Readonly<Record<string, string>> = {},
  ): Promise<PageServer> {
    const scripts = new Map<string, string>();
    for (const [path, contents] of Object.entries({ "/client.js": pageScript(module), ...more })) {
      scripts.set(path, await scriptOf(contents));
    }
    const server = createServer((request, response) => {
      const script = scripts.get(request.url ?? "");
      response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
      response.end(script ?? PAGE);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new PageServer(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
