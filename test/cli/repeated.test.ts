/** Messages repeat wrong input, but never a secret, and never a long part. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64, toHex } from "katzenpost-thinclient";
import { generateKeypair } from "katzenpost-thinclient/bacap";
import { withoutSecrets } from "../../src/cli/repeated.js";
import { encodeTicket } from "../../src/cli/transfer/ticket.js";
import { katz } from "./katz.js";

const { readCap, writeCap } = generateKeypair();
const secrets = {
  ticket: encodeTicket(readCap),
  "a capability in hex": toHex(writeCap),
  "a capability in base64, in pieces": toBase64(readCap).replace(/.{76}/g, "$& "),
  "a ticket among other words": `ticket: "${encodeTicket(readCap)}".`,
};

/** Every message of the parser that repeats its input, and how it begins. */
const mistakes: readonly (readonly [(given: string) => readonly string[], RegExp])[] = [
  [(given) => [given], /^katz: there is no command /],
  [(given) => ["help", given], /^katz: there is no command /],
  [(given) => ["write", "a", "b", given], /unexpected argument /],
  [(given) => ["read", "--box", given, "a.toml"], /^katz: --box must be a whole number .*, got /],
  [(given) => ["read", `--box=${given}`, "a.toml"], /^katz: --box must be a whole number .*, got /],
  [(given) => ["ping", "--timeout", given], /^katz: --timeout must be a time .*, got /],
  [(given) => ["daemon", "--nike", given], /^katz: --nike must be x25519 or .*, got /],
  [(given) => ["completion", given], /^katz: SHELL must be .*, got /],
  [(given) => ["ping", `--json=${given}`], /^katz: --json must be true or false, got /],
];

/** Whether `text` contains 9 consecutive characters of `secret`. */
function repeats(text: string, secret: string): boolean {
  for (let i = 0; i + 9 <= secret.length; i++) {
    if (text.includes(secret.slice(i, i + 9))) return true;
  }
  return false;
}

for (const [name, secret] of Object.entries(secrets)) {
  test(`does not repeat ${name}`, async () => {
    // Flags have no spaces in their names.
    const asFlag = /^[a-z][\w-]*$/i.test(secret) ? [["ping", `--${secret}`]] : [];
    const lines = [...mistakes.map(([line]) => line(secret)), ...asFlag];
    for (const [i, line] of lines.entries()) {
      const { code, stdout, stderr } = await katz(line);
      assert.deepEqual([code, stdout], [2, ""], stderr);
      if (mistakes[i]) assert.match(stderr, mistakes[i][1]);
      assert.match(stderr, /\[\d+ characters that may be a ticket or a capability/);
      assert.ok(!repeats(stderr, secret.replace(/^ticket: /, "")), stderr);
    }
  });
}

test("commands that look for a named item do not repeat secrets either", async () => {
  for (const secret of [secrets.ticket, secrets["a capability in hex"]]) {
    for (const line of [
      ["doctor", "--config", secret],
      ["doctor", "--address", secret],
      ["doctor", "--address", `unix:${secret}`],
      ["send", secret],
    ]) {
      for (const flags of [[], ["--json"]]) {
        const { code, stdout, stderr } = await katz([...line, ...flags]);
        assert.notEqual(code, 0);
        assert.ok(!repeats(stdout + stderr, secret), stdout + stderr);
      }
    }
  }
});

test("repeats paths, however long", () => {
  const path = `/home/${"some-long-folder/".repeat(20)}file.toml`;
  assert.equal(withoutSecrets(`no ${path}`), `no ${path}`);
});

test("repeats at most 40 characters of any other text", async () => {
  const long = "no secret. ".repeat(100);
  for (const [line, message] of mistakes) {
    const { code, stderr } = await katz(line(long));
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
    assert.ok(stderr.includes(`"${long.slice(0, 40)}…"`), stderr);
    assert.ok(!stderr.includes(long.slice(0, 41)), stderr);
  }
  const word = "w".repeat(60);
  assert.match((await katz([word])).stderr, /no command "w{40}…"\./);
  assert.match((await katz(["ping", `--${word}`])).stderr, /no flag --w{40}…\./);
});
