/** The calls of the metrics hook for real calls: one for each, when it ends, under its own name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Metric } from "../../src/client/metrics.js";
import { BoxIDNotFoundError, RequestTimeoutError } from "../../src/errors/errors.js";
import { TwoClients, newStream } from "./two-clients.js";

/** Counts each outcome. */
class Counted {
  #counts: Record<string, number> = {};

  readonly hook = (metric: Metric): void => {
    if (metric.name !== "request") return;
    const key = `${metric.operation} ${metric.outcome}`;
    this.#counts[key] = (this.#counts[key] ?? 0) + 1;
  };

  /** The counts since the last call. */
  take(): Record<string, number> {
    const counts = this.#counts;
    this.#counts = {};
    return counts;
  }
}

describe("metrics", { timeout: 240_000 }, () => {
  test("do not count a waiting read as ended, and count its requests under their own names", async () => {
    const counted = new Counted();
    await using both = await TwoClients.start({}, { metrics: counted.hook });
    const { alice } = both;
    const streams = await Promise.all(Array.from({ length: 3 }, () => newStream(alice)));
    const indices = streams.map(({ firstMessageIndex }) => firstMessageIndex);
    counted.take();
    const reads = streams.map(({ readCap }, i) => alice.read(readCap, indices[i]!));
    // Requests are answered in order, so all are sealed once this one is answered.
    await alice.nextMessageBoxIndex(indices[0]!);
    assert.deepEqual(counted.take(), { "encryptRead ok": 3, "nextMessageBoxIndex ok": 1 });
    await Promise.all(streams.map(({ writeCap }, i) => alice.write(writeCap, indices[i]!, "x")));
    await Promise.all(reads);
    const counts = counted.take();
    assert.deepEqual([counts["write ok"], counts["read ok"]], [3, 3]);
    assert.deepEqual(
      [counts["encryptWrite ok"], counts["startResendingEncryptedMessage ok"]],
      [3, 6],
    );
    // Each question that finds nothing counts as refused, and the next one has its own envelope.
    const refused = counts["startResendingEncryptedMessage refused"] ?? 0;
    assert.ok(refused <= 12, `${refused} questions that found nothing`);
    assert.equal(counts["encryptRead ok"] ?? 0, refused);
  });

  test("count copies, tombstones and messages once each", async () => {
    const counted = new Counted();
    await using both = await TwoClients.start({}, { metrics: counted.hook });
    const { alice } = both;
    const { writeCap, firstMessageIndex } = await newStream(alice);
    counted.take();
    await alice.copy(new Uint8Array(10), [{ writeCap, startIndex: firstMessageIndex }]);
    const { ["startResendingCopyCommand ok"]: commands, ["copy ok"]: copies } = counted.take();
    assert.deepEqual([commands, copies], [1, 1]);
    await alice.tombstoneRange(writeCap, firstMessageIndex, 2);
    assert.deepEqual(counted.take(), { "encryptWrite ok": 2, "tombstoneRange ok": 1 });
    await alice.tombstone(writeCap, firstMessageIndex);
    assert.equal(counted.take()["tombstone ok"], 1);
    const destination = alice.getService("echo").toDestination();
    await alice.blockingSendMessage("x", ...destination);
    assert.deepEqual(counted.take(), { "blockingSendMessage ok": 1 });
    await alice.sendMessage(alice.newSurbId(), "x", ...destination);
    await alice.sendMessageWithoutReply("x", ...destination);
    assert.deepEqual(counted.take(), { "sendMessage ok": 1, "sendMessageWithoutReply ok": 1 });
  });

  test("derive the end of a call from the ends of its requests", async () => {
    const counted = new Counted();
    await using both = await TwoClients.start({}, { metrics: counted.hook });
    const { alice } = both;
    const { readCap, firstMessageIndex } = await newStream(alice);
    const read = (options: object) => alice.read(readCap, firstMessageIndex, options);
    counted.take();
    await assert.rejects(read({ wait: false }), BoxIDNotFoundError);
    const refused = "startResendingEncryptedMessage refused";
    assert.deepEqual(counted.take(), { "encryptRead ok": 1, [refused]: 1, "read refused": 1 });
    await assert.rejects(read({ timeoutMs: 50 }), RequestTimeoutError);
    const late = counted.take();
    assert.equal(late["read timeout"], 1);
    assert.equal(late["read ok"], undefined);
    assert.equal(
      late[refused] ?? 0,
      (late["encryptRead ok"] ?? 0) - (late["startResendingEncryptedMessage timeout"] ?? 0),
    );
    const signal = AbortSignal.timeout(50);
    await assert.rejects(read({ signal }), (error) => error === signal.reason);
    assert.equal(counted.take()["read aborted"], 1);
    const nowhere = [new Uint8Array(32) as never, new Uint8Array(1)] as const;
    await assert.rejects(alice.blockingSendMessage("x", ...nowhere, { timeoutMs: 60_000 }));
    assert.deepEqual(counted.take(), { "blockingSendMessage error": 1 });
    await alice.stop();
    await assert.rejects(alice.nextMessageBoxIndex(firstMessageIndex));
    assert.deepEqual(counted.take(), {}, "a call that never began does not end");
  });
});
