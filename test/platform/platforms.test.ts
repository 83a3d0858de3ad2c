import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import * as chosen from "#platform";
import * as browser from "../../src/platform/browser.js";
import * as node from "../../src/platform/node.js";

test("both platforms export the same names, and Node gets Node's", () => {
  const names = Object.keys(node).toSorted();
  assert.deepEqual(Object.keys(browser).toSorted(), names);
  assert.deepEqual(names, [
    "aes256Ctr",
    "blake2b512",
    "chacha20Poly1305Open",
    "chacha20Poly1305Seal",
    "crc32",
    "dialTcp",
    "dialUnix",
    "dialWs",
    "ed25519Verify",
    "gunzip",
    "gzip",
    "hkdfBlake2b512",
    "hmacSha256",
    "offThreadX25519",
    "onProcessEnd",
    "onWake",
    "readText",
    "sha512",
    "shake256",
    "spawnCtidhWorker",
    "x25519PublicKey",
    "x25519SharedSecret",
  ]);
  assert.equal(chosen.dialTcp, node.dialTcp);
});

test("a browser gets neither Node's modules nor its WebSocket library", async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL("../../src/platform/browser.js", import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    logLevel: "silent",
  });
  const files = Object.keys(metafile.inputs);
  assert.ok(files.some((file) => file.includes("node_modules/@noble/curves/")));
  assert.deepEqual(
    files.filter((file) => /node_modules\/ws\/|platform\/node/.test(file)),
    [],
  );
});

test("the error in a browser says what it cannot dial, and what to do", async () => {
  for (const dialling of [browser.dialTcp("localhost:1", "tcp"), browser.dialUnix("/run/x")]) {
    await assert.rejects(dialling, {
      name: "UnsupportedTransportError",
      code: "ERR_UNSUPPORTED_TRANSPORT",
      message: /a browser has no (TCP|Unix) sockets\. .*WebSocket/,
    });
  }
});

test("a browser refuses to read a file", async () => {
  await assert.rejects(browser.readText("x.toml"), { code: "ERR_CONFIG" });
});

test("Node reads a file as UTF-8, and reports the system's error", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "katz-platform-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "a.txt"), "grüße\n");
  assert.equal(await node.readText(join(folder, "a.txt")), "grüße\n");
  await assert.rejects(node.readText(join(folder, "b.txt")), { code: "ENOENT" });
});
