import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Bytes, concatBytes, randomBytes, toHex } from "../../src/bytes/bytes.js";
import { MessageBoxIndex, WriteCap } from "../../src/bytes/opaque.js";
import { writeCapHash } from "../../src/client/copy-calls.js";
import type { CopyDestination, CopyProgress } from "../../src/client/copy.js";
import { EventHub } from "../../src/client/event-hub.js";
import {
  ClientClosedError,
  CopyCommandFailedError,
  DaemonRequestError,
  InvalidStateError,
  RequestTimeoutError,
} from "../../src/errors/errors.js";
import { CopyFailedError } from "../../src/errors/partial-results.js";
import type { ScriptedConnection } from "../../src/testing/scripted-daemon.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import { connectedPair, isPending, pair, reasonOf, turn } from "./fixture.js";
import {
  codeReply,
  copyReply,
  filled,
  hashOf,
  indexOf,
  numberOf,
  readCap,
  sealedReply,
  startReply,
} from "./pigeonhole-fixture.js";

/** Payload bytes in one box of a destination; the scripted daemon's boxes hold 1549 bytes. */
const chunk = 1545;
const start = "startResendingEncryptedMessage";
const temporaryCap = WriteCap.from(filled(168, 0x77));

/**
 * A daemon that builds streams with one element per chunk and destination. An element names its
 * call, its destination and its chunk.
 */
class BuildingDaemon {
  readonly seen: DaemonRequest[] = [];
  readonly #connection: ScriptedConnection;
  /** The starts that are not answered yet. */
  readonly held: DaemonRequest<typeof start>[] = [];
  /** Whether the daemon answers starts at once. */
  answering = true;
  most = 0;
  /** Replaces the answer to a request; null sends no answer, undefined the usual one. */
  instead: (request: DaemonRequest) => DaemonResponse | null | undefined = () => undefined;
  #envelopes = 0;

  constructor(connection: ScriptedConnection) {
    this.#connection = connection;
    void this.#serve();
  }

  async #serve(): Promise<void> {
    for (;;) {
      const request = await this.#connection.next();
      if (!request || request.kind === "thinClose") return;
      this.seen.push(request);
      const other = this.instead(request);
      const response = other === undefined ? this.#answer(request) : other;
      if (response) this.#connection.send(response);
    }
  }

  #answer(request: DaemonRequest): DaemonResponse | null {
    switch (request.kind) {
      case "newKeypair":
        return {
          kind: "newKeypairReply",
          queryId: request.queryId,
          writeCap: temporaryCap,
          readCap,
          firstMessageIndex: indexOf(1000),
          errorCode: 0,
        };
      case "createCourierEnvelopesFromMultiPayload":
        return this.#build(request);
      case "encryptWrite":
        return sealedReply(request, ++this.#envelopes % 256);
      case start:
        this.held.push(request);
        this.most = Math.max(this.most, this.held.length);
        if (this.answering) this.answer();
        return null;
      case "startResendingCopyCommand":
        return copyReply(request);
      case "cancelResendingEncryptedMessage":
      case "cancelResendingCopyCommand":
        return codeReply(request);
      default:
        throw new Error(`not expected: ${request.kind}`);
    }
  }

  #build(
    request: DaemonRequest<"createCourierEnvelopesFromMultiPayload">,
  ): DaemonResponse<"createCourierEnvelopesFromMultiPayloadReply"> {
    const calls = this.all("createCourierEnvelopesFromMultiPayload").length;
    const envelopes: Bytes[] = [];
    const nextDestIndices = request.destinations!.map(({ payload, startIndex }, d) => {
      const boxes = Math.ceil(payload!.length / chunk);
      for (let i = 0; i < boxes; i++) envelopes.push(new Uint8Array([calls, d, i]));
      const next = MessageBoxIndex.from(startIndex!);
      new DataView(next.buffer).setUint32(0, numberOf(startIndex) + boxes);
      return next;
    });
    return {
      kind: "createCourierEnvelopesFromMultiPayloadReply",
      queryId: request.queryId,
      envelopes,
      buffer: request.isLast ? null : new Uint8Array([calls]),
      nextDestIndices,
      errorCode: 0,
    };
  }

  /** Answers the oldest start, or the one at position `at`. */
  answer(
    at = 0,
    members: Partial<DaemonResponse<"startResendingEncryptedMessageReply">> = {},
  ): void {
    const [request] = this.held.splice(at, 1);
    this.#connection.send(startReply(request!, members));
  }

  all<K extends DaemonRequest["kind"]>(kind: K): DaemonRequest<K>[] {
    return this.seen.filter((request) => request.kind === kind) as DaemonRequest<K>[];
  }
}

