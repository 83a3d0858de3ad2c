import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isLoopbackAddress } from "../../src/platform/node-loopback.js";
import { listen, listenTcp, listenUnix } from "../../src/platform/node-listen.js";
import { padsAbstractNames } from "../../src/platform/node-unix-path.js";
import { dialTcp, dialUnix } from "../../src/platform/node.js";
import { parseAddress } from "../../src/transport/address.js";
import type { Transport } from "../../src/transport/transport.js";
import { Recorder, pattern } from "../transport/transport-recorder.js";

const options = { timeout: 120_000 };

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "katz-listen-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function canConnect(path: string): Promise<void> {
  const transport = await dialUnix(path);
  const recorder = Recorder.open(transport);
  transport.destroy();
  await recorder.closed;
}

test(
  "a socket file is accessible only to its owner, and is removed by close",
  options,
  async (t) => {
    const path = join(newFolder(t), "own.sock");
    const mask = process.umask(0);
    t.after(() => process.umask(mask));
    const listener = await listenUnix(path);
    assert.equal(process.umask(), 0, "the process's mask was changed");
    assert.equal(listener.address, `unix:${path}`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await canConnect(path);
    await listener.close();
    assert.equal(existsSync(path), false);
  },
);

test("a socket file may have a name that looks like a number", options, async (t) => {
  const before = process.cwd();
  process.chdir(newFolder(t));
  t.after(() => process.chdir(before));
  // Node would take such a name for a port. Our temporary names are random, and may look like that
  // too.
  for (const name of ["7", ".28e44", "0x10", "1e3"]) {
    const listener = await listenUnix(name);
    assert.equal(listener.address, `unix:${name}`);
    await canConnect(name);
    await listener.close();
    assert.equal(existsSync(name), false);
  }
  for (let i = 0; i < 40; i++) await (await listenUnix("c.sock")).close();
});

test(
  "a close removes only its own socket file, wherever the process is then",
  options,
  async (t) => {
    const [folder, other] = [newFolder(t), newFolder(t)];
    const path = join(folder, "own.sock");
    const first = await listenUnix(path);
    rmSync(path);
    const successor = await listenUnix(path);
    await first.close();
    await canConnect(path);
    await successor.close();
    assert.equal(existsSync(path), false);
    const before = process.cwd();
    t.after(() => process.chdir(before));
    process.chdir(folder);
    const relative = await listenUnix("own.sock");
    process.chdir(other);
    writeFileSync("own.sock", "another folder's");
    await relative.close();
    assert.equal(existsSync(join(other, "own.sock")), true);
    assert.deepEqual(readdirSync(folder), []);
  },
);

test("a socket file that a killed process left is replaced", options, async (t) => {
  const path = join(newFolder(t), "stale.sock");
  const listening = `listen(${JSON.stringify(path)}, () => console.log())`;
  const script = `require("net").createServer().${listening}`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), ended]);
  child.kill("SIGKILL");
  await ended;
  assert.ok(statSync(path).isSocket());
  const listener = await listenUnix(path);
  t.after(() => listener.close());
  await canConnect(path);
});

test("a socket on which somebody answers is left alone", options, async (t) => {
  const path = join(newFolder(t), "alive.sock");
  const first = await listenUnix(path);
  t.after(() => first.close());
  const accepted: Transport[] = [];
  first.open((transport) => accepted.push(transport));
  await assert.rejects(listenUnix(path), {
    code: "ERR_CONFIG",
    message:
      `cannot listen on unix:${path}: another process already listens there. ` +
      `Stop it, or choose another name`,
  });
  await canConnect(path);
  for (const transport of accepted) transport.destroy();
});

test("a file that is not a socket is never removed", options, async (t) => {
  const folder = newFolder(t);
  const file = join(folder, "precious.txt");
  writeFileSync(file, "precious");
  const link = join(folder, "link");
  symlinkSync(file, link);
  const inner = join(folder, "inner");
  mkdirSync(inner);
  for (const path of [file, link, inner]) {
    await assert.rejects(listenUnix(path), {
      code: "ERR_CONFIG",
      message: /a file or folder has that name/,
    });
  }
  assert.equal(readFileSync(link, "utf8"), "precious");
});

test("the error for a missing folder names it", options, async (t) => {
  const path = join(newFolder(t), "missing", "x.sock");
  await assert.rejects(listenUnix(path), {
    code: "ERR_CONFIG",
    message: /there is no folder .*missing; create it first$/,
  });
});

test("an unwritable folder is reported", options, async (t) => {
  if (process.getuid?.() === 0) {
    t.skip("root may write everywhere");
    return;
  }
  const folder = newFolder(t);
  chmodSync(folder, 0o500);
  await assert.rejects(listenUnix(join(folder, "x.sock")), { message: /\(EACCES\)$/ });
});

