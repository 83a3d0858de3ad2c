import assert from "node:assert/strict";
import { test } from "node:test";
import { type WebSocketPort, WebSocketTransport } from "../../src/transport/websocket.js";
import { Recorder, pattern } from "./transport-recorder.js";

class ScriptedPort implements WebSocketPort {
  queuedBytes = 0;
  readonly calls: string[] = [];
  onDrained: (() => void) | null = null;
  send(chunk: Uint8Array): void {
    this.queuedBytes += chunk.length;
  }
  close(code: number): void {
    this.calls.push(`close ${code}`);
  }
  terminate(): void {
    this.calls.push("terminate");
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  onceDrained(_limit: number, callback: () => void): void {
    this.onDrained = callback;
  }
}

function make(): { port: ScriptedPort; transport: WebSocketTransport; recorder: Recorder } {
  const port = new ScriptedPort();
  const transport = new WebSocketTransport(port, "ws://localhost:1");
  return { port, transport, recorder: Recorder.open(transport) };
}

test("the peer waits until the transport is opened, and while it is paused", () => {
  const { port, transport } = make();
  assert.deepEqual(port.calls.splice(0), ["pause", "resume"]);
  transport.pause();
  transport.resume();
  assert.deepEqual(port.calls.splice(0), ["pause", "resume"]);
  const unopened = new ScriptedPort();
  const waiting = new WebSocketTransport(unopened, "ws://localhost:1");
  waiting.pause();
  waiting.resume();
  assert.deepEqual(unopened.calls, ["pause", "pause"]);
  waiting.pause();
  Recorder.open(waiting);
  assert.deepEqual(unopened.calls, ["pause", "pause", "pause"]);
});

test("a close after our own end is not an error, unless bytes were lost", async () => {
  for (const [code, queued, isError] of [
    [1006, 0, false],
    [1006, 5, true],
    [1005, 5, false],
    [1000, 5, false],
    [1011, 5, true],
  ] as const) {
    const { port, transport, recorder } = make();
    transport.end();
    transport.end();
    assert.equal(port.calls.filter((call) => call === "close 1000").length, 1);
    port.queuedBytes = queued;
    transport.onClosed(code);
    assert.equal((await recorder.closed) !== null, isError, `${code}, ${queued} bytes queued`);
  }
});

test("a complaint of the platform becomes the cause", async () => {
  const { transport, recorder } = make();
  const cause = new Error("max payload size exceeded");
  transport.onClosed(1006, cause);
  const error = await recorder.closed;
  assert.equal(error!.cause, cause);
  assert.match(error!.message, /code 1006: max payload size exceeded$/);
});

test("a failure of the platform closes with its error, after earlier messages", async () => {
  const { port, transport, recorder } = make();
  transport.pause();
  transport.onBinary(pattern(3));
  const error = new Error("too much");
  transport.onFailure(error);
  transport.onBinary(pattern(3));
  transport.onClosed(1006);
  assert.ok(port.calls.includes("terminate"));
  assert.equal(transport.heldBytes, 3);
  transport.resume();
  assert.equal(await recorder.closed, error);
  assert.equal(recorder.bytes, 3);
});

test("drained checks again if it was called back early", async () => {
  const { port, transport } = make();
  assert.equal(transport.write(pattern(256 * 1024)), false);
  let drained = 0;
  const waiting = [transport.drained(), transport.drained()].map((p) => p.then(() => drained++));
  // A port calls back once for each request.
  const early = port.onDrained!;
  port.onDrained = null;
  early();
  await Promise.resolve();
  assert.equal(drained, 0);
  port.queuedBytes = 10;
  port.onDrained!();
  await Promise.all(waiting);
  assert.equal(drained, 2);
});

test("drained resolves when the transport is destroyed, whatever the port does then", async () => {
  const { transport } = make();
  transport.write(pattern(256 * 1024));
  const drained = transport.drained();
  transport.destroy();
  await drained;
});