function destinations(count: number): CopyDestination[] {
  return Array.from({ length: count }, (_, i) => ({
    writeCap: WriteCap.from(filled(168, 10 + i)),
    startIndex: indexOf(100 * (i + 1)),
  }));
}

async function copying(): Promise<{
  made: Awaited<ReturnType<typeof connectedPair>>;
  daemon: BuildingDaemon;
}> {
  const made = await connectedPair();
  return { made, daemon: new BuildingDaemon(made.connection) };
}

async function* inPortions(payload: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < payload.length; at += length) {
    yield payload.subarray(at, at + length);
    yield new Uint8Array(0);
  }
}

/** Waits several turns, because a copy makes many requests. */
async function settle(): Promise<void> {
  for (let i = 0; i < 200; i++) await turn();
}

describe("copy", () => {
  test("writes a temporary stream box by box, then has it copied", async () => {
    const { made, daemon } = await copying();
    const payload = randomBytes(2 * chunk + 5);
    const [to] = destinations(1);
    const { nextDestIndices } = await made.client.copy(payload, [to!]);
    assert.deepEqual(nextDestIndices.map(numberOf), [103]);

    const [built, ...more] = daemon.all("createCourierEnvelopesFromMultiPayload");
    assert.equal(more.length, 0);
    assert.deepEqual(
      { ...built, queryId: null },
      {
        kind: "createCourierEnvelopesFromMultiPayload",
        queryId: null,
        destinations: [{ payload, ...to }],
        isStart: true,
        isLast: true,
        buffer: new Uint8Array(0),
      },
    );
    const writes = daemon.all("encryptWrite");
    assert.deepEqual(
      writes.map(({ writeCap, messageBoxIndex, plaintext }) => [
        writeCap,
        numberOf(messageBoxIndex),
        [...plaintext!],
      ]),
      [
        [temporaryCap, 1000, [1, 0, 0]],
        [temporaryCap, 1001, [1, 0, 1]],
        [temporaryCap, 1002, [1, 0, 2]],
      ],
    );
    const [command, ...others] = daemon.all("startResendingCopyCommand");
    assert.equal(others.length, 0);
    assert.deepEqual(command!.writeCap, temporaryCap);
    assert.equal(command!.courierIdentityHash, null, "the daemon chooses the courier");
    assert.equal(daemon.seen.at(-1), command, "nothing follows the copy");
    assert.equal(made.client.pendingCalls, 0);
    await made.client.stop();
  });

  test("copies the bytes it was given, even if the caller changes them meanwhile", async () => {
    const { made, daemon } = await copying();
    const payload = randomBytes(70 * chunk + 1);
    const wanted = payload.slice();
    const copied = made.client.copy(payload, destinations(1));
    payload.fill(0);
    await copied;
    const given = daemon
      .all("createCourierEnvelopesFromMultiPayload")
      .map((request) => request.destinations![0]!.payload!);
    assert.deepEqual(Buffer.concat(given), Buffer.from(wanted));
    await made.client.stop();
  });

  test("creates each temporary stream from a fresh random seed", async () => {
    const { made, daemon } = await copying();
    for (let i = 0; i < 3; i++) await made.client.copy(filled(3), destinations(1));
    const seeds = daemon.all("newKeypair").map(({ seed }) => toHex(seed!));
    assert.equal(new Set(seeds).size, 3);
    assert.ok(seeds.every((seed) => seed.length === 64));
    await made.client.stop();
  });

  test("passes long payloads to the daemon in pieces, each with what the previous one left", async () => {
    const { made, daemon } = await copying();
    const payload = randomBytes(70 * chunk + 1);
    const { nextDestIndices } = await made.client.copy(payload, destinations(2));
    assert.deepEqual(nextDestIndices.map(numberOf), [171, 271]);
    const calls = daemon.all("createCourierEnvelopesFromMultiPayload");
    assert.deepEqual(
      calls.map(({ isStart, isLast, buffer }) => [isStart, isLast, [...buffer!]]),
      [
        [true, false, []],
        [false, false, [1]],
        [false, false, [2]],
        [false, false, [3]],
        [false, true, [4]],
      ],
    );
    assert.deepEqual(
      calls.map((call) => call.destinations!.map(({ startIndex }) => numberOf(startIndex))),
      [
        [100, 200],
        [116, 216],
        [132, 232],
        [148, 248],
        [164, 264],
      ],
    );
    for (const d of [0, 1]) {
      const parts = calls.map((call) => call.destinations![d]!.payload!);
      assert.deepEqual(concatBytes(...parts), payload);
      assert.ok(parts.slice(0, -1).every(({ length }) => length % chunk === 0));
    }
    const indices = daemon.all("encryptWrite").map((call) => numberOf(call.messageBoxIndex));
    assert.deepEqual(
      indices,
      Array.from({ length: 142 }, (_, i) => 1000 + i),
    );
    await made.client.stop();
  });

  test("accepts any chunk sizes from its source", async () => {
    const payload = randomBytes(33 * chunk);
    for (const length of [1, 7, 1000, 16 * chunk, 32 * chunk, payload.length]) {
      const { made, daemon } = await copying();
      const part = length === 1 ? payload.subarray(0, 3000) : payload;
      await made.client.copy(inPortions(part, length), destinations(1));
      const calls = daemon.all("createCourierEnvelopesFromMultiPayload");
      assert.deepEqual(concatBytes(...calls.map((c) => c.destinations![0]!.payload!)), part);
      assert.deepEqual(
        calls.map(({ isLast }) => isLast),
        calls.map((_, i) => i === calls.length - 1),
      );
      const lengths = calls.map((c) => c.destinations![0]!.payload!.length);
      assert.deepEqual(lengths, length === 1 ? [3000] : [32 * chunk, chunk]);
      await made.client.stop();
    }
  });

  test("sends nothing for an empty payload and returns the first index", async () => {
    const { made, daemon } = await copying();
    const to = destinations(2);
    const nothing = [new Uint8Array(0), inPortions(new Uint8Array(0), 1), inPortions(filled(0), 3)];
    for (const source of nothing) {
      const { nextDestIndices } = await made.client.copy(source, to);
      assert.deepEqual(nextDestIndices.map(numberOf), [100, 200]);
    }
    await settle();
    assert.deepEqual(daemon.seen, []);
    await made.client.stop();
  });

  test("writes up to 16 boxes at once, and copies when all are written", async () => {
    const { made, daemon } = await copying();
    daemon.answering = false;
    const result = made.client.copy(randomBytes(40 * chunk), destinations(1));
    await settle();
    assert.equal(daemon.held.length, 16);
    daemon.answer(5);
    daemon.answer(0);
    await settle();
    assert.equal(daemon.held.length, 16, "freed places are taken");
    while (daemon.held.length > 1) {
      daemon.answer(daemon.held.length - 1);
      await settle();
    }
    assert.deepEqual(daemon.all("startResendingCopyCommand"), []);
    daemon.answer();
    await result;
    assert.equal(daemon.most, 16);
    assert.equal(daemon.all("startResendingCopyCommand").length, 1);
    await made.client.stop();
  });

  test("reports its progress", async () => {
    const { made } = await copying();
    const told: CopyProgress[] = [];
    const onProgress = (progress: CopyProgress): void => void told.push(progress);
    await made.client.copy(inPortions(randomBytes(3 * chunk), 100), destinations(2), {
      onProgress,
    });
    assert.deepEqual(told, [
      ...[1, 2, 3, 4, 5, 6].map((n) => ({ phase: "write", boxesDone: n, boxesTotal: 6 })),
      { phase: "copy", boxesDone: 0, boxesTotal: 6 },
      { phase: "copy", boxesDone: 6, boxesTotal: 6 },
    ]);
    await made.client.stop();
  });

  test("knows the total from the start only for bytes that are all present", async () => {
    for (const [whole, first] of [
      [true, 82],
      [false, null],
    ] as const) {
      const { made } = await copying();
      const told: CopyProgress[] = [];
      const payload = randomBytes(67 * chunk);
      await made.client.copy(whole ? payload : inPortions(payload, 5000), destinations(1), {
        onProgress: (progress) => told.push(progress),
      });
      // The copy has 67 envelopes of 1875 bytes, which are split into elements of 1544 bytes.
      assert.equal(told[0]!.boxesTotal, first);
      await made.client.stop();
    }
  });

  test("seals a box again when its envelope is refused, and keeps the order of boxes", async () => {
    const { made, daemon } = await copying();
    let refused = false;
    daemon.instead = (request) => {
      if (refused || request.kind !== start) return undefined;
      refused = true;
      return startReply(request, { errorCode: 32 });
    };
    await made.client.copy(randomBytes(3 * chunk), destinations(1));
    const writes = daemon.all("encryptWrite").map((call) => numberOf(call.messageBoxIndex));
    assert.deepEqual(
      writes.toSorted((a, b) => a - b),
      [1000, 1000, 1001, 1002],
    );
    await made.client.stop();
  });

  test("says before the first handshake that it cannot know the sizes", async () => {
    const { client } = pair();
    const idle = await reasonOf(client.copy(filled(1), destinations(1)));
    assert.ok(idle instanceof InvalidStateError);
  });
});

