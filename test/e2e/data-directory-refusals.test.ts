/**
 * Data directories with other parameters than requested, with access for other users, or of an
 * older version.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { crc32 } from "node:zlib";
import {
  ConfigError,
  type MessageBoxIndex,
  type ReadCap,
  ThinClient,
  utf8ToText,
} from "katzenpost-thinclient";
import { DevDaemon, type DevDaemonOptions } from "katzenpost-thinclient/testing";
import { levelPlaceIn } from "../../src/platform/node-level.js";
import { RecordStore } from "../../src/store/record-store.js";

describe("a data directory", () => {
  let root: string;
  let path: string;
  let folders = 0;
  const told: string[] = [];

  before(() => {
    root = mkdtempSync(join(tmpdir(), "katz-refusals-"));
  });
  after(() => rmSync(root, { recursive: true }));
  beforeEach(() => {
    path = join(root, `data${folders++}`);
    told.length = 0;
  });
  afterEach(() => assert.deepEqual(told, []));

  const start = (options: DevDaemonOptions = {}): Promise<DevDaemon> =>
    DevDaemon.start({
      dataDirectory: path,
      onFault: ({ message }) => told.push(message),
      ...options,
    });

  async function refuses(options: DevDaemonOptions, message: RegExp): Promise<void> {
    await assert.rejects(start(options), (error: unknown) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }

  it("is refused if it is a file", async () => {
    writeFileSync(path, "");
    await refuses({}, /^data directory .* is not a folder: use another path$/);
    assert.equal(readFileSync(path, "utf8"), "");
  });

  it("keeps its network: omitted options stay as they were, other values are refused", async () => {
    await (await start({ replicas: 3, couriers: 2, epochMs: 60_000 })).close();
    await refuses(
      { replicas: 5 },
      /was created with replicas 3, but 5 is requested.*Omit the option/,
    );
    await refuses({ couriers: 1 }, /was created with couriers 2/);
    await refuses({ epochMs: 1_200_000 }, /was created with epochMs 60000/);
    await refuses({ nike: "CTIDH1024-X25519" }, /was created with nike x25519/);
    await refuses({ userForwardPayloadLength: 3000 }, /userForwardPayloadLength 1872/);
    for (const options of [{}, { replicas: 3, couriers: 2, epochMs: 60_000 }]) {
      await using daemon = await start(options);
      assert.equal(daemon.storage.replicas.length, 3);
      assert.equal(daemon.storage.couriers.length, 2);
      assert.equal(daemon.network.epoch().periodMs, 60_000);
    }
  });

  it("is refused when other users can access it", async () => {
    if (process.platform === "win32") return;
    for (const mode of [0o777, 0o755, 0o710]) {
      mkdirSync(path, { recursive: true });
      chmodSync(path, mode);
      await refuses({}, /others can read the keys in it: make it private \(chmod 700\)/);
      assert.deepEqual(readdirSync(path), [], "nothing was put there");
    }
    chmodSync(path, 0o700);
    await (await start()).close();
  });

  it("is never written through a link that somebody put there", async () => {
    const target = join(root, "target");
    writeFileSync(target, "somebody's");
    mkdirSync(path, { mode: 0o700 });
    for (const name of ["seed.new", "born.new", "current.new"]) {
      symlinkSync(target, join(path, name));
    }
    await (await start()).close();
    assert.equal(readFileSync(target, "utf8"), "somebody's");
    symlinkSync(target, join(path, "level-9.new"));
    rmSync(join(path, "mark"));
    symlinkSync(target, join(path, "mark"));
    await assert.rejects(start());
    assert.equal(readFileSync(target, "utf8"), "somebody's");
  });

  it("is refused without its seed, because nothing in it could be read", async () => {
    await (await start()).close();
    rmSync(join(path, "seed"));
    await refuses({}, /seed is missing, and without it nothing in its directory can be read/);
  });

  it("is not opened with invalid options", async () => {
    for (const wrong of [
      { epochMs: 1 },
      { mixesPerLayer: 0 },
      { couriers: 101 },
      { mu: Number.NaN },
      { userForwardPayloadLength: 0 },
      { userForwardPayloadLength: 100 },
      { listen: ["tcp:127.0.0.1:0", "nonsense://"] },
      { listen: "tcp:0.0.0.0:0" },
      { listen: "wss://127.0.0.1:0" },
      { listen: "ws://127.0.0.1:0", allowedOrigins: ["http://localhost:1"] },
      { listen: "ws://127.0.0.1:0", allowedOrigins: ["localhost"], token: "t" },
      { listen: `unix:/${"x".repeat(300)}` },
      { gateway: "unix:/x" },
      { gateway: "tcp:0.0.0.0:0", allowRemote: true },
      { gateway: "tcp:192.0.2.1:0" },
    ] satisfies DevDaemonOptions[]) {
      await assert.rejects(start(wrong));
      assert.equal(existsSync(path), false, JSON.stringify(wrong));
    }
  });

  it("closes while boxes are replicated, again and again", async () => {
    {
      await using daemon = await start({ listen: "tcp:127.0.0.1:0" });
      await using client = await ThinClient.connect(daemon.config());
      const { writeCap, firstMessageIndex } = await client.newKeypair(new Uint8Array(32).fill(1));
      let index = firstMessageIndex;
      for (let i = 0; i < 30; i++) {
        ({ nextMessageBoxIndex: index } = await client.write(writeCap, index, `${i}`));
      }
    }
    for (let turns = 0; turns < 12; turns++) {
      const daemon = await start();
      for (let turn = 0; turn < turns; turn++) await new Promise((go) => setImmediate(go));
      await daemon.close();
    }
  });

  it("of an older version is taken over, whatever is damaged in its files", async () => {
    const made = await makeOld(path);
    for (const [box, index] of made.indices.entries()) {
      await using daemon = await start({ listen: "tcp:127.0.0.1:0" });
      await using client = await ThinClient.connect(daemon.config());
      const { plaintext } = await client.read(made.readCap, index);
      assert.equal(utf8ToText(plaintext), `box ${box}`);
      assert.ok(!existsSync(join(path, "replica-0.boxes")));
      assert.equal(existsSync(join(path, "moved", "replica-0.boxes")), box === 0);
    }
    assert.equal(told.length, 5, told.join("; "));
    for (const line of told.splice(0)) assert.match(line, /damaged: 108 bytes of replica-\d.boxes/);
  });

  it("of an older version is refused while its older daemon may run", async () => {
    mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(path, "replica-0.boxes"), "");
    writeFileSync(join(path, "lock"), `${process.ppid}\n`);
    await refuses({}, new RegExp(`older katz daemon, process ${process.ppid}: stop it`));
  });
});

/** A record in an old file: length, CRC-32 of length and record, record. */
function oldRecord(record: Uint8Array): Uint8Array {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(record.length);
  header.writeUInt32BE(crc32(record, crc32(header.subarray(0, 4))), 4);
  return Buffer.concat([header, record]);
}

