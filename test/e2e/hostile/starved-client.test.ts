/**
 * Daemons that try to exhaust their client's memory. The client runs in a separate process, with a
 * heap that is a fraction of what it would hold without limits.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { type AddressInfo, type Socket, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type CborMap, encodeCbor } from "../../../src/cbor/cbor.js";
import { ScriptedDaemon } from "../../../src/testing/scripted-daemon.js";
import { encodeFrame } from "../../../src/wire/framing.js";
import { type DaemonResponse, encodeResponse } from "../../../src/wire/responses.js";
import { pkiDocument, serviceNode } from "../../client/fixture.js";

const HEAP_MB = 320;
const childPath = fileURLToPath(new URL("./starved-client.js", import.meta.url));
const daemon = new ScriptedDaemon();
const frameOf = (response: DaemonResponse): Uint8Array => encodeFrame(encodeResponse(response));

/** The final message of a child process. */
interface Outcome {
  readonly reason?: string;
  readonly read?: number;
  readonly error?: string | null;
  readonly epoch?: number | null;
  readonly failed?: string;
  readonly message?: string;
}

/**
 * Runs a client in a child process. The daemon sends some frames before the answer to the client's
 * token and some after it, and then hangs up.
 */
async function attack(
  what: string,
  sent: { readonly early?: Iterable<Uint8Array>; readonly later?: Iterable<Uint8Array> },
): Promise<Outcome> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    void play(socket, sent);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `tcp:127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = [`--max-old-space-size=${HEAP_MB}`, childPath, what, address];
  const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | string>((resolve) =>
    child.once("exit", (code, signal) => resolve(code ?? signal!)),
  );
  const [end, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  server.close();
  assert.equal(end, 0, stderr);
  return JSON.parse(stdout) as Outcome;
}

async function play(
  socket: Socket,
  sent: { readonly early?: Iterable<Uint8Array>; readonly later?: Iterable<Uint8Array> },
): Promise<void> {
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (socket.destroyed || socket.write(bytes)) return;
    await Promise.race([closed, new Promise((resolve) => socket.once("drain", resolve))]);
  };
  await write(frameOf(daemon.status()));
  await write(frameOf(daemon.documentEvent()));
  await new Promise((resolve) => socket.once("data", resolve));
  for (const bytes of sent.early ?? []) await write(bytes);
  const appId = new Uint8Array(16);
  await write(frameOf({ kind: "sessionTokenReply", appId, resumed: false }));
  for (const bytes of sent.later ?? []) await write(bytes);
  socket.end();
}

function* repeated(bytes: Uint8Array, count: number): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield bytes;
}

const emptyMaps = (count: number): CborMap[] => Array.from({ length: count }, () => new Map());
const documentFrame = (payload: Uint8Array): Uint8Array =>
  frameOf({ kind: "newPkiDocumentEvent", payload: payload as Uint8Array<ArrayBuffer> });

describe(`a client with ${HEAP_MB} MB of heap survives`, () => {
  test("documents of 39 MB with each descriptor just within the limit of items", async () => {
    // Each takes 29 MB decoded, and there are 300 of them.
    const node = serviceNode({ more: emptyMaps(130_000) });
    const document = pkiDocument({ ServiceNodes: Array.from({ length: 300 }, () => node) });
    const good = pkiDocument({ Epoch: 7 });
    const later = [documentFrame(document), documentFrame(document), documentFrame(good)];
    const { reason, epoch } = await attack("waits", { later });
    assert.deepEqual([reason, epoch], ["failed", 7]);
  });

  test("documents of many epochs, each just within the limit of items", async () => {
    const later = Array.from({ length: 5 }, (_, i) =>
      documentFrame(
        pkiDocument({
          Epoch: i,
          a: emptyMaps(130_000),
          b: emptyMaps(130_000),
          c: emptyMaps(100_000),
        }),
      ),
    );
    const { reason, epoch } = await attack("waits", { later });
    assert.deepEqual([reason, epoch], ["failed", 4]);
  });

  test("status events that are 30 times as large decoded, before its token is answered", async () => {
    const err = emptyMaps(130_000);
    const status = encodeFrame(
      encodeCbor({
        connection_status_event: {
          is_connected: true,
          instance_token: daemon.instanceToken,
          sphinx_geometry: daemon.geometry.toWire(),
          pigeonhole_geometry: daemon.pigeonholeGeometry.toWire(),
          err,
        },
      }),
    );
    const { failed, message } = await attack("waits", { early: repeated(status, 40) });
    assert.equal(failed, "ProtocolError");
    assert.match(message!, /too much before its session_token_reply/);
  });

  test("unread events, whichever member is long", async () => {
    const long = "x".repeat(1024 * 1024);
    for (const response of [
      { ...daemon.status(), err: long } as DaemonResponse,
      {
        kind: "messageSentEvent",
        messageId: null,
        surbId: null,
        sentAt: 0,
        replyEta: 0,
        err: long,
      } as const,
      {
        kind: "messageReplyEvent",
        messageId: null,
        surbId: null,
        payload: new Uint8Array(1024 * 1024),
        replyIndex: null,
        errorCode: 0,
      } as const,
    ]) {
      const later = repeated(frameOf(response), 80);
      const { reason, read, error } = await attack("waits", { later });
      assert.deepEqual([reason, error], ["failed", "SlowConsumerError"]);
      assert.ok(read! < 70, `${read} ${response.kind} were kept`);
    }
  });

  test("a reader slower than the daemon", async () => {
    const reply: DaemonResponse = {
      kind: "messageReplyEvent",
      messageId: null,
      surbId: null,
      payload: new Uint8Array(1024 * 1024),
      replyIndex: null,
      errorCode: 0,
    };
    const { reason, read, error } = await attack("reads slowly", {
      later: repeated(frameOf(reply), 100),
    });
    assert.deepEqual([reason, error], ["failed", "SlowConsumerError"]);
    assert.ok(read! < 100, `${read} were read`);
  });
});
