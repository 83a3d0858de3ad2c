import assert from "node:assert/strict";
import dns from "node:dns";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { type AddressInfo, type Server, Socket, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WebSocketServer } from "ws";
import { listenTcp } from "../../src/platform/node-listen.js";
import { dialTcp, dialUnix, dialWs } from "../../src/platform/node.js";
import type { Transport } from "../../src/transport/transport.js";
import { Recorder, pattern } from "../transport/transport-recorder.js";

const options = { timeout: 120_000 };
const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.family === "IPv6" && one.internal);

async function listening(t: TestContext, server: Server, host: string, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function closed(transport: Transport): Promise<void> {
  const recorder = Recorder.open(transport);
  transport.destroy();
  await recorder.closed;
}

/** Lets `daemon.test` have an IPv6 and an IPv4 loopback address, in that order. */
function giveNameBothFamilies(t: TestContext): void {
  const real = dns.lookup as (...args: readonly unknown[]) => void;
  const addresses = [
    { address: "::1", family: 6 },
    { address: "127.0.0.1", family: 4 },
  ];
  const lookup = (...args: readonly unknown[]): void => {
    if (args[0] !== "daemon.test") {
      real(...args);
      return;
    }
    const [, { family }, callback] = args as [
      string,
      dns.LookupAllOptions,
      (...a: unknown[]) => void,
    ];
    callback(
      null,
      addresses.filter((one) => !family || one.family === family),
    );
  };
  t.mock.method(dns, "lookup", lookup as typeof dns.lookup);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

test(
  "a name is dialled on IPv4 first, then on IPv6, unless one is requested",
  options,
  async (t) => {
    if (!hasIpv6) {
      t.skip("this machine has no IPv6 loopback");
      return;
    }
    giveNameBothFamilies(t);
    const counting = (): { server: Server; count: number } => {
      const counted = {
        count: 0,
        server: createServer((socket) => {
          counted.count++;
          socket.end();
        }),
      };
      return counted;
    };
    const [ipv4, ipv6] = [counting(), counting()];
    const port = await listening(t, ipv6.server, "::1");
    await closed(await dialTcp(`daemon.test:${port}`, "tcp"));
    assert.deepEqual([ipv4.count, ipv6.count], [0, 1]);
    await listening(t, ipv4.server, "127.0.0.1", port);
    await closed(await dialTcp(`daemon.test:${port}`, "tcp"));
    assert.deepEqual([ipv4.count, ipv6.count], [1, 1]);
    await closed(await dialTcp(`daemon.test:${port}`, "tcp6"));
    assert.deepEqual([ipv4.count, ipv6.count], [1, 2]);
    await closed(await dialTcp(`daemon.test:${port}`, "tcp4"));
    assert.deepEqual([ipv4.count, ipv6.count], [2, 2]);
  },
);

test("an address of the other family is refused at once", options, async () => {
  await assert.rejects(dialTcp("[::1]:64331", "tcp4"), {
    code: "ERR_CONFIG",
    message: "tcp4 cannot reach [::1]:64331: that is IPv6",
  });
  await assert.rejects(dialTcp("127.0.0.1:64331", "tcp6"), {
    code: "ERR_CONFIG",
    message: "tcp6 cannot reach 127.0.0.1:64331: that is IPv4",
  });
});

test("a refused TCP dial says how to start a daemon, and keeps the cause", options, async (t) => {
  const server = createServer();
  const port = await listening(t, server, "127.0.0.1");
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(dialTcp(`localhost:${port}`, "tcp4"), (error: Error) => {
    assert.equal(
      error.message,
      `cannot connect to tcp4:localhost:${port}: nothing listens there (ECONNREFUSED). Is the ` +
        `daemon running? To start one with an embedded network: npx katzenpost-thinclient daemon --listen tcp:localhost:${port}`,
    );
    assert.equal((error.cause as { code?: string }).code, "ECONNREFUSED");
    return true;
  });
});

test("small writes do not wait for others, on either end", options, async (t) => {
  const calls = t.mock.method(Socket.prototype, "setNoDelay").mock;
  const listener = await listenTcp("127.0.0.1", 0);
  t.after(() => listener.close());
  const accepted = new Promise<Transport>((resolve) => listener.open(resolve));
  const near = await dialTcp(listener.address.slice(4), "tcp");
  const far = await accepted;
  const switchedOn = calls.calls.filter((call) => call.arguments[0] === true);
  assert.equal(new Set(switchedOn.map((call) => call.this)).size, 2);
  near.destroy();
  far.destroy();
});

test("the error for an unknown host names it", options, async () => {
  await assert.rejects(dialTcp("no-such-host.invalid:1", "tcp"), {
    code: "ERR_CONNECT",
    message: /^cannot connect to tcp:no-such-host\.invalid:1: .* \((ENOTFOUND|EAI_AGAIN)\)$/,
  });
});

test("a Unix dial says what is wrong with the path", options, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "katz-dial-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const missing = join(folder, "missing.sock");
  await assert.rejects(dialUnix(missing), {
    code: "ERR_CONNECT",
    message:
      `cannot connect to unix:${missing}: there is no such file (ENOENT). Is the daemon ` +
      `running? To start one with an embedded network: npx katzenpost-thinclient daemon --listen unix:${missing}`,
  });
  const file = join(folder, "file");
  writeFileSync(file, "");
  await assert.rejects(dialUnix(file), { code: "ERR_CONNECT" });
  await assert.rejects(dialUnix(""), { code: "ERR_CONFIG" });
  await assert.rejects(dialUnix(`/${"x".repeat(200)}`), {
    code: "ERR_CONFIG",
    message: /is too long: 201 bytes, but the system allows 10[37]; use a shorter path$/,
  });
});

test("a server that disconnects without a message is a connection error", options, async (t) => {
  const server = createServer((socket) => {
    socket.once("data", () => socket.resetAndDestroy());
  });
  const port = await listening(t, server, "127.0.0.1");
  const transport = await dialTcp(`127.0.0.1:${port}`, "tcp");
  const recorder = Recorder.open(transport);
  transport.write(pattern(10));
  const error = await recorder.closed;
  assert.equal((error as { code?: string } | null)?.code, "THIN_CLIENT_ERROR_CONNECTION_LOST");
  assert.match(
    error!.message,
    /127\.0\.0\.1:\d+: the other end reset the connection \(ECONNRESET\)$/,
  );
});

test("a peer that never hangs up does not keep an ended transport open", options, async (t) => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.resume();
    t.after(() => socket.destroy());
  });
  const port = await listening(t, server, "127.0.0.1");
  const transport = await dialTcp(`127.0.0.1:${port}`, "tcp");
  const recorder = Recorder.open(transport);
  transport.write(pattern(100));
  transport.end();
  assert.equal(await recorder.closed, null);
});

