import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { DaemonConfig } from "../../src/config/daemon-config.js";
import { ConfigError } from "../../src/errors/errors.js";
import { loadVectors } from "../reference/load-vectors.js";

interface Case {
  readonly name: string;
  readonly toml: string;
  readonly error: string | null;
  // oxlint-disable-next-line typescript/no-explicit-any -- as the reference printed it
  readonly parsed: any;
}

const cases: readonly Case[] = loadVectors("mixnet-client-config").cases;

function listenOf(parsed: Case["parsed"]): string {
  if (parsed.ListenUnix) return `unix:${parsed.ListenUnix.Address}`;
  return `${parsed.ListenTcp.Network || "tcp"}:${parsed.ListenTcp.Address}`;
}

test("there are 32 cases", () => assert.equal(cases.length, 32));

for (const { name, toml, error, parsed } of cases.filter((one) => one.error === null)) {
  test(`accepts ${name}`, () => {
    assert.equal(error, null);
    const { settings } = DaemonConfig.parse(toml, "client.toml");
    assert.equal(settings.listen, listenOf(parsed));
    assert.equal(settings.wireKemScheme.toLowerCase(), parsed.WireKEMScheme.toLowerCase());
    assert.deepEqual(settings.geometry.toWire(), parsed.SphinxGeometry);
    assert.equal(settings.allowHostnameAddresses, parsed.AllowHostnameAddresses);
    assert.deepEqual(settings.preferredTransports, parsed.PreferedTransports);
    assert.equal(settings.sessionGraceMs, parsed.SessionGracePeriodMs || 600_000);
    assert.equal(settings.decoys, !parsed.Debug.DisableDecoyTraffic);
    assert.equal(settings.timeSync, parsed.Debug.EnableTimeSync);
    assert.equal(settings.logLevel, parsed.Logging.Level);
    const gateways = settings.gateways.map((one) => ({
      Addresses: one.urls,
      IdentityKey: toHex(one.identityKey),
      LinkKey: toHex(one.linkKey),
      Name: one.name,
    }));
    assert.deepEqual(gateways, parsed.Gateways);
    const authorities = settings.authorities.map((one) => ({
      Addresses: one.urls,
      Identifier: one.identifier,
      IdentityPublicKey: toHex(one.identityKey),
      LinkPublicKey: toHex(one.linkKey!),
      PKISignatureScheme: one.pkiSignatureScheme,
      WireKEMScheme: one.wireKemScheme,
    }));
    assert.deepEqual(authorities, parsed.Authorities);
  });
}

/** The line that a refusal names, identified by its text; null if there is no such line. */
const lines: Readonly<Record<string, RegExp | null>> = {
  "geometry too small for Pigeonhole": /^\[SphinxGeometry\]/,
  "no UpstreamProxy table": null,
  "unknown WireKEMScheme": /^WireKEMScheme/,
  "no Listen": null,
  "empty Listen": /^\[Listen\]/,
  "two Listen transports": /Listen\.Unix/,
  "no PinnedGateways": null,
  "no SphinxGeometry": null,
  "SphinxGeometry without a scheme": /^\[SphinxGeometry\]/,
  "PigeonholeGeometry table present": /PigeonholeGeometry/,
  "host name in listen address": /Address = "localhost/,
  "host name in gateway address": /tcp:\/\/gateway1/,
  "host name in authority address": /tcp:\/\/auth1/,
  "websocket gateway address": /ws:\/\//,
  "gateway with no addresses": /Addresses = \[\]/,
  "gateway identity key of the wrong PEM type": /IdentityKey = "-----BEGIN XWING/,
  "bad log level": /LOUD/,
  "bad SessionGracePeriod": /SessionGracePeriod/,
  "unknown proxy type": /magic/,
  "bad metrics address": /MetricsAddress/,
  "syntax error": /^WireKEMScheme = $/,
};

for (const { name, toml } of cases.filter((one) => one.error !== null)) {
  test(`refuses with the line number: ${name}`, () => {
    const wanted = lines[name];
    assert.ok(wanted !== undefined, "this test does not know the case");
    const refused = (): unknown => DaemonConfig.parse(toml, "client.toml");
    assert.throws(refused, (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      const [, line] = /^config: client\.toml: (?:line (\d+)(?:, column \d+)?: )?/.exec(
        error.message,
      )!;
      if (wanted === null) assert.equal(line, undefined, error.message);
      else assert.match(toml.split("\n")[Number(line) - 1]!, wanted, error.message);
      // No key from the file may appear in a message.
      assert.ok(!/[A-Za-z0-9+/]{40}/.test(error.message));
      assert.ok(error.message.length < 500);
      return true;
    });
  });
}

const complete = cases[0]!.toml;

/** The complete file with one change. */
function changed(from: string | RegExp, to: string): string {
  const text = complete.replace(from, to);
  assert.notEqual(text, complete);
  return text;
}

