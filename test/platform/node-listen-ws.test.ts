import assert from "node:assert/strict";
import { request } from "node:http";
import { type Socket, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import {
  type HandshakeRules,
  acceptedProtocol,
  refusalOf,
} from "../../src/platform/node-ws-handshake.js";
import { type WsListenOptions, listenWs } from "../../src/platform/node-listen.js";
import { dialWs } from "../../src/platform/node.js";
import type { Transport } from "../../src/transport/transport.js";
import { WS_TOKEN_PREFIX, wsTokenProtocol } from "../../src/transport/ws-token.js";
import { Recorder, pattern } from "../transport/transport-recorder.js";

const options = { timeout: 120_000 };
const page = "http://localhost:8080";
const token = "a secret ✓";
const right = wsTokenProtocol(token);
const wrong = wsTokenProtocol("another secret");

interface Answer {
  readonly status: number;
  readonly protocol: string | undefined;
  readonly text: string;
}

/** A handshake with exactly these headers. */
function shakeHands(address: string, headers: Record<string, string>, path = "/"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(address.replace("ws:", "http:") + path, {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...headers,
      },
    });
    call.on("error", reject);
    call.on("upgrade", (response, socket) => {
      socket.destroy();
      const protocol = response.headers["sec-websocket-protocol"];
      resolve({ status: response.statusCode!, protocol, text: "" });
    });
    call.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => {
        resolve({ status: response.statusCode!, protocol: undefined, text });
      });
    });
    call.end();
  });
}

async function listening(t: TestContext, more: Partial<WsListenOptions> = {}): Promise<string> {
  const listener = await listenWs({ host: "127.0.0.1", port: 0, ...more });
  t.after(() => listener.close());
  listener.open((transport) => {
    transport.open({ onData: (chunk) => transport.write(chunk), onClose: () => {} });
  });
  return listener.address;
}

test(
  "admits clients to a loopback listener with a token by origin and token",
  options,
  async (t) => {
    const address = await listening(t, { token, allowedOrigins: [page] });
    const port = new URL(address).port;
    const cases: [string, Record<string, string>, number, string?][] = [
      ["no browser, no token", {}, 101],
      ["no browser, right token", { "sec-websocket-protocol": right }, 101, right],
      ["no browser, wrong token", { "sec-websocket-protocol": wrong }, 401],
      ["no browser, strange host", { host: "evil.example" }, 101],
      ["page, no token", { origin: page }, 401],
      ["page, wrong token", { origin: page, "sec-websocket-protocol": wrong }, 401],
      ["page, token in the clear", { origin: page, "sec-websocket-protocol": "open" }, 401],
      ["page, prefix alone", { origin: page, "sec-websocket-protocol": WS_TOKEN_PREFIX }, 401],
      ["page, right token", { origin: page, "sec-websocket-protocol": right }, 101, right],
      [
        "page, right token among others",
        { origin: page, "sec-websocket-protocol": `chat, ${wrong},${right}` },
        101,
        right,
      ],
      ["page by localhost", { ...pageWith(right), host: `localhost:${port}` }, 101, right],
      ["page by IPv6", { ...pageWith(right), host: `[::1]:${port}` }, 101, right],
      ["rebound name", { ...pageWith(right), host: `evil.example:${port}` }, 403],
      [
        "rebound name that looks alike",
        { ...pageWith(right), host: "localhost.evil.example" },
        403,
      ],
      ["rebound name, brackets", { ...pageWith(right), host: "[evil]" }, 403],
      ["strange origin", { origin: "http://evil.example", "sec-websocket-protocol": right }, 403],
      ["other port", { origin: "http://localhost:8081", "sec-websocket-protocol": right }, 403],
      ["other scheme", { origin: "https://localhost:8080", "sec-websocket-protocol": right }, 403],
      ["prefix of it", { origin: `${page}0`, "sec-websocket-protocol": right }, 403],
      ["null origin", { origin: "null", "sec-websocket-protocol": right }, 403],
      ["empty origin", { origin: "", "sec-websocket-protocol": right }, 403],
      ["two origins", { origin: `${page}, ${page}`, "sec-websocket-protocol": right }, 403],
    ];
    for (const [name, headers, status, protocol] of cases) {
      const answer = await shakeHands(address, headers);
      assert.equal(answer.status, status, `${name}: ${answer.text}`);
      assert.equal(answer.protocol, protocol, name);
      assert.doesNotMatch(answer.text, /secret/);
    }
    assert.equal(cases.length, 22);
  },
);

