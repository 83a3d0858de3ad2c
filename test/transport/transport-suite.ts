/** The rules for every transport, as one suite for each kind. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { equalBytes } from "../../src/bytes/bytes.js";
import { ConnectError } from "../../src/errors/errors.js";
import type { Listener, Transport } from "../../src/transport/transport.js";
import { Recorder, oddPieces, pattern } from "./transport-recorder.js";

/** How to listen for and dial a kind of transport. */
export interface TransportKind {
  /** Listens at a new address, or again at the address of an earlier listener. */
  listen(address?: string): Promise<Listener>;
  dial(address: string, options?: { signal?: AbortSignal }): Promise<Transport>;
  /** Whether the dialler buffers without limit, so that its peer never waits: a browser. */
  readonly takesInAll?: boolean;
}

interface Connection {
  readonly listener: Listener;
  /** The two ends, the dialler's first unless they are swapped. */
  readonly near: Transport;
  readonly far: Transport;
}

const MIB = 1024 * 1024;
/** Long enough for bytes to arrive that should not; no result depends on its exact length. */
const A_WHILE_MS = 30;

/** Runs the suite; `skip` is the reason if this machine cannot. Returns the number of tests. */
export function transportSuite(name: string, kind: TransportKind, skip?: string): number {
  let count = 0;
  const it = (title: string, run: (t: TestContext) => Promise<void>): void => {
    count++;
    const options = skip === undefined ? { timeout: 120_000 } : { skip };
    test(`${name}: ${title}`, options, run);
  };
  const connect = async (t: TestContext, swapped = false): Promise<Connection> => {
    const listener = await kind.listen();
    const accepted = new Promise<Transport>((resolve) => listener.open(resolve));
    const dialled = await kind.dial(listener.address);
    const far = await accepted;
    t.after(async () => {
      dialled.destroy();
      far.destroy();
      await listener.close();
    });
    return swapped ? { listener, near: far, far: dialled } : { listener, near: dialled, far };
  };
  /** A test for both directions, since the two ends may have different code. */
  const both: Both = (title, run, needsSlowPeer = false) => {
    it(`${title} (dialler to listener)`, async (t) => run(await connect(t)));
    it(`${title} (listener to dialler)`, async (t) => {
      if (needsSlowPeer && kind.takesInAll) t.skip("a browser cannot make its peer wait");
      else await run(await connect(t, true));
    });
  };

  deliveryTests(both);
  flowTests(both);
  closingTests(both);
  dialTests(kind, it);
  return count;
}

type Both = (
  title: string,
  run: (connection: Connection) => Promise<void>,
  needsSlowPeer?: boolean,
) => void;

function deliveryTests(both: Both): void {
  both("bytes arrive complete and in order, however they are split", async ({ near, far }) => {
    const sent = pattern(3 * MIB);
    const there = Recorder.open(far);
    Recorder.open(near);
    for (const piece of oddPieces(sent)) {
      if (!near.write(piece)) await near.drained();
    }
    await there.received(sent.length);
    assert.ok(equalBytes(there.all(), sent));
  });

  both("both directions work at the same time", async ({ near, far }) => {
    const [here, there] = [Recorder.open(near), Recorder.open(far)];
    const [one, two] = [pattern(MIB, 1), pattern(MIB, 2)];
    near.write(one);
    far.write(two);
    await Promise.all([there.received(MIB), here.received(MIB)]);
    assert.ok(equalBytes(there.all(), one));
    assert.ok(equalBytes(here.all(), two));
  });

  both("bytes that arrived before open are delivered after it returns", async ({ near, far }) => {
    near.write(pattern(1000));
    await delay(A_WHILE_MS);
    const there = Recorder.open(far);
    assert.equal(there.bytes, 0);
    await there.received(1000);
    assert.ok(equalBytes(there.all(), pattern(1000)));
  });

  both("no handler runs inside a write", async ({ near, far }) => {
    const there = Recorder.open(far);
    Recorder.open(near);
    near.write(pattern(10));
    assert.equal(there.bytes, 0);
    await there.received(10);
  });

  both("chunks are plain Uint8Arrays that belong to the handler", async ({ near, far }) => {
    const there = Recorder.open(far);
    const sent = pattern(5000);
    near.write(sent);
    await there.received(5000);
    for (const chunk of there.chunks) {
      assert.equal(Object.getPrototypeOf(chunk), Uint8Array.prototype);
      chunk.fill(0);
    }
    assert.ok(equalBytes(sent, pattern(5000)), "the sender's array was changed");
  });

  both("an empty write sends nothing", async ({ near, far }) => {
    const there = Recorder.open(far);
    assert.equal(near.write(new Uint8Array(0)), true);
    near.write(pattern(3));
    await there.received(3);
    assert.deepEqual(
      there.chunks.filter((chunk) => chunk.length === 0),
      [],
    );
  });

  both("a second open is refused", async ({ near }) => {
    Recorder.open(near);
    assert.throws(() => Recorder.open(near), { code: "ERR_INVALID_STATE" });
  });
}

