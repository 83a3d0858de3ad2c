import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { ConfigFile } from "../../src/config/config-file.js";
import { DialConfig } from "../../src/transport/dial-config.js";

const sample = `# thin client
[Dial.Tcp]
Address = "localhost:64331"
Network = "tcp"
`;

test("reads a file with one transport", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "katz-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "thinclient.toml");
  writeFileSync(path, sample);
  const file = await ConfigFile.load(path);
  assert.equal(String(file.dial.resolve()), "tcp:localhost:64331");
  writeFileSync(path, `\uFEFF${sample.replaceAll("\n", "\r\n")}`);
  assert.equal(String((await ConfigFile.load(path)).dial.resolve()), "tcp:localhost:64331");
});

test("reads every TOML spelling of one table", () => {
  for (const toml of [
    `[Dial.Unix]\nAddress = "@kp"`,
    `[Dial]\n[Dial.Unix]\nAddress = "@kp"`,
    `[Dial]\nUnix = { Address = '@kp' }`,
    `Dial.Unix.Address = "@kp"`,
    `Dial = { Unix = { Address = "@kp" } }`,
  ]) {
    assert.equal(String(ConfigFile.parse(toml).dial.resolve()), "unix:@kp");
  }
});

test("the error for a missing file says what to write into it", async () => {
  await assert.rejects(ConfigFile.load("/nowhere/x.toml"), (error: Error) => {
    assert.equal((error as { code?: string }).code, "ERR_CONFIG");
    assert.match(
      error.message,
      /^config: \/nowhere\/x\.toml: file not found; it needs two lines: /,
    );
    assert.equal((error.cause as { code?: string }).code, "ENOENT");
    return true;
  });
  await assert.rejects(ConfigFile.load(tmpdir()), {
    code: "ERR_CONFIG",
    message: `config: ${tmpdir()}: that is a directory, not a file (EISDIR)`,
  });
  await assert.rejects(ConfigFile.load(7 as unknown as string), {
    code: "ERR_CONFIG",
    message: "config: path must be a string, got number",
  });
});

test("errors name file, table and key", () => {
  const cases: [string, string | RegExp][] = [
    ["", /^missing required top-level key\(s\) \['Dial'\]; e\.g\. \[Dial\.Tcp\]/],
    ["Dial = 7", /^\[Dial\] must be a table containing exactly one of/],
    ["[Dial]", "[Dial]: transport: no dial transport configured"],
    ["[[Dial]]", /^\[Dial\] must be a table/],
    [
      `${sample}[Dial.Unix]\nAddress = "/x"`,
      "[Dial]: transport: exactly one dial transport must be configured",
    ],
    [
      `${sample}[Zoo]\n[Apple]`,
      "unknown top-level key(s) ['Apple', 'Zoo']; expected exactly ['Dial']",
    ],
    [
      `${sample}[SphinxGeometry]\nPacketLength = 3082`,
      "unknown top-level key(s) ['SphinxGeometry']; expected exactly ['Dial']; " +
        "delete the geometry: the daemon sends it",
    ],
    [
      `Network = "tcp"\nAddress = "localhost:64331"`,
      "unknown top-level key(s) ['Address', 'Network']; expected exactly ['Dial']; the address " +
        `belongs in a table: [Dial.Tcp] with Address = "localhost:64331"`,
    ],
    [
      `PKISignatureScheme = "Ed25519"\n[Listen.Tcp]\nAddress = "a:1"\n[SphinxGeometry]\nNrHops = 5`,
      /; this is the configuration of the daemon itself: a client needs another file, thinclient\.toml/,
    ],
    [`[dial.Tcp]\nAddress = "a:1"`, /^unknown top-level key\(s\) \['dial'\]/],
    [`[Dial.Pipe]\nAddress = "a"`, /^\[Dial\]: unknown subtable\(s\) \['Pipe'\] under \[Dial\]/],
    [`[Dial.Tcp]`, "[Dial.Tcp] missing required key 'Address'"],
    [`[Dial.Tcp]\nAddress = 64331`, "[Dial.Tcp] key 'Address' must be a string, got number"],
    [`[Dial.Tcp]\nAddress = 9223372036854775807`, /key 'Address' must be a string, got bigint$/],
    [`[Dial.Tcp]\nAddress = 1979-05-27`, /key 'Address' must be a string, got TomlDate$/],
    [
      `[Dial.Tcp]\nAddress = "a:1"\nNetwork = "udp"`,
      /Network "udp" is not one of tcp, tcp4, tcp6$/,
    ],
    [`[Dial.Tcp]\nAddress = "a:1"\n__proto__ = 1`, /unknown key\(s\) \['__proto__'\]/],
  ];
  for (const [toml, message] of cases) {
    assert.throws(
      () => ConfigFile.parse(toml, "my.toml"),
      (error: Error) => {
        assert.equal((error as { code?: string }).code, "ERR_CONFIG");
        assert.ok(error.message.startsWith("config: my.toml: "), error.message);
        const rest = error.message.slice("config: my.toml: ".length);
        if (typeof message === "string") assert.equal(rest, message);
        else assert.match(rest, message);
        return true;
      },
    );
  }
  assert.equal(cases.length, 17);
});

test("TOML errors name line and column, and do not repeat the text", () => {
  const toml = `[Dial.Ws]\nAddress = "ws://a:1"\nToken = "hunter2" "hunter2"\n`;
  assert.throws(
    () => ConfigFile.parse(toml, "my.toml"),
    (error: Error) => {
      assert.match(
        error.message,
        /^config: my\.toml: TOML parse error: .* \(line 3, column \d+\)$/,
      );
      assert.doesNotMatch(inspect(error), /hunter2/);
      return true;
    },
  );
  assert.throws(() => ConfigFile.parse('[Dial.Tcp]\nAddress = "a:1"\nAddress = "b:1"'), {
    message: /^config: \(text\): TOML parse error: .* \(line 3, column 1\d?\)$/,
  });
  assert.throws(() => ConfigFile.parse(7 as unknown as string), {
    code: "ERR_CONFIG",
    message: "config: (text): TOML text must be a string, got number",
  });
});

test("a handwritten file needs exactly one transport too", () => {
  assert.throws(() => new ConfigFile(new DialConfig()), { code: "ERR_CONFIG" });
});
