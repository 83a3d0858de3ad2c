/**
 * Checks what the daemon does with answers of couriers and replicas against the reference's own
 * tables.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { signTombstone } from "../../src/bacap/box.js";
import { encodeCourierQueryReply } from "../../src/crypto/envelope/courier-messages.js";
import type { ReplicaReplyMessage } from "../../src/crypto/envelope/replica-messages.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import type { AppSession } from "../../src/daemon/app-session.js";
import { EnvelopeExchange } from "../../src/daemon/envelopes.js";
import type { PigeonholeContext } from "../../src/daemon/pigeonhole-context.js";
import { hasCode } from "../../src/errors/errors.js";
import { upstreamTiming } from "../../src/mixnet/timing.js";
import { boxes, nothing } from "./boxes-fixture.js";
import { courierAnswer, replicaAnswer, turn, until } from "./fixture.js";
import { loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-arq");

/** The courier's error code that the table maps to this error code of the thin client. */
const courierCodeOf = (thin: number): number =>
  vectors.courierErrors.find(
    (row: { thinClientErrorCode: number }) => row.thinClientErrorCode === thin,
  ).courierErrorCode;

interface Flags {
  readonly isRead: boolean;
  readonly noIdempotentBoxAlreadyExists: boolean;
}

/**
 * A start with only the fields that judging an answer needs. It cannot open anything that is
 * sealed.
 */
function exchange({ isRead, noIdempotentBoxAlreadyExists }: Flags): EnvelopeExchange {
  const context = { scheme: x25519Nike, sealed: new Map(), documents: { all: () => [] } };
  return new EnvelopeExchange(
    context as unknown as PigeonholeContext,
    {
      kind: "startResendingEncryptedMessage",
      queryId: new Uint8Array(16) as never,
      readCap: isRead ? new Uint8Array(136) : null,
      writeCap: isRead ? null : new Uint8Array(168),
      messageBoxIndex: null,
      replyIndex: null,
      envelopeDescriptor: new Uint8Array(1),
      messageCiphertext: new Uint8Array(1),
      envelopeHash: new Uint8Array(32),
      noRetryOnBoxIdNotFound: false,
      noIdempotentBoxAlreadyExists,
    },
    {
      session: null as unknown as AppSession,
      key: "k",
      courier: [new Uint8Array(32) as never, new Uint8Array(1)],
    },
  );
}

/** A courier's answer; the table also has a type that does not exist. */
function answer(errorCode: number, replyType: number): Uint8Array {
  const payload = new Uint8Array(replyType === 1 ? 100 : 0);
  const reply = { envelopeHash: new Uint8Array(32), replyIndex: 0, payload, errorCode };
  const bytes = encodeCourierQueryReply({
    kind: "envelope",
    reply: { ...reply, replyType: "ack" },
  });
  bytes[1 + 32 + 1] = replyType;
  return bytes;
}

/** The outcome of an answer, in the table's words. */
async function outcome(on: EnvelopeExchange, bytes: Uint8Array): Promise<string> {
  const verdict = await on.judge(bytes);
  if (verdict.kind === "again") return "SendNewSURB";
  assert.ok(verdict.kind === "done" && "errorCode" in verdict.response);
  const { errorCode } = verdict.response;
  // Code 22 means that the payload was read but could not be opened.
  if (errorCode === 22) return "HandlePayload";
  return errorCode === 0 ? "Complete" : `Error ${errorCode}`;
}

test("answers are judged as by the reference's state machine", async () => {
  const seen: Record<string, number> = {};
  const count = (what: string): void => {
    seen[what] = (seen[what] ?? 0) + 1;
  };
  for (const row of vectors.fsm) {
    const what = JSON.stringify(row);
    const on = exchange(row);
    if (row.state === "PayloadReceived") {
      // In this state no operation is left to judge an answer; the test below covers it.
      count("after the end");
      continue;
    }
    if (row.state === "ACKReceived") {
      const first = await outcome(on, answer(0, 0));
      if (!row.isRead && !row.noIdempotentBoxAlreadyExists) {
        assert.equal(first, "Complete", "a default write is done then, and never in this state");
        count("never");
        continue;
      }
      assert.equal(first, "SendNewSURB");
    }
    const bytes = answer(courierCodeOf(row.errorCode), row.replyType);
    if (row.replyType > 1) {
      // No decoder accepts a third type (spec/pigeonhole §5); the reference's decoder does not
      // either.
      await assert.rejects(on.judge(bytes), (error) => hasCode(error, "ERR_PROTOCOL"), what);
      count("no such type");
      continue;
    }
    const wanted = row.action === "Error" ? `Error ${row.reportedError}` : row.action;
    assert.equal(await outcome(on, bytes), wanted, what);
    count(row.action);
  }
  assert.deepEqual(seen, {
    SendNewSURB: 6,
    Complete: 1,
    Error: 12,
    HandlePayload: 6,
    "no such type": 11,
    never: 4,
    "after the end": 20,
  });
});

