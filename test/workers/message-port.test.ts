/** What a message port accepts from an end that breaks the rules of the stream, or that is gone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { ConnectError, ConnectionLostError, ProtocolError } from "../../src/errors/errors.js";
import type { Transport } from "../../src/transport/transport.js";
import { dialShared } from "../../src/workers/dial-shared.js";
import {
  type MessageEndpoint,
  dialPort,
  listenForPorts,
  messagePortTransport,
} from "../../src/workers/message-port.js";
import { Recorder, pattern } from "../transport/transport-recorder.js";

function pair(): { readonly recorder: Recorder; readonly hostile: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  const recorder = Recorder.open(messagePortTransport(port1, "a worker"));
  return { recorder, hostile: port2 };
}

const shared = new Uint8Array(new SharedArrayBuffer(8));
const hostile: readonly (readonly [string, unknown])[] = [
  ["text", "hello"],
  ["nothing", undefined],
  ["an object", { type: "end" }],
  ["an array", [1, 2, 3]],
  ["an empty piece", new Uint8Array(0)],
  ["a piece that is too long", new Uint8Array(256 * 1024 + 1)],
  ["a piece of a larger buffer", new Uint8Array(1000).subarray(10)],
  ["shared memory", shared],
  ["text instead of bytes", new Uint16Array(4)],
  ["a reason that is too long", { gone: "x".repeat(1001) }],
  ["a reason that is not text", { gone: 1 }],
  ["a count of bytes that were never sent", 1],
  ["a negative count", -1],
  ["a count that is not a number", NaN],
];

for (const [what, message] of hostile) {
  test(`${what} ends the connection with a ProtocolError`, async () => {
    const { recorder, hostile: port } = pair();
    port.postMessage(message);
    const error = await recorder.closed;
    assert.ok(error instanceof ProtocolError, String(error));
    assert.match(error.message, /^a worker sent /);
    assert.equal(recorder.bytes, 0);
    port.close();
  });
}

test("an end that sends more than it may is refused, and no more is held", async () => {
  const { port1, port2 } = new MessageChannel();
  const transport = messagePortTransport(port1);
  for (let i = 0; i < 6; i++) port2.postMessage(new Uint8Array(256 * 1024));
  const recorder = new Recorder();
  transport.pause();
  transport.open(recorder.handlers());
  assert.ok((await recorder.closed) instanceof ProtocolError);
  assert.equal(recorder.bytes, 0);
});

test("bytes after an end are refused", async () => {
  const { recorder, hostile: port } = pair();
  port.postMessage(new Uint8Array(3));
  port.postMessage("end");
  port.postMessage(new Uint8Array(3));
  await recorder.closed;
  assert.equal(recorder.bytes, 3);
  port.close();
});

test("bytes of another realm are accepted, and shared memory is refused", async () => {
  for (const [text, bytes] of [
    ["new Uint8Array([1, 2, 3])", 3],
    ["new Uint8Array(new SharedArrayBuffer(3))", 0],
  ] as const) {
    const port = Object.assign(new EventTarget(), { postMessage() {}, start() {}, close() {} });
    const recorder = Recorder.open(messagePortTransport(port));
    const message = (data: unknown): void =>
      void port.dispatchEvent(Object.assign(new Event("message"), { data }));
    message(vm.runInNewContext(text));
    message("end");
    assert.equal((await recorder.closed) instanceof ProtocolError, bytes === 0);
    assert.equal(recorder.bytes, bytes);
  }
});

test("an end that leaves can give a reason", async () => {
  for (const sends of [false, true]) {
    const { port1, port2 } = new MessageChannel();
    const [near, far] = [messagePortTransport(port1, "a worker"), messagePortTransport(port2)];
    const recorder = Recorder.open(near);
    Recorder.open(far);
    if (sends) far.write(pattern(3));
    far.destroy("nobody listens there");
    const error = await recorder.closed;
    // A connection without a single byte never existed.
    assert.ok(error instanceof (sends ? ConnectionLostError : ConnectError), String(error));
    assert.equal(error.message, "a worker: nobody listens there");
    assert.equal(recorder.bytes, sends ? 3 : 0);
  }
});

test("an end that leaves with unread bytes resets the connection, and otherwise ends it", async () => {
  for (const sends of [false, true]) {
    const { port1, port2 } = new MessageChannel();
    const near = messagePortTransport(port1, "a worker");
    const recorder = Recorder.open(near);
    if (sends) near.write(pattern(3));
    port2.postMessage("gone");
    const error = await recorder.closed;
    if (sends) assert.match(error!.message, /the other end reset the connection/);
    else assert.equal(error, null);
    port2.close();
  }
});

test("an end whose page goes away announces it", async (t) => {
  const scope = new EventTarget();
  const names = ["addEventListener", "removeEventListener"] as const;
  t.after(() => {
    for (const name of names) Reflect.deleteProperty(globalThis, name);
  });
  for (const name of names) {
    Object.assign(globalThis, { [name]: scope[name].bind(scope) });
  }
  const { port1, port2 } = new MessageChannel();
  const recorder = Recorder.open(messagePortTransport(port2));
  messagePortTransport(port1);
  scope.dispatchEvent(new Event("pagehide"));
  assert.equal(await recorder.closed, null);
});

test("an end whose thread is killed is detected", async () => {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker("require('node:worker_threads').workerData.on('message', () => {});", {
    eval: true,
    workerData: port2,
    transferList: [port2],
  });
  await new Promise((resolve) => worker.once("online", resolve));
  const transport = messagePortTransport(port1);
  const recorder = Recorder.open(transport);
  transport.write(pattern(10));
  await worker.terminate();
  assert.ok((await recorder.closed) instanceof ConnectionLostError);
});

test("an unknown option is refused", async () => {
  const wrong = { nosuch: 1 } as object;
  const refused = {
    name: "TypeError",
    message: "`options.nosuch` is not an option; known: signal, address",
  };
  await assert.rejects(async () => dialPort(new MessageChannel().port1, wrong), refused);
  const never = (): never => assert.fail("nothing is dialled");
  await assert.rejects(async () => dialShared(never, { dial: never }, wrong), refused);
});

test("dialling an end that is gone or answers otherwise gives a ConnectError", async () => {
  const answering = new MessageChannel();
  answering.port2.on("message", ({ port }: { port: MessagePort }) => port.postMessage("no"));
  await assert.rejects(dialPort(answering.port1), ConnectError);
  const closing = new MessageChannel();
  closing.port2.on("message", ({ port }: { port: MessagePort }) => port.close());
  await assert.rejects(dialPort(closing.port1, { address: "a worker" }), {
    name: "ConnectError",
    message: "cannot connect to a worker: nothing listens there",
  });
  for (const { port1 } of [answering, closing]) port1.close();
});

/** A browser's worker as both sides see it. */
function fakeWorker(): { readonly worker: MessageEndpoint & EventTarget; scope: EventTarget } {
  const scope = new EventTarget();
  const postMessage = (data: unknown): void => {
    // Only a transfer gives the port to the other side, which in a fake is the same thread.
    scope.dispatchEvent(Object.assign(new Event("message"), { data }));
  };
  return { worker: Object.assign(new EventTarget(), { postMessage }), scope };
}