describe("a copy that fails", () => {
  test("copies nothing and cancels its writes if a box cannot be written", async () => {
    const { made, daemon } = await copying();
    daemon.answering = false;
    const reason = reasonOf(made.client.copy(randomBytes(5 * chunk), destinations(2)));
    await settle();
    assert.equal(daemon.held.length, 10);
    const inFlight = daemon.held.slice(1).map(({ envelopeHash }) => toHex(envelopeHash!));
    daemon.answer(0, { errorCode: 6 });
    const error = await reason;
    assert.ok(error instanceof CopyFailedError);
    assert.equal(error.code, "ERR_COPY_FAILED");
    assert.equal(error.phase, "write");
    assert.equal(error.destination, null);
    assert.deepEqual(error.boxesCopied, [0, 0]);
    assert.equal(error.cause.code, "REPLICA_ERROR_STORAGE_FULL");
    assert.equal(error.retryable, true);
    assert.equal(error.operation, "copy");
    await settle();
    const cancelled = daemon.all("cancelResendingEncryptedMessage");
    assert.deepEqual(
      cancelled.map(({ envelopeHash }) => toHex(envelopeHash!)),
      inFlight,
    );
    assert.deepEqual(daemon.all("startResendingCopyCommand"), []);
    assert.equal(made.client.pendingCalls, 0);
    await made.client.stop();
  });

  test("names the destination and says what stays written if the courier refuses it", async () => {
    // 5 chunks for each of 3 destinations make 15 envelopes, in one call.
    const places = [
      [1n, 0, [0, 0, 0]],
      [5n, 0, [4, 0, 0]],
      [6n, 1, [5, 0, 0]],
      [15n, 2, [5, 5, 4]],
    ] as const;
    for (const [failedEnvelopeIndex, destination, boxesCopied] of places) {
      const { made, daemon } = await copying();
      daemon.instead = (request) =>
        request.kind === "startResendingCopyCommand"
          ? copyReply(request, { errorCode: 26, replicaErrorCode: 10, failedEnvelopeIndex })
          : undefined;
      const error = await reasonOf(made.client.copy(randomBytes(5 * chunk - 9), destinations(3)));
      assert.ok(error instanceof CopyFailedError);
      assert.equal(error.phase, "copy");
      assert.equal(error.destination, destination);
      assert.deepEqual(error.boxesCopied, boxesCopied);
      assert.ok(error.cause instanceof CopyCommandFailedError);
      assert.equal(error.cause.replicaErrorCode, 10);
      assert.match(error.message, new RegExp(`destination ${destination}`));
      assert.equal(error.retryable, false);
      await made.client.stop();
    }
  });

  test("reports the place of a failure also in a stream of several calls", async () => {
    // 2 destinations of 40 chunks make three calls, with 16, 16 and 8 chunks for each destination.
    const places = [
      [16n, 0, [15, 0]],
      [17n, 1, [16, 0]],
      [33n, 0, [16, 16]],
      [60n, 1, [32, 27]],
      [80n, 1, [40, 39]],
    ] as const;
    for (const [failedEnvelopeIndex, destination, boxesCopied] of places) {
      const { made, daemon } = await copying();
      daemon.instead = (request) =>
        request.kind === "startResendingCopyCommand"
          ? copyReply(request, { errorCode: 26, failedEnvelopeIndex })
          : undefined;
      const error = await reasonOf(made.client.copy(randomBytes(40 * chunk), destinations(2)));
      assert.ok(error instanceof CopyFailedError);
      assert.equal(error.destination, destination);
      assert.deepEqual(error.boxesCopied, boxesCopied);
      await made.client.stop();
    }
  });

  test("does not name a place that is unknown", async () => {
    for (const failedEnvelopeIndex of [null, 0n, 7n, 2n ** 63n]) {
      const { made, daemon } = await copying();
      daemon.instead = (request) =>
        request.kind === "startResendingCopyCommand"
          ? copyReply(request, { errorCode: 26, failedEnvelopeIndex })
          : undefined;
      const error = await reasonOf(made.client.copy(randomBytes(3 * chunk), destinations(2)));
      assert.ok(error instanceof CopyFailedError);
      assert.equal(error.destination, null);
      assert.equal(error.boxesCopied, null);
      await made.client.stop();
    }
  });

  test("repeats the daemon's error text if the daemon cannot build", async () => {
    const { made, daemon } = await copying();
    daemon.instead = (request) =>
      request.kind === "createCourierEnvelopesFromMultiPayload"
        ? {
            kind: "createCourierEnvelopesFromMultiPayloadReply",
            queryId: request.queryId,
            envelopes: null,
            buffer: null,
            nextDestIndices: null,
            errorCode: 4,
          }
        : undefined;
    const error = await reasonOf(made.client.copy(randomBytes(3 * chunk), destinations(2)));
    assert.ok(error instanceof CopyFailedError);
    assert.ok(error.cause instanceof DaemonRequestError);
    assert.equal(error.cause.operation, "copy");
    await made.client.stop();
  });

  test("reports a source that needs more boxes than couriers process", async () => {
    const { made, daemon } = await copying();
    daemon.instead = (request) =>
      request.kind === "createCourierEnvelopesFromMultiPayload"
        ? {
            kind: "createCourierEnvelopesFromMultiPayloadReply",
            queryId: request.queryId,
            envelopes: Array<Bytes>(65_537).fill(filled(1)),
            buffer: null,
            nextDestIndices: [indexOf(1)],
            errorCode: 0,
          }
        : undefined;
    const error = await reasonOf(made.client.copy(inPortions(filled(9), 9), destinations(1)));
    assert.ok(error instanceof RangeError, String(error));
    assert.match(error.message, /at most 65536 boxes, but takes at least 65537/);
    assert.deepEqual(daemon.all("encryptWrite"), []);
    await made.client.stop();
  });

  test("rejects with the error of its source and closes nothing twice", async () => {
    const { made, daemon } = await copying();
    const why = new Error("disk gone");
    async function* source(): AsyncGenerator<Uint8Array> {
      yield randomBytes(50 * chunk);
      throw why;
    }
    assert.equal(await reasonOf(made.client.copy(source(), destinations(1))), why);
    assert.deepEqual(daemon.all("startResendingCopyCommand"), []);
    await made.client.stop();
  });

  test("names a source value that is not bytes, and closes the source", async () => {
    const { made, daemon } = await copying();
    let closed = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield "text" as unknown as Uint8Array;
      } finally {
        closed++;
      }
    }
    const error = await reasonOf(made.client.copy(source(), destinations(1)));
    assert.ok(error instanceof TypeError);
    assert.match(error.message, /`source` must yield Uint8Arrays, but yielded a string/);
    assert.equal(closed, 1);
    assert.deepEqual(daemon.seen, []);
    await made.client.stop();
  });

  test("rejects with the error of a progress callback, and cancels", async () => {
    const { made, daemon } = await copying();
    daemon.answering = false;
    const why = new Error("no more");
    const onProgress = (): void => {
      throw why;
    };
    const reason = reasonOf(
      made.client.copy(randomBytes(3 * chunk), destinations(1), { onProgress }),
    );
    await settle();
    daemon.answer();
    assert.equal(await reason, why);
    await settle();
    assert.equal(daemon.all("cancelResendingEncryptedMessage").length, 2);
    await made.client.stop();
  });
});

