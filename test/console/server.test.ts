/**
 * Who can access `katz console`: only its own page with the token. The real command runs in a
 * separate process, and raw sockets send arbitrary requests.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, get, request } from "node:http";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { checkFlags } from "../../src/cli/commands/console/console.js";
import { type ToPage, decodeToPage, encodeMessage } from "../../src/console/protocol.js";
import { wsTokenProtocol } from "../../src/transport/ws-token.js";
import { KatzProcess } from "../e2e/katz-process.js";

let katz: KatzProcess;
let origin: string;
let port: number;
let token: string;

function consoleProcess(): KatzProcess {
  const args = ["--json", "--mixing", "instant", "--listen", "tcp:127.0.0.1:0"];
  return new KatzProcess(["console", ...args]);
}

before(async () => {
  katz = consoleProcess();
  const line = JSON.parse(await katz.firstLine()) as { url: string; mode: string };
  const url = new URL(line.url);
  origin = url.origin;
  port = Number(url.port);
  token = url.hash.slice(1);
  assert.equal(line.mode, "embedded");
  assert.equal(url.pathname + url.search, "/", "only the fragment contains the token");
  assert.match(token, /^[0-9a-f]{32}$/);
});
after(() => katz[Symbol.asyncDispose]());

/** The server's answer, with its text. */
function fetched(
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<{ response: IncomingMessage; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, headers, method };
    const asked = (method === "GET" ? get : request)(options, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ response, body }));
    });
    asked.on("error", reject).end();
  });
}

interface Dialled {
  readonly origin?: string | undefined;
  readonly host?: string;
  readonly protocols?: readonly string[];
  readonly path?: string;
}

/** The first message of a socket, or the status with which it was refused. */
function dialled(how: Dialled): Promise<{ status: number } | { socket: WebSocket; first: ToPage }> {
  const { protocols = [wsTokenProtocol(token)], path = "/socket" } = how;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], {
      ...(how.origin === undefined ? {} : { origin: how.origin }),
      ...(how.host === undefined ? {} : { headers: { host: how.host } }),
    });
    socket.once("unexpected-response", (_request, response) => {
      resolve({ status: response.statusCode! });
      socket.terminate();
    });
    socket.once("error", reject);
    socket.once("message", (data: Buffer) => resolve({ socket, first: decodeToPage(data) }));
  });
}

