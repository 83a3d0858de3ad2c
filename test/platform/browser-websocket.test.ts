import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { dialWs } from "../../src/platform/browser-websocket.js";
import { MAX_WEBSOCKET_MESSAGE_BYTES } from "../../src/transport/limits.js";
import { Recorder } from "../transport/transport-recorder.js";

/** A browser's WebSocket in which the test plays the network. */
class FakeWebSocket {
  static made: FakeWebSocket[] = [];
  binaryType = "blob";
  bufferedAmount = 0;
  readonly calls: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readonly url: string;
  readonly protocols: readonly string[];
  constructor(url: string, protocols: string[]) {
    if (url.includes("insecure")) throw new Error(`The operation is insecure. ${url}`);
    this.url = url;
    this.protocols = protocols;
    FakeWebSocket.made.push(this);
  }
  send(chunk: Uint8Array): void {
    this.bufferedAmount += chunk.length;
  }
  close(code?: number): void {
    this.calls.push(`close ${code}`);
  }
}
Object.assign(globalThis, { WebSocket: FakeWebSocket });

function dialling(token?: string): { socket: FakeWebSocket; dial: ReturnType<typeof dialWs> } {
  const dial = dialWs("ws://localhost:8080", { token });
  return { socket: FakeWebSocket.made.at(-1)!, dial };
}

test("the URL is passed on and the token is a sub-protocol", async () => {
  const { socket, dial } = dialling("open sesame");
  assert.equal(socket.url, "ws://localhost:8080");
  assert.deepEqual(socket.protocols, ["katzenpost.token.b3BlbiBzZXNhbWU"]);
  assert.equal(socket.binaryType, "arraybuffer");
  assert.deepEqual(dialling().socket.protocols, []);
  socket.onopen!();
  assert.equal((await dial).address, "ws://localhost:8080");
});

test("the whole address is dialled, and only the redacted one is shown", async () => {
  const dial = dialWs("ws://localhost:8080/katz?key=hunter2");
  const socket = FakeWebSocket.made.at(-1)!;
  assert.equal(socket.url, "ws://localhost:8080/katz?key=hunter2");
  socket.onopen!();
  assert.equal((await dial).address, "ws://localhost:8080/katz?…");
  await assert.rejects(dialWs("ws://insecure:1/?key=hunter2"), (error: Error) => {
    assert.doesNotMatch(`${error.stack}${String(error.cause)}`, /hunter2/);
    return true;
  });
});

test("a refused dial gives a ConnectError with advice on what to check", async () => {
  const { socket, dial } = dialling("hunter2");
  socket.onclose!({ code: 1006 });
  await assert.rejects(dial, (error: Error) => {
    assert.equal((error as { code?: string }).code, "ERR_CONNECT");
    assert.match(
      error.message,
      /ws:\/\/localhost:8080 .*origin and token.*npx katzenpost-thinclient daemon/,
    );
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
  await assert.rejects(dialWs("ws://insecure:1"), {
    code: "ERR_CONNECT",
    message: /The operation is insecure/,
  });
});

test("a page that pauses too long is disconnected before its memory is full", async () => {
  const { socket, dial } = dialling();
  socket.onopen!();
  const transport = await dial;
  const recorder = Recorder.open(transport);
  transport.pause();
  const message = { data: new ArrayBuffer(MAX_WEBSOCKET_MESSAGE_BYTES) };
  socket.onmessage!(message);
  socket.onmessage!(message);
  assert.deepEqual(socket.calls, []);
  socket.onmessage!({ data: new ArrayBuffer(1) });
  assert.deepEqual(socket.calls, ["close undefined"]);
  transport.resume();
  assert.equal(((await recorder.closed) as { code?: string }).code, "ERR_PROTOCOL");
});

test("a buffer of another realm is accepted as bytes", async () => {
  const { socket, dial } = dialling();
  socket.onopen!();
  const recorder = Recorder.open(await dial);
  socket.onmessage!({ data: vm.runInNewContext("new Uint8Array([1, 2, 3]).buffer") as unknown });
  assert.deepEqual(recorder.all(), new Uint8Array([1, 2, 3]));
});

test("a text message is an error, and close gets only the code 1000", async () => {
  const { socket, dial } = dialling();
  socket.onopen!();
  const recorder = Recorder.open(await dial);
  socket.onmessage!({ data: "hello" });
  assert.equal(((await recorder.closed) as { code?: string }).code, "ERR_PROTOCOL");
  assert.deepEqual(socket.calls, ["close undefined"]);
  const second = dialling();
  second.socket.onopen!();
  (await second.dial).end();
  assert.deepEqual(second.socket.calls, ["close 1000"]);
});

test("drained asks the browser again until the queue is short", { timeout: 60_000 }, async () => {
  const { socket, dial } = dialling();
  socket.onopen!();
  const transport = await dial;
  assert.equal(transport.write(new Uint8Array(256 * 1024)), false);
  const drained = transport.drained();
  setTimeout(() => (socket.bufferedAmount = 0), 12);
  await drained;
  assert.equal(transport.queuedBytes, 0);
});
