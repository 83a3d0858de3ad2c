import assert from "node:assert/strict";
import { type AddressInfo, type Socket, createServer } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";
import { listenTcp, listenWs } from "../../src/platform/node-listen.js";
import { parseAddress } from "../../src/transport/address.js";
import {
  DialConfig,
  type DialInit,
  TcpDialConfig,
  UnixDialConfig,
  WsDialConfig,
} from "../../src/transport/dial-config.js";
import { reasonOf } from "../client/fixture.js";
import type { Transport } from "../../src/transport/transport.js";

const secret = "hunter2";

test("a plain object is accepted wherever a DialConfig is", () => {
  const tcp = DialConfig.from({ tcp: { address: "localhost:64331" } });
  const kind = tcp.resolve();
  assert.ok(kind instanceof TcpDialConfig);
  assert.deepEqual([kind.address, kind.network], ["localhost:64331", "tcp"]);
  assert.equal(DialConfig.from(tcp), tcp);
  assert.ok(new DialConfig({ unix: { address: "@kp" } }).resolve() instanceof UnixDialConfig);
  assert.ok(new DialConfig({ ws: { address: "ws://a" } }).resolve() instanceof WsDialConfig);
  assert.equal(new DialConfig({ tcp: kind }).tcp, kind);
});

test("resolve requires exactly one transport", () => {
  assert.throws(() => new DialConfig().resolve(), {
    code: "ERR_CONFIG",
    message: "transport: no dial transport configured",
  });
  const two = new DialConfig({ tcp: { address: "a:1" }, unix: { address: "/x" } });
  assert.throws(() => two.resolve(), {
    code: "ERR_CONFIG",
    message: "transport: exactly one dial transport must be configured",
  });
});

test("each kind has its network, address and text", () => {
  const kinds = [
    new TcpDialConfig({ address: "[::1]:1", network: "tcp6" }),
    new UnixDialConfig({ address: "@kp" }),
    new WsDialConfig({ address: "wss://a/b", token: secret }),
  ];
  assert.deepEqual(
    kinds.map((kind) => [kind.network, kind.address, String(kind)]),
    [
      ["tcp6", "[::1]:1", "tcp6:[::1]:1"],
      ["unix", "@kp", "unix:@kp"],
      ["ws", "wss://a/b", "wss://a/b"],
    ],
  );
  assert.equal(String(new DialConfig({ unix: { address: "/x" } })), "unix:/x");
  const withQuery = new WsDialConfig({ address: `ws://a/katz?key=${secret}` });
  assert.equal(withQuery.address, `ws://a/katz?key=${secret}`);
  assert.equal(String(withQuery), "ws://a/katz?…");
  assert.doesNotMatch(inspect(withQuery) + inspect(new DialConfig({ ws: withQuery })), /hunter2/);
});

test("wrong fields are refused by name", () => {
  const cases: [unknown, RegExp][] = [
    [
      { ssh: {} },
      /^DialConfig: unknown option\(s\) \['ssh'\]; expected some of \['tcp', 'unix', 'ws'\]$/,
    ],
    [{ Tcp: { address: "a:1" } }, /\['Tcp'\]/],
    [null, /^DialConfig: must be an object, got null$/],
    [[], /^DialConfig: must be an object/],
    [{ tcp: "a" }, /^address "a" has no port/],
    [{ tcp: 7 }, /^TcpDialConfig: must be an object, got number/],
    [{ unix: false }, /^UnixDialConfig: must be an object, got boolean$/],
    [{ tcp: { address: "a:1", port: 2 } }, /^TcpDialConfig: unknown option\(s\) \['port'\]/],
    [{ tcp: {} }, /^TcpDialConfig: address must be a string, got undefined$/],
    [{ tcp: { address: "a" } }, /^address "a" has no port/],
    [{ tcp: { address: "a:0" } }, /has port 0/],
    [
      { tcp: { address: "a:1", network: "udp" } },
      /^transport: TcpDialConfig\.Network "udp" is not one of tcp, tcp4, tcp6$/,
    ],
    [{ tcp: { address: "a:1", network: "TCP" } }, /"TCP" is not one of/],
    [{ tcp: { address: "a:1", network: null } }, /Network must be a string, got null$/],
    [{ unix: { address: "" } }, /Unix socket is empty/],
    [
      { unix: { address: "/x", network: "unix" } },
      /^UnixDialConfig: unknown option\(s\) \['network'\]/,
    ],
    [{ ws: { address: "localhost:1" } }, /is not a WebSocket URL/],
    [{ ws: { address: "ws://a", token: "" } }, /token must not be empty/],
    [{ ws: { address: "ws://a", token: 7 } }, /token must be a string, got number/],
  ];
  for (const [init, message] of cases) {
    assert.throws(() => new DialConfig(init as DialInit), { code: "ERR_CONFIG", message });
  }
  assert.equal(cases.length, 19);
});