function flowTests(both: Both): void {
  both("pause holds all bytes until resume", async ({ near, far }) => {
    const there = Recorder.open(far);
    near.write(pattern(10));
    await there.received(10);
    far.pause();
    near.write(pattern(100));
    await delay(A_WHILE_MS);
    assert.equal(there.bytes, 10);
    far.resume();
    await there.received(110);
  });

  both("resume and pause in one turn deliver nothing", async ({ near, far }) => {
    const there = Recorder.open(far);
    far.pause();
    for (let i = 0; i < 3; i++) {
      near.write(pattern(100));
      await delay(A_WHILE_MS);
      far.resume();
      far.pause();
      await delay(A_WHILE_MS);
      assert.equal(there.bytes, 0);
    }
    near.write(pattern(100_000));
    far.resume();
    await there.received(100_300);
  });

  both("pause before open also holds all bytes", async ({ near, far }) => {
    far.pause();
    const there = Recorder.open(far);
    near.write(pattern(100));
    await delay(A_WHILE_MS);
    assert.equal(there.bytes, 0);
    far.resume();
    await there.received(100);
  });

  both("resume before open loses nothing", async ({ near, far }) => {
    far.pause();
    far.resume();
    near.write(pattern(100));
    await delay(A_WHILE_MS);
    const there = Recorder.open(far);
    await there.received(100);
  });

  both("pause in a handler takes effect at once", async ({ near, far }) => {
    const recorder = new Recorder();
    const handlers = recorder.handlers();
    let [paused, whilePaused] = [false, 0];
    far.open({
      onData: (chunk) => {
        if (paused) whilePaused++;
        handlers.onData(chunk);
        far.pause();
        paused = true;
        setImmediate(() => {
          paused = false;
          far.resume();
        });
      },
      onClose: handlers.onClose,
    });
    for (let i = 0; i < 50; i++) near.write(pattern(100, i));
    await recorder.received(5000);
    assert.equal(whilePaused, 0);
  });

  const full = "a peer that does not read fills the queue, and drained waits";
  both(
    full,
    async ({ near, far }) => {
      Recorder.open(near);
      const chunk = pattern(64 * 1024);
      let written = 0;
      while (near.write(chunk)) {
        written += chunk.length;
        assert.ok(written < 256 * MIB, "write never returned false");
        // Let the system take what it can hold.
        if (written % MIB === 0) await delay(1);
      }
      written += chunk.length;
      assert.ok(near.queuedBytes > 0);
      // Whatever the system still accepts, it cannot accept this.
      near.write(pattern(8 * MIB));
      written += 8 * MIB;
      let drained = false;
      const waiting = near.drained().then(() => (drained = true));
      await delay(A_WHILE_MS);
      assert.equal(drained, false);
      const there = Recorder.open(far);
      await waiting;
      await there.received(written);
      assert.equal(there.bytes, written);
    },
    true,
  );

  both("drained resolves at once while the queue is short", async ({ near }) => {
    Recorder.open(near);
    assert.equal(near.write(pattern(10)), true);
    await near.drained();
  });

  both("drained resolves when the transport closes", async ({ near }) => {
    Recorder.open(near);
    while (near.write(pattern(8 * MIB))) await delay(1);
    const waiting = near.drained();
    near.destroy();
    await waiting;
    assert.equal(near.queuedBytes, 0);
  });
}

