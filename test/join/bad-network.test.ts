/** What a joined daemon reports about invalid networks, files, clocks and packets. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ThinClient } from "katzenpost-thinclient";
import { DaemonConfig, JoinedDaemon, type JoinedDaemonState } from "katzenpost-thinclient/join";
import { randomBytes, utf8, utf8ToText } from "../../src/bytes/bytes.js";
import type { IdentityHash } from "../../src/bytes/opaque.js";
import { linkText } from "../../src/cli/link-state.js";
import { realClock } from "../../src/clock/real.js";
import { DEFAULT_EPOCH_MS, epochAt } from "../../src/pki/epoch.js";
import { encodePublicKeyPem } from "../../src/pki/pem.js";
import { temporaryFolder } from "../cli/katz.js";
import { type DocumentChange, authorities, signedDocument } from "../gateway/scripted-network.js";
import { clientToml, gateway } from "./joined-fixture.js";

/** Waits until the state of a joined daemon is as wanted, and returns the state. */
async function stateWhen(
  joined: JoinedDaemon,
  isWanted: (state: JoinedDaemonState) => boolean,
): Promise<JoinedDaemonState> {
  for (;;) {
    const state = joined.describe();
    if (isWanted(state)) return state;
    await realClock.sleep(20);
  }
}

const wrongDocuments: readonly [string, (epoch: number) => DocumentChange, RegExp][] = [
  [
    "that has expired",
    (epoch) => ({ expiration: epoch }),
    /^gateway1: .*expired in epoch (\d+), the current epoch is \1$/,
  ],
  [
    "from the future",
    (epoch) => ({ edit: (document) => document.set("Epoch", epoch + 2) }),
    /^gateway1: .*document of epoch \d+, wanted \d+/,
  ],
  [
    "for another geometry",
    () => ({ edit: (document) => document.set("SphinxGeometryHash", new Uint8Array(32)) }),
    /^gateway1: .*document of another Sphinx geometry$/,
  ],
  [
    "that too few authorities signed",
    () => ({ signers: 1 }),
    /^gateway1: .*1 of 3 authorities signed, 2 are needed/,
  ],
  [
    "without a layer of mixes",
    () => ({ edit: (document) => document.set("Topology", []) }),
    /^gateway1: .*[Tt]opology/,
  ],
];

test("a file with an authority's key of small order is refused: anybody can sign for it", () => {
  const pem = (key: Uint8Array): string => JSON.stringify(encodePublicKeyPem("Ed25519", key));
  const identity = new Uint8Array(32);
  identity[0] = 1;
  const toml = clientToml("tcp://127.0.0.1:1", (text) =>
    text.replace(pem(authorities[1]!.publicKey), pem(identity)),
  );
  assert.throws(() => DaemonConfig.parse(toml), {
    name: "ConfigError",
    message: /^config: \(text\): line \d+: VotingAuthority.Peers.IdentityPublicKey .*small order/,
  });
});

for (const [what, change, problem] of wrongDocuments) {
  test(`a document ${what} is not used, and its problem is reported while the link is up`, async () => {
    const { network, url, close } = await gateway();
    network.documents = (epoch) => signedDocument(epoch, change(epoch));
    const config = DaemonConfig.parse(clientToml(url));
    const joined = await JoinedDaemon.start({ config, listen: [] });
    const state = await stateWhen(joined, ({ link }) => link.documentProblem !== null);
    assert.match(state.link.documentProblem!, problem);
    assert.deepEqual([state.link.documents, state.link.sent], [[], 0]);
    const { epoch, documentProblem } = state.link;
    assert.ok(linkText(state).includes(`no document of epoch ${epoch} (${documentProblem})`));
    await joined.close();
    await close();
  });
}