describe("katz console", { timeout: 240_000 }, () => {
  test("serves its page with a policy that admits no other content", async () => {
    for (const path of ["/", "/console.js", "/console.css"]) {
      const { response, body } = await fetched(path);
      assert.equal(response.statusCode, 200);
      assert.ok(!body.includes(token), "the token is in no file");
      const policy = String(response.headers["content-security-policy"]);
      for (const rule of [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ]) {
        assert.ok(policy.split("; ").includes(rule), rule);
      }
      assert.equal(response.headers["x-content-type-options"], "nosniff");
      assert.equal(response.headers["referrer-policy"], "no-referrer");
      assert.equal(response.headers["access-control-allow-origin"], undefined);
    }
    const { body } = await fetched("/");
    assert.ok(
      !/https?:\/\/|<script>|\son[a-z]+=/.test(body),
      "nothing from other origins, nothing inline",
    );
  });

  test("serves no other host name and no other file", async () => {
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1",
      `127.0.0.1:${port + 1}`,
    ]) {
      const { response, body } = await fetched("/", { host });
      assert.deepEqual([response.statusCode, body], [421, "This server has another name.\n"]);
    }
    for (const path of ["/../package.json", "/console.js/..", "//", "/%2e%2e/", "/index.html"]) {
      assert.equal((await fetched(path)).response.statusCode, 404, path);
    }
    assert.equal((await fetched("/", {}, "POST")).response.statusCode, 405);
    assert.equal((await fetched("/", { host: `localhost:${port}` })).response.statusCode, 200);
  });

  test("opens its socket only to its page with the token", async () => {
    const wrong: readonly [why: string, how: Dialled, status: number][] = [
      ["a foreign origin", { origin: "http://evil.example" }, 403],
      ["no origin", {}, 403],
      ["the origin of another port", { origin: `http://127.0.0.1:${port + 1}` }, 403],
      ["a sandboxed page", { origin: "null" }, 403],
      ["https", { origin: `https://127.0.0.1:${port}` }, 403],
      ["no token", { origin, protocols: [] }, 401],
      ["a wrong token", { origin, protocols: [wsTokenProtocol("a guess")] }, 401],
      [
        "a token that begins right",
        { origin, protocols: [wsTokenProtocol(token.slice(0, -1))] },
        401,
      ],
      ["another path", { origin, path: "/" }, 403],
      [
        "DNS rebinding",
        { origin: `http://evil.example:${port}`, host: `evil.example:${port}` },
        421,
      ],
      ["a name with the right origin", { origin, host: `evil.example:${port}` }, 421],
      ["localhost with the origin of 127.0.0.1", { origin, host: `localhost:${port}` }, 403],
    ];
    for (const [why, how, status] of wrong) assert.deepEqual(await dialled(how), { status }, why);
  });

  test("sends its page a snapshot and then changes, and accepts only actions", async () => {
    const begun = performance.now();
    const opened = await dialled({ origin });
    assert.ok("socket" in opened);
    const { socket, first } = opened;
    assert.equal(first.type, "snapshot");
    assert.ok(first.type === "snapshot" && first.state.map !== null);
    assert.equal(first.state.about.mode, "embedded");
    assert.equal(first.state.map.replicas.length, 5);
    const text = JSON.stringify(first);
    assert.ok(!text.includes(token));
    const messages: { message: ToPage }[] = [];
    socket.on("message", (data: Buffer) => {
      messages.push({ message: decodeToPage(data) });
    });
    const until = async (happened: () => boolean): Promise<void> => {
      while (!happened()) await new Promise((resolve) => socket.once("message", resolve));
    };
    const box = () =>
      messages
        .flatMap(({ message }) => message.state.boxes ?? [])
        .find(({ state }) => state === "read");
    socket.send(encodeMessage({ do: "write" }));
    await until(() =>
      messages.some(({ message }) => message.state.boxes?.some(({ state }) => state === "stored")),
    );
    socket.send(encodeMessage({ do: "read" }));
    await until(() => box() !== undefined);
    const seen = messages.flatMap(({ message }) => message.events);
    assert.ok(seen.some((event) => event.event === "queued" && event.operation === "write"));
    // At most ten messages a second, however many events there are.
    const most = Math.ceil((performance.now() - begun) / 100) + 1;
    assert.ok(messages.length <= most, `${messages.length} messages, at most ${most}`);
    // Of two pages, one sends nonsense and is disconnected; the other stays connected.
    const other = await dialled({ origin });
    assert.ok("socket" in other);
    const closed = new Promise<number>((resolve) => other.socket.once("close", resolve));
    other.socket.send(Uint8Array.of(1, 2, 3));
    assert.equal(await closed, 1003);
    assert.equal(socket.readyState, WebSocket.OPEN);
    socket.terminate();
  });

  test("ends on a signal even if a peer still holds a refused connection", async () => {
    await using other = consoleProcess();
    const { url } = JSON.parse(await other.firstLine()) as { url: string };
    const { port: otherPort, host } = new URL(url);
    const held = connect({ port: Number(otherPort), host: "127.0.0.1", allowHalfOpen: true });
    held.on("error", () => {});
    held.write(
      `GET /socket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    const [answer] = (await once(held, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 403/);
    other.kill("SIGINT");
    assert.equal((await other.ended).code, 0);
    held.destroy();
  });

  test("does not show its token where other users of the machine can read it", () => {
    assert.ok(!katz.stderr.includes(token));
    assert.equal(katz.stdout.split(token).length, 2, "shown once, to the user who started it");
  });
});

test("refuses flags that contradict each other", () => {
  const given = { open: false, virtual: false, json: false, quiet: false };
  for (const [flags, expected] of [
    [{ address: "tcp:127.0.0.1:1", join: "x" }, /give one of them/],
    [{ address: "tcp:127.0.0.1:1", virtual: true }, /--virtual is for the embedded network/],
    [{ config: "x", listen: ["tcp:127.0.0.1:0"] }, /--listen and --epoch/],
  ] as const) {
    assert.throws(() => checkFlags({ ...given, ...flags }), expected);
  }
  checkFlags({ ...given, virtual: true });
  checkFlags({ ...given, join: "x", epoch: 5000 });
});