test("a WebSocket dial shows why the server refused, on one printable line", options, async (t) => {
  const server = createHttpServer((_request, response) => {
    response.writeHead(403).end("go away\n\u001b[31mnow\u0000");
  });
  const port = await listening(t, server, "127.0.0.1");
  await assert.rejects(dialWs(`ws://127.0.0.1:${port}`), {
    code: "ERR_CONNECT",
    message: `cannot connect to ws://127.0.0.1:${port}: it answered 403 Forbidden: go away [31mnow`,
  });
});

test(
  "a server without tokens gives another error, and no error contains the token",
  options,
  async (t) => {
    const server = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      handleProtocols: () => false,
    });
    await new Promise((resolve) => server.once("listening", resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    await assert.rejects(dialWs(`ws://127.0.0.1:${port}`, { token: "hunter2" }), (error: Error) => {
      assert.match(error.message, /the listener does not use tokens/);
      assert.doesNotMatch(`${error.stack}${String(error.cause)}`, /hunter2/);
      return true;
    });
  },
);

test("aborting a hanging WebSocket dial hangs up", options, async (t) => {
  let gone!: () => void;
  const peerGone = new Promise<void>((resolve) => (gone = resolve));
  const server = createServer((socket) => {
    socket
      .on("error", () => {})
      .on("close", gone)
      .resume();
    controller.abort(reason);
  });
  const port = await listening(t, server, "127.0.0.1");
  const controller = new AbortController();
  const reason = new Error("enough");
  await assert.rejects(
    dialWs(`ws://127.0.0.1:${port}`, { signal: controller.signal }),
    (error) => error === reason,
  );
  await peerGone;
});

test("an invalid WebSocket URL is refused", options, async () => {
  await assert.rejects(dialWs("http://localhost:1"), { code: "ERR_CONFIG" });
});

test("the whole address is dialled, and only the redacted one is shown", options, async (t) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const asked = new Promise((resolve) =>
    server.once("connection", (_socket, { url }) => resolve(url)),
  );
  const transport = await dialWs(`ws://127.0.0.1:${port}/katz?key=abc&more=%20`);
  assert.equal(await asked, "/katz?key=abc&more=%20");
  assert.equal(transport.address, `ws://127.0.0.1:${port}/katz?…`);
  await closed(transport);
});

test(
  "the error for an address that WebSockets do not support does not repeat its query",
  options,
  async () => {
    await assert.rejects(dialWs("ws://[fe80::1%lo]:1/?key=hunter2"), (error: Error) => {
      assert.equal((error as { code?: string }).code, "ERR_CONFIG");
      assert.doesNotMatch(`${error.stack}${String(error.cause)}`, /hunter2/);
      return true;
    });
  },
);