test("an abstract name can be taken only once, and is free after the close", options, async (t) => {
  if (process.platform !== "linux") {
    t.skip("only Linux has abstract sockets");
    return;
  }
  const name = `@katz-listen-${process.pid}`;
  const listener = await listenUnix(name);
  await assert.rejects(listenUnix(name), { code: "ERR_CONFIG", message: /already listens there/ });
  await canConnect(name);
  await listener.close();
  const rule = padsAbstractNames ? /Node 22$/ : /--listen unix:@katz-listen-\d+$/;
  await assert.rejects(dialUnix(name), { code: "ERR_CONNECT", message: rule });
});

test("the platform knows whether this Node pads abstract names", options, async (t) => {
  const table = "/proc/net/unix";
  if (!existsSync(table)) {
    t.skip("this system does not list its sockets");
    return;
  }
  const name = `@katz-padded-${process.pid}`;
  const listener = await listenUnix(name);
  t.after(() => listener.close());
  // The kernel shows every NUL as an @.
  const [shown] = readFileSync(table, "utf8").match(new RegExp(`${name}@*$`, "m")) ?? [];
  assert.equal(shown !== name, padsAbstractNames);
});

test("the error for a port in use names its address and says what to do", options, async (t) => {
  const first = await listenTcp("127.0.0.1", 0);
  t.after(() => first.close());
  const port = Number(first.address.split(":").at(-1));
  await assert.rejects(listenTcp("localhost", port, "tcp4"), {
    code: "ERR_CONFIG",
    message:
      `cannot listen on tcp:127.0.0.1:${port}: the address is in use (EADDRINUSE). ` +
      `Stop the program that listens there, or choose another port (0 takes a free one)`,
  });
});

test("port 0 takes a free one and reports it", options, async (t) => {
  const listener = await listen(parseAddress("tcp4:localhost:0"));
  t.after(() => listener.close());
  assert.match(listener.address, /^tcp:127\.0\.0\.1:[1-9]\d*$/);
  const accepted = new Promise<Transport>((resolve) => listener.open(resolve));
  const near = await dialTcp(listener.address.slice(4), "tcp");
  assert.match((await accepted).address, /^tcp:127\.0\.0\.1:\d+$/);
  near.destroy();
  (await accepted).destroy();
});

test("only loopback addresses are accepted by default", options, async () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.1", ""]) {
    await assert.rejects(listenTcp(host, 0), { code: "ERR_CONFIG", message: /^not listening/ });
  }
  await assert.rejects(listenTcp("0.0.0.0", 0, "tcp", { allowRemote: false }), {
    code: "ERR_CONFIG",
    message:
      "not listening on 0.0.0.0: others could reach it. Listen on 127.0.0.1, or set allowRemote " +
      "(katz daemon: --allow-remote) if you want that",
  });
  const truthy = { allowRemote: 1 as unknown as boolean };
  await assert.rejects(listenTcp("0.0.0.0", 0, "tcp", truthy), { code: "ERR_CONFIG" });
  const listener = await listenTcp("0.0.0.0", 0, "tcp", { allowRemote: true });
  assert.match(listener.address, /^tcp:0\.0\.0\.0:\d+$/);
  await listener.close();
});

test("loopback addresses are recognised", () => {
  const yes = ["127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"];
  const no = ["0.0.0.0", "::", "128.0.0.1", "1::1", "::2", "::ffff:10.0.0.1", "localhost", "127.1"];
  assert.deepEqual(yes.filter(isLoopbackAddress), yes);
  assert.deepEqual(no.filter(isLoopbackAddress), []);
});

test("wrong ports, families and options are refused by name", options, async () => {
  await assert.rejects(listenTcp("127.0.0.1", 70_000), { message: /0 to 65535, got 70000$/ });
  await assert.rejects(listenTcp("127.0.0.1", 1.5), { code: "ERR_CONFIG" });
  await assert.rejects(listenTcp("127.0.0.1", 0, "tcp6"), { message: /that is IPv4, not tcp6$/ });
  const wrong = { allowRemot: true } as { allowRemote?: boolean };
  await assert.rejects(listenTcp("127.0.0.1", 0, "tcp", wrong), { message: /\['allowRemot'\]/ });
  const unix = parseAddress("unix:/tmp/never");
  await assert.rejects(listen(unix, { token: "x" }), { message: /\['token'\]/ });
  const tcp = parseAddress("tcp:127.0.0.1:0");
  await assert.rejects(listen(tcp, { token: "x" }), { message: /\['token'\]/ });
  await assert.rejects(listen(parseAddress("wss://localhost:1")), { message: /certificate/ });
});

test("a client that disconnects early does not harm the listener", options, async (t) => {
  const listener = await listenTcp("127.0.0.1", 0);
  t.after(() => listener.close());
  listener.open((transport) => {
    transport.open({ onData: () => transport.write(pattern(100_000)), onClose: () => {} });
  });
  const address = listener.address.slice(4);
  for (let i = 0; i < 20; i++) {
    const transport = await dialTcp(address, "tcp");
    transport.open({ onData: () => {}, onClose: () => {} });
    transport.write(pattern(1000));
    transport.destroy();
  }
  const last = await dialTcp(address, "tcp");
  const recorder = Recorder.open(last);
  last.write(pattern(10));
  await recorder.received(100_000);
  last.destroy();
});