test("further answers change nothing once the payload has arrived", async () => {
  let rows = 0;
  for (const row of vectors.fsm) {
    if (row.state !== "PayloadReceived" || row.replyType > 1) continue;
    const { client, link, clock, daemon, start } = await boxes();
    const { noIdempotentBoxAlreadyExists } = row;
    await start(row.isRead ? "read" : "write", { noIdempotentBoxAlreadyExists });
    // A second packet is sent, so that an answer can still arrive afterwards.
    await clock.advance(link.etaMs + upstreamTiming.resendMs);
    const [first, second] = link.packets;
    const reply: ReplicaReplyMessage = row.isRead ? nothing(2) : { kind: "write", errorCode: 2 };
    // The daemon only listens to the reply block of the last packet.
    link.reply(second!, await replicaAnswer(second!, () => reply));
    await client.expect("startResendingEncryptedMessageReply");
    assert.equal(daemon.load.operations, 0);
    link.reply(first!, courierAnswer(first!, courierCodeOf(row.errorCode)));
    await turn();
    assert.deepEqual([client.responses, link.packets.length], [[], 2], JSON.stringify(row));
    rows++;
  }
  assert.equal(rows, 14);
});

test("replica codes mean the same as in the reference", async () => {
  const seen: Record<string, number> = {};
  for (const row of vectors.payloadErrors) {
    const { client, link, keys, start } = await boxes();
    const { isRead, replicaErrorCode: errorCode } = row;
    await start(isRead ? "read" : "write", {
      noRetryOnBoxIdNotFound: row.noRetryOnBoxIDNotFound,
      noIdempotentBoxAlreadyExists: row.noIdempotentBoxAlreadyExists,
    });
    const readReply = (): ReplicaReplyMessage => {
      if (errorCode !== 11) return nothing(errorCode);
      // The daemon only accepts a tombstone with its writer's signature.
      const signed = signTombstone(keys.writeCap as never, keys.firstMessageIndex as never);
      return { kind: "read", errorCode, ...signed, payload: signed.ciphertext };
    };
    const reply = isRead ? readReply() : ({ kind: "write", errorCode } as const);
    link.reply(link.last, await replicaAnswer(link.last, () => reply));
    await until(() => client.responses.length > 0 || link.packets.length > 1);
    const what = JSON.stringify(row);
    if (row.action === "Retry") {
      assert.deepEqual([client.responses, link.packets.length], [[], 2], what);
    } else {
      const got = await client.expect("startResendingEncryptedMessageReply");
      assert.equal(got.errorCode, row.action === "IdempotentSuccess" ? 0 : errorCode, what);
      assert.equal(link.packets.length, 1);
    }
    seen[row.action] = (seen[row.action] ?? 0) + 1;
  }
  assert.deepEqual(seen, { Retry: 2, ReturnError: 36, IdempotentSuccess: 2 });
});

test("courier codes become the thin client's codes as in the reference", async () => {
  const codes: number[] = [];
  for (const { courierErrorCode, thinClientErrorCode } of vectors.courierErrors) {
    const on = exchange({ isRead: true, noIdempotentBoxAlreadyExists: false });
    const expected = thinClientErrorCode === 0 ? "SendNewSURB" : `Error ${thinClientErrorCode}`;
    assert.equal(await outcome(on, answer(courierErrorCode, 0)), expected);
    codes.push(courierErrorCode);
  }
  assert.deepEqual(codes, [0, 1, 2, 3, 4, 5, 6]);
});

test("waits match the reference", () => {
  assert.equal(upstreamTiming.resendMs, vectors.roundTripTimeSlopMs);
  assert.equal(upstreamTiming.copyPollMs, vectors.copyPollIntervalMs);
});
