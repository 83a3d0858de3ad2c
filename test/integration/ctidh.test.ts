/** One box on a network with upstream's key exchange, in which each envelope takes seconds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import { TwoClients, newStream } from "./two-clients.js";

describe("CTIDH1024-X25519", { timeout: 180_000 }, () => {
  test("a box is written and read", async () => {
    await using both = await TwoClients.start({
      nike: "CTIDH1024-X25519",
      userForwardPayloadLength: 2000,
      replicas: 2,
    });
    const { alice, bob } = both;
    const geometry = alice.pigeonholeGeometry;
    assert.equal(geometry.nikeName, "CTIDH1024-X25519");
    assert.equal(geometry.maxPlaintextPayloadLength, 1549);
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const { nextMessageBoxIndex } = await alice.write(writeCap, firstMessageIndex, "slow, sure", {
      ifExists: "error",
    });
    const read = await bob.read(readCap, firstMessageIndex);
    assert.deepEqual(read.plaintext, utf8("slow, sure"));
    assert.deepEqual(read.nextMessageBoxIndex, nextMessageBoxIndex);
  });
});
