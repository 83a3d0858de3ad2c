/**
 * `katz daemon --join` as a process: what it refuses and prints, and what doctor shows about it.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadVectors } from "../reference/load-vectors.js";
import { emptyEnvironment, katz, recordsOf, temporaryFolder } from "./katz.js";

const folder = temporaryFolder();
const complete: string = loadVectors("mixnet-client-config").cases[0].toml;
const file = join(folder, "client.toml");
const env = emptyEnvironment(folder);

test("flags for an embedded network and unusable files are refused", async () => {
  writeFileSync(file, complete);
  for (const flag of [["--seed", "x"], ["--realistic"], ["--data", folder], ["--couriers", "2"]]) {
    const { code, stderr } = await katz(["daemon", "--join", file, ...flag], { env });
    assert.equal(code, 2, stderr);
    assert.match(stderr, new RegExp(`^katz: ${flag[0]} is for an embedded network; with --join`));
  }
  writeFileSync(file, complete.replace('WireKEMScheme = "xwing"', 'WireKEMScheme = "nope"'));
  const { code, stderr } = await katz(["daemon", "--join", file], { env });
  assert.equal(code, 2, stderr);
  assert.match(
    stderr,
    /client\.toml: line 2: WireKEMScheme "nope" is not a scheme that this daemon/,
  );
});

test("the daemon reports where it listens and the state of its link, and doctor finds both", async () => {
  // No gateway listens at that address.
  writeFileSync(file, complete.replaceAll("tcp://127.0.0.1:30004", "tcp://127.0.0.1:1"));
  const socket = join(folder, "joined.sock");
  const runtime = join(folder, "run", "katzenpost");
  const uses: Promise<void>[] = [];
  const args = ["daemon", "--join", file, "--listen", `unix:${socket}`, "--json"];
  const { code, stdout } = await katz(args, {
    env,
    onStdout: (soFar, child) => {
      if (!soFar.includes('"type":"link"') || uses.length > 0) return;
      const doctor = katz(["doctor", "--address", `unix:${socket}`, "--timeout", "2s", "--json"], {
        env,
      });
      uses.push(
        doctor
          .then(({ stdout: found }) => {
            const checks = recordsOf(found).filter(({ type }) => type === "check");
            const names = checks.map(({ name, status }) => `${name as string} ${status as string}`);
            assert.ok(names.includes("socket ok"), names.join());
            assert.equal(readdirSync(runtime).filter((name) => name.startsWith("link-")).length, 1);
          })
          .finally(() => child.kill("SIGINT")),
      );
    },
  });
  await Promise.all(uses);
  assert.equal(code, 0);
  const [listening, link] = recordsOf(stdout);
  assert.deepEqual(listening!["addresses"], [`unix:${socket}`]);
  assert.equal(listening!["joined"], file);
  assert.equal(link!["gateway"], "gateway1");
  assert.match(
    link!["lastError"] as string,
    /127\.0\.0\.1:1: nothing listens there \(ECONNREFUSED\)$/,
  );
  assert.equal(link!["phase"], "waiting");
  assert.deepEqual(readdirSync(runtime), [], "the state ends with the daemon");
  assert.equal(existsSync(socket), false);
});
