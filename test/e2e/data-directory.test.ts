/** A data directory after its process ended or was killed, and with a second process. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ConfigError, ThinClient, utf8ToText } from "katzenpost-thinclient";
import { DevDaemon, type DevDaemonOptions } from "katzenpost-thinclient/testing";
import { VirtualClock } from "katzenpost-thinclient/testing";

const child = fileURLToPath(new URL("./data-directory-child.js", import.meta.url));

describe("a data directory", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "katz-data-"));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  const start = (): Promise<DevDaemon> =>
    DevDaemon.start({ listen: "tcp:127.0.0.1:0", dataDirectory: join(folder, "data") });

  it("keeps the network and its boxes after an orderly end", async () => {
    const keys = await (async () => {
      await using daemon = await start();
      await using client = await ThinClient.connect(daemon.config());
      const made = await client.newKeypair(new Uint8Array(32).fill(1));
      await client.write(made.writeCap, made.firstMessageIndex, "kept", { ifExists: "error" });
      const document = await client.getPkiDocumentRaw();
      return { ...made, document };
    })();
    await using daemon = await start();
    await using client = await ThinClient.connect(daemon.config());
    const again = await client.getPkiDocumentRaw(keys.document.epoch);
    assert.deepEqual(
      again.payload,
      keys.document.payload,
      "one document per epoch, always the same",
    );
    const { plaintext } = await client.read(keys.readCap, keys.firstMessageIndex);
    assert.equal(utf8ToText(plaintext), "kept");
  });

  it("keeps every acknowledged write over kill -9", async () => {
    const child1 = await startChild(join(folder, "data"));
    const keys = await (async () => {
      await using client = await ThinClient.connect({ dial: { tcp: { address: child1.address } } });
      const made = await client.newKeypair(new Uint8Array(32).fill(2));
      let index = made.firstMessageIndex;
      for (let i = 0; i < 5; i++) {
        // The test waits only for the courier's acknowledgement.
        const written = await client.write(made.writeCap, index, `box ${i}`);
        index = written.nextMessageBoxIndex;
      }
      child1.process.kill("SIGKILL");
      return made;
    })();
    await child1.exited;
    await using daemon = await start();
    await using client = await ThinClient.connect(daemon.config());
    let index = keys.firstMessageIndex;
    for (let i = 0; i < 5; i++) {
      const read = await client.read(keys.readCap, index);
      assert.equal(utf8ToText(read.plaintext), `box ${i}`);
      index = read.nextMessageBoxIndex;
    }
  });

  it("never seals with the same keys and nonces again, however often it is started", async () => {
    const seal = async (options: DevDaemonOptions) => {
      const clock = new VirtualClock();
      await using daemon = await DevDaemon.start({ ...options, clock, seed: "again" });
      const client = new ThinClient(
        { dial: { unix: { address: "@memory" } } },
        { dial: daemon.dial, clock },
      );
      await clock.runUntil(client.start());
      const keys = await clock.runUntil(client.newKeypair(new Uint8Array(32).fill(3)));
      const sealed = await clock.runUntil(
        client.encryptWrite(Uint8Array.of(1, 2, 3), keys.writeCap, keys.firstMessageIndex),
      );
      await clock.runUntil(client.stop());
      return sealed;
    };
    const forgetful = [await seal({}), await seal({})] as const;
    assert.deepEqual(forgetful[0], forgetful[1], "without a directory one seed gives one network");
    const dataDirectory = join(folder, "data");
    const [first, second] = [await seal({ dataDirectory }), await seal({ dataDirectory })];
    for (const name of ["envelopeHash", "envelopeDescriptor", "messageCiphertext"] as const) {
      assert.notDeepEqual(first[name], second[name], name);
      assert.notDeepEqual(first[name], forgetful[0][name], name);
    }
  });

  it("belongs to one daemon at a time", async () => {
    await using first = await start();
    assert.ok(first.isRunning);
    await assert.rejects(start(), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.match(
        error.message,
        /is in use, by another process or elsewhere in this one: stop that use/,
      );
      return true;
    });
  });

  it("creates its parent folders, and names what is in the way", async () => {
    const deep = join(folder, "a", "b", "c");
    await (await DevDaemon.start({ dataDirectory: deep })).close();
    assert.ok((await stat(deep)).isDirectory());
    await writeFile(join(folder, "file"), "");
    for (const path of [join(folder, "file"), join(folder, "file", "x"), "/proc/nowhere"]) {
      await assert.rejects(
        DevDaemon.start({ dataDirectory: path }),
        (error: unknown) => error instanceof ConfigError && error.message.includes(path),
      );
    }
  });

  it("is readable only by its owner, and refuses a malformed seed", async () => {
    await (await start()).close();
    const seed = join(folder, "data", "seed");
    assert.equal((await stat(seed)).mode & 0o777, 0o600);
    assert.equal((await stat(join(folder, "data"))).mode & 0o777, 0o700);
    assert.equal((await readFile(seed)).length, 32);
    await writeFile(seed, "short");
    await assert.rejects(start(), /seed must be 32 bytes, got 5/);
  });
});

/** A separate process with the daemon, to be killed. */
async function startChild(
  data: string,
): Promise<{ address: string; process: ChildProcess; exited: Promise<unknown> }> {
  const process = spawn(globalThis.process.execPath, [child, data], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => process.once("exit", resolve));
  const address = await new Promise<string>((resolve, reject) => {
    process.stdout!.once("data", (line: Buffer) => resolve(String(line).trim()));
    process.once("exit", () => reject(new Error("the child ended")));
  });
  return { address, process, exited };
}
