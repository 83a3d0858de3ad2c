/**
 * Starts and cancels: what a daemon does with operations once it is connected (spec/thin-protocol
 * §4.4 to §4.6).
 */
import { hash256 } from "../bytes/hash.js";
import { type Bytes, randomBytes } from "../bytes/bytes.js";
import { casesOf } from "./case.js";
import { Silence } from "./peer.js";
import { start } from "./scene.js";
import { AllowedDifference, must, mustAnswer } from "./verdict.js";

const SRE = "startResendingEncryptedMessage";
const SRC = "startResendingCopyCommand";
const UNKNOWN = new Uint8Array(32).fill(9) as Bytes;

const hashOf = (writeCap: Uint8Array): Bytes => hash256(writeCap) as Bytes;

/** Starts and cancels. */
export const operationCases = casesOf("operations", {
  "a start without exactly one capability, or without a required field, is refused with 3": async (
    scene,
  ) => {
    const peer = await scene.client();
    const { writeCap, readCap, firstMessageIndex: messageBoxIndex } = await scene.stream(peer);
    const sealed = await peer.ask("encryptRead", { readCap, messageBoxIndex });
    const good = { ...start(sealed), readCap, messageBoxIndex };
    for (const wrong of [
      { ...good, readCap: null },
      { ...good, writeCap },
      { ...good, envelopeHash: null },
      { ...good, envelopeDescriptor: null },
      { ...good, envelopeDescriptor: new Uint8Array(0) as Bytes },
      { ...good, messageCiphertext: null },
    ]) {
      const reply = await peer.ask(SRE, wrong);
      mustAnswer(3, reply);
      must(
        reply.courierIdentityHash === null,
        "a reply with the daemon's own code names a courier",
      );
    }
  },
  "a start with an invalid descriptor is answered with an error": async (scene) => {
    const peer = await scene.client();
    const { readCap, firstMessageIndex: messageBoxIndex } = await scene.stream(peer);
    const sealed = await peer.ask("encryptRead", { readCap, messageBoxIndex });
    const envelopeDescriptor = randomBytes(40);
    const fields = { ...start(sealed), readCap, messageBoxIndex, envelopeDescriptor };
    const queryId = peer.begin(SRE, fields);
    let reply;
    try {
      reply = await peer.answer(SRE, queryId);
    } catch (error) {
      if (!(error instanceof Silence)) throw error;
      await peer.ask("cancelResendingEncryptedMessage", { envelopeHash: sealed.envelopeHash });
      await peer.answer(SRE, queryId, 1000).catch(() => null);
      return new AllowedDifference(
        "it is never answered: clients need deadlines or must not send one",
      );
    }
    must(reply.errorCode !== 0, "it succeeded");
    return undefined;
  },
  "a copy command without a capability is refused with 3": async (scene) => {
    const peer = await scene.client();
    const none = { writeCap: null, courierIdentityHash: null, courierQueueId: null };
    mustAnswer(3, await peer.ask(SRC, none));
  },
  "a copy command with half of a courier is refused with 3": async (scene) => {
    const peer = await scene.client();
    const { writeCap } = await scene.stream(peer);
    const half = { writeCap, courierIdentityHash: UNKNOWN, courierQueueId: null };
    const queryId = peer.begin(SRC, half);
    const reply = await scene.stop(peer, SRC, queryId, hashOf(writeCap));
    if (reply.errorCode === 24) {
      return new AllowedDifference("half of a courier's name is ignored: any courier is used");
    }
    mustAnswer(3, reply);
    return undefined;
  },
  "cancelling an unknown operation succeeds": async (scene) => {
    const peer = await scene.client();
    const read = { envelopeHash: randomBytes(32) };
    mustAnswer(0, await peer.ask("cancelResendingEncryptedMessage", read));
    const copy = { writeCapHash: randomBytes(32) };
    mustAnswer(0, await peer.ask("cancelResendingCopyCommand", copy));
  },
  "cancelling without a hash is refused with 3": async (scene) => {
    const peer = await scene.client();
    mustAnswer(3, await peer.ask("cancelResendingEncryptedMessage", { envelopeHash: null }));
    mustAnswer(3, await peer.ask("cancelResendingCopyCommand", { writeCapHash: null }));
  },
  "a waiting read is cancelled: its start is answered first, with 24": async (scene) => {
    const peer = await scene.client();
    const stream = await scene.stream(peer);
    const read = await scene.beginRead(peer, stream, stream.firstMessageIndex);
    mustAnswer(24, await scene.stop(peer, SRE, read.queryId, read.envelopeHash));
  },
  "a waiting copy command is cancelled: its start is answered with 24": async (scene) => {
    const peer = await scene.client();
    const { writeCap } = await scene.stream(peer);
    const queryId = peer.begin(SRC, { writeCap, courierIdentityHash: null, courierQueueId: null });
    mustAnswer(24, await scene.stop(peer, SRC, queryId, hashOf(writeCap)));
  },
  "another client's cancel has no effect": async (scene) => {
    const [owner, stranger] = [await scene.client(), await scene.client()];
    const stream = await scene.stream(owner);
    const { queryId, envelopeHash } = await scene.beginRead(
      owner,
      stream,
      stream.firstMessageIndex,
    );
    await scene.tick(owner);
    mustAnswer(0, await stranger.ask("cancelResendingEncryptedMessage", { envelopeHash }));
    const ended = await stranger.answer(SRE, queryId, 50).catch(() => null);
    if (ended !== null) {
      mustAnswer(24, ended);
      return new AllowedDifference(
        "any client can cancel any operation, and gets the answer: keep envelope hashes secret",
      );
    }
    mustAnswer(24, await scene.stop(owner, SRE, queryId, envelopeHash));
    return undefined;
  },
});