test("TOML tables give the same with their own spelling", () => {
  const tcp = DialConfig.fromTomlDict({ Tcp: { Address: "localhost:64331", Network: "tcp4" } });
  assert.deepEqual([tcp.tcp?.address, tcp.tcp?.network], ["localhost:64331", "tcp4"]);
  assert.equal(DialConfig.fromTomlDict({ Tcp: { Address: "a:1" } }).tcp?.network, "tcp");
  assert.equal(DialConfig.fromTomlDict({ Unix: { Address: "/x" } }).unix?.address, "/x");
  const ws = DialConfig.fromTomlDict({ Ws: { Address: "ws://a:1", Token: secret } });
  assert.deepEqual([ws.ws?.address, ws.ws?.token], ["ws://a:1", secret]);
});

test("errors about a TOML table have the other clients' error texts", () => {
  const cases: [unknown, string][] = [
    [7, "[Dial] must be a table containing exactly one of [Dial.Tcp], [Dial.Unix] or [Dial.Ws]"],
    [{}, "[Dial]: transport: no dial transport configured"],
    [
      { Tcp: { Address: "a:1" }, Unix: { Address: "/x" } },
      "[Dial]: transport: exactly one dial transport must be configured",
    ],
    [
      { Ssh: {}, Pipe: {} },
      "[Dial]: unknown subtable(s) ['Pipe', 'Ssh'] under [Dial]; expected one of " +
        "['Tcp', 'Unix', 'Ws']",
    ],
    [
      { tcp: { Address: "a:1" } },
      "[Dial]: unknown subtable(s) ['tcp'] under [Dial]; expected one of ['Tcp', 'Unix', 'Ws']",
    ],
    [{ Tcp: "a:1" }, "[Dial.Tcp] must be a table, got a string of 3 characters"],
    [{ Tcp: [{}] }, "[Dial.Tcp] must be a table, got an array of 1"],
    [{ Tcp: {} }, "[Dial.Tcp] missing required key 'Address'"],
    [{ Unix: {} }, "[Dial.Unix] missing required key 'Address'"],
    [{ Ws: { Token: "x" } }, "[Dial.Ws] missing required key 'Address'"],
    [
      { Tcp: { Address: "a:1", Foo: 1, Bar: 2 } },
      "[Dial.Tcp] has unknown key(s) ['Bar', 'Foo']; expected ['Address', 'Network']",
    ],
    [
      { Tcp: { address: "a:1" } },
      "[Dial.Tcp] has unknown key(s) ['address']; expected ['Address', 'Network']",
    ],
    [
      { Unix: { Address: "/x", Network: "unix" } },
      "[Dial.Unix] has unknown key(s) ['Network']; expected ['Address']",
    ],
    [{ Tcp: { Address: 7 } }, "[Dial.Tcp] key 'Address' must be a string, got number"],
    [
      { Tcp: { Address: "a:1", Network: "udp" } },
      '[Dial.Tcp]: transport: TcpDialConfig.Network "udp" is not one of tcp, tcp4, tcp6',
    ],
    [
      { Tcp: { Address: "a:1", Network: true } },
      "[Dial.Tcp]: TcpDialConfig.Network must be a string, got boolean",
    ],
    [
      { Tcp: { Address: "nowhere" } },
      '[Dial.Tcp]: address "nowhere" has no port; expected HOST:PORT or [IPV6]:PORT',
    ],
    [
      { Ws: { Address: "ws://a", Token: 1 } },
      "[Dial.Ws]: WsDialConfig: token must be a string, got number",
    ],
  ];
  for (const [table, message] of cases) {
    assert.throws(() => DialConfig.fromTomlDict(table as Record<string, unknown>), {
      code: "ERR_CONFIG",
      message,
    });
  }
  assert.equal(cases.length, 18);
});

