import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ThinClient } from "katzenpost-thinclient";
import { DaemonConfig, JoinedDaemon } from "katzenpost-thinclient/join";
import { utf8ToText } from "../../src/bytes/bytes.js";
import { realClock } from "../../src/clock/real.js";
import { encodePublicKeyPem } from "../../src/pki/pem.js";
import { clientToml, gateway } from "./joined-fixture.js";

test("a daemon joins the network of a client.toml and serves thin clients", async () => {
  const { network, url, close } = await gateway();
  const folder = await mkdtemp(join(tmpdir(), "joined-"));
  const file = join(folder, "client.toml");
  await writeFile(file, clientToml(url));
  const faults: Error[] = [];
  const joined = await JoinedDaemon.start({ config: file, onFault: (error) => faults.push(error) });
  const client = await ThinClient.connect(joined.config());
  try {
    await client.waitUntilOnline();
    const echo = client.getService("echo");
    const reply = await client.blockingSendMessage("joined", ...echo.toDestination());
    assert.match(utf8ToText(reply), /^joined/);
    assert.equal(client.pigeonholeGeometry.nikeName, "CTIDH1024-X25519");
    const named = await client.getDirectoryAuthorities();
    assert.deepEqual(
      named.map(({ identifier }) => identifier),
      ["auth1", "auth2", "auth3"],
    );
    const { link, connections, waiting } = joined.describe();
    assert.equal(link.phase, "connected");
    assert.deepEqual([link.gateway, link.address], ["gateway1", url]);
    assert.deepEqual(link.documents[0]!.signers, ["auth1", "auth2", "auth3"]);
    assert.deepEqual([connections, waiting.packets], [1, 0]);
    assert.ok(link.sent >= 1 && link.replies >= 1);
    assert.deepEqual(network.failures, []);
    assert.deepEqual(faults, []);
  } finally {
    await client.stop();
    await joined.close();
    await close();
    await rm(folder, { recursive: true });
  }
});

test("the file's settings for decoys apply", async () => {
  const { network, url, close } = await gateway();
  const toml = clientToml(url, (text) => `${text}[Debug]\nDisableDecoyTraffic = true\n`);
  const joined = await JoinedDaemon.start({ config: DaemonConfig.parse(toml), listen: [] });
  while (joined.describe().link.documents.length === 0) await realClock.sleep(20);
  await realClock.sleep(3000);
  assert.equal(joined.describe().link.sent, 0);
  assert.deepEqual(network.failures, []);
  await joined.close();
  await joined.close();
  assert.equal(joined.describe().link.phase, "closed");
  await close();
});

test("a gateway whose keys do not match is reported, and sent nothing", async () => {
  const { url, close } = await gateway();
  const toml = clientToml(url, (text) => {
    const wrong = encodePublicKeyPem("Ed25519", new Uint8Array(32).fill(9));
    return text.replace(/IdentityKey = "[^"]*"/, `IdentityKey = ${JSON.stringify(wrong)}`);
  });
  const joined = await JoinedDaemon.start({ config: DaemonConfig.parse(toml), listen: [] });
  while (joined.describe().link.lastError === null) await realClock.sleep(20);
  const { lastError, phase, sent } = joined.describe().link;
  assert.match(lastError!, /gateway1/);
  assert.deepEqual([phase, sent], ["waiting", 0]);
  await joined.close();
  await close();
});

const url = "tcp://127.0.0.1:1";

test("a network that cannot be joined is refused before anything runs", async () => {
  const refused = (change: (toml: string) => string): Promise<unknown> =>
    JoinedDaemon.start({ config: DaemonConfig.parse(clientToml(url, change)), listen: [] });
  await assert.rejects(
    refused((text) =>
      text.replace(/\[\[PinnedGateways[^]*?\n(?=\[\[Voting)/, "[PinnedGateways]\n"),
    ),
    /pins no gateway: add one/,
  );
  await assert.rejects(
    refused((text) => text.slice(0, text.indexOf("[[VotingAuthority"))),
    /no directory authorities, so no consensus can be verified/,
  );
  await assert.rejects(
    refused((text) => text.replace('NIKEName = "x25519"', 'NIKEName = "x448"')),
    /this daemon cannot join that network: .*x448/i,
  );
});

test("wrong options are refused by name", async () => {
  const config = DaemonConfig.parse(clientToml(url));
  const start = (options: object) => JoinedDaemon.start({ config, listen: [], ...options });
  await assert.rejects(start({ mixing: "instant" }), /`options\.mixing` is not an option/);
  await assert.rejects(start({ epochMs: 10 }), /`options\.epochMs` must be .* got 10/);
  await assert.rejects(start({ epochMs: "2m" }), TypeError);
  await assert.rejects(start({ listen: "here" }), /here/);
  await assert.rejects(JoinedDaemon.start({ config: "/nowhere/client.toml" }), /file not found/);
});
