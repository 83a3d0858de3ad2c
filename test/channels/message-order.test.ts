/** The order of messages with readers that are made by hand; groups.test.ts has whole groups. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import {
  firstIndexOf,
  generateKeypair,
  messageBoxCounter,
  readCapOf,
} from "../../src/bacap/index.js";
import { type Bytes, utf8 } from "../../src/bytes/bytes.js";
import {
  type KatzenqtCause,
  type Message,
  type Reader,
  encodeKatzenqtMessage,
} from "../../src/channels/index.js";
import {
  type GroupMember,
  type GroupMessage,
  MessageOrder,
} from "../../src/channels/message-order.js";
import type { Scheduler } from "../../src/channels/scheduler.js";
import { VirtualClock } from "../../src/clock/virtual.js";

/** A member whose messages the test puts in. */
class Peer {
  readonly member: GroupMember;
  readonly reader: Reader;
  readonly first: bigint;
  acknowledged: bigint | null = null;
  hurries = 0;
  /** How many loops read its messages. */
  listeners = 0;
  readonly #messages: Message[] = [];
  #wake: () => void = () => {};

  constructor(displayName: string, channel = `from ${displayName}`) {
    this.member = { displayName, channel };
    const readCap = readCapOf(generateKeypair().writeCap);
    this.first = messageBoxCounter(firstIndexOf(readCap));
    const reader = {
      readCap: () => readCap,
      hurry: () => this.hurries++,
      messages: ({ signal }: { signal: AbortSignal }) => this.#read(signal),
    };
    Object.defineProperty(reader, "acknowledged", { get: () => this.acknowledged });
    this.reader = reader as unknown as Reader;
  }

