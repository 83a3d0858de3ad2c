/** What a batch asks of the daemon. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { generateKeypair } from "../../src/bacap/index.js";
import { nextMessageBoxIndex } from "../../src/bacap/message-box-index.js";
import type { MessageBoxIndex } from "../../src/bytes/opaque.js";
import { runBatch } from "../../src/channels/batch.js";
import type { ChannelClient } from "../../src/channels/channel-client.js";
import type { MultiPayloadEnvelopesRequest } from "../../src/client/copy-calls.js";

const never = new AbortController().signal;

/** A client that writes down what it is asked for; each build returns a rest of its own. */
function recorder() {
  const builds: MultiPayloadEnvelopesRequest[] = [];
  const written: { readonly index: MessageBoxIndex; readonly content: unknown }[] = [];
  const stream = generateKeypair();
  let copied = 0;
  const client = {
    newKeypair: async () => stream,
    createCourierEnvelopesFromMultiPayload: async (request: MultiPayloadEnvelopesRequest) => {
      builds.push(request);
      const envelopes = [0, 1].map((part) => Uint8Array.of(builds.length, part));
      return { envelopes, buffer: new Uint8Array(3).fill(builds.length) };
    },
    write: async (_: unknown, index: MessageBoxIndex, content: unknown) => {
      written.push({ index, content });
    },
    startResendingCopyCommand: async () => void copied++,
  };
  return {
    client: client as unknown as ChannelClient,
    builds,
    written,
    stream,
    copies: () => copied,
  };
}

test("at most 32 boxes are sealed in a call, and each call gets the rest of the one before", async () => {
  const { client, builds, written, stream, copies } = recorder();
  const [one, two] = [generateKeypair(), generateKeypair()];
  const boxes = (count: number, fill: number): Uint8Array[] =>
    Array.from({ length: count }, () => new Uint8Array(10).fill(fill));
  const parts = [
    { writeCap: one.writeCap, startIndex: one.firstMessageIndex, boxes: boxes(20, 1) },
    { writeCap: two.writeCap, startIndex: two.firstMessageIndex, boxes: boxes(50, 2) },
  ];
  await runBatch(client, parts, never);
  assert.deepEqual(
    builds.map(({ isStart, isLast, buffer, destinations }) => ({
      isStart,
      isLast,
      rest: buffer?.[0] ?? null,
      boxes: destinations.map(({ payload }) => [payload[0], payload.length / 10]),
    })),
    [
      {
        isStart: true,
        isLast: false,
        rest: null,
        boxes: [
          [1, 20],
          [2, 12],
        ],
      },
      { isStart: false, isLast: false, rest: 1, boxes: [[2, 32]] },
      { isStart: false, isLast: true, rest: 2, boxes: [[2, 6]] },
    ],
  );
  let index = two.firstMessageIndex;
  for (let i = 0; i < 12; i++) index = nextMessageBoxIndex(index);
  assert.deepEqual(builds[1]!.destinations[0]!.startIndex, index);
  // The elements fill the temporary stream from its first box on, in order.
  let at = stream.firstMessageIndex;
  for (const [i, box] of written.entries()) {
    assert.deepEqual(box.index, at);
    assert.deepEqual(box.content, Uint8Array.of(1 + (i >> 1), i & 1));
    at = nextMessageBoxIndex(at);
  }
  assert.deepEqual([written.length, copies()], [6, 1]);
});