function failure(type: string, fields: object): Event {
  return Object.assign(new Event(type), fields);
}

test("a worker that fails before it serves refuses all pages, and says why", async () => {
  for (const [event, why] of [
    [
      failure("error", { message: "Uncaught ConfigError: in use" }),
      "failed: Uncaught ConfigError: in use",
    ],
    [failure("unhandledrejection", { reason: new Error("in use") }), "failed: Error: in use"],
    [failure("error", {}), "failed and does not say why"],
  ] as const) {
    const { worker, scope } = fakeWorker();
    const listener = listenForPorts(scope);
    const early = Recorder.open(await dialPort(worker));
    scope.dispatchEvent(event);
    const error = await early.closed;
    assert.ok(error instanceof ConnectError, String(error));
    assert.equal(error.message, `worker: its program ${why}`);
    await assert.rejects(dialPort(worker), {
      name: "ConnectError",
      message: `cannot connect to worker: its program ${why}`,
    });
    // If it serves after all, pages can connect.
    listener.open((transport) => transport.write(pattern(3)));
    for (let pages = 0; pages < 2; pages++) {
      const transport = await dialPort(worker);
      await Recorder.open(transport).received(3);
      transport.destroy();
      // From then on failures are the program's own affair.
      scope.dispatchEvent(event);
    }
  }
});

test("until the first bytes a worker's failure ends the connection, and says why", async () => {
  const { worker, scope } = fakeWorker();
  const served: Transport[] = [];
  listenForPorts(scope).open((transport) => served.push(transport));
  const broken = (): boolean => worker.dispatchEvent(failure("error", { message: "out of luck" }));
  const silent = Recorder.open(await dialPort(worker));
  broken();
  const error = await silent.closed;
  assert.ok(error instanceof ConnectError, String(error));
  assert.equal(error.message, "cannot connect to worker: its program failed: out of luck");

  const transport = await dialPort(worker);
  const heard = Recorder.open(transport);
  served.at(-1)!.write(pattern(3));
  await heard.received(3);
  broken();
  served.at(-1)!.write(pattern(3));
  await heard.received(6);
  transport.destroy();
});

test("a tab connects by itself where the shared worker fails", async () => {
  const { worker: port, scope } = fakeWorker();
  listenForPorts(scope);
  scope.dispatchEvent(failure("error", { message: "no such address" }));
  const worker = Object.assign(new EventTarget(), {
    port: Object.assign(port, { start() {}, close() {} }),
  });
  const own = messagePortTransport(new MessageChannel().port1, "its own");
  assert.equal(await dialShared(() => worker, { dial: async () => own }), own);
  own.destroy();
});
