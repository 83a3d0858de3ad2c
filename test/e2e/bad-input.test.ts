/**
 * Common first mistakes, on real sockets: each time the client must report the mistake and what to
 * do, and continue if possible.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, type Server, type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import { ReadCap, WriteCap } from "../../src/bytes/opaque.js";
import { ThinClient } from "../../src/client/thin-client.js";
import { Config } from "../../src/config/config.js";
import { DevDaemon } from "../../src/testing/index.js";
import { type ErrorCode, isThinClientError } from "../../src/errors/errors.js";
import { encodeFrame } from "../../src/wire/framing.js";
import { encodeResponse } from "../../src/wire/responses.js";
import { KatzProcess } from "./katz-process.js";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "katz-bad-input-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Expects a rejection with this code, whose text contains all of `said`. */
async function rejects(
  call: Promise<unknown>,
  code: ErrorCode,
  ...said: readonly RegExp[]
): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(isThinClientError(error), String(error));
    assert.equal(error.code, code, error.message);
    for (const pattern of said) assert.match(error.message, pattern);
    return true;
  });
}

const WRONG_FILES: readonly (readonly [what: string, text: string, said: RegExp])[] = [
  ["invalid TOML", "[Dial.Tcp\n", /line 1/],
  ["no content", "", /Dial.*e\.g\. \[Dial\.Tcp\]/],
  ["an unknown table", '[Dial.Ssh]\nAddress = "x"\n', /Ssh.*(Tcp|Unix)/],
  ["an unknown key", '[Dial.Tcp]\nAddress = "127.0.0.1:1"\nPort = 1\n', /Port/],
  ["a geometry", '[Dial.Tcp]\nAddress = "127.0.0.1:1"\n[SphinxGeometry]\n', /SphinxGeometry/],
  ["no address", "[Dial.Tcp]\n", /Address/],
  ["a number as address", "[Dial.Tcp]\nAddress = 64331\n", /Address/],
  ["a wrong network", '[Dial.Tcp]\nAddress = "127.0.0.1:1"\nNetwork = "udp"\n', /udp.*tcp4/],
  ["an address without a port", '[Dial.Tcp]\nAddress = "127.0.0.1"\n', /HOST:PORT/i],
  ["two transports", '[Dial.Tcp]\nAddress = "a:1"\n[Dial.Unix]\nAddress = "b"\n', /exactly one/],
];

for (const [what, text, said] of WRONG_FILES) {
  test(`a configuration file with ${what} is refused with its path and the mistake`, async () => {
    const path = join(folder, "thinclient.toml");
    writeFileSync(path, text);
    await rejects(ThinClient.connect(path), "ERR_CONFIG", /thinclient\.toml/, said);
  });
}

