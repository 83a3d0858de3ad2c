/** The daemon that a command uses by default: never one of another user. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { type Server, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DialConfig } from "katzenpost-thinclient";
import { usualAddresses } from "../../src/cli/commands/daemon/daemon.js";
import { connect, firstThatAnswers } from "../../src/cli/connect.js";
import {
  type DaemonPlace,
  NoDaemonError,
  StrangerError,
  daemonPlaces,
} from "../../src/cli/find-daemon.js";
import { ownerOf } from "../../src/cli/listener-owner.js";
import { DevDaemon } from "../../src/testing/index.js";
import { emptyEnvironment } from "./katz.js";

const NOBODY = 65534;
const call = { signal: new AbortController().signal };
const linuxOnly = { skip: process.platform !== "linux" && "not run: only Linux shows the owner" };
/** Only root can start a process of another user. */
const rootOnly = {
  skip: (process.platform !== "linux" || process.getuid!() !== 0) && "not run: needs root",
};

const folder = realpathSync(mkdtempSync(join(tmpdir(), "katz-owner-")));
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true, force: true }));

function usual(address: string): DaemonPlace {
  return { source: "the usual place", dial: DialConfig.parse(address), address, isTold: false };
}

/** Listens as another user; returns the port. */
async function squatter(what: string, uid = NOBODY): Promise<[ChildProcess, string]> {
  const script =
    `const server = require("node:net").createServer((s) => s.end("squatted"));` +
    `server.listen(${what}, () => console.log(server.address().port ?? "path"));`;
  const child = spawn(process.execPath, ["-e", script], { uid, gid: uid, cwd: "/" });
  after(() => child.kill("SIGKILL"));
  const ended = once(child, "exit").then(() => assert.fail("the other user's program ended"));
  ended.catch(() => {});
  const [line] = (await Promise.race([once(child.stdout, "data"), ended])) as [Buffer];
  return [child, line.toString().trim()];
}

/** Listens in this process. */
async function own(where: object): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(where);
  after(() => server.close());
  await once(server, "listening");
  return server;
}

const portOf = (server: Server): number => (server.address() as { port: number }).port;
const kind = (address: string): string => ownerOf(DialConfig.parse(address)).kind;

test("trusts a port of a program of this user, whichever way it listens", linuxOnly, async () => {
  for (const host of ["127.0.0.1", "0.0.0.0", "::"]) {
    const server = await own({ host, port: 0 });
    assert.equal(kind(`tcp:127.0.0.1:${portOf(server)}`), "trusted", host);
  }
  assert.equal(kind("tcp:127.0.0.1:1"), "unknown", "nobody listens");
  assert.equal(kind("tcp:192.0.2.1:64331"), "unknown", "another machine");
});

test("trusts an abstract socket of a program of this user", linuxOnly, async () => {
  const name = `katz-owner-${process.pid}`;
  await own({ path: `\0${name}` });
  assert.equal(kind(`unix:@${name}`), "trusted");
  assert.equal(kind(`unix:@${name}-none`), "unknown");
});

test("does not trust a port of another user's program", rootOnly, async () => {
  for (const what of ['0, "127.0.0.1"', '0, "0.0.0.0"', '0, "::"']) {
    const [, port] = await squatter(what);
    const place = usual(`tcp:127.0.0.1:${port}`);
    assert.equal(kind(place.address), "other", what);
    for (const revealsNothing of [false, true]) {
      const error: unknown = await connect([place], call, { revealsNothing }).then(
        () => assert.fail("connected"),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof NoDaemonError);
      assert.ok(error.cause instanceof StrangerError);
      assert.match(error.message, /belongs to user 65534, and is not used unless you name it/);
      assert.ok(error.advice[0]!.includes(`--address ${place.address}`));
    }
    await assert.rejects(firstThatAnswers([place], call), NoDaemonError);
    // A user who names an address gets that address.
    await firstThatAnswers([{ ...place, isTold: true }], call);
  }
});

test("does not trust an abstract socket of another user's program", rootOnly, async () => {
  const name = `katz-owner-other-${process.pid}`;
  await squatter(`"\\0${name}"`);
  assert.equal(kind(`unix:@${name}`), "other");
  await assert.rejects(connect([usual(`unix:@${name}`)], call), NoDaemonError);
});

test("trusts a socket file only if its owner and its folders are trusted", rootOnly, async () => {
  const place = async (name: string, prepare: (path: string) => void): Promise<string> => {
    const path = join(folder, name);
    mkdirSync(path);
    await own({ path: join(path, "k.sock") });
    prepare(path);
    return kind(`unix:${join(path, "k.sock")}`);
  };
  assert.equal(await place("good", () => {}), "trusted");
  assert.equal(
    await place("socket", (path) => chownSync(join(path, "k.sock"), NOBODY, 0)),
    "other",
  );
  assert.equal(await place("folder", (path) => chownSync(path, NOBODY, 0)), "other");
  assert.equal(await place("writable", (path) => chmodSync(path, 0o777)), "other");
  assert.equal(await place("sticky", (path) => chmodSync(path, 0o1777)), "trusted");
  assert.equal(kind(`unix:${join(folder, "good", "none.sock")}`), "unknown");
});