/** A directory from before the database, with three boxes and some damage. */
async function makeOld(
  path: string,
): Promise<{ readonly readCap: ReadCap; readonly indices: MessageBoxIndex[] }> {
  const source = `${path}-source`;
  const indices: MessageBoxIndex[] = [];
  let readCap: ReadCap;
  {
    await using daemon = await DevDaemon.start({
      dataDirectory: source,
      listen: "tcp:127.0.0.1:0",
    });
    await using client = await ThinClient.connect(daemon.config());
    const made = await client.newKeypair(new Uint8Array(32).fill(7));
    ({ readCap } = made);
    let index = made.firstMessageIndex;
    for (let box = 0; box < 3; box++) {
      indices.push(index);
      const options = { ifExists: "error" } as const;
      const written = await client.write(made.writeCap, index, `box ${box}`, options);
      index = written.nextMessageBoxIndex;
    }
  }
  mkdirSync(path, { mode: 0o700 });
  for (const name of ["seed", "born"]) copyFileSync(join(source, name), join(path, name));
  // A process that has ended.
  writeFileSync(join(path, "lock"), "999999999\n");
  const store = await RecordStore.open(await levelPlaceIn(source, "the source"));
  for (let replica = 0; replica < 5; replica++) {
    // Simulates a record with a damaged length.
    const frames: Uint8Array[] = [Buffer.alloc(108, 0xff)];
    for (const group of store.groups(`replica ${replica} week `)) {
      const epoch = Buffer.alloc(8);
      epoch.writeBigUInt64BE(BigInt(group.split(" ").at(-1)!));
      for await (const { body } of store.records(group)) {
        frames.push(oldRecord(Buffer.concat([epoch, body])));
      }
    }
    writeFileSync(join(path, `replica-${replica}.boxes`), Buffer.concat(frames));
  }
  for (const courier of [0, 1, 2]) writeFileSync(join(path, `courier-${courier}.log`), "");
  await store.close();
  return { readCap, indices };
}

describe("a daemon that is closed while it is restarted", () => {
  it("no longer listens", async () => {
    for (let turns = 0; turns < 8; turns++) {
      const daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
      const { dial } = daemon.config();
      const restarting = daemon.restart().then(
        () => "restarted",
        (error: unknown) => (error as { code?: string }).code,
      );
      for (let turn = 0; turn < turns; turn++) await new Promise((go) => setImmediate(go));
      await daemon.close();
      assert.match(String(await restarting), /^(restarted|ERR_INVALID_STATE)$/);
      assert.equal(daemon.isRunning, false);
      await assert.rejects(ThinClient.connect({ dial }), { code: "ERR_CONNECT" });
    }
  });
});
