/**
 * The console's server: three files and one WebSocket, on this machine only. Any page in any local
 * browser can try to reach it. So it serves nothing under a foreign host name, and the socket only
 * accepts the console's own page with the token.
 */
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { type ToPage, decodeAction, encodeMessage } from "../../../console/protocol.js";
import type { ConsoleFeed } from "../../../console/feed.js";
import { acceptedProtocol, sendRefusal } from "../../../platform/node-ws-handshake.js";
import { UsageError } from "../../failure.js";
import { PAGE_HEADERS, PageServer } from "../../page-server.js";

/** The folder of the page's files after the build. */
const FOLDER = new URL("../../../../console/", import.meta.url);

/** The path of the socket. */
const SOCKET_PATH = "/socket";

/** The most bytes of one message from the page. */
const MOST_ASKED_BYTES = 4096;
/** The most bytes that may wait for a page that does not read. */
const MOST_UNSENT_BYTES = 32 * 1024 * 1024;
/** The most pages at once. */
const MOST_PAGES = 16;

/**
 * What the browser allows the page: its own scripts, styles and socket, and nothing else.
 * `require-trusted-types-for` without an allowed policy makes it impossible to turn text into
 * markup.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = { ...PAGE_HEADERS, "content-security-policy": CONTENT_SECURITY_POLICY } as const;

interface StaticFile {
  readonly type: string;
  readonly bytes: Buffer;
}

async function staticFiles(): Promise<ReadonlyMap<string, StaticFile>> {
  const files = [
    ["/", "index.html", "text/html; charset=utf-8"],
    ["/console.js", "console.js", "text/javascript; charset=utf-8"],
    ["/console.css", "console.css", "text/css; charset=utf-8"],
  ] as const;
  try {
    return new Map(
      await Promise.all(
        files.map(async ([path, name, type]): Promise<[string, StaticFile]> => {
          return [path, { type, bytes: await readFile(new URL(name, FOLDER)) }];
        }),
      ),
    );
  } catch (cause) {
    throw new UsageError("the console's page was not built: run npm run build", { cause });
  }
}

/** A running server. */
export class ConsoleServer implements AsyncDisposable {
  /** The page's origin, as browsers report it, e.g. `http://127.0.0.1:4711`. */
  readonly origin: string;
  readonly #server: PageServer;
  readonly #sockets: WebSocketServer;
  readonly #files: ReadonlyMap<string, StaticFile>;
  readonly #feed: ConsoleFeed;
  readonly #token: string;

  private constructor(
    server: PageServer,
    files: ReadonlyMap<string, StaticFile>,
    { feed, token }: { readonly feed: ConsoleFeed; readonly token: string },
  ) {
    this.#server = server;
    this.#files = files;
    this.#feed = feed;
    this.#token = token;
    this.origin = server.origin;
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: MOST_ASKED_BYTES,
      handleProtocols: (protocols) => this.#acceptedProtocol(protocols) ?? false,
    });
    server.http.on("request", (request: IncomingMessage, response: ServerResponse) =>
      this.#serve(request, response),
    );
    server.http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
  }

  /**
   * Listens on 127.0.0.1.
   * @param port 0 means a free one.
   * @param token the token that the page must send; the page has it from the fragment of its URL.
   * @throws UsageError when the port is taken, or the page was not built.
   */
  static async start(options: {
    readonly feed: ConsoleFeed;
    readonly token: string;
    readonly port: number;
  }): Promise<ConsoleServer> {
    const files = await staticFiles();
    return new ConsoleServer(await PageServer.start(options.port), files, options);
  }

  /** The page's address with the token in its fragment, which browsers do not send. A secret. */
  get url(): string {
    return `${this.origin}/#${this.#token}`;
  }

  #acceptedProtocol(protocols: Iterable<string>): string | null {
    const rules = {
      host: "127.0.0.1",
      loopback: true,
      everywhere: false,
      allowedOrigins: [],
      token: this.#token,
    };
    return acceptedProtocol(protocols, rules);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const refuse = (status: number, text: string): void => {
      response.writeHead(status, { ...HEADERS, "content-type": "text/plain; charset=utf-8" });
      response.end(`${text}\n`);
    };
    if (!this.#server.isOwnHost(request)) return refuse(421, "This server has another name.");
    if (request.method !== "GET" && request.method !== "HEAD") {
      return refuse(405, "Only GET is served here.");
    }
    const file = this.#files.get(request.url ?? "");
    if (file === undefined) return refuse(404, "There is nothing here.");
    response.writeHead(200, {
      ...HEADERS,
      "content-type": file.type,
      "content-length": file.bytes.length,
    });
    response.end(request.method === "HEAD" ? undefined : file.bytes);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const { headers } = request;
    const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
    const refusal = !this.#server.isOwnHost(request)
      ? "421 Misdirected Request"
      : headers.origin !== `http://${headers.host}` || request.url !== SOCKET_PATH
        ? "403 Forbidden"
        : this.#acceptedProtocol(offered) === null
          ? "401 Unauthorized"
          : this.#sockets.clients.size >= MOST_PAGES
            ? "503 Service Unavailable"
            : null;
    if (refusal !== null) {
      sendRefusal(socket, `HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (page) => this.#open(page));
  }

  #open(page: WebSocket): void {
    const leave = this.#feed.open((message: ToPage) => {
      if (page.bufferedAmount > MOST_UNSENT_BYTES) page.terminate();
      else page.send(encodeMessage(message));
    });
    page.on("message", (data: Buffer, isBinary) => {
      const action = isBinary ? decodeAction(data) : null;
      // Only the console's own page connects here; if its message is not understood, it is broken.
      if (action === null) page.close(1003);
      else void this.#feed.perform(action);
    });
    page.on("error", () => page.terminate());
    page.on("close", leave);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const page of this.#sockets.clients) page.terminate();
    await this.#server[Symbol.asyncDispose]();
  }
}
