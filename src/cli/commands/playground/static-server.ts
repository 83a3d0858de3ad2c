/** A web server for the files of some folders and the package's modules, on this machine only. */
import { readFile, readdir } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname } from "node:path";
import { UsageError } from "../../failure.js";
import { PAGE_HEADERS, PageServer } from "../../page-server.js";
import { PackageModules } from "./package-modules.js";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
};

/** A running server. It has read the folders' files: a request names one of them or a module. */
export class StaticServer implements AsyncDisposable {
  /** Its origin, as browsers report it, e.g. `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly #server: PageServer;
  readonly #files: ReadonlyMap<string, Buffer>;
  readonly #modules = new PackageModules();

  private constructor(server: PageServer, files: ReadonlyMap<string, Buffer>) {
    this.#server = server;
    this.#files = files;
    this.origin = server.origin;
    server.http.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  /**
   * Listens on 127.0.0.1.
   * @param folders if two have a file of the same name, the first one's is served.
   * @param port 0 takes a free one.
   * @throws UsageError when the port is taken, or a folder does not exist.
   */
  static async start(folders: readonly URL[], port: number): Promise<StaticServer> {
    const files = new Map<string, Buffer>();
    for (const folder of folders) {
      const names = await readdir(folder).catch((cause: unknown) => {
        throw new UsageError("the page was not built: run npm run build", { cause });
      });
      for (const name of names) {
        if (Object.hasOwn(types, extname(name)) && !files.has(`/${name}`)) {
          files.set(`/${name}`, await readFile(new URL(name, folder)));
        }
      }
    }
    return new StaticServer(await PageServer.start(port), files);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, type: string, body: Buffer | string): void => {
      response.writeHead(status, { ...PAGE_HEADERS, "content-type": type });
      response.end(request.method === "HEAD" ? "" : body);
    };
    if (!this.#server.isOwnHost(request)) {
      answer(403, "text/plain", "This server is for this machine only.\n");
      return;
    }
    const path = (request.url ?? "/").replace(/[?#].*$/s, "");
    const name = path === "/" ? "/index.html" : path;
    if (request.method !== "GET" && request.method !== "HEAD") {
      answer(405, "text/plain", "Only GET is known here.\n");
      return;
    }
    const file = this.#files.get(name);
    const body = file ?? (await this.#modules.get(name));
    if (body === null) answer(404, "text/plain", "There is no such file.\n");
    else answer(200, file === undefined ? types[".js"]! : types[extname(name)]!, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
