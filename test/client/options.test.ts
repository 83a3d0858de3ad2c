import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64, toHex, utf8 } from "../../src/bytes/bytes.js";
import { ClientCore } from "../../src/client/client-core.js";
import { resolveOptions, type ThinClientOptions } from "../../src/client/options.js";
import { ThinClient } from "../../src/client/thin-client.js";
import { realClock } from "../../src/clock/real.js";
import { Config } from "../../src/config/config.js";
import { ConfigError } from "../../src/errors/errors.js";
import { ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import { connectedPair, reasonOf, turn, unused } from "./fixture.js";

test("the defaults are the documented ones", () => {
  const { sessionToken, logger: _, ...rest } = resolveOptions();
  assert.equal(sessionToken.length, 16);
  assert.deepEqual(rest, {
    reconnect: { initialDelayMs: 1000, maxDelayMs: 60_000 },
    liveness: { intervalMs: 30_000, timeoutMs: 15_000 },
    maxInFlight: 1000,
    metrics: null,
    stopOnExit: true,
    maxMessageSize: 40 * 1024 * 1024,
    defaultTimeoutMs: 60_000,
    handshakeTimeoutMs: 40_000,
    dial: undefined,
    clock: realClock,
  });
});

const wrong: [options: unknown, kind: typeof TypeError | typeof RangeError, text: RegExp][] = [
  [null, TypeError, /`options` must be an object, got null/],
  ["x", TypeError, /`options` must be an object/],
  [
    { sessiontoken: new Uint8Array(16) },
    TypeError,
    /`options.sessiontoken` is not an option; known: sessionToken/,
  ],
  [{ signal: new AbortController().signal }, TypeError, /`options.signal` is not an option/],
  [
    { sessionToken: new Uint8Array(15) },
    RangeError,
    /`options.sessionToken` must be 16 bytes, got 15/,
  ],
  [{ sessionToken: "0".repeat(32) }, TypeError, /`options.sessionToken` must be a Uint8Array/],
  [{ maxMessageSize: 1023 }, RangeError, /`options.maxMessageSize` must be an integer from 1024/],
  [{ maxMessageSize: "4096" }, RangeError, /maxMessageSize/],
  [{ maxMessageSize: 2 ** 31 + 1 }, RangeError, /maxMessageSize/],
  [{ defaultTimeoutMs: 0 }, RangeError, /`options.defaultTimeoutMs` must be a positive number/],
  [{ defaultTimeoutMs: "5" }, TypeError, /defaultTimeoutMs/],
  [{ handshakeTimeoutMs: -1 }, RangeError, /`options.handshakeTimeoutMs`/],
  [{ handshakeTimeoutMs: Number.NaN }, RangeError, /handshakeTimeoutMs/],
  [{ reconnect: true }, TypeError, /`options.reconnect` must be an object/],
  [{ reconnect: null }, TypeError, /`options.reconnect`/],
  [
    { reconnect: { initalDelayMs: 5 } },
    TypeError,
    /`options.reconnect.initalDelayMs` is not an option/,
  ],
  [{ reconnect: { initialDelayMs: 0 } }, RangeError, /`options.reconnect.initialDelayMs`/],
  [
    { reconnect: { maxDelayMs: 10 } },
    RangeError,
    /maxDelayMs` must be at least initialDelayMs \(1000\), got 10/,
  ],
  [{ dial: {} }, TypeError, /`options.dial` must be a function/],
  [{ logger: {} }, TypeError, /`options.logger.debug` must be a function, got undefined/],
  [{ logger: null }, TypeError, /`options.logger.debug`/],
  [{ clock: {} }, TypeError, /`options.clock` must be a Clock/],
  [{ clock: null }, TypeError, /`options.clock`/],
];
for (const [options, kind, text] of wrong) {
  test(`refuses options: ${text.source}, ${JSON.stringify(options)}`, () => {
    assert.throws(
      () => new ThinClient(unused, options as ThinClientOptions),
      (error: Error) => error instanceof kind && text.test(error.message),
    );
  });
}

test("the constructor refuses a wrong configuration before any I/O", () => {
  for (const config of [{}, { dial: {} }, { dial: { tcp: { address: "x:1" } }, onStatus() {} }]) {
    assert.throws(() => new ThinClient(config as never), ConfigError);
  }
});

test("undefined options get their defaults, and a given token is copied", () => {
  const token = new Uint8Array(16).fill(8);
  const client = new ThinClient(unused, {
    sessionToken: token,
    reconnect: undefined,
    maxMessageSize: undefined,
    logger: undefined,
    clock: undefined,
  });
  token.fill(0);
  assert.deepEqual(client.sessionToken, new Uint8Array(16).fill(8));
  client.sessionToken.fill(0);
  assert.deepEqual(client.sessionToken, new Uint8Array(16).fill(8));
});

test("an existing Config is used as it is", () => {
  const config = new Config(unused);
  assert.equal(new ThinClient(config).getConfig(), config);
});

test("the logger receives states and failures, and never tokens, payloads, keys or seeds", async () => {
  const lines: string[] = [];
  const secrets = ["sessionToken", "seed", "payload", "reply", "cap"].map((name) =>
    utf8(`${name} 0123456789abcdef`.slice(0, 16)),
  );
  const [token, seed, payload, answer, cap] = secrets as [
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
  ];
  const write =
    (level: string) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      const shown = JSON.stringify(fields ?? {}, (_, value: unknown) =>
        value instanceof Uint8Array ? `${toHex(value)} ${new TextDecoder().decode(value)}` : value,
      );
      lines.push(`${level} ${message} ${shown}`);
    };
  const logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  const { client, daemon, connection, clock } = await connectedPair({
    logger,
    sessionToken: token,
  });
  client.on("messageReply", () => {
    throw new Error("handler");
  });
  const message = client.blockingSendMessage(payload, new Uint8Array(32) as never, utf8("+echo"));
  const { surbId } = await connection.expect("sendMessage");
  connection.send({
    kind: "messageReplyEvent",
    messageId: null,
    surbId,
    payload: answer,
    replyIndex: null,
    errorCode: 0,
  });
  await message;
  connection.send({
    kind: "newKeypairReply",
    queryId: seed,
    writeCap: null,
    readCap: null,
    firstMessageIndex: null,
    errorCode: 3,
  });
  connection.send({ kind: "newPkiDocumentEvent", payload: cap });
  connection.sendRaw(Uint8Array.of(0, 0, 0, 4, 0x43, ...seed.subarray(0, 3)));
  await turn();
  daemon.refuse = new Error("refused");
  await clock.advance(1000);
  await client.stop();
  const all = lines.join("\n");
  for (const wanted of [
    "info connected to the daemon",
    "error an event handler failed",
    "debug ignored a reply",
    "warn skipped an invalid event",
    "warn connection to the daemon lost",
    "warn reconnecting failed",
  ]) {
    assert.ok(all.includes(wanted), `${wanted} in:\n${all}`);
  }
  for (const secret of secrets) {
    const text = new TextDecoder().decode(secret);
    for (const form of [text, toHex(secret), toBase64(secret)]) {
      assert.ok(!all.includes(form), `${text} in:\n${all}`);
    }
  }
});

test("errors about wrong arguments do not repeat their values", async () => {
  const daemon = new ScriptedDaemon();
  const core = new ClientCore(new Config(unused), resolveOptions({ dial: daemon.dial }));
  const [connection] = await Promise.all([daemon.shakeHands(), core.session.start()]);
  const seed = utf8("secret-seed-secret-seed");
  const call = core.calls.request("newKeypair", { seed }, { operation: "newKeypair" });
  const { queryId } = await connection.expect("newKeypair");
  await core.session.close(true);
  const error = await reasonOf(call);
  const shown = `${error.message} ${error.stack ?? ""}`;
  assert.ok(!shown.includes("secret-seed") && !shown.includes(toHex(seed)));
  assert.equal(queryId?.length, 16);
});
