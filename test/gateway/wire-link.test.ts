import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBytes } from "../../src/bytes/bytes.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import type { WireCommand } from "../../src/gateway/commands.js";
import { WireLink } from "../../src/gateway/wire-link.js";
import { memoryPair } from "../../src/transport/memory.js";
import { codec, geometry } from "./scripted-gateway.js";

const keys = [randomBytes(32), randomBytes(32)] as const;

function begin(
  link: WireLink,
  [sealKey, openKey]: readonly [Uint8Array, Uint8Array],
  onCommand: (command: WireCommand) => void | Promise<void>,
): void {
  const longestCommand = codec.clientLength;
  const limits = { readTimeoutMs: 60_000, writeTimeoutMs: 60_000 };
  link.beginCommands({ codec, sealKey, openKey, longestCommand, ...limits, onCommand });
}

test("before its commands begin, a link takes no more than the handshake may need", async () => {
  const clock = new VirtualClock();
  const [near, far] = memoryPair();
  const link = new WireLink(near, clock);
  far.open({ onData: () => {}, onClose: () => {} });
  const sent = Array.from({ length: 16 }, () => randomBytes(64 * 1024));
  for (const part of sent) far.write(part);
  await clock.advance(0);
  assert.ok(far.queuedBytes > 800_000, `${far.queuedBytes} bytes wait at the other end`);
  for (const part of sent) assert.deepEqual(await link.readExactly(part.length), part);
  assert.equal(far.queuedBytes, 0);
  link.close(new Error("done"));
});

test("a link reads nothing more while a command waits for its answer, and serves them in order", async () => {
  const clock = new VirtualClock();
  const [near, far] = memoryPair();
  const [client, server] = [new WireLink(near, clock), new WireLink(far, clock)];
  const served: WireCommand[] = [];
  const answers: (() => void)[] = [];
  begin(client, keys, () => {});
  begin(server, [keys[1], keys[0]], (command) => {
    served.push(command);
    return new Promise((resolve) => answers.push(resolve));
  });
  const packets = Array.from({ length: 50 }, () => randomBytes(geometry.packetLength));
  for (const sphinxPacket of packets) {
    await client.send({ type: "SendPacket", sphinxPacket });
    await clock.advance(0);
  }
  assert.equal(served.length, 1);
  assert.ok(near.queuedBytes > 40 * geometry.packetLength, `${near.queuedBytes} bytes wait`);
  for (let i = 0; i < packets.length; i++) {
    assert.equal(served.length, i + 1);
    answers[i]!();
    await clock.advance(0);
  }
  assert.deepEqual(
    served,
    packets.map((sphinxPacket) => ({ type: "SendPacket", sphinxPacket })),
  );
  client.close(new Error("done"));
  await server.ended;
});
