import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { Config, type ConfigInit } from "../../src/config/config.js";
import type { ClientEvent, EventOf, EventType } from "../../src/config/events.js";
import { configHandlers } from "../../src/config/handlers.js";
import { DialConfig } from "../../src/transport/dial-config.js";

const toml = `[Dial.Unix]\nAddress = "@kp"\n`;
const dial = { tcp: { address: "localhost:64331" } };

test("a configuration is created from plain values, text or a file", async (t) => {
  const plain = new Config({ dial });
  assert.ok(plain.dial instanceof DialConfig);
  assert.deepEqual([plain.network, plain.address], ["tcp", "localhost:64331"]);
  assert.equal(plain.geometry, null);

  const parsed = Config.parse(toml);
  assert.deepEqual([parsed.network, parsed.address], ["unix", "@kp"]);

  const folder = mkdtempSync(join(tmpdir(), "katz-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "thinclient.toml");
  writeFileSync(path, `[Dial.Ws]\nAddress = "ws://localhost:8080"\nToken = "hunter2"\n`);
  const loaded = await Config.load(path);
  assert.deepEqual([loaded.network, loaded.address], ["ws", "ws://localhost:8080"]);
  assert.doesNotMatch(inspect(loaded, { depth: 9 }) + JSON.stringify(loaded), /hunter2/);
  assert.equal(Config.from(loaded), loaded);
  assert.deepEqual(Config.from({ dial }), plain);
});

test("handlers may be given at once or later", async () => {
  const onMessageReply = (event: EventOf<"messageReply">): number => event.payload.length;
  const config = new Config({ dial, onMessageReply: (event) => void onMessageReply(event) });
  assert.equal(typeof config.onMessageReply, "function");
  assert.equal(config.onMessageSent, undefined);
  config.onMessageSent = async () => {};
  assert.equal(typeof config.onMessageSent, "function");
  const onDaemonDisconnected = (): void => {};
  assert.equal(
    Config.parse(toml, { onDaemonDisconnected }).onDaemonDisconnected,
    onDaemonDisconnected,
  );
});

test("every handler has its event", () => {
  assert.deepEqual(configHandlers, {
    onConnectionStatus: "connectionStatus",
    onNewPkiDocument: "newPkiDocument",
    onMessageSent: "messageSent",
    onMessageReply: "messageReply",
    onDaemonDisconnected: "daemonDisconnected",
  });
  const names: EventType = "closed";
  const event: Extract<ClientEvent, { type: "closed" }> = {
    type: names,
    reason: "stopped",
    error: null,
  };
  assert.equal(event.type, "closed");
});

test("errors name unknown options and wrong handlers", async () => {
  const cases: [unknown, RegExp][] = [
    [
      { dial, onMessage: () => {} },
      /^Config: unknown option\(s\) \['onMessage'\]; expected some of/,
    ],
    [{ dial, geometry: null }, /unknown option\(s\) \['geometry'\]/],
    [
      { tcp: { address: "localhost:64331" } },
      /^Config: unknown option\(s\) \['tcp'\]; .* \(meant: \{ dial: \{ tcp: … \} \}\?\)$/,
    ],
    [{}, /^Config: `dial` is missing$/],
    [undefined, /^Config: must be an object, got undefined$/],
    ["thinclient.toml", /^Config: must be an object, got a string/],
    [{ dial: {} }, /^transport: no dial transport configured$/],
    [{ dial, onMessageSent: 7 }, /^Config: onMessageSent must be a function, got number$/],
    [{ dial, onMessageSent: {} }, /^Config: onMessageSent must be a function, got Object$/],
  ];
  for (const [init, message] of cases) {
    assert.throws(() => new Config(init as ConfigInit), { code: "ERR_CONFIG", message });
  }
  assert.equal(cases.length, 9);
  const wrong = { dial } as object;
  assert.throws(() => Config.parse(toml, wrong), { code: "ERR_CONFIG", message: /\['dial'\]/ });
  await assert.rejects(Config.load("/nowhere", wrong), { message: /^Config\.load: handlers: / });
  await assert.rejects(Config.load("/nowhere/x.toml"), {
    code: "ERR_CONFIG",
    message: /^config: \/nowhere\/x\.toml: file not found/,
  });
});