test("only commands that reveal nothing continue if the owner cannot be determined", async () => {
  await using daemon = await DevDaemon.start({ listen: "tcp:localhost:0" });
  const port = /\d+$/.exec(daemon.addresses[0]!)![0];
  // Names are not resolved: the dial might get another answer.
  const place = usual(`tcp:localhost:${port}`);
  await assert.rejects(connect([place], call), (error: Error) => {
    assert.ok(error instanceof NoDaemonError);
    assert.match(error.message, /may belong to anybody: this system does not say who listens/);
    return true;
  });
  const { client, owner } = await connect([place], call, { revealsNothing: true });
  assert.equal(owner?.kind, "unknown");
  await client.stop();
});

test(
  "katz daemon prefers the runtime folder if it belongs only to its user",
  linuxOnly,
  async () => {
    const told: string[] = [];
    const run = join(folder, "of-daemon");
    const listen = (): Promise<string[]> =>
      usualAddresses((text) => told.push(text), { XDG_RUNTIME_DIR: run });
    assert.deepEqual(await listen(), ["tcp:127.0.0.1:64331"], "the folder does not exist");
    mkdirSync(run, { mode: 0o700 });
    const socket = `unix:${run}/katzenpost/katz.sock`;
    assert.deepEqual(await listen(), [socket, "tcp:127.0.0.1:64331"]);
    assert.equal(statSync(join(run, "katzenpost")).mode & 0o777, 0o700);
    chmodSync(join(run, "katzenpost"), 0o777);
    assert.deepEqual(await listen(), ["tcp:127.0.0.1:64331"]);
    chmodSync(join(run, "katzenpost"), 0o700);
    chmodSync(run, 0o777);
    assert.deepEqual(await listen(), ["tcp:127.0.0.1:64331"], "others could rename the folder");
    assert.equal(told.length, 3);
    assert.match(told[2]!, /of-daemon, where other users may write$/);
  },
);

test("checks the owner of an address again before it redials a lost daemon", rootOnly, async () => {
  const path = join(folder, "again.sock");
  const daemon = await DevDaemon.start({ listen: `unix:${path}` });
  const reconnect = { initialDelayMs: 10, maxDelayMs: 10 };
  const { client } = await connect([usual(`unix:${path}`)], call, { reconnect });
  const lost = new Promise<void>((resolve) => {
    client.on("daemonDisconnected", () => resolve());
  });
  await daemon.close();
  await lost;
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  }).listen(path);
  after(() => server.close());
  await once(server, "listening");
  chownSync(path, NOBODY, NOBODY);
  const before = connections;
  await new Promise((resolve) => setTimeout(resolve, 200));
  await client.stop();
  assert.equal(connections, before, "a stranger is not dialled");
});

test("does not take a stranger's socket in the usual folder", rootOnly, async () => {
  const run = join(folder, "run");
  mkdirSync(join(run, "katzenpost"), { recursive: true });
  chownSync(join(run, "katzenpost"), NOBODY, NOBODY);
  await squatter(JSON.stringify(join(run, "katzenpost", "kpclientd.sock")));
  const env = { ...emptyEnvironment(folder), XDG_RUNTIME_DIR: run };
  const [first] = await daemonPlaces({}, call.signal, env);
  assert.match(first!.address, /kpclientd\.sock$/);
  for (const revealsNothing of [false, true]) {
    await assert.rejects(connect([first!], call, { revealsNothing }), {
      name: "NoDaemonError",
      message: /kpclientd\.sock .*belongs to user 65534, and is not used unless you name it/,
    });
  }
});

test(
  "tries the socket in the runtime folder first, then the abstract socket, then the port",
  linuxOnly,
  async () => {
    const run = join(folder, "order");
    mkdirSync(join(run, "katzenpost"), { recursive: true });
    await own({ path: join(run, "katzenpost", "katz.sock") });
    const env = { ...emptyEnvironment(folder), XDG_RUNTIME_DIR: run };
    const places = await daemonPlaces({}, call.signal, env);
    assert.deepEqual(
      [places[0]!.address, ...places.slice(-2).map(({ address }) => address)],
      [`unix:${run}/katzenpost/katz.sock`, "unix:@katzenpost", "tcp:127.0.0.1:64331"],
    );
    // A relative path is ignored, as the specification of these variables requires.
    const relative = await daemonPlaces({}, call.signal, { ...env, XDG_RUNTIME_DIR: "order" });
    assert.ok(relative.every(({ address }) => !address.includes("order")));
  },
);
