import assert from "node:assert/strict";
import { type AddressInfo, type Server, type Socket, createServer, connect } from "node:net";
import { after, test } from "node:test";
import { toHex, utf8, utf8ToText } from "../../src/bytes/bytes.js";
import { gatewayDialer, type UpstreamProxy } from "../../src/gateway/dial.js";
import { connectThroughProxy } from "../../src/gateway/socks5.js";
import { memoryPair } from "../../src/transport/memory.js";
import type { Transport } from "../../src/transport/transport.js";

/** The time limit of each test. */
const patience = { timeout: 120_000 };

const never = new AbortController().signal;

const servers: Server[] = [];
const sockets: Socket[] = [];
after(() => {
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
});

function listen(onSocket: (socket: Socket) => void): Promise<{ port: number }> {
  const server = createServer((socket) => {
    sockets.push(socket);
    onSocket(socket);
  });
  servers.push(server);
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve({ port: (server.address() as AddressInfo).port })),
  );
}

/** A server that returns its input in capitals. */
const echo = () =>
  listen((socket) => socket.on("data", (d) => socket.write(String(d).toUpperCase())));

interface Asked {
  credentials: string | null;
  target: string;
}

/** A SOCKS5 server that connects everything to one port, or answers with `code`. */
function socks(port: number, asked: Asked[], code = 0) {
  return listen((socket) => {
    const seen: Asked = { credentials: null, target: "" };
    let held = Buffer.alloc(0);
    let step = 0;
    socket.on("error", () => {});
    const onData = (data: Buffer): void => {
      held = Buffer.concat([held, data]);
      for (;;) {
        if (step === 0 && held.length >= 2 && held.length >= 2 + held[1]!) {
          const methods = held.subarray(2, 2 + held[1]!);
          held = held.subarray(2 + methods.length);
          socket.write(Buffer.from([5, methods[0]!]));
          step = methods[0] === 2 ? 1 : 2;
        } else if (step === 1 && held.length >= 2 && held.length >= 3 + held[1]!) {
          const user = held.subarray(2, 2 + held[1]!);
          const length = held[2 + user.length]!;
          if (held.length < 3 + user.length + length) return;
          const password = held.subarray(3 + user.length, 3 + user.length + length);
          seen.credentials = `${user.toString()}|${password.toString()}`;
          held = held.subarray(3 + user.length + length);
          socket.write(Buffer.from([1, user.toString() === "wrong" ? 1 : 0]));
          step = 2;
        } else if (step === 2 && held.length >= 10) {
          seen.target = held.toString("hex");
          asked.push(seen);
          socket.off("data", onData);
          // Data that arrives before the pipe exists would be lost.
          socket.pause();
          const inner = connect(port, "127.0.0.1", () => {
            // The answer arrives in pieces, and data from the other end may follow it at once.
            socket.write(Buffer.from([5, code, 0]));
            setTimeout(() => socket.write(Buffer.from([3, 2, 65, 66, 0, 9])), 10);
            setTimeout(() => socket.pipe(inner).pipe(socket), 20);
          });
          sockets.push(inner);
          inner.on("error", () => {});
          return;
        } else return;
      }
    };
    socket.on("data", onData);
  });
}

/** Sends a text and returns the answer. */
function exchange(transport: Transport, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    transport.open({
      onData: (chunk) => resolve(utf8ToText(chunk)),
      onClose: (error) => reject(error ?? new Error("closed")),
    });
    transport.write(utf8(text));
  });
}

test(
  "gateways are dialled directly, or through a proxy with and without a password",
  patience,
  async () => {
    const target = await echo();
    const asked: Asked[] = [];
    const proxy = await socks(target.port, asked);
    const address = `127.0.0.1:${proxy.port}`;
    const url = `tcp://127.0.0.1:${target.port}`;
    const proxies: UpstreamProxy[] = [
      { type: "none" },
      { type: "socks5", network: "tcp", address },
      { type: "socks5", network: "tcp", address, credentials: { user: "me", password: "secret" } },
    ];
    for (const one of proxies) {
      const transport = await gatewayDialer(one)(url, never);
      assert.equal(await exchange(transport, "hello"), "HELLO");
      transport.destroy();
    }
    const port = target.port.toString(16).padStart(4, "0");
    const wanted = `050100017f000001${port}`;
    assert.deepEqual(asked, [
      { credentials: null, target: wanted },
      { credentials: "me|secret", target: wanted },
    ]);
  },
);

