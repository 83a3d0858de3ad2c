/** How much each tab of a shared connection may ask for, leave unread and leave behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, randomBytes, toHex } from "../../src/bytes/bytes.js";
import { encodeCbor } from "../../src/cbor/cbor.js";
import { QueryId, SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import { memoryListener } from "../../src/transport/memory.js";
import { encodeFrame } from "../../src/wire/framing.js";
import { type DaemonRequest } from "../../src/wire/requests.js";
import { type DaemonResponse } from "../../src/wire/responses.js";
import { shareConnection } from "../../src/workers/index.js";
import {
  RawTab,
  keypairReply,
  local,
  message,
  pass,
  replyTo,
  scene,
  settle,
  start,
  startReply,
} from "./raw-tab.js";

test("starts of all tabs together leave the daemon room to read, and tabs take turns", async (t) => {
  const { first, listener, connection, shared } = await scene(t);
  const second = await RawTab.join(listener, randomBytes(16));
  for (let i = 0; i < 100; i++) first.send(start(randomBytes(32)));
  await settle();
  const sent = (): DaemonRequest[] =>
    connection.requests.filter(({ kind }) => kind === "startResendingEncryptedMessage");
  assert.equal(sent().length, 15);
  const theirs = start(randomBytes(32));
  second.send(theirs);
  const asked = local();
  second.send(asked);
  await settle();
  // The local request does not wait for the starts.
  assert.ok(connection.requests.some(({ kind }) => kind === asked.kind));
  assert.equal(shared.load.waiting, 86);
  for (const one of sent().slice(0, 2)) {
    connection.send(startReply((one as DaemonRequest<"startResendingEncryptedMessage">).queryId!));
  }
  await settle();
  const ids = sent().map((one) => toHex((one as typeof theirs).queryId!));
  assert.equal(ids.length, 17);
  assert.ok(ids.includes(toHex(theirs.queryId!)), "the second tab has had its turn");
});

test("a tab's local requests leave the daemon free for others", async (t) => {
  const { first, listener, connection } = await scene(t);
  const second = await RawTab.join(listener, randomBytes(16));
  for (let i = 0; i < 1000; i++) first.send(local());
  await settle();
  const asked = local();
  second.send(asked);
  await settle();
  const ids = connection.requests.map((one) => toHex((one as typeof asked).queryId!));
  assert.equal(ids.length, 17);
  assert.equal(ids.at(-1), toHex(asked.queryId!));
});

test("starts beyond 1,024 unanswered ones of a tab are refused, and its cancels still work", async (t) => {
  const { first, shared, connection } = await scene(t);
  const hash = randomBytes(32);
  for (let i = 0; i < 1030; i++) first.send(start(i === 1000 ? hash : randomBytes(32)));
  await settle();
  const refused = first.heard.filter((one) => "errorCode" in one && one.errorCode === 4);
  assert.equal(refused.length, 6);
  const queryId = QueryId.random();
  first.send({
    kind: "cancelResendingEncryptedMessage",
    queryId,
    envelopeHash: hash,
  });
  await settle();
  const ended = first.heard.filter((one) => "errorCode" in one && one.errorCode === 24);
  assert.equal(ended.length, 1, "the start that waited here is answered");
  assert.equal(connection.requests.at(-1)!.kind, "cancelResendingEncryptedMessage");
  assert.equal(shared.load.waiting, 1024 - 1 - 15);
  // One more has room now.
  for (let i = 0; i < 2; i++) first.send(start(randomBytes(32)));
  await settle();
  const refusedNow = first.heard.filter((one) => "errorCode" in one && one.errorCode === 4);
  assert.equal(refusedNow.length, 7);
  assert.equal(shared.load.waiting, 1024 - 15);
});

test("starts of a tab beyond 16 MiB are refused until there is room again", async (t) => {
  const { first, shared } = await scene(t);
  // These use up what the daemon takes in.
  for (let i = 0; i < 15; i++) first.send(start(randomBytes(32)));
  await settle();
  const hashes = Array.from({ length: 9 }, () => randomBytes(32));
  const messageCiphertext = new Uint8Array(2 * 1024 * 1024);
  const sendLarge = async (hash: Bytes): Promise<void> => {
    first.send({ ...start(hash), messageCiphertext });
    await settle();
  };
  const refused = (): number =>
    first.heard.filter((one) => "errorCode" in one && one.errorCode === 4).length;
  for (const hash of hashes) await sendLarge(hash);
  assert.equal(shared.load.waiting, 7);
  assert.equal(refused(), 2);
  for (const envelopeHash of hashes.slice(0, 3)) {
    first.send({
      kind: "cancelResendingEncryptedMessage",
      queryId: QueryId.random(),
      envelopeHash,
    });
  }
  await settle();
  for (const hash of hashes.slice(0, 3)) await sendLarge(hash);
  assert.equal(shared.load.waiting, 7);
  assert.equal(refused(), 2);
});

test("a tab that does not read does not delay others, and is dropped", async (t) => {
  const made = await scene(t);
  const { first, listener, connection, shared } = made;
  const slow = await RawTab.join(listener, randomBytes(16));
  slow.transport.pause();
  const asked = local();
  slow.send(asked);
  await settle();
  connection.send({ kind: "newPkiDocumentEvent", payload: randomBytes(300_000) });
  connection.send(keypairReply(asked.queryId!));
  await settle();
  assert.equal(first.kinds().at(-1), "newPkiDocumentEvent");
  await pass(made, 90_000);
  assert.equal(shared.load.tabs, 1);
  assert.ok(!first.closed);
  // A tab that requests more than it reads has at most 64 MiB waiting here.
  const greedy = await RawTab.join(listener, randomBytes(16));
  greedy.transport.pause();
  for (let i = 0; i < 4; i++) {
    connection.send({ kind: "newPkiDocumentEvent", payload: new Uint8Array(20 * 1024 * 1024) });
    await settle();
  }
  assert.equal(shared.load.tabs, 1);
});

test("a tab with more than 4 MiB to read is not served until it has read", async (t) => {
  const { listener, connection, first } = await scene(t);
  const slow = await RawTab.join(listener, randomBytes(16));
  // Some of these wait here when the tab stops reading.
  const early = Array.from({ length: 20 }, () => local());
  for (const one of early) slow.send(one);
  await settle();
  slow.transport.pause();
  connection.send({ kind: "newPkiDocumentEvent", payload: new Uint8Array(5 * 1024 * 1024) });
  for (const { queryId } of early.slice(0, 16)) connection.send(keypairReply(queryId!));
  await settle();
  const [mine, theirs] = [local(), local()];
  slow.send(mine);
  first.send(theirs);
  await settle();
  const asked = (): string[] =>
    connection.requests.flatMap((one) => (one.kind === "newKeypair" ? [toHex(one.queryId!)] : []));
  const idsOf = (all: readonly DaemonRequest<"newKeypair">[]): string[] =>
    all.map(({ queryId }) => toHex(queryId!));
  assert.deepEqual(asked(), idsOf([...early.slice(0, 16), theirs]));
  slow.transport.resume();
  await settle();
  assert.deepEqual(asked(), idsOf([...early.slice(0, 16), theirs, ...early.slice(16), mine]));
});

test("a tab that reads a little now and then stays, however long it takes", async (t) => {
  const made = await scene(t);
  const { listener, connection, shared } = made;
  const slow = await listener.dial();
  let read = 0;
  slow.open({
    onData: ({ length }) => {
      read += length;
      slow.pause();
    },
    onClose: () => {},
  });
  await settle();
  slow.resume();
  await settle();
  const before = read;
  for (let i = 0; i < 10; i++) {
    connection.send({ kind: "newPkiDocumentEvent", payload: randomBytes(1000) });
    await settle();
  }
  for (let i = 0; i < 5; i++) {
    await pass(made, 50_000);
    assert.equal(shared.load.tabs, 2, `after ${i} times 50 s`);
    slow.resume();
    await settle();
  }
  assert.ok(read > before);
  await pass(made, 90_000);
  assert.equal(shared.load.tabs, 1);
});

test("at most 128 tabs are served", async (t) => {
  const { listener, shared } = await scene(t);
  const tabs = await Promise.all(Array.from({ length: 130 }, () => RawTab.join(listener)));
  assert.equal(shared.load.tabs, 128);
  assert.equal(tabs.filter(({ closed }) => closed).length, 3);
});

test("sessions of absent tabs are limited, and end after ten minutes", async (t) => {
  const made = await scene(t);
  const { listener, shared, first, connection } = made;
  for (let i = 0; i < 70; i++) {
    const tab = await RawTab.join(listener, randomBytes(16));
    tab.transport.destroy();
  }
  await settle();
  assert.equal(shared.load.sessions, 65);
  first.transport.destroy();
  await settle();
  assert.ok(!connection.closed);
  await pass(made, 600_000);
  assert.equal(shared.load.sessions, 0);
  assert.equal(connection.requests.at(-1)!.kind, "thinClose");
});

test("of too many absent sessions, the one that is away for the longest ends", async (t) => {
  const { listener, first, shared } = await scene(t);
  first.transport.destroy();
  const tokens = Array.from({ length: 65 }, () => randomBytes(16));
  const oldest = await RawTab.join(listener, tokens[0]);
  for (const token of tokens.slice(1)) (await RawTab.join(listener, token)).transport.destroy();
  await settle();
  // The first tab was away before.
  assert.equal(shared.load.sessions, 65);
  oldest.transport.destroy();
  await settle();
  assert.equal(shared.load.sessions, 64);
  const resumed = async (token: Bytes): Promise<boolean> => {
    const tab = await RawTab.join(listener, token);
    return (tab.heard.at(-1) as DaemonResponse<"sessionTokenReply">).resumed;
  };
  assert.equal(await resumed(tokens[0]!), true);
  assert.equal(await resumed(tokens[1]!), false);
});

test("for a tab that is away, at most 16 MiB of replies are kept, and 1,000", async (t) => {
  const { listener, connection } = await scene(t);
  for (const [count, length, kept] of [
    [3, 7 * 1024 * 1024, 2],
    [1001, 1, 1000],
  ] as const) {
    const token = randomBytes(16);
    const tab = await RawTab.join(listener, token);
    const ids = Array.from({ length: count }, () => SurbId.random());
    for (const surbId of ids) {
      tab.send(message(surbId));
      await settle();
      const sent = { kind: "messageSentEvent", messageId: null, sentAt: 0, replyEta: 0 } as const;
      connection.send({ ...sent, surbId, err: null });
    }
    await settle();
    tab.transport.destroy();
    await settle();
    const payload = new Uint8Array(length);
    for (const surbId of ids) connection.send({ ...replyTo(surbId), payload });
    await settle();
    const back = await RawTab.join(listener, token);
    const replies = back.kinds().filter((kind) => kind === "messageReplyEvent");
    assert.equal(replies.length, kept);
    back.send({ kind: "thinClose" });
    await settle();
  }
});

test("replies that were kept for others do not count once they are read or given up", async (t) => {
  const made = await scene(t);
  const { listener, connection } = made;
  const payload = new Uint8Array(9 * 1024 * 1024);
  for (const isRead of [true, false, true]) {
    const token = randomBytes(16);
    const tab = await RawTab.join(listener, token);
    const surbId = SurbId.random();
    tab.send(message(surbId));
    await settle();
    tab.transport.destroy();
    await settle();
    connection.send({ ...replyTo(surbId), payload });
    await settle();
    if (!isRead) {
      await pass(made, 610_000);
      continue;
    }
    const back = await RawTab.join(listener, token);
    assert.deepEqual(back.kinds().slice(2), ["messageReplyEvent", "sessionTokenReply"]);
    back.send({ kind: "thinClose" });
    await settle();
  }
});

test("of a tab's messages, the last 10,000 get their replies; one without a reply does not count", async (t) => {
  const { first, connection, shared } = await scene(t);
  first.send({ ...message(SurbId.random()), withSurb: false });
  await settle();
  assert.equal(shared.load.awaitedReplies, 0);
  const sent = { kind: "messageSentEvent", messageId: null, sentAt: 0, replyEta: 0 } as const;
  const send = async (ids: readonly SurbId[]): Promise<void> => {
    for (const surbId of ids) first.send(message(surbId));
    for (let left = ids.length; left > 0;) {
      await settle();
      const out = connection.requests.splice(0);
      assert.ok(out.length > 0);
      for (const request of out) {
        if (request.kind === "nextMessageBoxIndex") {
          const { queryId, kind } = request;
          const none = { nextMessageBoxIndex: null, errorCode: 3 };
          connection.send({ kind: `${kind}Reply`, queryId, ...none });
        } else if (request.kind === "sendMessage" && request.withSurb) {
          left--;
          connection.send({ ...sent, surbId: request.surbId, err: null });
        }
      }
    }
    await settle();
    first.heard.length = 0;
  };
  const ids = Array.from({ length: 10_000 }, () => SurbId.random());
  for (let at = 0; at < ids.length; at += 200) await send(ids.slice(at, at + 200));
  assert.equal(shared.load.awaitedReplies, 10_000);
  // The first one is sent again, so the second one is the oldest.
  await send([ids[0]!, SurbId.random()]);
  assert.equal(shared.load.awaitedReplies, 10_000);
  connection.send(replyTo(ids[1]!));
  connection.send(replyTo(ids[0]!));
  await settle();
  assert.deepEqual(
    first.heard.map((one) => ("surbId" in one ? one.surbId : null)),
    [ids[0]],
  );
  assert.equal(shared.load.awaitedReplies, 9999);
});

test("the bytes that a tab sends before the daemon's greeting are limited", async (t) => {
  const daemon = new ScriptedDaemon();
  const listener = memoryListener();
  const shared = shareConnection(listener, daemon, { clock: new VirtualClock() });
  t.after(() => shared.close());
  const tab = await RawTab.join(listener);
  const megabyte = new Uint8Array(1024 * 1024);
  const send = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      tab.send({
        kind: "nextMessageBoxIndex",
        queryId: QueryId.random(),
        messageBoxIndex: megabyte,
      });
      await settle();
    }
  };
  await send(10);
  assert.equal(tab.closed, false);
  await send(10);
  assert.equal(tab.closed, true);
  assert.equal(shared.load.tabs, 0);
});

test("a tab sends at most 256 requests before the daemon's greeting", async (t) => {
  const listener = memoryListener();
  const shared = shareConnection(listener, new ScriptedDaemon(), { clock: new VirtualClock() });
  t.after(() => shared.close());
  const tab = await RawTab.join(listener);
  for (let i = 0; i < 256; i++) tab.send(local());
  await settle();
  assert.equal(tab.closed, false);
  tab.send(local());
  await settle();
  assert.equal(tab.closed, true);
});

test("the requests of a tab before the greeting are also limited by their decoded size", async (t) => {
  const listener = memoryListener();
  const shared = shareConnection(listener, new ScriptedDaemon(), { clock: new VirtualClock() });
  t.after(() => shared.close());
  const tab = await RawTab.join(listener);
  // A destination takes one byte on the wire.
  const destinations = Array.from({ length: 40_000 }, () => new Map());
  const request = { query_id: QueryId.random(), destinations, is_start: true, is_last: true };
  const body = encodeCbor({ create_courier_envelopes_from_multi_payload: request });
  assert.ok(body.length < 50_000);
  for (let i = 0; i < 4; i++) tab.transport.write(encodeFrame(body));
  await settle();
  assert.equal(tab.closed, true);
});