function closingTests(both: Both): void {
  both("end sends all queued bytes and closes both ends without error", async (ends) => {
    const [here, there] = [Recorder.open(ends.near), Recorder.open(ends.far)];
    const sent = pattern(8 * MIB);
    ends.near.write(sent);
    ends.near.end();
    assert.deepEqual([await here.closed, await there.closed], [null, null]);
    assert.ok(equalBytes(there.all(), sent));
  });

  both(
    "bytes that the other end queued before it saw our end still arrive",
    async ({ near, far }) => {
      const [here, there] = [Recorder.open(near), Recorder.open(far)];
      const sent = pattern(2 * MIB);
      far.write(sent);
      near.end();
      assert.deepEqual([await here.closed, await there.closed], [null, null]);
      assert.ok(equalBytes(here.all(), sent));
    },
  );

  both("both ends may end at the same time", async ({ near, far }) => {
    const [here, there] = [Recorder.open(near), Recorder.open(far)];
    near.write(pattern(100_000));
    far.write(pattern(100_000));
    near.end();
    far.end();
    assert.deepEqual([await here.closed, await there.closed], [null, null]);
    assert.deepEqual([here.bytes, there.bytes], [100_000, 100_000]);
  });

  both("an end that arrives before open is delivered after the bytes", async ({ near, far }) => {
    const here = Recorder.open(near);
    near.write(pattern(500));
    near.end();
    await delay(A_WHILE_MS);
    const there = Recorder.open(far);
    assert.equal(await there.closed, null);
    assert.equal(there.bytes, 500);
    assert.equal(await here.closed, null);
  });

  both("an end waits while its receiver is paused", async ({ near, far }) => {
    const there = Recorder.open(far);
    Recorder.open(near);
    far.pause();
    near.write(pattern(500));
    near.end();
    await delay(A_WHILE_MS);
    assert.deepEqual([there.bytes, there.closes.length], [0, 0]);
    far.resume();
    assert.equal(await there.closed, null);
    assert.equal(there.bytes, 500);
  });

  const answer = "a paused end can write until it has seen the other end close";
  both(
    answer,
    async ({ near, far }) => {
      const [here, there] = [Recorder.open(near), Recorder.open(far)];
      far.pause();
      near.end();
      await delay(A_WHILE_MS);
      far.write(pattern(500));
      far.resume();
      assert.deepEqual([await here.closed, await there.closed], [null, null]);
      assert.equal(here.bytes, 500);
    },
    true,
  );

  both("destroy closes at once without error, and the other end is notified", async (ends) => {
    const [here, there] = [Recorder.open(ends.near), Recorder.open(ends.far)];
    ends.far.write(pattern(1000));
    ends.near.destroy();
    assert.equal(await here.closed, null);
    await there.closed;
    await delay(A_WHILE_MS);
    assert.equal(here.bytes, 0);
  });

  both("destroy works while paused", async ({ near, far }) => {
    const here = Recorder.open(near);
    Recorder.open(far);
    near.pause();
    far.write(pattern(1000));
    await delay(A_WHILE_MS);
    near.destroy();
    near.pause();
    assert.equal(await here.closed, null);
    assert.equal(here.bytes, 0);
  });

  both("open reports an earlier destroy", async ({ near }) => {
    near.destroy();
    await delay(A_WHILE_MS);
    assert.equal(await Recorder.open(near).closed, null);
  });

  both(
    "onClose is called exactly once and last, whatever calls were made",
    async ({ near, far }) => {
      const [here, there] = [Recorder.open(near), Recorder.open(far)];
      for (let i = 0; i < 20; i++) far.write(pattern(10_000));
      near.write(pattern(10));
      near.end();
      near.end();
      near.destroy();
      near.destroy();
      near.end();
      far.end();
      await Promise.all([here.closed, there.closed]);
      near.destroy();
      far.destroy();
      await delay(A_WHILE_MS);
      assert.deepEqual([here.closes.length, there.closes.length], [1, 1]);
      assert.deepEqual([here.dataAfterClose, there.dataAfterClose], [false, false]);
    },
  );

  both("every call is harmless after the close", async ({ near, far }) => {
    const [here, there] = [Recorder.open(near), Recorder.open(far)];
    near.end();
    assert.equal(near.write(pattern(10)), true, "write after end");
    await Promise.all([here.closed, there.closed]);
    for (const transport of [near, far]) {
      assert.equal(transport.write(pattern(10)), true);
      await transport.drained();
      assert.equal(transport.queuedBytes, 0);
      transport.pause();
      transport.resume();
      transport.end();
      transport.destroy();
    }
    await delay(A_WHILE_MS);
    assert.equal(there.bytes, 0);
    assert.deepEqual([here.closes, there.closes], [[null], [null]]);
  });
}