test("the error for a missing or unreadable configuration file names it", async () => {
  const missing = join(folder, "missing.toml");
  await rejects(ThinClient.connect(missing), "ERR_CONFIG", /missing\.toml/, /\[Dial\./);
  const directory = join(folder, "directory.toml");
  mkdirSync(directory);
  await rejects(ThinClient.connect(directory), "ERR_CONFIG", /directory\.toml/, /director|folder/);
});

/** Listens on a free port and returns it; `serve` handles each client. */
async function server(
  serve: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly address: string; readonly listening: Server }> {
  const listening = createServer((socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(listening.address() as AddressInfo).port}`,
    listening,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => listening.close(resolve));
    },
  };
}

test("if no daemon listens, the client says how to start one", async () => {
  const gone = await server(() => {});
  await gone[Symbol.asyncDispose]();
  const start = /daemon --listen/;
  const tcp = { dial: { tcp: { address: gone.address } } };
  await rejects(ThinClient.connect(tcp), "ERR_CONNECT", new RegExp(gone.address), start);
  const path = join(folder, "nobody.sock");
  const unix = { dial: { unix: { address: path } } };
  await rejects(ThinClient.connect(unix), "ERR_CONNECT", /nobody\.sock/, start);
  const ws = { dial: { ws: { address: `ws://${gone.address}` } } };
  await rejects(ThinClient.connect(ws), "ERR_CONNECT", new RegExp(gone.address), start);
});

test("the socket file of a killed daemon gives another error than a missing one", async () => {
  const path = join(folder, "stale.sock");
  await using killed = new KatzProcess(["daemon", "--listen", `unix:${path}`]);
  await killed.firstLine();
  killed.kill("SIGKILL");
  await killed.ended;
  const config = { dial: { unix: { address: path } } };
  await rejects(ThinClient.connect(config), "ERR_CONNECT", /stale\.sock/, /daemon --listen/);
});

const frame = (body: Uint8Array): Uint8Array => encodeFrame(body);
const noDocument = encodeResponse({ kind: "newPkiDocumentEvent", payload: null });

/** Peers that are not daemons, or broken daemons. */
const PEERS: readonly {
  readonly what: string;
  readonly says: (socket: Socket) => void;
  readonly said: readonly RegExp[];
}[] = [
  {
    // Up to 16 unexpected messages are skipped.
    what: "sends only its document",
    says: (socket) => {
      for (let i = 0; i < 17; i++) socket.write(frame(noDocument));
    },
    said: [/connection_status_event must come first/, /new_pki_document_event/, /kpclientd/],
  },
  {
    what: "is a web server",
    says: (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
    said: [/^tcp:127\.0\.0\.1:\d+ does not speak the thin-client protocol/, /really a kpclientd\?/],
  },
  {
    what: "sends a frame of garbage",
    says: (socket) => socket.write(frame(new Uint8Array(32).fill(0xff))),
    said: [/not well-formed CBOR/, /really a kpclientd\?/],
  },
  {
    what: "announces a frame that is too long",
    says: (socket) => socket.write(Uint8Array.of(0x02, 0x80, 0, 1)),
    said: [/frame length must be 1 to 41943040 bytes, got 41943041/],
  },
  {
    what: "announces an empty frame",
    says: (socket) => socket.write(new Uint8Array(4)),
    said: [/frame length must be 1 to 41943040 bytes, got 0/],
  },
  {
    what: "hangs up in the middle of a frame",
    says: (socket) => socket.end(frame(noDocument).subarray(0, 9)),
    said: [/hung up in the middle of a frame/],
  },
];

for (const { what, says, said } of PEERS) {
  test(`a peer that ${what} is refused with the reason`, async () => {
    await using peer = await server(says);
    const config = { dial: { tcp: { address: peer.address } } };
    await rejects(ThinClient.connect(config), "ERR_PROTOCOL", ...said);
  });
}

test("a peer that closes at once and one that stays silent give different errors", async () => {
  await using rude = await server((socket) => socket.end());
  const hangsUp = ThinClient.connect({ dial: { tcp: { address: rude.address } } });
  await rejects(hangsUp, "ERR_PROTOCOL", /closed the connection/, new RegExp(rude.address));
  await using mute = await server((socket) => socket.on("data", () => {}));
  const says = ThinClient.connect(
    { dial: { tcp: { address: mute.address } } },
    { handshakeTimeoutMs: 60 },
  );
  await rejects(says, "ERR_TIMEOUT", new RegExp(mute.address));
});

test("one client starts with a right peer after a wrong one", async () => {
  await using daemon = await DevDaemon.start({ seed: "bad input" });
  await using peer = await server((socket) => socket.end("no daemon"));
  const { dial } = new Config({ dial: { tcp: { address: peer.address } } });
  let dials = 0;
  const client = new ThinClient(
    { dial },
    { dial: ({ signal }) => (dials++ === 0 ? dial.dial({ signal }) : daemon.dial()) },
  );
  await rejects(client.start(), "ERR_PROTOCOL");
  await client.start();
  assert.equal(client.isConnected(), true);
  await client.stop();
});

test("every wrong length and name is refused before it is sent to a running daemon", async () => {
  await using daemon = await DevDaemon.start({ seed: "bad input", listen: "tcp:127.0.0.1:0" });
  await using client = await ThinClient.connect(daemon.config());
  const [node, queue] = client.getService("echo").toDestination();
  const {
    writeCap,
    readCap,
    firstMessageIndex: index,
  } = await client.newKeypair(new Uint8Array(32));
  const short = new Uint8Array(15) as never;
  const longest = client.geometry.userForwardPayloadLength;
  const most = client.pigeonholeGeometry.maxPlaintextPayloadLength;
  const surbId = client.newSurbId();

  const refused: readonly (readonly [() => Promise<unknown>, RegExp])[] = [
    [() => client.sendMessage(short, "x", node, queue), /`surbId` must be 16 bytes, got 15/],
    [() => client.sendMessage(surbId, "x", short, queue), /`destNode` must be 32 bytes, got 15/],
    [
      () => client.sendMessage(surbId, "x", node, new Uint8Array(33)),
      /`destQueue` must be 1 to 32 bytes, got 33/,
    ],
    [
      () => client.blockingSendMessage(new Uint8Array(longest + 1), node, queue),
      new RegExp(`at most ${longest} bytes.*got ${longest + 1}`),
    ],
    [() => client.newKeypair(new Uint8Array(31)), /`seed` must be 32 bytes, got 31/],
    [() => client.encryptRead(short, index), /`readCap` must be .*136 bytes, got 15/],
    [() => client.encryptRead(readCap, short), /`messageBoxIndex` must be 104 bytes, got 15/],
    [
      () => client.encryptWrite(new Uint8Array(1), readCap as never, index),
      /`writeCap` must be a WriteCap of 168 bytes, got 136, the length of a ReadCap/,
    ],
    [
      () => client.encryptWrite(new Uint8Array(most + 1), writeCap, index),
      new RegExp(`at most ${most} bytes.*got ${most + 1}`),
    ],
    [() => client.nextMessageBoxIndex(short), /`messageBoxIndex` must be 104 bytes, got 15/],
    [() => client.getMessageBoxIndexCounter(short), /`messageBoxIndex` must be 104 bytes/],
    [() => client.cancelResendingEncryptedMessage(short), /`envelopeHash` must be 32 bytes/],
    [() => client.cancelResendingCopyCommand(short), /`writeCapHash` must be 32 bytes/],
    [() => client.startResendingCopyCommand(short), /`writeCap` must be .*168 bytes/],
    [() => client.voucherDeriveStream(short), /`voucher` must be 32 bytes/],
    [() => client.getPkiDocumentRaw(-1), /`epoch` must be .*at least 0/],
  ];
  for (const [call, said] of refused) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
      assert.match(error.message, said);
      return true;
    });
  }
  assert.equal(daemon.daemon.load.connections, 1, "it is still the first connection");
  assert.ok((await client.blockingSendMessage("still here", node, queue)).length > 0);
});

