/** A user's first steps with the installed package, on the runtime that `KATZ_RUNTIME` names. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PackedProject, ROOT, manifest, moduleNames } from "../package/packed-package.js";
import { run, runTests, runtime, start } from "./runtime.js";

const { name } = manifest();
const katz = join("node_modules", name, "dist/src/cli/main.js");

let project: PackedProject;
before(() => {
  project = new PackedProject();
});
after(() => project[Symbol.dispose]());

const on = `on ${runtime.name} ${runtime.version}`;

test(`every module of the package can be imported ${on}`, async () => {
  const lines = moduleNames().map((module) => `console.log(typeof (await import("${module}")));`);
  project.write("modules.mjs", lines.join("\n"));
  const output = await run("modules.mjs", [], project.folder);
  assert.deepEqual(output.trim().split("\n"), Array(moduleNames().length).fill("object"));
});

test(`the README's program prints its greeting ${on}`, async () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const program = /<!-- code: examples\/echo\.ts#echo -->\n```ts\n([\s\S]*?)```/.exec(readme)![1]!;
  project.write("echo.mjs", program);
  assert.equal(await run("echo.mjs", [], project.folder), "hello mixnet\n");
});

const BOXES = `
import { ThinClient, randomBytes, utf8ToText } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

const listen = ["tcp:127.0.0.1:0", "unix:" + process.argv[2], "ws://127.0.0.1:0"];
const daemon = await DevDaemon.start({ listen });
for (const index of listen.keys()) {
  const client = await ThinClient.connect(daemon.config(index));
  const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
  const waiting = client.read(readCap, firstMessageIndex);
  await client.write(writeCap, firstMessageIndex, "box " + index);
  console.log(utf8ToText((await waiting).plaintext));
  const echo = client.getService("echo");
  const reply = await client.blockingSendMessage("echo " + index, ...echo.toDestination());
  console.log(utf8ToText(reply.subarray(0, 6)));
  await client.stop();
}
await daemon.close();
`;

test(`echoes and boxes work over TCP, Unix socket and WebSocket ${on}`, async () => {
  project.write("boxes.mjs", BOXES);
  const output = await run("boxes.mjs", [join(project.folder, "katz.sock")], project.folder);
  assert.equal(output, "box 0\necho 0\nbox 1\necho 1\nbox 2\necho 2\n");
});

const VOUCHER = `
import { ThinClient } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
const daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
const client = await ThinClient.connect(daemon.config());
const { writeCap } = await client.newKeypair(crypto.getRandomValues(new Uint8Array(32)));
const { voucher } = await client.voucherMint(writeCap, "Alice");
console.log(voucher.length);
await client.stop();
await daemon.close();
`;

test(`a voucher is minted with CTIDH1024 in a worker ${on}`, async () => {
  project.write("voucher.mjs", VOUCHER);
  assert.equal(await run("voucher.mjs", [], project.folder), "32\n");
});

test(`katz tour completes ${on}`, async () => {
  assert.match(await run(katz, ["tour"], project.folder), /What to try next/);
});

test(`katz daemon serves katz doctor ${on}`, async () => {
  const { line, stop } = await start(
    katz,
    ["daemon", "--listen", "tcp:127.0.0.1:0", "--json"],
    project.folder,
  );
  try {
    const address = /tcp:127\.0\.0\.1:\d+/.exec(line)?.[0];
    assert.ok(address, line);
    const report = await run(katz, ["doctor", "--address", address], project.folder);
    assert.match(report, /box/);
  } finally {
    await stop();
  }
});

test(`a data directory is reopened ${on}`, async () => {
  project.write(
    "data.mjs",
    `
import { ThinClient, utf8ToText } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
const seed = new Uint8Array(32).fill(7);
for (const turn of [0, 1]) {
  const daemon = await DevDaemon.start({
    listen: "tcp:127.0.0.1:0",
    dataDirectory: process.argv[2],
  });
  const client = await ThinClient.connect(daemon.config());
  const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(seed);
  if (turn === 0) await client.write(writeCap, firstMessageIndex, "kept");
  else console.log(utf8ToText((await client.read(readCap, firstMessageIndex)).plaintext));
  await client.stop();
  await daemon.close();
}
`,
  );
  assert.equal(await run("data.mjs", [join(project.folder, "data")], project.folder), "kept\n");
});

test(`the primitives match the reference ${on}`, async () => {
  const file = join(ROOT, "dist/test/platform/primitives.test.js");
  const [, before, after] = /\b(\d+) pass|pass (\d+)\b/.exec(await runTests(file, ROOT)) ?? [];
  assert.ok(Number(before ?? after) >= 14, `${before ?? after} tests passed`);
});