function dialTests(
  kind: TransportKind,
  it: (title: string, run: (t: TestContext) => Promise<void>) => void,
): void {
  it("both ends have an address that can be shown", async (t) => {
    const listener = await kind.listen();
    t.after(() => listener.close());
    const accepted = new Promise<Transport>((resolve) => listener.open(resolve));
    const near = await kind.dial(listener.address);
    const far = await accepted;
    assert.ok(near.address.includes(placeOf(listener)), near.address);
    assert.notEqual(far.address, "");
    near.destroy();
    far.destroy();
  });

  it("a connection made before the listener is opened is accepted by it", async (t) => {
    const listener = await kind.listen();
    t.after(() => listener.close());
    const near = await kind.dial(listener.address);
    const here = Recorder.open(near);
    near.write(pattern(100));
    await delay(A_WHILE_MS);
    const far = await new Promise<Transport>((resolve) => listener.open(resolve));
    const there = Recorder.open(far);
    await there.received(100);
    near.end();
    await Promise.all([here.closed, there.closed]);
  });

  it("closing a listener frees its address and does not affect its connections", async (t) => {
    const first = await kind.listen();
    const accepted = new Promise<Transport>((resolve) => first.open(resolve));
    const near = await kind.dial(first.address);
    const far = await accepted;
    t.after(() => near.destroy());
    const [here, there] = [Recorder.open(near), Recorder.open(far)];
    await Promise.all([first.close(), first.close()]);
    near.write(pattern(10));
    await there.received(10);
    const second = await kind.listen(first.address);
    t.after(() => second.close());
    assert.equal(second.address, first.address);
    near.end();
    await Promise.all([here.closed, there.closed]);
  });

  it("closing a listener that was never opened disconnects its clients", async () => {
    const listener = await kind.listen();
    const here = Recorder.open(await kind.dial(listener.address));
    await delay(A_WHILE_MS);
    await listener.close();
    await here.closed;
  });

  it("dialling without a listener gives a ConnectError that names the address", async () => {
    const listener = await kind.listen();
    await listener.close();
    await assert.rejects(kind.dial(listener.address), (error) => {
      assert.ok(error instanceof ConnectError);
      assert.equal(error.code, "ERR_CONNECT");
      assert.ok(error.message.includes(placeOf(listener)), error.message);
      return true;
    });
  });

  it("a dial whose signal is already aborted does not connect", async (t) => {
    const listener = await kind.listen();
    t.after(() => listener.close());
    let accepted = 0;
    listener.open(() => accepted++);
    const reason = new Error("changed my mind");
    await assert.rejects(
      kind.dial(listener.address, { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
    await delay(A_WHILE_MS);
    assert.equal(accepted, 0);
  });

  it("aborting a dial in progress leaves no connection", async (t) => {
    const listener = await kind.listen();
    t.after(() => listener.close());
    const accepted: Recorder[] = [];
    listener.open((transport) => accepted.push(Recorder.open(transport)));
    const controller = new AbortController();
    const reason = new Error("changed my mind");
    const dialling = kind.dial(listener.address, { signal: controller.signal });
    controller.abort(reason);
    const outcome = await dialling.catch((error: unknown) => error);
    // A kind that connects without waiting may have been faster than the signal.
    if (outcome !== reason) (outcome as Transport).destroy();
    await delay(A_WHILE_MS);
    await Promise.all(accepted.map((recorder) => recorder.closed));
  });

  it("a signal aborted after the dial does not affect the connection", async (t) => {
    const listener = await kind.listen();
    t.after(() => listener.close());
    const accepted = new Promise<Transport>((resolve) => listener.open(resolve));
    const controller = new AbortController();
    const near = await kind.dial(listener.address, { signal: controller.signal });
    controller.abort();
    const there = Recorder.open(await accepted);
    const here = Recorder.open(near);
    near.write(pattern(10));
    await there.received(10);
    near.end();
    assert.equal(await here.closed, null);
  });
}

/** An address without its kind: the family may be named differently. */
function placeOf(listener: Listener): string {
  return listener.address.replace(/^(tcp|unix|ws):(\/\/)?/, "");
}