/** A gateway whose clock and network are an hour ahead of ours. */
async function gatewayAhead() {
  const found = await gateway();
  const ahead = new Proxy(realClock, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (name === "now") return () => target.now() + 3_600_000;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const now = (): number => epochAt(ahead.now(), DEFAULT_EPOCH_MS).epoch;
  found.network.epochNow = now;
  found.network.documents = (epoch) =>
    epoch >= now() - 1 && epoch <= now() + 1 ? signedDocument(epoch) : null;
  Object.assign(found.network, { clock: ahead });
  return found;
}

test("the error names the measured skew of a clock that is an hour behind", async () => {
  const { network, url, close } = await gatewayAhead();
  const config = DaemonConfig.parse(clientToml(url));
  const joined = await JoinedDaemon.start({ config, listen: [] });
  const state = await stateWhen(joined, ({ link }) => link.documentProblem !== null);
  const { clockSkewMs, documentProblem, phase, lastError } = state.link;
  assert.ok(Math.abs(clockSkewMs! + 3_600_000) < 60_000, String(clockSkewMs));
  assert.equal(documentProblem, "gateway1 does not have it yet");
  assert.deepEqual([phase, lastError], ["connected", null]);
  assert.ok(
    linkText(state).includes(
      "clock -60 min of the gateway's: set it, or set EnableTimeSync = true under [Debug] in the file",
    ),
    linkText(state).join("\n"),
  );
  assert.deepEqual(network.failures, []);
  await joined.close();
  await close();
});

test("with EnableTimeSync a daemon whose clock is an hour behind works", async () => {
  const { network, url, close } = await gatewayAhead();
  const toml = clientToml(url, (text) => `${text}[Debug]\nEnableTimeSync = true\n`);
  const joined = await JoinedDaemon.start({ config: DaemonConfig.parse(toml) });
  const client = await ThinClient.connect(joined.config());
  await client.waitUntilOnline();
  const echo = client.getService("echo");
  const reply = await client.blockingSendMessage("in time", ...echo.toDestination());
  assert.match(utf8ToText(reply), /^in time/);
  assert.deepEqual(network.failures, []);
  await client.stop();
  await joined.close();
  await close();
});

test("a gateway whose link key does not match is reported, and sent nothing", async () => {
  const { network, url, close } = await gateway();
  const toml = clientToml(url, (text) => {
    const wrong = encodePublicKeyPem("XWING", randomBytes(1216));
    return text.replace(/LinkKey = "[^"]*"/, `LinkKey = ${JSON.stringify(wrong)}`);
  });
  const joined = await JoinedDaemon.start({ config: DaemonConfig.parse(toml), listen: [] });
  const { link } = await stateWhen(joined, ({ link: { lastError } }) => lastError !== null);
  assert.equal(
    link.lastError,
    "gateway1: its link key differs from the one in the file or the consensus",
  );
  assert.deepEqual([link.phase, link.sent, network.links.length], ["waiting", 0, 0]);
  await joined.close();
  await close();
});

test("the error for an unsupported scheme names its line and the supported schemes", async () => {
  const file = join(temporaryFolder(), "client.toml");
  const cases: readonly [(toml: string) => string, RegExp][] = [
    [
      (toml) => toml.replace('WireKEMScheme = "xwing"', 'WireKEMScheme = "sntrup4591761"'),
      /client\.toml: line 1: WireKEMScheme "sntrup4591761" is not a scheme .*\(it supports XWING,/i,
    ],
    [
      (toml) => toml.replaceAll('PKISignatureScheme = "Ed25519"', 'PKISignatureScheme = "Ed448"'),
      /client\.toml: line \d+: .*PKISignatureScheme "Ed448" is not a scheme .*\(it supports Ed25519,/,
    ],
    [(toml) => toml.replace('NIKEName = "x25519"', 'NIKEName = "x448"'), /x448/],
  ];
  for (const [change, message] of cases) {
    await writeFile(file, clientToml("tcp://127.0.0.1:1", change));
    await assert.rejects(JoinedDaemon.start({ config: file, listen: [] }), {
      name: "ConfigError",
      message,
    });
  }
});

test("a packet without a route or with too long a payload is refused, and the daemon continues", async () => {
  const { network, url, close } = await gateway();
  const config = DaemonConfig.parse(clientToml(url));
  const joined = await JoinedDaemon.start({ config });
  const client = await ThinClient.connect(joined.config());
  await client.waitUntilOnline();
  const [node, queue] = client.getService("echo").toDestination();
  const nowhere = randomBytes(32) as IdentityHash;
  await assert.rejects(
    client.blockingSendMessage("x", nowhere, queue),
    /failed to find destination service node/,
  );
  await assert.rejects(
    client.blockingSendMessage(new Uint8Array(2001), node, queue),
    /2000.*2001|2001.*2000/,
  );
  await assert.rejects(
    client.blockingSendMessage("x", node, new Uint8Array(33)),
    /1 to 32 bytes, got 33/,
  );
  const reply = await client.blockingSendMessage(utf8("still here"), node, queue);
  assert.match(utf8ToText(reply), /^still here/);
  assert.deepEqual(network.failures, []);
  await client.stop();
  await joined.close();
  await close();
});