function pageWith(protocol: string): Record<string, string> {
  return { origin: page, "sec-websocket-protocol": protocol };
}

test("a listener without a token admits no page", options, async (t) => {
  const address = await listening(t);
  assert.equal((await shakeHands(address, {})).status, 101);
  assert.equal((await shakeHands(address, { origin: page })).status, 403);
  assert.equal((await shakeHands(address, pageWith(right))).status, 403);
  const own = address.replace("ws:", "http:");
  assert.equal((await shakeHands(address, { origin: own })).status, 403);
  // An unrequested token is echoed, because otherwise the client would hang up.
  const answer = await shakeHands(address, { "sec-websocket-protocol": right });
  assert.deepEqual([answer.status, answer.protocol], [101, right]);
});

test("a listener that others can reach requires the token from everybody", options, async (t) => {
  const everywhere = { host: "0.0.0.0", allowRemote: true, token, allowedOrigins: [page] };
  const address = (await listening(t, everywhere)).replace("0.0.0.0", "127.0.0.1");
  assert.equal((await shakeHands(address, {})).status, 401);
  assert.equal((await shakeHands(address, { "sec-websocket-protocol": wrong })).status, 401);
  assert.equal((await shakeHands(address, { "sec-websocket-protocol": right })).status, 101);
  assert.equal((await shakeHands(address, { origin: page })).status, 401);
  assert.equal((await shakeHands(address, pageWith(right))).status, 101);
  const byAddress = { ...pageWith(right), host: "192.0.2.7:80" };
  assert.equal((await shakeHands(address, byAddress)).status, 101);
  const byName = { ...pageWith(right), host: "evil.example" };
  assert.equal((await shakeHands(address, byName)).status, 403);
});

test("the host name that the listener was given is accepted", () => {
  const rules: HandshakeRules = {
    host: "nas.example",
    loopback: false,
    everywhere: false,
    allowedOrigins: [page],
    token,
  };
  const headers = (host?: string): Record<string, string> => ({
    ...pageWith(right),
    ...(host === undefined ? {} : { host }),
  });
  assert.equal(refusalOf(headers("NAS.example:99"), rules), null);
  assert.equal(refusalOf(headers("192.0.2.7"), rules)?.status, 403);
  assert.equal(refusalOf(headers(), rules)?.status, 403);
  assert.equal(acceptedProtocol(["chat", wrong], rules), null);
  assert.equal(acceptedProtocol(["chat", wrong, right], rules), right);
});

test("refusals give the reason and advice", options, async (t) => {
  const address = await listening(t, { token, allowedOrigins: [page] });
  const texts = [
    (await shakeHands(address, { origin: "http://x.example" })).text,
    (await shakeHands(address, { ...pageWith(right), host: "x.example" })).text,
    (await shakeHands(address, { origin: page })).text,
    (await shakeHands(address, pageWith(wrong))).text,
  ];
  assert.deepEqual(texts, [
    'Pages from "http://x.example" may not connect here. To allow that origin, start the daemon ' +
      "with it (katz daemon: --allow-origin).\n",
    'A page must not reach this daemon by the name "x.example". Use localhost, or let the daemon ' +
      "listen on that name.\n",
    "A token is needed. Offer it as a sub-protocol.\n",
    "The token is wrong.\n",
  ]);
  await assert.rejects(dialWs(address, { token: "no" }), {
    code: "ERR_CONNECT",
    message: /it answered 401 Unauthorized: The token is wrong\.$/,
  });
});

