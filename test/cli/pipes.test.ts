/** Pipes, devices and similar paths in place of a file: nothing blocks without handling Ctrl-C. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { emptyEnvironment, katz, mainPath } from "./katz.js";
import { TransferNetwork } from "./transfer-network.js";

const network = new TransferNetwork();
const folder = realpathSync(network.newFolder());
const pipe = join(folder, "pipe");
const run = (args: readonly string[], env = network.env): ReturnType<typeof katz> =>
  katz(args, { cwd: folder, env });

before(async () => {
  await network.ready();
  execFileSync("mkfifo", ["-m", "600", pipe]);
  assert.equal((await run(["keygen", "-o", "s"])).code, 0);
});
after(() => network[Symbol.asyncDispose]());

test("pipes on disk and devices are refused without waiting", async () => {
  const refused: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [["send", "pipe"], /cannot read pipe: it is a named pipe/],
    [["receive", "pipe"], /cannot read pipe: it is a named pipe/],
    [["write", "s.write", "pipe"], /cannot read pipe: it is a named pipe/],
    [["copy", "pipe", "s.write"], /cannot read pipe: it is a named pipe/],
    [["read", "pipe"], /cannot read pipe: it is a named pipe/],
    [["services", "--config", "pipe"], /--config: cannot read pipe: it is a named pipe/],
    [["read", "/dev/zero"], /cannot read \/dev\/zero: it is a device/],
    [["receive", "/dev/zero"], /cannot read \/dev\/zero: it is a device/],
    [["copy", "/dev/zero", "s.write"], /cannot read \/dev\/zero: it is a device/],
    [["services", "--config", "/dev/zero"], /--config: cannot read \/dev\/zero: it is a device/],
    [["map", "-o", "pipe"], /pipe is a named pipe: write there with -o - > pipe/],
    [["daemon", "--listen", "tcp:127.0.0.1:0", "--write-config", "pipe"], /not a regular file/],
  ];
  for (let i = 0; i < refused.length; i += 4) {
    const some = refused.slice(i, i + 4);
    const ends = await Promise.all(some.map(([args]) => run(args)));
    for (const [j, { code, stdout, stderr }] of ends.entries()) {
      const [args, message] = some[j]!;
      assert.match(stderr, message, args.join(" "));
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    }
  }
  const KATZENPOST_THINCLIENT = pipe;
  const told = await run(["services"], { ...network.env, KATZENPOST_THINCLIENT });
  assert.equal(told.code, 2);
  assert.match(told.stderr, /KATZENPOST_THINCLIENT: cannot read .*pipe: it is a named pipe/);
});

test("pipes that a shell passes are read", async () => {
  writeFileSync(
    join(folder, "c.toml"),
    `[Dial.Unix]\nAddress = ${JSON.stringify(network.socket)}\n`,
  );
  const script =
    '"$0" "$1" write --config <(cat c.toml) <(cat s.write) <(echo piped) && "$0" "$1" read s.read';
  const env = {
    ...emptyEnvironment(folder),
    KATZENPOST_THINCLIENT: network.env.KATZENPOST_THINCLIENT,
  };
  const read = execFileSync("bash", ["-c", script, process.execPath, mainPath], {
    cwd: folder,
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  assert.equal(read, "piped\n");
});

/** How often a process has opened the pipe; it opens it a second time to read it. */
function timesOpened(pid: number): number {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "closed meanwhile";
    }
  });
  return links.filter((link) => link === pipe).length;
}

const silent: readonly (readonly string[])[] = [
  ["read", "/dev/fd/3"],
  ["receive", "/dev/fd/3"],
  ["write", "s.write", "/dev/fd/3"],
  ["copy", "/dev/fd/3", "s.write"],
  ["services", "--config", "/dev/fd/3"],
];

test(
  "Ctrl-C ends a command that waits for input from a pipe",
  { skip: !existsSync("/proc/self/fd") && "not run: this system has no /proc" },
  async () => {
    // Opened for writing too, here and in the command, so there is a writer, which stays silent.
    const fd = openSync(pipe, "r+");
    try {
      for (const args of silent) {
        const child = spawn(process.execPath, [mainPath, ...args], {
          cwd: folder,
          env: { ...emptyEnvironment(folder), ...network.env },
          stdio: ["ignore", "ignore", "ignore", fd],
        });
        const ended = once(child, "exit");
        const timeout = setTimeout(() => child.kill("SIGKILL"), 120_000);
        while (child.exitCode === null && child.signalCode === null) {
          if (timesOpened(child.pid!) >= 2) break;
          await sleep(20);
        }
        child.kill("SIGINT");
        assert.deepEqual(await ended, [130, null], args.join(" "));
        clearTimeout(timeout);
      }
    } finally {
      closeSync(fd);
    }
  },
);
