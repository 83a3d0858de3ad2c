/** Objects of another copy of the package, and bytes of another realm, work like ours. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import * as ours from "../../../src/index.js";
import * as ourJoin from "../../../src/join/index.js";
import { DevDaemon } from "../../../src/testing/index.js";
import { clientToml } from "../../join/joined-fixture.js";
import { PackedProject, manifest } from "./packed-package.js";

let project: PackedProject;
let theirs: typeof ours;
let theirJoin: typeof ourJoin;
before(async () => {
  project = new PackedProject();
  const source = join(project.folder, "node_modules", manifest().name, "dist/src");
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(source, path)).href);
  theirs = (await load("index.js")) as typeof ours;
  theirJoin = (await load("join/index.js")) as typeof ourJoin;
  assert.notEqual(theirs.Config, ours.Config);
});
after(() => project[Symbol.dispose]());

test("configurations, documents and errors of another copy are accepted", async () => {
  const daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
  const config = new theirs.Config(daemon.config());
  const client = await ours.ThinClient.connect(config);
  try {
    assert.ok(config.geometry, "the other copy's own object is used");
    const document = client.pkiDocument();
    assert.ok(document);
    assert.equal(theirs.prettyPrintPkiDoc(document as never), ours.prettyPrintPkiDoc(document));
    const { readCap, firstMessageIndex } = await client.newKeypair(ours.randomBytes(32));
    const nothing = await client
      .read(readCap, firstMessageIndex, { wait: false })
      .catch((error: unknown) => error);
    assert.ok(theirs.isExpectedOutcome(nothing));
    assert.ok(theirs.ThinClientError.is(nothing, "REPLICA_ERROR_BOX_ID_NOT_FOUND"));
  } finally {
    await client.stop();
    await daemon.close();
  }
});

test("a daemon configuration of another copy is accepted", async () => {
  const config = theirJoin.DaemonConfig.parse(clientToml("tcp://127.0.0.1:1"));
  const joined = await ourJoin.JoinedDaemon.start({ config, listen: [] });
  await joined.close();
});

test("byte arrays of another realm are accepted, and lookalikes are refused", async () => {
  const foreign = (length: number, fill: number): Uint8Array =>
    vm.runInNewContext(`new Uint8Array(${length}).fill(${fill})`) as Uint8Array;
  assert.ok(!(foreign(1, 0) instanceof Uint8Array));
  const daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0", seed: foreign(32, 1) });
  const client = await ours.ThinClient.connect(daemon.config());
  try {
    const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(
      foreign(32, 7) as never,
    );
    await client.write(writeCap, firstMessageIndex, foreign(5, 65));
    const { plaintext, nextMessageBoxIndex } = await client.read(readCap, firstMessageIndex);
    assert.equal(ours.utf8ToText(plaintext), "AAAAA");
    await client.copy(foreign(9, 66), [{ writeCap, startIndex: nextMessageBoxIndex }]);
    const echo = client.getService("echo");
    const reply = await client.blockingSendMessage(foreign(3, 67), ...echo.toDestination());
    assert.equal(ours.utf8ToText(reply.subarray(0, 3)), "CCC");
    for (const wrong of [
      new Uint16Array(32),
      { length: 32 },
      Object.create(Uint8Array.prototype),
    ]) {
      await assert.rejects(client.newKeypair(wrong as never), /must be/);
    }
  } finally {
    await client.stop();
    await daemon.close();
  }
});
