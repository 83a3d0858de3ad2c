/** What a shared connection sends to each tab, frame by frame, also to tabs that misbehave. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Bytes, randomBytes, toHex } from "../../src/bytes/bytes.js";
import { encodeCbor } from "../../src/cbor/cbor.js";
import { QueryId, SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { ScriptedDaemon } from "../../src/testing/scripted-daemon.js";
import { memoryListener, memoryPair } from "../../src/transport/memory.js";
import { encodeFrame } from "../../src/wire/framing.js";
import { type DaemonRequest } from "../../src/wire/requests.js";
import { type DaemonResponse } from "../../src/wire/responses.js";
import { shareConnection } from "../../src/workers/index.js";
import {
  RawTab,
  type Scene,
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

test("a tab is greeted as by a daemon, and its session has its own token", async (t) => {
  const { first, listener } = await scene(t);
  const second = await RawTab.join(listener, randomBytes(16));
  const greeting = ["connectionStatusEvent", "newPkiDocumentEvent", "sessionTokenReply"];
  assert.deepEqual(first.kinds(), greeting);
  assert.deepEqual(second.kinds(), greeting);
  const [one, two] = [first, second].map(({ heard }) => heard[2]) as [
    DaemonResponse<"sessionTokenReply">,
    DaemonResponse<"sessionTokenReply">,
  ];
  assert.notDeepEqual(one.appId, two.appId);
  assert.deepEqual([one.resumed, two.resumed], [false, false]);
});

test("only the tab that asked gets the answer, even an unreadable one", async (t) => {
  const { first, listener, connection } = await scene(t);
  const second = await RawTab.join(listener, randomBytes(16));
  const [mine, theirs] = [local(), local()];
  first.send(mine);
  second.send(theirs);
  await settle();
  // A capability of a wrong length fails only its own call.
  connection.send({ ...keypairReply(theirs.queryId!), writeCap: randomBytes(3) as never });
  connection.send(keypairReply(mine.queryId!));
  connection.send(keypairReply(QueryId.random())); // nobody's
  await settle();
  assert.deepEqual(first.answers, [toHex(mine.queryId!)]);
  assert.deepEqual(second.answers, [toHex(theirs.queryId!)]);
  assert.equal(second.kinds().at(-1), "malformedReply");
});

test("events of a message go to its sender, and are kept while it is away", async (t) => {
  const { first, listener, connection, shared } = await scene(t);
  const token = randomBytes(16);
  const second = await RawTab.join(listener, token);
  const [mine, theirs] = [SurbId.random(), SurbId.random()];
  first.send(message(mine));
  second.send(message(theirs));
  await settle();
  const sent = { kind: "messageSentEvent", messageId: null, sentAt: 0, replyEta: 0 } as const;
  connection.send({ ...sent, surbId: theirs, err: null });
  await settle();
  assert.equal(second.kinds().at(-1), "messageSentEvent");
  second.transport.destroy();
  await settle();
  connection.send(replyTo(theirs));
  connection.send(replyTo(mine));
  await settle();
  assert.equal(first.kinds().filter((kind) => kind.startsWith("message")).length, 1);
  const back = await RawTab.join(listener, token);
  assert.deepEqual(back.kinds().slice(2), ["messageReplyEvent", "sessionTokenReply"]);
  assert.equal((back.heard.at(-1) as DaemonResponse<"sessionTokenReply">).resumed, true);
  assert.equal(shared.load.awaitedReplies, 0);
});

const badTabs: Record<string, (scene: Scene, tab: RawTab) => void> = {
  "an empty frame": (_, tab) => void tab.transport.write(new Uint8Array(4)),
  "a frame that is not CBOR": (_, tab) => void tab.transport.write(encodeFrame(Uint8Array.of(255))),
  "a frame that is too long": (_, tab) =>
    void tab.transport.write(Uint8Array.of(255, 255, 255, 255)),
  "a query without an ID": (_, tab) => tab.send({ kind: "newKeypair", queryId: null, seed: null }),
  "a query with a long ID": (_, tab) => tab.send(local(randomBytes(17) as never)),
  "the ID of another tab's query": ({ connection }, tab) =>
    tab.send(local((connection.requests.at(-1) as DaemonRequest<"newKeypair">).queryId as QueryId)),
  "a short SURB ID": (_, tab) => tab.send(message(randomBytes(3) as never)),
  "a short session token": (_, tab) =>
    tab.send({ kind: "sessionToken", clientInstanceToken: randomBytes(3) }),
};

for (const [what, misbehave] of Object.entries(badTabs)) {
  test(`a tab that sends ${what} is disconnected alone`, async (t) => {
    const made = await scene(t);
    const { first, listener, connection, shared } = made;
    const bad = await RawTab.join(listener, randomBytes(16));
    const mine = local();
    first.send(mine);
    await settle();
    misbehave(made, bad);
    await settle();
    assert.ok(bad.closed, "it is disconnected");
    assert.equal(shared.load.tabs, 1);
    connection.send(keypairReply(mine.queryId!));
    await settle();
    assert.deepEqual(first.answers, [toHex(mine.queryId!)]);
    assert.deepEqual(bad.answers, []);
    assert.ok(!first.closed && !connection.closed);
  });
}

test("another session under the connection's token counts as a forgotten one", async (t) => {
  for (const [appId, resumed] of [
    [randomBytes(16), false],
    [null, true],
  ] as const) {
    const { daemon, connection, listener } = await scene(t);
    const token = randomBytes(16);
    await RawTab.join(listener, token);
    connection.transport.destroy();
    await settle();
    const back = await RawTab.join(listener, token);
    const next = await daemon.accept();
    next.send(daemon.status());
    next.send(daemon.documentEvent());
    await next.expect("sessionToken");
    next.send({ kind: "sessionTokenReply", appId, resumed: true });
    await settle();
    const answer = back.heard.find((one) => one.kind === "sessionTokenReply");
    assert.equal(answer?.resumed, resumed);
  }
});

test("another tab's SURB ID is refused", async (t) => {
  const { first, listener } = await scene(t);
  const thief = await RawTab.join(listener, randomBytes(16));
  const surbId = SurbId.random();
  first.send(message(surbId));
  await settle();
  thief.send(message(surbId));
  await settle();
  assert.ok(thief.closed && !first.closed);
});

test("a refused start does not show that the packets before it have left", async (t) => {
  for (const [errorCode, leaves] of [
    [24, true],
    [3, false],
    [4, false],
  ] as const) {
    const { first, connection } = await scene(t);
    for (let i = 0; i < 16; i++) first.send(start(randomBytes(32)));
    await settle();
    const sent = (): DaemonRequest<"startResendingEncryptedMessage">[] =>
      connection.requests.filter(({ kind }) => kind === "startResendingEncryptedMessage") as never;
    assert.equal(sent().length, 15);
    connection.send(startReply(sent().at(-1)!.queryId!, errorCode));
    await settle();
    assert.equal(sent().length, leaves ? 16 : 15, `code ${errorCode}`);
  }
});

test("a tab that does not read does not keep its connection when another one takes its session over", async (t) => {
  const { listener, connection, clock, shared } = await scene(t);
  const token = randomBytes(16);
  const older = await RawTab.join(listener, token);
  older.transport.pause();
  const envelope = randomBytes(32);
  older.send(start(envelope));
  await settle();
  connection.send({ kind: "newPkiDocumentEvent", payload: randomBytes(1000) });
  await settle();
  const newer = await RawTab.join(listener, token);
  assert.equal(shared.load.tabs, 2);
  // What it asked for is given up at once.
  assert.equal(connection.requests.at(-1)!.kind, "cancelResendingEncryptedMessage");
  assert.equal((newer.heard.at(-1) as DaemonResponse<"sessionTokenReply">).resumed, true);
  await clock.advance(2000);
  older.transport.resume();
  await settle();
  assert.equal(older.closed, true);
  assert.equal(older.kinds().at(-1), "sessionTokenReply");
});

test("a tab that resumes a session after a request has one session", async (t) => {
  const { listener, shared } = await scene(t);
  const token = randomBytes(16);
  const away = await RawTab.join(listener, token);
  away.transport.destroy();
  await settle();
  const tab = await RawTab.join(listener);
  tab.send(local());
  await settle();
  assert.equal(shared.load.sessions, 3);
  tab.send({ kind: "sessionToken", clientInstanceToken: token });
  await settle();
  assert.equal(shared.load.sessions, 2);
  assert.equal((tab.heard.at(-1) as DaemonResponse<"sessionTokenReply">).resumed, true);
});

test("a request that is too long when re-encoded disconnects only its tab", async (t) => {
  const { first, listener, shared } = await scene(t);
  const bad = await RawTab.join(listener, randomBytes(16));
  // Omitted fields become null here, which adds one byte too many.
  const plaintext = new Uint8Array(40 * 1024 * 1024 - 60);
  const body = encodeCbor({ encrypt_write: { query_id: QueryId.random(), plaintext } });
  assert.ok(body.length <= 40 * 1024 * 1024);
  bad.transport.write(encodeFrame(body));
  await settle();
  assert.ok(bad.closed && !first.closed);
  assert.equal(shared.load.tabs, 1);
});

for (const end of ["fails", "succeeds all the same"] as const) {
  test(`a tab that arrives while another's dial is given up, and ${end}, is served`, async (t) => {
    const daemon = new ScriptedDaemon();
    const listener = memoryListener();
    let dials = 0;
    const [near, far] = memoryPair();
    let isClosed = false;
    far.open({ onData: () => {}, onClose: () => (isClosed = true) });
    const shared = shareConnection(listener, {
      dial({ signal }) {
        if (dials++ > 0) return daemon.dial();
        return new Promise((resolve, reject) => {
          signal!.addEventListener("abort", () =>
            setImmediate(() => (end === "fails" ? reject(signal!.reason) : resolve(near))),
          );
        });
      },
    });
    t.after(() => shared.close());
    const leaving = await RawTab.join(listener);
    leaving.transport.destroy();
    await Promise.resolve();
    await Promise.resolve();
    const joining = RawTab.join(listener);
    await daemon.shakeHands();
    const tab = await joining;
    await settle();
    assert.deepEqual(tab.kinds(), ["connectionStatusEvent", "newPkiDocumentEvent"]);
    assert.equal(dials, 2);
    assert.equal(isClosed, end !== "fails");
  });
}

test("a session that was resumed lasts as long as its tab", async (t) => {
  const made = await scene(t);
  const { listener, connection, shared } = made;
  const token = randomBytes(16);
  (await RawTab.join(listener, token)).transport.destroy();
  await settle();
  const tab = await RawTab.join(listener, token);
  const surbId = SurbId.random();
  tab.send(message(surbId));
  await settle();
  await pass(made, 700_000);
  assert.equal(shared.load.sessions, 2);
  connection.send(replyTo(surbId));
  await settle();
  assert.equal(tab.kinds().at(-1), "messageReplyEvent");
});

test("a message that could not be sent awaits no reply", async (t) => {
  const { first, connection, shared } = await scene(t);
  const surbId = SurbId.random();
  first.send(message(surbId));
  await settle();
  assert.equal(shared.load.awaitedReplies, 1);
  const sent = { kind: "messageSentEvent", messageId: null, sentAt: 0, replyEta: 0 } as const;
  connection.send({ ...sent, surbId, err: "no route" });
  await settle();
  assert.equal(first.kinds().at(-1), "messageSentEvent");
  assert.equal(shared.load.awaitedReplies, 0);
});

test("a cancel is repeated until the start is answered", async (t) => {
  const { listener, shared, clock, connection } = await scene(t);
  const leaving = await RawTab.join(listener, randomBytes(16));
  const started = start(randomBytes(32));
  leaving.send(started);
  await settle();
  leaving.transport.destroy();
  await settle();
  const cancels = (): DaemonRequest<"cancelResendingEncryptedMessage">[] =>
    connection.requests.filter(
      (one): one is DaemonRequest<"cancelResendingEncryptedMessage"> =>
        one.kind === "cancelResendingEncryptedMessage",
    );
  const confirm = async (): Promise<void> => {
    const { queryId } = cancels().at(-1)!;
    connection.send({ kind: "cancelResendingEncryptedMessageReply", queryId, errorCode: 0 });
    await settle();
  };
  assert.equal(cancels().length, 1);
  await confirm();
  await clock.advance(100);
  await settle();
  assert.equal(cancels().length, 2, "the daemon may not have begun the start");
  connection.send(startReply(started.queryId!, 24));
  await confirm();
  await clock.advance(60_000);
  assert.equal(cancels().length, 2);
  assert.equal(shared.load.unanswered, 0);
});

test("a cancel is repeated after growing pauses, for a quarter of an hour at most", async (t) => {
  const { listener, shared, clock, connection } = await scene(t);
  const leaving = await RawTab.join(listener, randomBytes(16));
  leaving.send(start(randomBytes(32)));
  await settle();
  leaving.transport.destroy();
  await settle();
  const times: number[] = [];
  const since = clock.monotonic();
  const stepMs = 500;
  while (clock.monotonic() - since < 17 * 60_000) {
    for (const request of connection.requests.splice(0)) {
      if (request.kind === "cancelResendingEncryptedMessage") {
        times.push(clock.monotonic() - since);
        const { kind, queryId } = request;
        connection.send({ kind: `${kind}Reply`, queryId, errorCode: 0 });
      } else if (request.kind === "nextMessageBoxIndex") {
        const { kind, queryId } = request;
        const none = { nextMessageBoxIndex: null, errorCode: 3 };
        connection.send({ kind: `${kind}Reply`, queryId, ...none });
      }
    }
    await clock.advance(stepMs);
    await settle();
  }
  const pauses = times.slice(1).map((at, i) => at - times[i]!);
  assert.ok(pauses[0]! <= stepMs && pauses[1]! <= stepMs, pauses.join());
  assert.ok(Math.max(...pauses) >= 10_000 && Math.max(...pauses) <= 10_000 + 2 * stepMs);
  assert.ok(times.length > 80 && times.length < 110, `${times.length} cancels`);
  const last = times.at(-1)!;
  assert.ok(last >= 15 * 60_000 && last < 15 * 60_000 + 11_000, `${last} ms`);
  assert.equal(shared.load.unanswered, 0);
});

test("a cancel is not repeated if the start's packet had left: the daemon does not have it any more", async (t) => {
  const { first, listener, shared, clock, connection } = await scene(t);
  const leaving = await RawTab.join(listener, randomBytes(16));
  leaving.send(start(randomBytes(32)));
  await settle();
  // Packets leave in their order.
  const later = start(randomBytes(32));
  first.send(later);
  await settle();
  connection.send(startReply(later.queryId!));
  await settle();
  leaving.transport.destroy();
  await settle();
  const cancels = (): number =>
    connection.requests.filter(({ kind }) => kind.startsWith("cancel")).length;
  const request = connection.requests.at(-1)!;
  assert.equal(request.kind, "cancelResendingEncryptedMessage");
  const { queryId } = request as DaemonRequest<"cancelResendingEncryptedMessage">;
  connection.send({ kind: "cancelResendingEncryptedMessageReply", queryId, errorCode: 0 });
  await settle();
  await clock.advance(20_000);
  await settle();
  assert.equal(cancels(), 1);
  assert.equal(shared.load.unanswered, 0);
});

test("a cancel that is lost with the connection is sent on the next one", async (t) => {
  const { daemon, listener, connection, first } = await scene(t);
  const hash = randomBytes(32);
  first.send(start(hash));
  await settle();
  let lost = connection;
  const again = async (): Promise<DaemonRequest<"cancelResendingEncryptedMessage">[]> => {
    lost.transport.destroy();
    await settle();
    const joining = RawTab.join(listener, randomBytes(16));
    lost = await daemon.shakeHands(true);
    await joining;
    await settle();
    return lost.requests.filter((one) => one.kind === "cancelResendingEncryptedMessage");
  };
  for (const _ of [1, 2]) {
    const [cancel] = await again();
    assert.deepEqual(cancel?.envelopeHash, hash);
  }
  const [cancel] = await again();
  const { queryId, kind } = cancel!;
  lost.send({ kind: `${kind}Reply`, queryId, errorCode: 0 });
  await settle();
  assert.deepEqual(await again(), []);
});

test("a start that its tab has cancelled is answered once, while another tab waits for the same", async (t) => {
  const { first, listener, connection } = await scene(t);
  const second = await RawTab.join(listener, randomBytes(16));
  const envelopeHash = randomBytes(32);
  const [mine, theirs] = [start(envelopeHash), start(envelopeHash)];
  first.send(mine);
  second.send(theirs);
  await settle();
  const cancel = QueryId.random();
  first.send({ kind: "cancelResendingEncryptedMessage", queryId: cancel, envelopeHash });
  await settle();
  assert.equal(connection.requests.length, 2, "no cancel: it would end both");
  for (const { queryId } of [mine, theirs]) connection.send(startReply(queryId!));
  await settle();
  assert.deepEqual(first.answers, [mine.queryId!, cancel].map(toHex));
  assert.deepEqual(second.answers, [toHex(theirs.queryId!)]);
});

test("an operation of two tabs is cancelled when neither waits for it", async (t) => {
  const { first, listener, connection, shared } = await scene(t);
  const leaving = await RawTab.join(listener, randomBytes(16));
  const hash = randomBytes(32);
  const [theirs, mine] = [start(hash), start(hash)];
  leaving.send(theirs);
  first.send(mine);
  await settle();
  leaving.transport.destroy();
  await settle();
  assert.equal(connection.requests.length, 2, "no cancel: it would end both");
  connection.send(startReply(mine.queryId!));
  await settle();
  assert.deepEqual(first.answers, [toHex(mine.queryId!)]);
  assert.equal(connection.requests.at(-1)!.kind, "cancelResendingEncryptedMessage");
  connection.send(startReply(theirs.queryId!, 24));
  await settle();
  assert.equal(shared.load.unanswered, 1, "the cancel");
});

test("a session that the daemon announces unasked is not taken for the answer", async (t) => {
  const daemon = new ScriptedDaemon();
  const listener = memoryListener();
  const shared = shareConnection(listener, daemon, { clock: new VirtualClock() });
  t.after(() => shared.close());
  const [connection, tab] = await Promise.all([daemon.accept(), RawTab.join(listener)]);
  const answer = { kind: "sessionTokenReply", appId: randomBytes(16), resumed: false } as const;
  connection.send(answer);
  await settle();
  connection.send(daemon.status());
  connection.send(daemon.documentEvent());
  await settle();
  assert.deepEqual([tab.closed, tab.heard], [false, []]);
  connection.send(answer);
  await settle();
  assert.deepEqual(tab.kinds(), ["connectionStatusEvent", "newPkiDocumentEvent"]);
});

test("a silent daemon is given up, and tabs are told", async (t) => {
  const { first, clock, connection } = await scene(t);
  for (let waited = 0; waited < 60_000; waited += 5000) {
    await clock.advance(5000);
    await settle();
  }
  assert.ok(first.closed && connection.closed);
});

/** One step of a tab or of the daemon. */
type Step = "join" | "leave" | "ask" | "start" | "send" | "answer" | "event" | "cancel" | "crash";

