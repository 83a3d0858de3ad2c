/** Web servers for pages, on this machine only: the common part of `katz console` and `playground`. */
import { type IncomingMessage, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { UsageError } from "./failure.js";

/** The headers of every answer. */
export const PAGE_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

/** How long a peer may take to send its headers, in ms. */
const HEADERS_TIMEOUT_MS = 10_000;

/** A server that listens on 127.0.0.1. It answers nothing itself. */
export class PageServer implements AsyncDisposable {
  readonly http: Server;
  /** The page's origin, as browsers report it, e.g. `http://127.0.0.1:4711`. */
  readonly origin: string;
  readonly #hosts: readonly string[];

  private constructor(http: Server) {
    const { port } = http.address() as AddressInfo;
    this.http = http;
    this.#hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
    this.origin = `http://127.0.0.1:${port}`;
  }

  /**
   * Listens on 127.0.0.1.
   * @param port 0 means a free one.
   * @throws UsageError when the port is taken.
   */
  static async start(port: number): Promise<PageServer> {
    const http = createServer();
    http.headersTimeout = HEADERS_TIMEOUT_MS;
    await new Promise<void>((resolve, reject) => {
      http.once("error", (cause: NodeJS.ErrnoException) => {
        const why = cause.code === "EADDRINUSE" ? "is in use" : `cannot be used (${cause.code})`;
        const advice = ["Choose another one with --port, or leave it out"];
        reject(new UsageError(`port ${port} of 127.0.0.1 ${why}`, { cause, advice }));
      });
      http.listen(port, "127.0.0.1", resolve);
    });
    return new PageServer(http);
  }

  /**
   * Whether a request names this server. Against DNS rebinding: another page's host name may point
   * to this machine, and its browser then sends that name.
   */
  isOwnHost({ headers }: IncomingMessage): boolean {
    return this.#hosts.includes(headers.host ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}
