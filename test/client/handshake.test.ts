import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../../src/bytes/bytes.js";
import { ThinClient } from "../../src/client/thin-client.js";
import {
  ConnectError,
  InvalidStateError,
  ProtocolError,
  RequestTimeoutError,
} from "../../src/errors/errors.js";
import { encodeCbor } from "../../src/cbor/cbor.js";
import { encodeFrame } from "../../src/wire/framing.js";
import { type DaemonResponse, encodeResponse } from "../../src/wire/responses.js";
import { memoryPair } from "../../src/transport/memory.js";
import type { Transport } from "../../src/transport/transport.js";
import type { ScriptedConnection, ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import { isPending, pair, pkiDocument, reasonOf, turn, unused } from "./fixture.js";

const frame = (response: DaemonResponse): Uint8Array => encodeFrame(encodeResponse(response));
const appId = new Uint8Array(16).fill(1);
const surbId = new Uint8Array(16).fill(2) as never;

/** Runs `play` on a client's first connection; returns the error of start(). */
async function failing(
  play: (connection: ScriptedConnection, daemon: ScriptedDaemon) => void | Promise<void>,
): Promise<{ error: Error; connection: ScriptedConnection; client: ThinClient }> {
  const { client, daemon, clock, heard } = pair();
  const started = reasonOf(client.start());
  const connection = await daemon.accept();
  await play(connection, daemon);
  const error = await started;
  // A failed start leaves no connection and no timer, and emits only the events of a handshake.
  await turn();
  assert.equal(connection.closed, true);
  assert.equal(clock.pending, 0);
  assert.equal(client.state, "idle");
  assert.deepEqual(heard, []);
  return { error, connection, client };
}

test("the handshake is status, document, token, answer, and nothing is sent before the document", async () => {
  const { client, daemon } = pair({ sessionToken: new Uint8Array(16).fill(9) });
  const started = client.start();
  const connection = await daemon.accept();
  await turn();
  assert.deepEqual(connection.requests, []);
  connection.send(daemon.status());
  await turn();
  assert.deepEqual(connection.requests, []);
  connection.send(daemon.documentEvent());
  const request = await connection.expect("sessionToken");
  assert.deepEqual(request.clientInstanceToken, new Uint8Array(16).fill(9));
  assert.equal(await isPending(started), true);
  assert.equal(client.state, "connecting");
  connection.send({ kind: "sessionTokenReply", appId, resumed: false });
  await started;
  assert.equal(client.state, "ready");
});

test("the session token is 16 random bytes, differs for each client, and can be read", () => {
  const { client } = pair();
  const other = pair().client;
  assert.equal(client.sessionToken.length, 16);
  assert.ok(client.sessionToken.some((byte) => byte !== 0));
  assert.notDeepEqual(client.sessionToken, other.sessionToken);
});

test("the handshake works wherever its bytes are cut, and in one chunk", async () => {
  for (const size of [1, 7, 100_000]) {
    const { client, daemon } = pair();
    const started = client.start();
    const connection = await daemon.accept();
    const stream = concatBytes(
      frame(daemon.status()),
      frame(daemon.documentEvent()),
      frame({ kind: "sessionTokenReply", appId, resumed: false }),
    );
    for (let at = 0; at < stream.length; at += size) {
      connection.sendRaw(stream.subarray(at, at + size));
      if (at % 50 === 0) await turn();
    }
    await started;
    assert.equal(client.state, "ready");
    assert.equal(client.geometry.packetLength, daemon.geometry.packetLength);
  }
});

test("start resolves after geometries, status and document arrived and were announced in that order", async () => {
  const { client, daemon, heard } = pair({}, { isConnected: false, document: pkiDocument() });
  await Promise.all([daemon.shakeHands(), client.start()]);
  assert.deepEqual(
    heard.map(({ type }) => type),
    ["connectionStatus", "newPkiDocument"],
  );
  assert.equal(client.isConnected(), false);
  assert.equal(client.pkiDocument()?.epoch, 2_492_556);
  assert.equal(client.getConfig().geometry?.packetLength, daemon.geometry.packetLength);
  assert.equal(
    client.pigeonholeGeometry.maxPlaintextPayloadLength,
    daemon.pigeonholeGeometry.maxPlaintextPayloadLength,
  );
});

test("a daemon may have no document, sent as null or as the old zero bytes", async () => {
  for (const document of [null, new Uint8Array(0)]) {
    const { client, daemon, of } = pair({}, { document });
    await Promise.all([daemon.shakeHands(), client.start()]);
    assert.equal(client.pkiDocument(), null);
    assert.deepEqual(of("newPkiDocument"), [
      { type: "newPkiDocument", payload: null, document: null },
    ]);
  }
});

test("geometries are unknown before the handshake", () => {
  const client = new ThinClient(unused);
  assert.throws(() => client.geometry, InvalidStateError);
  assert.throws(() => client.pigeonholeGeometry, /known only after start/);
});

/** Sends more messages than one step of the handshake skips. */
function seventeen(connection: ScriptedConnection, message: DaemonResponse): void {
  for (let i = 0; i < 17; i++) connection.send(message);
}

test("no status among the first messages is a protocol error (upstream: panic)", async () => {
  const { error } = await failing((connection, daemon) =>
    seventeen(connection, daemon.documentEvent()),
  );
  assert.ok(error instanceof ProtocolError);
  assert.match(
    error.message,
    /connection_status_event must come first, got 17 other .*new_pki_doc/,
  );
});

test("no document after the status is a protocol error (upstream: panic)", async () => {
  const { error } = await failing((connection, daemon) => {
    connection.send(daemon.status());
    seventeen(connection, daemon.status());
  });
  assert.ok(error instanceof ProtocolError);
  assert.match(error.message, /new_pki_document_event must come second, got 17 other/);
});

test("up to 16 unexpected messages are skipped in each phase and delivered afterwards", async () => {
  const { client, daemon, heard } = pair({}, { document: pkiDocument() });
  const started = client.start();
  const connection = await daemon.accept();
  const other: DaemonResponse = { kind: "messageIdGarbageCollected", messageId: surbId };
  const some = (): void => {
    for (let i = 0; i < 16; i++) connection.send(other);
  };
  some();
  connection.send(daemon.status());
  some();
  connection.send(daemon.documentEvent());
  await connection.expect("sessionToken");
  some();
  connection.send({ kind: "sessionTokenReply", appId, resumed: false });
  await started;
  assert.equal(client.pkiDocument()?.epoch, 2_492_556);
  assert.deepEqual(
    heard.map(({ type }) => type),
    ["connectionStatus", "newPkiDocument", ...Array(48).fill("messageIdGarbageCollected")],
  );
});

test("a second status before the document replaces the first", async () => {
  const { client, daemon } = pair();
  const started = client.start();
  const connection = await daemon.accept();
  connection.send(daemon.status(true));
  connection.send(daemon.status(false));
  connection.send(daemon.documentEvent());
  await connection.expect("sessionToken");
  connection.send({ kind: "sessionTokenReply", appId, resumed: false });
  await started;
  assert.equal(client.isConnected(), false);
});

test("malformed replies in place of the status are a protocol error", async () => {
  const { error } = await failing((connection) => {
    const reply = encodeCbor({ new_keypair_reply: { query_id: appId, error_code: "x" } });
    for (let i = 0; i < 17; i++) connection.sendRaw(encodeFrame(reply));
  });
  assert.ok(error instanceof ProtocolError);
});

for (const missing of ["sphinxGeometry", "pigeonholeGeometry"] as const) {
  test(`a status without ${missing} is a protocol error (upstream: Python only logs)`, async () => {
    const { error, connection } = await failing((connection, daemon) =>
      connection.send({ ...daemon.status(), [missing]: null }),
    );
    assert.ok(error instanceof ProtocolError);
    assert.match(error.message, /did not supply its geometry/);
    assert.deepEqual(connection.requests, []);
  });

  test(`a status with a wrong ${missing} is a protocol error`, async () => {
    const { error } = await failing((connection, daemon) => {
      const status = daemon.status();
      const geometry = { ...(status[missing] as Record<string, string | number>) };
      geometry["NIKEName"] = 5;
      connection.send({ ...status, [missing]: geometry });
    });
    assert.ok(error instanceof ProtocolError, String(error));
  });
}

test("an unreadable document is skipped, and the client works without one", async () => {
  const warnings: string[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: (text: string) => void warnings.push(text),
    error() {},
  };
  const { client, daemon, of } = pair({ logger }, { document: Uint8Array.of(1, 2, 3) });
  await Promise.all([daemon.shakeHands(), client.start()]);
  assert.equal(client.pkiDocument(), null);
  assert.deepEqual(of("newPkiDocument"), []);
  assert.deepEqual(warnings, ["skipped an invalid event"]);
});

test("messages before the token's answer are kept and delivered after the handshake (upstream: panic)", async () => {
  const { client, daemon, heard } = pair();
  const started = client.start();
  const connection = await daemon.accept();
  connection.send(daemon.status());
  connection.send(daemon.documentEvent());
  await connection.expect("sessionToken");
  const early: DaemonResponse = {
    kind: "messageReplyEvent",
    messageId: null,
    surbId,
    payload: Uint8Array.of(5),
    replyIndex: null,
    errorCode: 0,
  };
  connection.send(early);
  connection.send(daemon.status(false));
  await turn();
  assert.deepEqual(heard, []);
  connection.send({ kind: "sessionTokenReply", appId, resumed: true });
  await started;
  const types = heard.map(({ type }) => type);
  assert.deepEqual(types, [
    "connectionStatus",
    "newPkiDocument",
    "messageReply",
    "connectionStatus",
  ]);
  assert.equal(client.isConnected(), false);
});

test("too many messages or bytes before the token's answer end the handshake", async () => {
  const many = await failing(async (connection, daemon) => {
    connection.send(daemon.status());
    connection.send(daemon.documentEvent());
    await connection.expect("sessionToken");
    const one = frame({ kind: "messageIdGarbageCollected", messageId: surbId });
    connection.sendRaw(concatBytes(...Array.from({ length: 10_001 }, () => one)));
  });
  assert.match(many.error.message, /too much before its session_token_reply/);
  const large = await failing(async (connection, daemon) => {
    connection.send(daemon.status());
    connection.send(daemon.documentEvent());
    await connection.expect("sessionToken");
    const payload = new Uint8Array(33 * 1024 * 1024);
    const one = frame({ kind: "newPkiDocumentEvent", payload });
    connection.sendRaw(one);
    connection.sendRaw(one);
  });
  assert.match(large.error.message, /too much before its session_token_reply/);
  // Each takes 100 kB on the wire and 22 MB decoded.
  const dense = await failing(async (connection, daemon) => {
    connection.send(daemon.status());
    connection.send(daemon.documentEvent());
    await connection.expect("sessionToken");
    const err = Array.from({ length: 100_000 }, () => new Map());
    const one = frame({ ...daemon.status(), err } as DaemonResponse);
    for (let i = 0; i < 4; i++) connection.sendRaw(one);
    connection.send({ kind: "sessionTokenReply", appId, resumed: false });
  });
  assert.match(dense.error.message, /too much before its session_token_reply/);
});

test("start fails at the deadline, 40 s by default, if the daemon is silent", async () => {
  const { client, daemon, clock } = pair();
  const started = client.start();
  const settled = reasonOf(started);
  const connection = await daemon.accept();
  await clock.advance(39_999);
  assert.equal(await isPending(started.catch(() => {})), true);
  await clock.advance(1);
  const error = await settled;
  assert.ok(error instanceof RequestTimeoutError);
  assert.match(error.message, /memory accepted the connection but did not finish the handshake/);
  assert.equal(connection.closed, true);
  assert.deepEqual([client.state, clock.pending], ["idle", 0]);
});

test("one deadline covers every step of the handshake", async () => {
  for (const steps of [1, 2]) {
    const { client, daemon, clock } = pair({ handshakeTimeoutMs: 5000 });
    const settled = reasonOf(client.start());
    const connection = await daemon.accept();
    connection.send(daemon.status());
    await clock.advance(3000);
    if (steps > 1) connection.send(daemon.documentEvent());
    await clock.advance(2000);
    assert.ok((await settled) instanceof RequestTimeoutError);
  }
});

test("timeoutMs and signal of start end it earlier", async () => {
  const timed = pair();
  const first = reasonOf(timed.client.start({ timeoutMs: 100 }));
  await timed.daemon.accept();
  await timed.clock.advance(100);
  assert.ok((await first) instanceof RequestTimeoutError);
  const aborted = pair();
  const abort = new AbortController();
  const second = reasonOf(aborted.client.start({ signal: abort.signal }));
  const connection = await aborted.daemon.accept();
  const reason = new Error("enough");
  abort.abort(reason);
  assert.equal(await second, reason);
  assert.equal(connection.closed, true);
  assert.deepEqual([aborted.client.state, aborted.clock.pending], ["idle", 0]);
});

test("start does not dial if its signal is already aborted", async () => {
  const { client, daemon } = pair();
  const reason = new Error("never mind");
  assert.equal(await reasonOf(client.start({ signal: AbortSignal.abort(reason) })), reason);
  assert.deepEqual([daemon.connections.length, client.state], [0, "idle"]);
});

const closings: [
  what: string,
  play: (c: ScriptedConnection, d: ScriptedDaemon) => Promise<void>,
][] = [
  ["at once", async () => {}],
  ["after the status", async (c, d) => c.send(d.status())],
  [
    "after the token",
    async (c, d) => {
      c.send(d.status());
      c.send(d.documentEvent());
      await c.expect("sessionToken");
    },
  ],
];
for (const [when, play] of closings) {
  test(`start fails with a clear reason if the daemon hangs up ${when}`, async () => {
    const { error } = await failing(async (connection, daemon) => {
      await play(connection, daemon);
      connection.transport.end();
    });
    assert.ok(error instanceof ProtocolError);
    assert.match(error.message, /closed the connection during the handshake/);
  });
}

test("start fails if the daemon hangs up in the middle of a frame", async () => {
  const { error } = await failing((connection, daemon) => {
    connection.sendRaw(frame(daemon.status()).subarray(0, 50));
    connection.transport.end();
  });
  assert.ok(error instanceof ProtocolError);
  assert.match(error.message, /in the middle of a frame/);
});

const garbage: [what: string, bytes: Uint8Array][] = [
  ["bytes that are not CBOR", encodeFrame(Uint8Array.of(0xff, 1, 2))],
  ["an HTTP answer", new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ["an empty frame", Uint8Array.of(0, 0, 0, 0)],
  ["a frame longer than 40 MiB (upstream: desynchronises)", Uint8Array.of(2, 128, 0, 1)],
  ["a top-level array", encodeFrame(encodeCbor([]))],
  ["a status of the wrong type", encodeFrame(encodeCbor({ connection_status_event: 5 }))],
];
for (const [what, bytes] of garbage) {
  test(`start fails with a protocol error if the daemon begins with ${what}`, async () => {
    const { error } = await failing((connection) => connection.sendRaw(bytes));
    assert.ok(error instanceof ProtocolError, String(error));
  });
}

test("maxMessageSize applies to messages from the daemon", async () => {
  const { client, daemon } = pair({ maxMessageSize: 1024 }, { document: pkiDocument() });
  const settled = reasonOf(client.start());
  await daemon.shakeHands().catch(() => {});
  const error = await settled;
  assert.ok(error instanceof ProtocolError);
  assert.match(error.message, /frame length must be 1 to 1024 bytes/);
});

test("start fails with the error of a failed dial, and works when called again", async () => {
  const { client, daemon } = pair();
  daemon.refuse = new ConnectError("nobody there");
  assert.equal(await reasonOf(client.start()), daemon.refuse);
  assert.equal(client.state, "idle");
  daemon.refuse = null;
  await Promise.all([daemon.shakeHands(), client.start()]);
  assert.equal(client.state, "ready");
});

test("start works again after a failed handshake, with the same session token", async () => {
  const { client, daemon } = pair();
  const settled = reasonOf(client.start());
  (await daemon.accept()).transport.end();
  await settled;
  const started = client.start();
  const connection = await daemon.accept();
  connection.send(daemon.status());
  connection.send(daemon.documentEvent());
  assert.deepEqual(
    (await connection.expect("sessionToken")).clientInstanceToken,
    client.sessionToken,
  );
  connection.send({ kind: "sessionTokenReply", appId, resumed: false });
  await started;
});

test("start may be called only once, while connecting and afterwards", async () => {
  const { client, daemon } = pair();
  const started = client.start();
  const second = await reasonOf(client.start());
  assert.ok(second instanceof InvalidStateError);
  assert.match(second.message, /called before; the client is connecting/);
  await daemon.shakeHands();
  await started;
  assert.match((await reasonOf(client.start())).message, /the client is ready/);
});

test("ThinClient.connect creates a client and starts it, with the options of both", async () => {
  const { daemon, clock } = pair();
  const abort = new AbortController();
  const options = {
    dial: daemon.dial,
    clock,
    liveness: false,
    signal: abort.signal,
    timeoutMs: 1000,
  } as const;
  const [, client] = await Promise.all([daemon.shakeHands(), ThinClient.connect(unused, options)]);
  assert.equal(client.state, "ready");
  assert.equal(clock.pending, 0);
});

test("an address works in place of a configuration, in the form of katz --address", async () => {
  const { daemon, clock } = pair();
  const options = { dial: daemon.dial, clock, liveness: false } as const;
  const [, client] = await Promise.all([
    daemon.shakeHands(),
    ThinClient.connect("tcp:127.0.0.1:64331", options),
  ]);
  assert.deepEqual(
    [client.getConfig().network, client.getConfig().address],
    ["tcp", "127.0.0.1:64331"],
  );
  await client.stop();
  assert.equal(new ThinClient("unix:@katzenpost").getConfig().address, "@katzenpost");
  assert.equal(new ThinClient({ dial: "ws://a/b" }).getConfig().address, "ws://a:80/b");
  assert.throws(() => new ThinClient("127.0.0.1:64331"), {
    code: "ERR_CONFIG",
    message: /meant: tcp:127\.0\.0\.1:64331\?/,
  });
  // Any other text is the path of a file.
  for (const [text, wanted] of [
    ["127.0.0.1:64331", /file not found.*\(meant: tcp:127\.0\.0\.1:64331\?\)$/],
    ["@katzenpost", /file not found.*\(meant: unix:@katzenpost\?\)$/],
    ["./tcp:x", /file not found/],
  ] as const) {
    await assert.rejects(ThinClient.connect(text, options), {
      code: "ERR_CONFIG",
      message: wanted,
    });
  }
});

test("start fails at the handshake's deadline if the dial does not end", async () => {
  const { clock, daemon } = pair();
  for (const obeys of [true, false]) {
    const [ours, theirs] = memoryPair();
    let late: (transport: Transport) => void = () => {};
    const client = new ThinClient(unused, {
      clock,
      handshakeTimeoutMs: 5000,
      // An application's dial function may ignore its signal.
      dial: ({ signal }) =>
        new Promise((resolve, reject) => {
          late = resolve;
          if (obeys) signal.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    const settled = reasonOf(client.start());
    await clock.advance(5000);
    const error = await settled;
    assert.ok(error instanceof RequestTimeoutError, String(error));
    assert.match(error.message, /no connection to the daemon within 5000 ms/);
    assert.deepEqual([client.state, clock.pending], ["idle", 0]);
    // The client closes a connection that arrives too late.
    late(ours);
    let closed = false;
    theirs.open({ onData: () => {}, onClose: () => (closed = true) });
    await turn();
    assert.equal(closed, !obeys);
  }
  assert.equal(daemon.connections.length, 0);
});

test("one deadline covers dial and handshake", async () => {
  const { clock, daemon } = pair();
  const client = new ThinClient(unused, {
    clock,
    handshakeTimeoutMs: 5000,
    dial: async () => {
      await clock.sleep(3000);
      return daemon.dial();
    },
  });
  const settled = reasonOf(client.start());
  await clock.advance(4999);
  assert.equal(client.state, "connecting");
  await clock.advance(1);
  assert.match((await settled).message, /did not finish the handshake in time/);
});
