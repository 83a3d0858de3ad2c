import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageBoxIndex, WriteCap } from "../../src/bytes/opaque.js";
import { isFinalElement, isStartElement } from "../../src/crypto/copy-stream/element.js";
import { MAX_MESSAGE_SIZE } from "../../src/wire/framing.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { freshId, sizes, until, world } from "./fixture.js";

type Range = DaemonRequest<"createCourierEnvelopesFromTombstoneRange">;
type Payload = DaemonRequest<"createCourierEnvelopesFromPayload">;
type Multi = DaemonRequest<"createCourierEnvelopesFromMultiPayload">;

const noBytes = new Uint8Array(0);

/** A client with a destination, and functions that call the builders. */
async function builders() {
  const { connect } = world();
  const client = connect();
  await client.hello(freshId());
  client.send({ kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32).fill(5) });
  const keys = await client.expect("newKeypairReply");
  const writeCap = keys.writeCap as WriteCap;
  const startIndex = keys.firstMessageIndex as MessageBoxIndex;
  const base = {
    queryId: freshId(),
    destWriteCap: writeCap,
    destStartIndex: startIndex,
    isStart: false,
    isLast: false,
  };
  return {
    startIndex,
    destination: (payload: Uint8Array<ArrayBuffer>) => ({ payload, writeCap, startIndex }),
    range(fields: Partial<Range>) {
      const kind = "createCourierEnvelopesFromTombstoneRange";
      client.send({ kind, ...base, maxCount: 0, buffer: null, ...fields });
      return client.expect(`${kind}Reply`);
    },
    payload(fields: Partial<Payload>) {
      const kind = "createCourierEnvelopesFromPayload";
      client.send({ kind, ...base, payload: noBytes, ...fields });
      return client.expect(`${kind}Reply`);
    },
    multi(fields: Partial<Multi>) {
      const kind = "createCourierEnvelopesFromMultiPayload";
      const { queryId, isStart, isLast } = base;
      client.send({
        kind,
        queryId,
        isStart,
        isLast,
        destinations: [],
        buffer: null,
        ...fields,
      });
      return client.expect(`${kind}Reply`);
    },
  };
}

test("a range of no tombstones returns the buffer and the index (upstream: drops the buffer)", async () => {
  const { range, startIndex } = await builders();
  const buffer = Uint8Array.of(1, 2, 3);
  const kept = await range({ buffer });
  assert.deepEqual([kept.errorCode, kept.envelopes, kept.buffer], [0, null, buffer]);
  assert.deepEqual(kept.nextDestIndex, startIndex);
  const nothing = await range({});
  assert.deepEqual([nothing.errorCode, nothing.envelopes, nothing.buffer], [0, null, null]);
  assert.deepEqual(nothing.nextDestIndex, startIndex);
});

test("a last range of no tombstones ends the stream with the contents of the buffer", async () => {
  const { range } = await builders();
  const { errorCode, envelopes, buffer } = await range({
    buffer: Uint8Array.of(1, 2, 3),
    isLast: true,
  });
  assert.deepEqual([errorCode, envelopes?.length, buffer], [0, 1, null]);
  const element = envelopes![0]!;
  assert.ok(isFinalElement(element[0]!) && !isStartElement(element[0]!));
  assert.deepEqual(element.slice(5), Uint8Array.of(1, 2, 3));
});

test("an empty last call makes no element, as in the reference, so clients must not end streams that way", async () => {
  const { range, payload, multi, destination } = await builders();
  const last = { isLast: true };
  for (const reply of [
    await range(last),
    await range({ ...last, buffer: noBytes }),
    await payload(last),
    await payload({ ...last, payload: null }),
    await multi({ ...last, destinations: [destination(noBytes), destination(noBytes)] }),
  ]) {
    assert.deepEqual([reply.errorCode, reply.envelopes], [0, null], reply.kind);
  }
  const flushed = await multi({
    ...last,
    destinations: [destination(noBytes)],
    buffer: Uint8Array.of(7),
  });
  assert.deepEqual([flushed.errorCode, flushed.envelopes?.length, flushed.buffer], [0, 1, null]);
});

test("the buffer counts towards the limit of one reply", async () => {
  const { range } = await builders();
  const room = sizes.maxPlaintextPayloadLength;
  const elements = Math.floor((MAX_MESSAGE_SIZE - 2048) / (room + 5));
  // This count just fits by itself. The buffer makes the reply too large, and the daemon says so
  // before it starts the work.
  const maxCount = Math.floor((elements * (room - 5)) / (4 + sizes.courierEnvelopeLength));
  const { errorCode } = await range({ maxCount, buffer: new Uint8Array(1024 * 1024) });
  assert.equal(errorCode, 3);
});

test("a request with thousands of destinations does not delay other clients", async () => {
  // A clock that advances with the work: each reading takes a millisecond, and each pause one turn.
  class WorkingClock extends VirtualClock {
    #looks = 0;
    override monotonic(): number {
      return super.monotonic() + ++this.#looks;
    }
    override soon(callback: () => void): void {
      setImmediate(callback);
    }
  }
  const { connect, daemon } = world({ clock: new WorkingClock() });
  const [busy, other] = [connect(), connect()];
  const queryId = freshId();
  await Promise.all([busy.hello(freshId()), other.hello(freshId())]);
  busy.send({ kind: "newKeypair", queryId, seed: new Uint8Array(32).fill(5) });
  const { writeCap, firstMessageIndex } = await busy.expect("newKeypairReply");
  const startIndex = firstMessageIndex as MessageBoxIndex;
  const empty = { payload: noBytes, writeCap: writeCap as WriteCap, startIndex };
  const ends = { isStart: true, isLast: false, buffer: null };
  for (const destinations of [
    Array.from({ length: 200 }, () => empty),
    // The daemon refuses the last destination after it has checked all others.
    [...Array.from({ length: 200 }, () => empty), { ...empty, writeCap: null }],
  ]) {
    const kind = "createCourierEnvelopesFromMultiPayload";
    busy.send({ kind, queryId, destinations, ...ends });
    other.send({ kind: "nextMessageBoxIndex", queryId, messageBoxIndex: startIndex });
    await other.expect("nextMessageBoxIndexReply");
    assert.deepEqual(busy.responses, []);
    await until(() => busy.responses.length > 0);
    busy.responses.length = 0;
  }
  await daemon.close();
});
