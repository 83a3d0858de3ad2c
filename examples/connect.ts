/** Ways to a daemon: a configuration file, an address, handlers, and waiting for the mixnet. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DevDaemon } from "katzenpost-thinclient/testing";

const folder = await mkdtemp(join(tmpdir(), "katz-connect-"));
const listen = ["tcp:127.0.0.1:0", `unix:${join(folder, "daemon.sock")}`];
await using daemon = await DevDaemon.start({ listen });
const address = daemon.config().dial.resolve().address;
const before = process.cwd();
process.chdir(folder);
await writeFile("thinclient.toml", `[Dial.Tcp]\nAddress = "${address}"\n`);

// #region file
import { Config, ThinClient } from "katzenpost-thinclient";

const client = await ThinClient.connect("thinclient.toml");
console.log(client.state, client.isConnected()); // ready true
await client.stop(); // the daemon forgets this client
// #endregion
assert.equal(client.state, "closed");

{
  const address = daemon.addresses[0]!;
  // #region address
  const client = await ThinClient.connect(address); // e.g. "tcp:127.0.0.1:64331"
  // #endregion
  assert.equal(client.state, "ready");
  await client.stop();
}

const socketPath = join(folder, "daemon.sock");
{
  // #region init
  const config = { dial: { unix: { address: socketPath } } }; // or tcp: { address: "HOST:PORT" }
  await using local = await ThinClient.connect(config); // stop() at the end of the block
  // #endregion
  assert.equal(local.state, "ready");
}

// #region handlers
const seen: boolean[] = [];
const config = await Config.load("thinclient.toml", {
  onConnectionStatus: (event) => {
    seen.push(event.isConnected);
  },
});
await using informed = new ThinClient(config); // no I/O yet
await informed.start(); // resolves after the whole handshake
// #endregion
assert.deepEqual(seen, [true]);

// #region online
await informed.waitUntilOnline({ timeoutMs: 60_000 });
const { epoch, serviceNodes } = informed.pkiDocument()!;
console.log(`epoch ${epoch}, ${serviceNodes.length} service nodes`);
console.log(`a message holds ${informed.geometry.userForwardPayloadLength} bytes`);
console.log(`a box holds ${informed.pigeonholeGeometry.maxPlaintextPayloadLength} bytes`);
// #endregion
assert.ok(serviceNodes.length > 0);
process.chdir(before);
await rm(folder, { recursive: true });