test("nothing that prints or copies a configuration shows the token", () => {
  const dial = new DialConfig({ ws: { address: "ws://a:1", token: secret } });
  const ws = dial.ws!;
  const printed = [
    String(dial),
    String(ws),
    JSON.stringify(dial),
    JSON.stringify(Object.assign({}, ws)),
    inspect(dial, { depth: 9, showHidden: true, getters: true }),
    inspect(ws, { depth: 9, showHidden: true, getters: true }),
  ].join("\n");
  assert.ok(printed.includes("ws://a:1"));
  assert.doesNotMatch(printed, /hunter2/);
  assert.equal(ws.token, secret);
});

test("an address becomes a DialConfig", () => {
  const texts = ["unix:/x", "unix:@kp", "tcp:a:1", "tcp6:[::1]:1", "ws://a:1", "wss://a:1/b"];
  for (const text of texts) {
    assert.equal(String(DialConfig.fromAddress(parseAddress(text))), text);
    assert.equal(String(DialConfig.parse(text)), text);
  }
  assert.equal(DialConfig.fromAddress(parseAddress("ws://a"), secret).ws?.token, secret);
  assert.throws(() => DialConfig.fromAddress(parseAddress("tcp:a:1"), secret), {
    code: "ERR_CONFIG",
  });
});

test("dial connects, with the token if there is one", { timeout: 60_000 }, async (t) => {
  for (const make of [
    () => listenTcp("127.0.0.1", 0),
    () => listenWs({ host: "127.0.0.1", port: 0, token: secret }),
  ]) {
    const listener = await make();
    t.after(() => listener.close());
    const accepted = new Promise<Transport>((resolve) => listener.open(resolve));
    const address = parseAddress(listener.address);
    const dial = DialConfig.fromAddress(address, address.kind === "ws" ? secret : undefined);
    const near = await dial.dial({ timeoutMs: 60_000 });
    (await accepted).destroy();
    near.destroy();
  }
});

test("a dial ends at its deadline or with its signal", { timeout: 60_000 }, async () => {
  // Reserved for documentation (RFC 5737), so nobody ever answers.
  const dial = new WsDialConfig({ address: "ws://192.0.2.1:9" });
  const controller = new AbortController();
  const reason = new Error("enough");
  const aborted = dial.dial({ signal: controller.signal, timeoutMs: 60_000 });
  controller.abort(reason);
  await assert.rejects(aborted, (error) => error === reason);
  await assert.rejects(dial.dial({ timeoutMs: 1 }), (error: { code?: string }) => {
    assert.ok(error.code === "ERR_TIMEOUT" || error.code === "ERR_CONNECT");
    return true;
  });
  const already = { signal: AbortSignal.abort(reason), timeoutMs: 5 };
  await assert.rejects(dial.dial(already), (error) => error === reason);
});

test("every kind of dial ends after 30 s by default", { timeout: 60_000 }, async (t) => {
  // Accepts connections and stays silent: no WebSocket handshake ends, no refusal is complete.
  const sockets = new Set<Socket>();
  for (const words of [null, "HTTP/1.1 101 Switching Protocols\r\n", "HTTP/1.1 404 No\r\n\r\nx"]) {
    let heard!: () => void;
    const asked = new Promise<void>((resolve) => (heard = resolve));
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      socket.once("data", () => {
        if (words !== null) socket.write(words, heard);
        else heard();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const dial = reasonOf(DialConfig.parse(`ws://127.0.0.1:${port}`).dial());
    await asked;
    t.mock.timers.tick(29_999);
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(1);
    const error = await dial;
    assert.equal((error as { code?: string }).code, "ERR_TIMEOUT");
    assert.match(error.message, /no connection within 30000 ms/);
    t.mock.timers.reset();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

test("an address in text form is accepted wherever a DialConfig is", () => {
  assert.deepEqual(DialConfig.from("tcp6:[::1]:1"), DialConfig.parse("tcp6:[::1]:1"));
  assert.throws(() => DialConfig.from("localhost:1"), { code: "ERR_CONFIG", message: /tcp:local/ });
});

test("options of dial are checked by name", async () => {
  const dial = new DialConfig({ unix: { address: "/nowhere" } });
  const wrong = { timeout: 5 } as object;
  await assert.rejects(dial.dial(wrong), { name: "TypeError", message: /`options\.timeout`/ });
  await assert.rejects(dial.dial({ timeoutMs: 0 }), RangeError);
  await assert.rejects(dial.dial({ timeoutMs: Number.NaN }), RangeError);
  await assert.rejects(dial.dial(null as unknown as object), TypeError);
  await assert.rejects(new DialConfig().dial(), { code: "ERR_CONFIG" });
});