test("each gateway has its own Tor circuit, and the proxy resolves names", patience, async () => {
  const target = await echo();
  const asked: Asked[] = [];
  const proxy = await socks(target.port, asked);
  const dial = gatewayDialer({
    type: "tor+socks5",
    network: "tcp",
    address: `127.0.0.1:${proxy.port}`,
  });
  const urls = [
    "onion://abcdef.onion:30004",
    "tcp://[2001:db8::5]:80",
    "onion://abcdef.onion:30004",
  ];
  for (const url of urls) {
    const transport = await dial(url, never);
    assert.equal(transport.address, url);
    assert.equal(await exchange(transport, "x"), "X");
    transport.destroy();
  }
  const names = asked.map(({ credentials }) => credentials!);
  for (const name of names) {
    assert.match(name, /^katzenpost\/client:[0-9a-f]{16}:[0-9a-f]{32}\|\0$/);
  }
  assert.equal(names[0], names[2]);
  assert.notEqual(names[0], names[1]);
  const host = toHex(utf8("abcdef.onion"));
  assert.equal(asked[0]!.target, `050100030c${host}7534`);
  assert.equal(asked[1]!.target, "0501000420010db80000000000000000000000050050");
});

test("a refusal by the proxy is reported", patience, async () => {
  const asked: Asked[] = [];
  const refusing = await socks((await echo()).port, asked, 5);
  const garbage = await listen((socket) => socket.on("data", () => socket.write("HTTP/1.1 400")));
  const closing = await listen((socket) => socket.destroy());
  const demanding = await listen((socket) => socket.on("data", () => socket.write("\x05\x02")));
  const cases: [number, RegExp, { user: string; password: string }?][] = [
    [refusing.port, /^the proxy cannot connect: connection refused$/],
    [refusing.port, /^the proxy refuses this name and password$/, { user: "wrong", password: "p" }],
    [garbage.port, /^the proxy does not speak SOCKS5: correct UpstreamProxy in client\.toml$/],
    [closing.port, /./],
    [
      demanding.port,
      /^the proxy requires a name and a password: set User and Password in UpstreamProxy$/,
    ],
  ];
  for (const [port, message, credentials] of cases) {
    const address = `127.0.0.1:${port}`;
    const dial = gatewayDialer({ type: "socks5", network: "tcp", address, credentials });
    await assert.rejects(dial("tcp://192.0.2.1:1", never), { message }, String(message));
  }
});

test("an unreachable proxy is named, with advice about the proxy", patience, async () => {
  const { port } = await listen(() => {});
  await new Promise((resolve) => servers.pop()!.close(resolve));
  const proxies: [UpstreamProxy, string][] = [
    [
      { type: "socks5", network: "tcp", address: `127.0.0.1:${port}` },
      `cannot connect to tcp:127.0.0.1:${port}: nothing listens there (ECONNREFUSED)`,
    ],
    [
      { type: "tor+socks5", network: "unix", address: "no-such.sock" },
      "cannot connect to unix:no-such.sock: there is no such file (ENOENT)",
    ],
  ];
  for (const [proxy, what] of proxies) {
    await assert.rejects(gatewayDialer(proxy)("tcp://192.0.2.1:1", never), {
      name: "LinkError",
      message:
        `the proxy cannot be reached: ${what}. ` +
        "Start the proxy, or correct UpstreamProxy in client.toml",
    });
  }
});

test("the connection to a silent proxy is closed when the dial is given up", patience, async () => {
  let closed = (): void => {};
  const gone = new Promise<void>((resolve) => (closed = resolve));
  const controller = new AbortController();
  // The dial is aborted once the proxy has the connection: a connection that the proxy never
  // accepted would not close there.
  const silent = await listen((socket) => {
    socket.on("close", () => closed()).resume();
    setTimeout(() => controller.abort(new Error("too slow")), 10);
  });
  const dial = gatewayDialer({
    type: "socks5",
    network: "tcp",
    address: `127.0.0.1:${silent.port}`,
  });
  const dialling = dial("tcp://192.0.2.1:1", controller.signal);
  await assert.rejects(dialling, { message: "too slow" });
  await gone;
});

test("the refusal of an unsupported URL lists the supported ones", async () => {
  const dial = gatewayDialer();
  const wrong: [string, RegExp][] = [
    [
      "quic://127.0.0.1:1",
      /^quic:\/\/127\.0\.0\.1:1 cannot be dialled: only tcp, tcp4, tcp6 and onion are supported$/,
    ],
    ["onion://abc.onion:1", /it needs a proxy of type tor\+socks5$/],
    ["tcp://nowhere", /has no port/],
    ["tcp://", /is not the URL of a gateway$/],
    ["nonsense", /is not the URL of a gateway$/],
  ];
  for (const [url, message] of wrong) {
    await assert.rejects(dial(url, never), { name: "LinkError", message });
  }
});

test("a name that is too long for a proxy is refused", async () => {
  for (const [length, isRefused] of [
    [255, false],
    [256, true],
  ] as const) {
    const [near, far] = memoryPair();
    far.open({ onData: () => far.end(), onClose: () => {} });
    const target = { host: "a".repeat(length), port: 1 };
    const dial = connectThroughProxy(near, target, "a gateway", null, never);
    await assert.rejects(dial, { name: "LinkError", message: isRefused ? /too long/ : /closed/ });
  }
});
