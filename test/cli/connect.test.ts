/** The search for a daemon at the usual addresses, and the message about each if none answers. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError, ConnectError, DialConfig } from "katzenpost-thinclient";
import { connect, firstThatAnswers } from "../../src/cli/connect.js";
import { type DaemonPlace, NoDaemonError } from "../../src/cli/find-daemon.js";
import { socketTransport } from "../../src/platform/node-socket.js";
import { ScriptedConnection, ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import { katz, temporaryFolder } from "./katz.js";

const folder = temporaryFolder();
const call = { signal: new AbortController().signal };

function usual(address: string): DaemonPlace {
  return { source: "the usual place", dial: DialConfig.parse(address), address, isTold: false };
}

const missing = `unix:${join(folder, "missing.sock")}`;
/** A file in place of a folder stands for every problem with a socket's path. */
writeFileSync(join(folder, "file"), "");
const unusable = `unix:${join(folder, "file", "k.sock")}`;
/** A path that every system refuses, whoever listens there. */
const tooLong = `unix:${join(folder, "x".repeat(200))}`;

for (const [name, look] of [
  ["firstThatAnswers", (places: readonly DaemonPlace[]) => firstThatAnswers(places, call)],
  ["connect", (places: readonly DaemonPlace[]) => connect(places, call)],
] as const) {
  const failure = async (...addresses: readonly string[]): Promise<Error> => {
    const error: unknown = await look(addresses.map(usual)).then(
      () => assert.fail("nothing answers"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof Error);
    return error;
  };

  test(`${name}: an address that fails other than by silence is named with its reason`, async () => {
    const error = await failure(unusable, missing);
    assert.ok(error instanceof NoDaemonError);
    assert.ok(error.message.includes(`.toml, nothing answers at ${missing}, and cannot connect`));
    assert.ok(error.message.includes(`cannot connect to ${unusable}: a part of the path is not a`));
    assert.ok(!error.message.includes(`cannot connect to ${missing}`), error.message);
  });

  test(`${name}: the last failure becomes the cause`, async () => {
    for (const [addresses, code] of [
      [[unusable, missing], "ENOENT"],
      [[missing, unusable], "ENOTDIR"],
    ] as const) {
      const { cause } = await failure(...addresses);
      assert.ok(cause instanceof ConnectError);
      assert.equal((cause.cause as NodeJS.ErrnoException).code, code);
    }
  });

  test(`${name}: several silent addresses are reported in one phrase`, async () => {
    const { message } = await failure(missing, `${missing}2`);
    assert.ok(message.endsWith(`.toml, and nothing answers at ${missing}, ${missing}2`), message);
    const other = (await failure(unusable)).message;
    assert.ok(other.includes(`.toml, and cannot connect to ${unusable}: `), other);
  });

  test(`${name}: an error that is not a failure to connect is thrown unchanged`, async () => {
    assert.ok((await failure(tooLong, missing)) instanceof ConfigError);
  });
}

test("the first address that answers is used, even if others failed before it", async () => {
  const path = join(folder, "k.sock");
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const places = [unusable, missing, `unix:${path}`].map(usual);
    assert.equal((await firstThatAnswers(places, call)).place, places[2]);
  } finally {
    server.close();
  }
});

test("katz waits for a daemon that reached the mixnet and does not have a document yet", async () => {
  const path = join(folder, "young.sock");
  const daemon = new ScriptedDaemon();
  const server = createServer((socket) => {
    const connection = new ScriptedConnection(socketTransport(socket, path));
    connection.send(daemon.status());
    connection.send(daemon.documentEvent());
    void connection
      .expect("sessionToken")
      .then(() =>
        connection.send({ kind: "sessionTokenReply", appId: new Uint8Array(16), resumed: false }),
      );
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const { code, stderr } = await katz(["ping", "--address", `unix:${path}`, "--timeout", "1s"]);
    assert.match(stderr, /^katz: the mixnet was not reached within 1000 ms: /m);
    assert.equal(code, 5);
  } finally {
    server.close();
  }
});