test("every call refuses a capability whose point is not on the curve", async () => {
  await using daemon = await DevDaemon.start({ seed: "bad input", listen: "tcp:127.0.0.1:0" });
  await using client = await ThinClient.connect(daemon.config());
  const good = await client.newKeypair(new Uint8Array(32));
  const { firstMessageIndex: index } = good;
  // No point of the curve has this y-coordinate. A ReadCap begins with its public key; in a
  // WriteCap it follows the seed.
  const offCurve = new Uint8Array(32).fill(2);
  const [readCap, writeCap] = [ReadCap.from(good.readCap), WriteCap.from(good.writeCap)];
  readCap.set(offCurve, 0);
  writeCap.set(offCurve, 32);
  const calls = [
    () => client.encryptRead(readCap, index),
    () => client.read(readCap, index),
    () => client.encryptWrite(utf8("x"), writeCap, index),
    () => client.write(writeCap, index, "x"),
    () => client.tombstone(writeCap, index),
    () => client.startResendingCopyCommand(writeCap),
    () => client.voucherMint(writeCap, "somebody"),
  ];
  const said = /^\w+ failed: Invalid request \(.*it may be a damaged capability/;
  for (const call of calls) await rejects(call(), "THIN_CLIENT_ERROR_INVALID_REQUEST", said);
  const copying = client.copy(utf8("x"), [{ writeCap, startIndex: index }]);
  await rejects(
    copying,
    "ERR_COPY_FAILED",
    /before anything was copied.*it may be a damaged capability/,
  );
  const deleting = client.tombstoneRange(writeCap, index, 2);
  await rejects(deleting, "ERR_TOMBSTONE_RANGE", /after 0.*it may be a damaged capability/);
  assert.equal(daemon.daemon.load.operations, 0);
  await client.write(good.writeCap, index, "goes on");
  assert.deepEqual((await client.read(good.readCap, index)).plaintext, utf8("goes on"));
});

test("the error for an unknown service lists the available ones", async () => {
  await using daemon = await DevDaemon.start({ seed: "bad input", listen: "tcp:127.0.0.1:0" });
  await using client = await ThinClient.connect(daemon.config());
  assert.throws(
    () => client.getService("eccho"),
    (error) => isThinClientError(error) && /eccho.*courier.*echo/s.test(error.message),
  );
});

test("sending while the mixnet is away fails at once, and says how to wait for it", async () => {
  await using daemon = await DevDaemon.start({ seed: "bad input", listen: "tcp:127.0.0.1:0" });
  await using client = await ThinClient.connect(daemon.config());
  const destination = client.getService("echo").toDestination();
  const offline = new Promise((resolve) => client.on("connectionStatus", resolve, { once: true }));
  daemon.network.faults.setOnline(false);
  await offline;
  await rejects(
    client.blockingSendMessage("x", ...destination),
    "ERR_OFFLINE",
    /not connected to mixnet/,
    /waitUntilOnline\(\)/,
  );
  daemon.network.faults.setOnline(true);
  await client.waitUntilOnline();
  assert.ok((await client.blockingSendMessage("x", ...destination)).length > 0);
});