test("any path works, and a plain request gets an explanation", options, async (t) => {
  const address = await listening(t);
  assert.equal((await shakeHands(address, {}, "/some/path?x=1")).status, 101);
  const response = await fetch(address.replace("ws:", "http:"));
  assert.equal(response.status, 426);
  assert.match(await response.text(), /WebSocket listener/);
});

test("no extension is negotiated", options, async (t) => {
  const address = await listening(t);
  const socket = new WebSocket(address, { perMessageDeflate: true });
  await new Promise((resolve) => socket.once("open", resolve));
  assert.equal(socket.extensions, "");
  socket.terminate();
});

/** A WebSocket peer without our transport, and our end of it. */
async function rawPeer(t: TestContext): Promise<{ peer: WebSocket; ours: Transport }> {
  const listener = await listenWs({ host: "127.0.0.1", port: 0 });
  t.after(() => listener.close());
  const accepted = new Promise<Transport>((resolve) => listener.open(resolve));
  const peer = new WebSocket(listener.address);
  peer.on("error", () => {});
  t.after(() => peer.terminate());
  await new Promise((resolve) => peer.once("open", resolve));
  return { peer, ours: await accepted };
}

function closeCode(peer: WebSocket): Promise<number> {
  return new Promise((resolve) => peer.once("close", resolve));
}

test("a text message closes with 1003 and is an error", options, async (t) => {
  const { peer, ours } = await rawPeer(t);
  const recorder = Recorder.open(ours);
  const code = closeCode(peer);
  peer.send(pattern(5));
  peer.send("hello");
  peer.send(pattern(7));
  const error = await recorder.closed;
  assert.equal((error as { code?: string } | null)?.code, "ERR_PROTOCOL");
  assert.match(error!.message, /text message/);
  assert.equal(await code, 1003);
  assert.equal(recorder.bytes, 5);
});

test("1000 and 1001 are an orderly end, and every other close is an error", options, async (t) => {
  for (const code of [1000, 1001]) {
    const { peer, ours } = await rawPeer(t);
    const recorder = Recorder.open(ours);
    peer.send(pattern(9));
    peer.close(code);
    assert.equal(await recorder.closed, null);
    assert.equal(recorder.bytes, 9);
  }
  for (const code of [undefined, 1002, 1003, 1008, 1011, 4000]) {
    const { peer, ours } = await rawPeer(t);
    const recorder = Recorder.open(ours);
    peer.close(code);
    const error = await recorder.closed;
    assert.equal((error as { code?: string } | null)?.code, "THIN_CLIENT_ERROR_CONNECTION_LOST");
    assert.match(error!.message, new RegExp(`closed the WebSocket with code ${code ?? 1005}`));
  }
});

test("a peer that vanishes is an error", options, async (t) => {
  const { peer, ours } = await rawPeer(t);
  const recorder = Recorder.open(ours);
  peer.terminate();
  assert.match((await recorder.closed)!.message, /closed the WebSocket with code 1006/);
});

test("our end closes with 1000, and does not wait forever for the answer", options, async (t) => {
  const first = await rawPeer(t);
  const code = closeCode(first.peer);
  Recorder.open(first.ours);
  first.ours.end();
  assert.equal(await code, 1000);

  const second = await rawPeer(t);
  const recorder = Recorder.open(second.ours);
  second.peer.pause();
  second.ours.write(pattern(10));
  second.ours.end();
  assert.equal(await recorder.closed, null);
});