describe("a copy that is ended", () => {
  test("cancels every box in progress and writes nothing more while writing", async () => {
    const { made, daemon } = await copying();
    daemon.answering = false;
    const abort = new AbortController();
    const { signal } = abort;
    const reason = reasonOf(made.client.copy(randomBytes(30 * chunk), destinations(1), { signal }));
    await settle();
    const before = daemon.seen.length;
    const why = new Error("not wanted any more");
    abort.abort(why);
    assert.equal(await reason, why);
    await settle();
    const after = daemon.seen.slice(before).map(({ kind }) => kind);
    assert.deepEqual(after, Array(16).fill("cancelResendingEncryptedMessage"));
    assert.equal(made.client.pendingCalls, 0);
    await made.client.stop();
  });

  test("cancels the copy command while copying", async () => {
    const { made, daemon } = await copying();
    daemon.instead = (request) => (request.kind === "startResendingCopyCommand" ? null : undefined);
    const abort = new AbortController();
    const { signal } = abort;
    const result = made.client.copy(randomBytes(3 * chunk), destinations(1), { signal });
    result.catch(() => {});
    await settle();
    assert.equal(await isPending(result), true);
    abort.abort("enough");
    assert.equal(await reasonOf(result), "enough");
    await settle();
    const cancels = daemon.all("cancelResendingCopyCommand");
    assert.deepEqual(
      cancels.map((request) => request.writeCapHash),
      [writeCapHash(temporaryCap)],
    );
    assert.equal(daemon.seen.at(-1), cancels[0], "and tombstones nothing");
    await made.client.stop();
  });

  test("does not wait for a source that hangs", async () => {
    const { made } = await copying();
    const abort = new AbortController();
    let returned = 0;
    const source: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          returned++;
          return new Promise(() => {});
        },
      }),
    };
    const reason = reasonOf(made.client.copy(source, destinations(1), { signal: abort.signal }));
    await turn();
    abort.abort("enough");
    assert.equal(await reason, "enough");
    assert.equal(returned, 1);
    await made.client.stop();
  });

  test("rejects with RequestTimeoutError at its deadline", async () => {
    const { made, daemon } = await copying();
    daemon.answering = false;
    const reason = reasonOf(
      made.client.copy(randomBytes(3 * chunk), destinations(1), { timeoutMs: 5000 }),
    );
    await settle();
    await made.clock.advance(5000);
    const error = await reason;
    assert.ok(error instanceof RequestTimeoutError);
    assert.equal(error.operation, "copy");
    await settle();
    assert.equal(daemon.all("cancelResendingEncryptedMessage").length, 3);
    await made.client.stop();
  });

  test("rejects with ClientClosedError after stop()", async () => {
    const { made, daemon } = await copying();
    daemon.answering = false;
    const reason = reasonOf(made.client.copy(randomBytes(3 * chunk), destinations(1)));
    await settle();
    await made.client.stop();
    assert.ok((await reason) instanceof ClientClosedError);
  });

  test("survives a lost connection in between", async () => {
    const { made, daemon } = await copying();
    daemon.answering = false;
    const result = made.client.copy(randomBytes(3 * chunk), destinations(1));
    await settle();
    assert.equal(daemon.held.length, 3);
    made.connection.transport.destroy();
    const next = made.daemon.shakeHands();
    const second = new BuildingDaemon(await made.clock.runUntil(next));
    await result;
    assert.deepEqual(
      second.seen.map(({ kind }) => kind),
      [
        ...Array(3).fill("cancelResendingEncryptedMessage"),
        ...Array(3).fill(start),
        "startResendingCopyCommand",
      ],
    );
    assert.deepEqual(second.all(start)[0]!.envelopeHash, hashOf(1));
    await made.client.stop();
  });

  test("leaves no handler behind, however it ends", async (t) => {
    const { on } = EventHub.prototype;
    t.after(() => (EventHub.prototype.on = on));
    let left = 0;
    EventHub.prototype.on = function (this: EventHub, type, handler, options) {
      const end = on.call(this, type, handler as never, options);
      left++;
      let isOver = false;
      const off = (): void => {
        if (!isOver) left--;
        isOver = true;
        end();
      };
      return Object.assign(off, { [Symbol.dispose]: off });
    };
    const { made, daemon } = await copying();
    const before = left;
    await made.client.copy(randomBytes(3 * chunk), destinations(1));
    await made.client.copy(new Uint8Array(0), destinations(1));
    daemon.instead = (request) =>
      request.kind === "startResendingCopyCommand"
        ? copyReply(request, { errorCode: 14 })
        : undefined;
    await reasonOf(made.client.copy(randomBytes(chunk), destinations(1)));
    const signal = AbortSignal.abort();
    await reasonOf(made.client.copy(randomBytes(chunk), destinations(1), { signal }));
    assert.equal(left, before);
    await made.client.stop();
  });

  test("fails before the copy command if a restarted daemon lost the boxes written before", async () => {
    const { made, daemon } = await copying();
    daemon.answering = false;
    const reason = reasonOf(made.client.copy(randomBytes(3 * chunk), destinations(1)));
    await settle();
    // The first box is acknowledged; the others are still on their way.
    daemon.answer();
    await settle();
    made.connection.transport.destroy();
    made.daemon.instanceToken = randomBytes(16);
    const next = made.daemon.shakeHands();
    const second = new BuildingDaemon(await made.clock.runUntil(next));
    second.instead = (request) => {
      if (request.kind === "encryptRead") return sealedReply(request, 99);
      if (request.kind === start && request.readCap) return startReply(request, { errorCode: 1 });
      return undefined;
    };
    const error = await made.clock.runUntil(reason);
    assert.ok(error instanceof CopyFailedError, String(error));
    assert.match(String(error.cause), /begin the copy again/);
    assert.deepEqual(second.all("startResendingCopyCommand"), []);
    await made.client.stop();
  });
});