  async *#read(signal: AbortSignal): AsyncGenerator<Message> {
    this.listeners++;
    try {
      yield* this.#following(signal);
    } finally {
      this.listeners--;
    }
  }

  async *#following(signal: AbortSignal): AsyncGenerator<Message> {
    const last = this.acknowledged;
    let at = this.#messages.findIndex(({ id }) => last === null || id > last);
    if (at < 0) at = this.#messages.length;
    for (;;) {
      signal.throwIfAborted();
      const message = this.#messages[at];
      if (message) {
        at++;
        yield message;
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** Puts in message number `n`. */
  says(n: number, text: string, after: readonly KatzenqtCause[] = []): void {
    this.puts(n, encodeKatzenqtMessage({ type: "text", text, after }));
  }

  puts(n: number, bytes: Bytes, kind: Message["kind"] = "message"): void {
    const id = this.idOf(n);
    const ack = async (): Promise<void> => void (this.acknowledged = id);
    this.#messages.push({ id, kind, bytes, gap: 0, mayBeCut: false, ack });
    this.#wake();
  }

  idOf(n: number): bigint {
    return this.first + BigInt(n);
  }

  /** That message, as another one names it. */
  cause(n: number): KatzenqtCause {
    return { name: this.member.displayName, id: this.idOf(n) };
  }
}

function setUp(...peers: Peer[]) {
  const clock = new VirtualClock();
  const of = (channel: string): Reader =>
    peers.find(({ member }) => member.channel === channel)!.reader;
  const order = new MessageOrder({
    clock,
    scheduler: { kick: () => {} } as Partial<Scheduler> as Scheduler,
    displayName: "me",
    members: () => peers.map(({ member }) => member),
    speaking: () => peers.map(({ member }) => member),
    reader: async (channel) => of(channel),
    readerNow: of,
    introduced: async () => {},
    checkOpen: () => {},
  });
  const heard: GroupMessage[] = [];
  /** Takes messages until `stop` is called. */
  const listen = () => {
    const abort = new AbortController();
    const done = (async () => {
      for await (const message of order.messages(abort.signal)) heard.push(message);
    })().catch(() => {});
    return {
      signal: abort.signal,
      stop: async () => {
        abort.abort();
        await clock.runUntil(done);
      },
    };
  };
  const texts = (): string[] =>
    heard.map(({ message }) => (message?.type === "text" ? message.text : "?"));
  return { clock, order, heard, listen, texts };
}

test("a message names what was seen since the one before, each message once", async () => {
  const [bob, carol] = [new Peer("Bob"), new Peer("Carol")];
  const { clock, order, listen } = setUp(bob, carol);
  const loop = listen();
  assert.deepEqual(order.causes(), []);
  bob.says(0, "one");
  bob.says(1, "two");
  carol.says(0, "three");
  await clock.advance(10);
  assert.deepEqual(order.causes(), [bob.cause(1), carol.cause(0)]);
  assert.deepEqual(order.causes(), [bob.cause(1), carol.cause(0)]);
  const seen = order.seen();
  bob.says(2, "while ours is stored");
  await clock.advance(10);
  order.sent(seen);
  assert.deepEqual(order.causes(), [bob.cause(2)]);
  order.sent(order.seen());
  assert.deepEqual(order.causes(), []);
  await loop.stop();
});

test("a message names at most 16 others", async () => {
  const peers = Array.from({ length: 20 }, (_, n) => new Peer(`Peer ${n}`));
  const { clock, order, listen } = setUp(...peers);
  const loop = listen();
  for (const peer of peers) peer.says(0, "hello");
  await clock.advance(10);
  assert.equal(order.causes().length, 16);
  await loop.stop();
});

test("members who share a name, with another one or with us, are not named, and nothing waits for them", async () => {
  const peers = [new Peer("Bob", "one"), new Peer("Bob", "two"), new Peer("me"), new Peer("Carol")];
  const [bob, , me, carol] = peers as [Peer, Peer, Peer, Peer];
  const { clock, order, listen, texts } = setUp(...peers);
  const loop = listen();
  carol.says(0, "hello", [bob.cause(5), me.cause(5)]);
  await clock.advance(10);
  assert.deepEqual(texts(), ["hello"]);
  for (const peer of peers.slice(0, 3)) peer.says(0, "hi");
  await clock.advance(10);
  assert.deepEqual(order.causes(), [carol.cause(0)]);
  await loop.stop();
});

test("what was acknowledged before counts as seen, and a new loop does not forget what was seen", async () => {
  const [bob, carol] = [new Peer("Bob"), new Peer("Carol")];
  bob.says(0, "old");
  bob.acknowledged = bob.idOf(0);
  const { clock, order, listen, texts } = setUp(carol, bob);
  const loop = listen();
  carol.says(0, "about the old one", [bob.cause(0)]);
  await clock.advance(10);
  assert.deepEqual(texts(), ["about the old one"]);
  assert.deepEqual(order.causes(), [carol.cause(0), bob.cause(0)]);
  bob.says(1, "new");
  await clock.advance(10);
  await loop.stop();
  // As if it had been seen, but not acknowledged.
  bob.acknowledged = bob.idOf(0);
  carol.says(1, "another one");
  const other = order.messages(undefined);
  assert.equal((await clock.runUntil(other.next())).value!.id, carol.idOf(1));
  assert.deepEqual(order.causes(), [carol.cause(1), bob.cause(1)]);
  await clock.runUntil(other.return(undefined));
});

test("a message waits for those that it names, a minute at most, and their readers hurry", async () => {
  const [bob, carol] = [new Peer("Bob"), new Peer("Carol")];
  const { clock, listen, texts } = setUp(bob, carol);
  const loop = listen();
  carol.says(0, "first", [bob.cause(0)]);
  await clock.advance(20_000);
  assert.deepEqual(texts(), []);
  assert.equal(bob.hurries, 1);
  assert.equal(carol.hurries, 0);
  bob.says(0, "named");
  await clock.advance(10);
  assert.deepEqual(texts(), ["named", "first"]);
  carol.says(1, "second", [bob.cause(7)]);
  await clock.advance(58_000);
  assert.equal(texts().length, 2);
  await clock.advance(3000);
  assert.deepEqual(texts(), ["named", "first", "second"]);
  await loop.stop();
});

test("after a long wait the messages of that member do not wait for a minute, and then again", async () => {
  const [bob, carol] = [new Peer("Bob"), new Peer("Carol")];
  const { clock, listen, texts } = setUp(bob, carol);
  const loop = listen();
  bob.says(0, "0");
  carol.says(0, "1", [bob.cause(9)]);
  await clock.advance(62_000);
  assert.deepEqual(texts(), ["0", "1"]);
  carol.says(1, "2", [bob.cause(9)]);
  await clock.advance(10);
  assert.deepEqual(texts(), ["0", "1", "2"]);
  await clock.advance(60_000);
  carol.says(2, "3", [bob.cause(9)]);
  await clock.advance(20_000);
  assert.equal(texts().length, 3);
  await clock.advance(42_000);
  assert.deepEqual(texts(), ["0", "1", "2", "3"]);
  await loop.stop();
});

for (const isFirst of [true, false]) {
  test(`of two messages that wait in vain, the one that came first is shown first: ${isFirst}`, async () => {
    const [bob, carol, dave] = [new Peer("Bob"), new Peer("Carol"), new Peer("Dave")];
    const { clock, listen, texts } = setUp(...(isFirst ? [carol, dave] : [dave, carol]), bob);
    const loop = listen();
    carol.says(0, "first", [bob.cause(9)]);
    await clock.advance(10);
    dave.says(0, "second", [bob.cause(9)]);
    await clock.advance(62_000);
    assert.deepEqual(texts(), ["first", "second"]);
    await loop.stop();
  });
}

test("a loop that waits keeps one timer, and leaves nothing behind", async () => {
  const [bob, carol] = [new Peer("Bob"), new Peer("Carol")];
  const { clock, listen, texts } = setUp(bob, carol);
  const loop = listen();
  carol.says(0, "waits", [bob.cause(99)]);
  for (let n = 0; n < 20; n++) {
    bob.says(n, "hi");
    await clock.advance(1);
  }
  assert.equal(texts().length, 20);
  assert.ok(clock.pending <= 2, `${clock.pending} timers`);
  await loop.stop();
  assert.equal(clock.pending, 0);
  assert.equal(getEventListeners(loop.signal, "abort").length, 0);
  // One member's loop held a message, the other one's waited for its next one.
  assert.deepEqual([bob.listeners, carol.listeners], [0, 0]);
});

test("a loop that its application leaves leaves nothing behind", async () => {
  const [bob, carol] = [new Peer("Bob"), new Peer("Carol")];
  const { clock, order } = setUp(bob, carol);
  const { signal } = new AbortController();
  bob.says(0, "one");
  carol.says(0, "two");
  const messages = order.messages(signal);
  await clock.runUntil(messages.next());
  assert.deepEqual([bob.listeners, carol.listeners], [1, 1]);
  await clock.runUntil(messages.return(undefined));
  assert.deepEqual([bob.listeners, carol.listeners], [0, 0]);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(clock.pending, 0);
});

test("a message does not wait for one that we never get, from before we could read its sender", async () => {
  const [bob, carol] = [new Peer("Bob"), new Peer("Carol")];
  const { clock, listen, texts } = setUp(bob, carol);
  const loop = listen();
  carol.says(0, "about an old one", [bob.cause(-1)]);
  await clock.advance(10);
  assert.deepEqual(texts(), ["about an old one"]);
  await loop.stop();
});

test("a message that is none of a conversation is shown as its box", async () => {
  const bob = new Peer("Bob");
  const { clock, listen, heard } = setUp(bob);
  const loop = listen();
  bob.puts(0, utf8("nonsense"));
  bob.puts(1, encodeKatzenqtMessage({ type: "text", text: "left of a deleted one" }), "deleted");
  await clock.advance(10);
  assert.deepEqual(
    heard.map(({ message, box }) => [message, box.kind]),
    [
      [null, "message"],
      [null, "deleted"],
    ],
  );
  await loop.stop();
});
