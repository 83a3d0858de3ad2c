/** Tests a daemon's trace, and that it does not contain secrets. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { randomBytes, toHex, utf8 } from "../../src/bytes/bytes.js";
import type { DaemonTrace } from "../../src/daemon/trace.js";
import { shortId } from "../../src/mixnet/trace.js";
import { boxes, nothing } from "./boxes-fixture.js";
import { courierAnswer, message, replicaAnswer, turn, until } from "./fixture.js";

const reply = "startResendingEncryptedMessageReply";
/** Random IDs, which differ in their first bytes, unlike the IDs of other tests. */
const freshId = () => randomBytes(16);

/** A daemon whose trace events are recorded. */
async function traced(options: Parameters<typeof boxes>[0] = {}) {
  const events: DaemonTrace[] = [];
  const made = await boxes({ ...options, onTrace: (event) => void events.push(event) });
  /** The names of the events about a request, with further fields of each. */
  const of = (id: Uint8Array): string[] =>
    events
      .filter((event) => "request" in event && event.request === shortId(id))
      .map((event) => {
        if (event.event === "sent") return `sent ${event.attempt}`;
        if (event.event === "again") return `again ${event.attempt} ${event.why}`;
        if (event.event === "answered") return `answered ${event.code}`;
        return event.event;
      });
  return { ...made, events, of };
}

describe("the trace of a daemon", () => {
  test("follows a read through ticks, acknowledgements and attempts to its answer", async () => {
    const { client, link, start, events, of } = await traced();
    const request = await start("read", { queryId: freshId(), noRetryOnBoxIdNotFound: true });
    link.reply(link.last, courierAnswer(link.last));
    await until(() => link.packets.length === 2);
    link.reply(link.last, await replicaAnswer(link.last, () => nothing(1)));
    await client.expect(reply);
    assert.deepEqual(of(request.queryId!), [
      "request",
      "queued",
      "sent 1",
      "acknowledged",
      "again 2 answer",
      "sent 2",
      "answered 1",
    ]);
    const queued = events.find(({ event }) => event === "queued");
    assert.ok(queued?.event === "queued");
    assert.deepEqual(
      [queued.operation, queued.envelope, queued.waiting],
      ["read", shortId(request.envelopeHash!), 1],
    );
    // The event of the sealing names the same envelope, so both can be shown as one call.
    const sealed = events.find((event) => event.event === "answered" && event.envelope !== null);
    assert.ok(sealed?.event === "answered");
    assert.equal(sealed.envelope, shortId(request.envelopeHash!));
    const packets = events.flatMap((event) => (event.event === "sent" ? [event.packet] : []));
    assert.deepEqual(
      packets,
      link.packets.map(({ surbId }) => shortId(surbId!)),
    );
  });

  test("reports given-up operations, silence, and messages", async () => {
    const { client, link, clock, start, of } = await traced();
    const request = await start("write", { queryId: freshId() });
    await clock.advance(60_000);
    const { envelopeHash } = request;
    client.send({ kind: "cancelResendingEncryptedMessage", queryId: freshId(), envelopeHash });
    await client.expect(reply);
    await client.expect("cancelResendingEncryptedMessageReply");
    const told = of(request.queryId!);
    assert.ok(told.includes("again 2 silence"), told.join(", "));
    assert.deepEqual(told.slice(-2), ["cancelled", "answered 24"]);
    const id = freshId();
    client.send(message({ id: id as never }));
    await client.expect("messageSentEvent");
    link.reply(link.last, utf8("x"));
    await client.expect("messageReplyEvent");
    assert.deepEqual(of(id), ["request", "queued", "sent 1", "answered 0"]);
  });

  test("reports sessions, and used and unused ticks", async () => {
    const { client, daemon, link, clock, events } = await traced({ pace: "poisson" });
    await clock.advance(10_000);
    assert.ok(events.some((event) => event.event === "tick" && !event.used));
    assert.ok(link.decoys > 0);
    client.send(message());
    await turn();
    await clock.advance(10_000);
    assert.equal(events.filter((event) => event.event === "tick" && event.used).length, 1);
    client.transport.destroy();
    await turn();
    daemon.forgetSessions();
    const states = events.flatMap((event) => (event.event === "session" ? [event.state] : []));
    assert.deepEqual(states, ["attached", "gone", "ended"]);
  });

  test("contains no plaintext, capability, key or complete ID", async () => {
    const sentinel = utf8("SENTINEL-plaintext-0123456789");
    const { client, link, keys, start, events } = await traced();
    const request = await start("write", { queryId: freshId() }, sentinel);
    link.reply(link.last, courierAnswer(link.last));
    await client.expect(reply);
    client.send(message({ payload: sentinel }));
    await client.expect("messageSentEvent");
    assert.ok(events.length > 8, `${events.length} events`);
    const told = JSON.stringify(events);
    assert.ok(!told.includes("SENTINEL"));
    const secrets = {
      sentinel,
      writeCap: keys.writeCap!,
      readCap: keys.readCap!,
      index: keys.firstMessageIndex!,
      descriptor: request.envelopeDescriptor!,
      queryId: request.queryId!.subarray(8),
    };
    for (const [name, bytes] of Object.entries(secrets)) {
      // The trace must not contain any six consecutive bytes of a secret.
      for (let at = 0; at + 6 <= bytes.length; at++) {
        const part = bytes.subarray(at, at + 6);
        if (part.every((byte) => byte === 0)) continue;
        assert.ok(!told.includes(toHex(part)), `${name} at ${at}`);
      }
    }
    for (const event of events) {
      for (const [name, value] of Object.entries(event)) {
        assert.ok(
          value === null || ["string", "number", "boolean"].includes(typeof value),
          `${event.event}.${name}`,
        );
      }
    }
  });

  test("is unaffected by a hook that throws", async () => {
    const { client, link, start, faults } = await boxes({
      onTrace: () => {
        throw new Error("of the watcher");
      },
    });
    await start("write");
    link.reply(link.last, courierAnswer(link.last));
    assert.equal((await client.expect(reply)).errorCode, 0);
    assert.deepEqual(faults, []);
  });
});