const steps = fc.array(
  fc.tuple(
    fc.constantFrom<Step>(
      ...(["join", "ask", "ask", "start", "start", "send", "answer", "answer", "answer"] as const),
      ...(["event", "cancel", "leave", "crash"] as const),
    ),
    fc.nat(1000),
  ),
  { maxLength: 60 },
);

test("in any order of steps, each answer goes once to its caller, and nothing is left at the end", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (program) => {
      const { daemon, listener, shared, clock, ...made } = await scene();
      let { connection } = made;
      let tabs = [made.first];
      const asked = new Map<string, RawTab>();
      const messages = new Map<string, RawTab>();
      const started: { readonly tab: RawTab; readonly hash: Bytes }[] = [];
      const taken: DaemonRequest[] = [];
      /** The daemon answers its requests in any order. */
      const answer = (choice: number): void => {
        taken.push(...connection.requests.splice(0));
        if (taken.length === 0) return;
        const [request] = taken.splice(choice % taken.length, 1);
        if (request === undefined || !("queryId" in request) || !request.queryId) return;
        if (request.kind === "startResendingEncryptedMessage") {
          connection.send(startReply(request.queryId));
        } else if (request.kind === "cancelResendingEncryptedMessage") {
          const { queryId } = request;
          connection.send({ kind: `${request.kind}Reply`, queryId, errorCode: 0 });
        } else if (request.kind === "newKeypair") connection.send(keypairReply(request.queryId));
        else if (request.kind === "nextMessageBoxIndex") {
          const { queryId } = request;
          connection.send({
            kind: `${request.kind}Reply`,
            queryId,
            nextMessageBoxIndex: null,
            errorCode: 3,
          });
        }
      };
      for (const [step, choice] of program) {
        const tab = tabs[choice % Math.max(1, tabs.length)];
        if (step === "join" && tabs.length < 5) {
          const joining = RawTab.join(listener, randomBytes(16));
          if (connection.closed) connection = await daemon.shakeHands();
          tabs.push(await joining);
        } else if (step === "answer") answer(choice);
        else if (tab === undefined) continue;
        else if (step === "ask") {
          const request = local();
          asked.set(toHex(request.queryId!), tab);
          tab.send(request);
        } else if (step === "start") {
          const request = start(randomBytes(32));
          asked.set(toHex(request.queryId!), tab);
          started.push({ tab, hash: request.envelopeHash! });
          tab.send(request);
        } else if (step === "cancel") {
          const own = started.filter((one) => one.tab === tab);
          if (own.length === 0) continue;
          const { hash } = own[choice % own.length]!;
          const queryId = QueryId.random();
          asked.set(toHex(queryId), tab);
          tab.send({ kind: "cancelResendingEncryptedMessage", queryId, envelopeHash: hash });
        } else if (step === "send") {
          const surbId = SurbId.random();
          messages.set(toHex(surbId), tab);
          tab.send(message(surbId));
        } else if (step === "event") {
          const surbIds = taken.flatMap((one) => (one.kind === "sendMessage" ? [one.surbId!] : []));
          if (surbIds.length > 0) connection.send(replyTo(surbIds[choice % surbIds.length]!));
        } else if (step === "leave") {
          tabs = tabs.filter((one) => one !== tab);
          if (choice % 2 === 0) tab.send({ kind: "thinClose" });
          else tab.transport.destroy();
        } else if (step === "crash" && choice % 4 === 0) {
          connection.transport.destroy();
          await settle();
          assert.ok(tabs.every(({ closed }) => closed));
          taken.length = 0;
          const joining = RawTab.join(listener, randomBytes(16));
          connection = await daemon.shakeHands(choice % 8 === 0);
          tabs = [await joining];
        }
        await settle();
        // The connection ends with the last session.
        if (connection.closed) taken.length = 0;
        for (const one of tabs) {
          assert.ok(!one.closed, `${step} closed a tab`);
          for (const id of one.answers) assert.equal(asked.get(id), one, "somebody else's answer");
          assert.equal(new Set(one.answers).size, one.answers.length, "an answer came twice");
          for (const event of one.heard) {
            if (event.kind !== "messageReplyEvent") continue;
            assert.equal(messages.get(toHex(event.surbId!)), one, "somebody else's message");
          }
        }
      }
      // Every request is answered, for the tabs that are still here.
      for (let i = 0; i < 400 && shared.load.unanswered + shared.load.waiting > 0; i++) {
        answer(i);
        await settle();
        if (i % 20 === 19) {
          taken.push(...connection.requests.splice(0));
          await pass({ clock, connection }, 10_000);
        }
      }
      assert.equal(shared.load.waiting, 0);
      assert.equal(shared.load.unanswered, 0);
      for (const [id, tab] of asked) {
        if (tabs.includes(tab)) assert.ok(tab.answers.includes(id), "no answer came");
      }
      for (const tab of tabs) tab.send({ kind: "thinClose" });
      await settle();
      await pass({ clock, connection }, 600_000);
      const nothing = { tabs: 0, sessions: 0, unanswered: 0, waiting: 0, awaitedReplies: 0 };
      assert.deepEqual(shared.load, nothing);
      await shared.close();
    }),
    { numRuns: 40 },
  );
});