test("messages are pieces of a stream, and fragments arrive as they come", options, async (t) => {
  const { peer, ours } = await rawPeer(t);
  const recorder = Recorder.open(ours);
  const sent = pattern(1000);
  peer.send(sent.subarray(0, 4), { fin: false });
  peer.send(sent.subarray(4, 500), { fin: false });
  peer.send(sent.subarray(500, 501), { fin: true });
  peer.send(new Uint8Array(0));
  peer.send(sent.subarray(501));
  await recorder.received(1000);
  assert.deepEqual(recorder.all(), sent);
});

/** A socket that has upgraded and now sends arbitrary bytes. */
function upgraded(address: string): Promise<Socket> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  return new Promise((resolve) => socket.once("data", () => resolve(socket)));
}

test("a handshake that ends after the listener closed is disconnected", options, async () => {
  const listener = await listenWs({ host: "127.0.0.1", port: 0 });
  let accepted = 0;
  listener.open(() => accepted++);
  const { port } = new URL(listener.address);
  const socket = connect(Number(port), "127.0.0.1");
  const closed = new Promise((resolve) => socket.on("error", () => {}).on("close", resolve));
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n");
  // Before the listener has read this much, closing it would end an idle connection.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await listener.close();
  socket.write(
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  socket.resume();
  await closed;
  assert.equal(accepted, 0);
});

test("a message longer than a frame is refused by its header", options, async (t) => {
  const listener = await listenWs({ host: "127.0.0.1", port: 0 });
  t.after(() => listener.close());
  const accepted = new Promise<Transport>((resolve) => listener.open(resolve));
  const socket = await upgraded(listener.address);
  t.after(() => socket.destroy());
  const recorder = Recorder.open(await accepted);
  const header = Buffer.alloc(14);
  header.writeUInt16BE(0x82ff);
  header.writeBigUInt64BE(BigInt(41_943_040 + 5), 2);
  socket.write(header);
  const error = await recorder.closed;
  assert.equal((error as { code?: string } | null)?.code, "THIN_CLIENT_ERROR_CONNECTION_LOST");
  assert.match(error!.message, /max payload/i);
});

test("a frame that breaks the rules ends only its own connection", options, async (t) => {
  const address = await listening(t);
  for (const bytes of ["82050102030405", "f28000000000", "8f8000000000"]) {
    const socket = await upgraded(address);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(Buffer.from(bytes, "hex"));
    socket.resume();
    await closed;
  }
  const good = await dialWs(address);
  const recorder = Recorder.open(good);
  good.write(pattern(10));
  await recorder.received(10);
  good.destroy();
});

test("options of a WebSocket listener are checked by name", options, async () => {
  const base = { host: "127.0.0.1", port: 0 };
  const bad: [Record<string, unknown>, RegExp][] = [
    [{ ...base, origins: [] }, /unknown option\(s\) \['origins'\]/],
    [{ ...base, allowedOrigins: [page] }, /needs a token: pages/],
    [{ ...base, token, allowedOrigins: ["*"] }, /"\*" is not an origin; expected/],
    [{ ...base, token, allowedOrigins: [`${page}/`] }, /\(meant: http:\/\/localhost:8080\?\)/],
    [{ ...base, token, allowedOrigins: ["HTTP://A"] }, /\(meant: http:\/\/a\?\)/],
    [{ ...base, token, allowedOrigins: [7] }, /must be a string/],
    [{ ...base, token: "" }, /token must not be empty/],
    [{ ...base, token: 7 }, /token must be a string, got number/],
    [{ ...base, host: "0.0.0.0" }, /others could reach it/],
    [{ ...base, host: "0.0.0.0", allowRemote: true }, /allowRemote needs a token/],
  ];
  for (const [wrongOptions, message] of bad) {
    const call = listenWs(wrongOptions as unknown as WsListenOptions);
    await assert.rejects(call, { code: "ERR_CONFIG", message });
  }
  for (const origin of ["null", "file://", "https://a.example"]) {
    const listener = await listenWs({ ...base, token, allowedOrigins: [origin] });
    await listener.close();
  }
});
