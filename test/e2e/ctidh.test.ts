/** A network with upstream's key exchange, in which each envelope takes seconds. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import {
  BoxIDNotFoundError,
  CourierInvalidEnvelopeError,
  DaemonRequestError,
} from "../../src/errors/errors.js";
import { TwoClients, newStream } from "./two-clients.js";

describe("CTIDH1024-X25519", { timeout: 540_000 }, () => {
  let both: TwoClients;

  before(async () => {
    both = await TwoClients.start({
      nike: "CTIDH1024-X25519",
      userForwardPayloadLength: 2000,
      replicas: 2,
    });
  });

  after(() => both[Symbol.asyncDispose]());

  test("writes and reads a box", async () => {
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

  test("refuses an envelope sent on a network of another scheme, both ways", async () => {
    const { alice } = both;
    await using others = await TwoClients.start();
    const carol = others.alice;
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const long = await alice.encryptRead(readCap, firstMessageIndex);
    await assert.rejects(carol.startResendingEncryptedMessage(long), (error) => {
      assert.ok(error instanceof DaemonRequestError, String(error));
      assert.equal(error.code, "THIN_CLIENT_ERROR_INTERNAL_ERROR");
      assert.match(error.message, /an envelope that was sealed on another network/);
      return true;
    });
    const short = await carol.encryptWrite(utf8("x"), writeCap, firstMessageIndex);
    const sending = alice.startResendingEncryptedMessage(short);
    await assert.rejects(sending, CourierInvalidEnvelopeError);
    // A network with longer messages accepts the envelope, and its courier detects it.
    await using wider = await TwoClients.start({ userForwardPayloadLength: 3000 });
    const passed = wider.alice.startResendingEncryptedMessage(long);
    await assert.rejects(passed, CourierInvalidEnvelopeError);
    // The envelope has no effect: the boxes are empty, and everything works afterwards.
    for (const { alice: client, daemon } of [others, wider]) {
      assert.equal(daemon.daemon.load.operations, 0);
      const reading = client.read(readCap, firstMessageIndex, { wait: false });
      await assert.rejects(reading, BoxIDNotFoundError);
      await client.write(writeCap, firstMessageIndex, "goes on");
      assert.deepEqual((await client.read(readCap, firstMessageIndex)).plaintext, utf8("goes on"));
    }
    assert.equal(both.daemon.daemon.load.operations, 0);
  });
});
