/** Web pages and `katz daemon`: the line that a page needs, and the reasons for refusals. */
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { wsTokenProtocol } from "../../src/transport/ws-token.js";
import { KatzProcess } from "../e2e/katz-process.js";
import { katz, recordsOf, temporaryFolder } from "./katz.js";
import { assertShape } from "./shapes.js";

const folder = temporaryFolder();
const ORIGIN = "http://localhost:5173";

/** The result of a page's handshake: 101 or the status of the refusal. */
function knock(address: string, token: string | null, origin: string): Promise<number> {
  const protocols = token === null ? [] : [wsTokenProtocol(token)];
  const socket = new WebSocket(address, protocols, { origin });
  return new Promise((resolve, reject) => {
    socket.on("open", () => {
      socket.close();
      resolve(101);
    });
    socket.on("unexpected-response", (_, { statusCode }) => resolve(statusCode!));
    socket.on("error", reject);
  });
}

async function told(
  process: KatzProcess,
  what: "stdout" | "stderr",
  text: RegExp,
): Promise<string> {
  let isOver = false;
  void process.ended.then(() => (isOver = true));
  for (;;) {
    const match = text.exec(process[what]);
    if (match) return match[1]!;
    assert.ok(!isOver, `it ended: ${process.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("prints the line that a page needs, and reports each refusal once", async () => {
  const args = ["daemon", "--listen", "ws://127.0.0.1:0", "--allow-origin", ORIGIN];
  await using daemon = new KatzProcess(args);
  const address = await told(daemon, "stdout", /dial: \{ ws: \{ address: "([^"]+)"/);
  const token = await told(daemon, "stdout", /token: "([^"]+)" \} \} \}\)\n/);
  assert.equal(await knock(address, token, ORIGIN), 101);
  for (let i = 0; i < 3; i++) {
    assert.equal(await knock(address, token, "http://evil.example"), 403);
    assert.equal(await knock(address, "a guess", ORIGIN), 401);
  }
  await told(daemon, "stderr", /(refused a page from http:\/\/localhost:5173: The token is wrong)/);
  const lines = daemon.stderr.trimEnd().split("\n");
  assert.equal(lines.length, 2, daemon.stderr);
  assert.match(lines[0]!, /^katz: refused a page from http:\/\/evil\.example: .*--allow-origin/);
  assert.ok(!daemon.stderr.includes("guess"));
});

test("keeps the token in a file, and creates one if the file is missing", async () => {
  const file = join(folder, "token");
  const args = ["daemon", "--json", "--listen", "ws://127.0.0.1:0", "--token-file", file];
  const tokens: string[] = [];
  for (let i = 0; i < 2; i++) {
    await using daemon = new KatzProcess([...args, "--allow-origin", ORIGIN]);
    await told(daemon, "stdout", /("type":"pages")/);
    const record = recordsOf(daemon.stdout).find(({ type }) => type === "pages")!;
    assertShape(record, "pages");
    assert.equal(record["token"], null);
    tokens.push(readFileSync(file, "utf8"));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const address = record["address"] as string;
    assert.equal(await knock(address, tokens[0]!.trim(), ORIGIN), 101);
    assert.equal(await knock(address, null, ORIGIN), 401);
    await told(daemon, "stdout", /("type":"refused")/);
    assertShape(
      recordsOf(daemon.stdout).find(({ type }) => type === "refused")!,
      "refused",
    );
  }
  assert.equal(tokens[0], tokens[1]);
});

test("flags about pages need a WebSocket, and refuse an invalid token", async () => {
  const { code, stderr } = await katz(["daemon", "--allow-origin", ORIGIN]);
  assert.equal(code, 2);
  assert.match(stderr, /--allow-origin is for WebSockets: add --listen ws:/);
  const file = join(folder, "two-words");
  writeFileSync(file, "two words");
  const listen = ["daemon", "--listen", "ws://127.0.0.1:0"];
  const bad = await katz([...listen, "--token-file", file]);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /does not hold a token: it must be one word/);
  const origin = await katz([...listen, "--allow-origin", "localhost:5173"]);
  assert.equal(origin.code, 2);
  assert.match(origin.stderr, /is not an origin/);
});