test("ignored keys are reported with their line, and keys match in any case", () => {
  const text = `${complete}\n[Debug]\n  disabledecoytraffic = true\n  CaseSensitive = 1\n[Other]\n`;
  const { settings, ignored } = DaemonConfig.parse(text);
  assert.equal(settings.decoys, false);
  const at = text.split("\n").findIndex((line) => line.includes("CaseSensitive")) + 1;
  assert.deepEqual(ignored, [`Debug.CaseSensitive (line ${at})`, `Other (line ${at + 1})`]);
});

const refusals: readonly (readonly [name: string, toml: () => string, message: RegExp])[] = [
  [
    "a KEM that the network may have and we do not",
    () => changed('WireKEMScheme = "xwing"', 'WireKEMScheme = "MLKEM768-X448"'),
    /line 2: WireKEMScheme "MLKEM768-X448" is not a scheme that this daemon supports \(it supports .*Kyber768-X25519.*\).*kpclientd/,
  ],
  [
    "a signature scheme that we do not have",
    () =>
      changed(
        /PKISignatureScheme = "Ed25519"\n {4}Addresses/,
        'PKISignatureScheme = "Ed448"\n    Addresses',
      ),
    /PinnedGateways\.Gateways\.PKISignatureScheme "Ed448" .*it supports Ed25519, Ed25519 Sphincs\+/,
  ],
  [
    "a gateway with another KEM than the file's",
    () =>
      changed('    WireKEMScheme = "xwing"\n    Name', '    WireKEMScheme = "x25519"\n    Name'),
    /gateway "gateway1" has the WireKEMScheme "x25519", but the file has "X?x?wing"/i,
  ],
  [
    "a link key of the wrong length",
    () =>
      changed(
        /LinkKey = "-----BEGIN XWING PUBLIC KEY-----\\n[^\\]+/,
        'LinkKey = "-----BEGIN XWING PUBLIC KEY-----',
      ),
    /LinkKey must hold 1216 bytes of xwing, got 1168/,
  ],
  [
    "a key that occurs twice in different case",
    () => `wirekemscheme = "xwing"\n${complete}`,
    /WireKEMScheme appears twice/,
  ],
  [
    "a value of another type",
    () => changed("NrHops = 5", 'NrHops = "5"'),
    /SphinxGeometry\.NrHops must be an integer, got a string of 1 characters/,
  ],
  ["a negative length", () => changed("NrHops = 5", "NrHops = -5"), /NrHops must not be negative/],
  [
    "a gateway without a name",
    () => changed('    Name = "gateway1"\n', ""),
    /line \d+: PinnedGateways\.Gateways\.Name is missing/,
  ],
  [
    "a password without a user name, which no error repeats",
    () =>
      changed(
        'Type = "none"',
        'Type = "socks5"\nNetwork = "tcp"\nAddress = "127.0.0.1:9050"\nPassword = "hunter2"',
      ),
    /User and Password must both be set/,
  ],
  [
    "credentials with Tor",
    () =>
      changed(
        'Type = "none"',
        'Type = "tor+socks5"\nNetwork = "tcp"\nAddress = "127.0.0.1:9050"\nUser = "me"\nPassword = "hunter2"',
      ),
    /must not be set with tor\+socks5/,
  ],
  [
    "a relative log file",
    () => `${complete}\n[Logging]\nFile = "daemon.log"\n`,
    /Logging\.File must be an absolute path/,
  ],
  [
    "an address without a port",
    () => changed("127.0.0.1:64331", "127.0.0.1"),
    /Listen\.Tcp\.Address: .* has no port/,
  ],
  [
    "another listener's network",
    () => changed('Network = "tcp"', 'Network = "udp"'),
    /Network must be tcp, tcp4 or tcp6/,
  ],
];

for (const [name, toml, message] of refusals) {
  test(`refuses ${name}`, () => {
    assert.throws(
      () => DaemonConfig.parse(toml()),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, message);
        assert.ok(!error.message.includes("hunter2"));
        return true;
      },
    );
  });
}

test("reads durations in Go's notation", () => {
  const grace = (text: string): number =>
    DaemonConfig.parse(`SessionGracePeriod = "${text}"\n${complete}`).settings.sessionGraceMs;
  const wanted: [string, number][] = [
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["250ms", 250],
    ["0", 600_000],
    ["0s", 600_000],
  ];
  for (const [text, ms] of wanted) assert.equal(grace(text), ms, text);
  for (const text of ["", "5", "1d", "-5s", "1m junk"])
    assert.throws(() => grace(text), ConfigError);
});

test("the error for a missing file says where such files come from", async () => {
  await assert.rejects(
    DaemonConfig.load("/nowhere/client.toml"),
    /file not found; ask the network/,
  );
  await assert.rejects(DaemonConfig.load(5 as unknown as string), ConfigError);
});

test("accepts a SOCKS5 proxy with credentials, a Unix socket, and host names", () => {
  const proxied = (lines: string): unknown =>
    DaemonConfig.parse(changed('Type = "none"', lines)).settings.proxy;
  assert.deepEqual(
    proxied(
      'Type = "socks5"\nNetwork = "unix"\nAddress = "/run/proxy"\nUser = "u"\nPassword = "p"',
    ),
    {
      type: "socks5",
      network: "unix",
      address: "/run/proxy",
      credentials: { user: "u", password: "p" },
    },
  );
});
