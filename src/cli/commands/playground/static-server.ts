/** A web server for the files of some folders and the package's modules, on this machine only. */
import { readFile, readdir } from "node:fs/promises";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { UsageError } from "../../failure.js";
import { PackageModules } from "./package-modules.js";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
};

const headers = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

/** Longest time a peer may take to send its headers, in milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;

/** A running server. It has read the folders' files: a request names one of them or a module. */
export class StaticServer implements AsyncDisposable {
  /** Its origin, as browsers report it, e.g. `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly #server: Server;
  readonly #files: ReadonlyMap<string, Buffer>;
  readonly #modules = new PackageModules();
  readonly #hosts: readonly string[];

  private constructor(server: Server, files: ReadonlyMap<string, Buffer>) {
    const { port } = server.address() as AddressInfo;
    this.#server = server;
    this.#files = files;
    this.#hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
    this.origin = `http://127.0.0.1:${port}`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
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
    const server = createServer();
    server.headersTimeout = HEADERS_TIMEOUT_MS;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => {
        const why = cause.code === "EADDRINUSE" ? "is in use" : `cannot be used (${cause.code})`;
        const advice = ["Choose another one with --port, or leave it out"];
        reject(new UsageError(`port ${port} of 127.0.0.1 ${why}`, { cause, advice }));
      });
      server.listen(port, "127.0.0.1", resolve);
    });
    return new StaticServer(server, files);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, type: string, body: Buffer | string): void => {
      response.writeHead(status, { ...headers, "content-type": type });
      response.end(request.method === "HEAD" ? "" : body);
    };
    // Against DNS rebinding: another page's host name may point to this machine.
    if (!this.#hosts.includes(request.headers.host ?? "")) {
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
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
