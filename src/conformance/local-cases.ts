/**
 * Requests that need no packet: keys, envelopes, documents, vouchers (spec/thin-protocol §4.3,
 * §4.8, §4.9).
 */
import { type Bytes, equalBytes, randomBytes, utf8 } from "../bytes/bytes.js";
import { PkiVerificationError } from "../errors/errors.js";
import { verifyPkiDocument } from "../pki/verify.js";
import { casesOf } from "./case.js";
import type { QueryFields, QueryKind, ReplyTo } from "../wire/responses.js";
import type { Peer } from "./peer.js";
import { AllowedDifference, must, mustAnswer, mustHave } from "./verdict.js";

const bytes = (length: number): Bytes => randomBytes(length);

/** Checks that a request is refused: with a code, or, if a length is wrong, by disconnecting. */
async function mustRefuse<K extends QueryKind>(
  peer: Peer,
  kind: K,
  fields: QueryFields<K>,
): Promise<AllowedDifference | undefined> {
  const reply = await peer.answerOrEnd(kind, peer.begin(kind, fields));
  if (reply === null) {
    return new AllowedDifference(
      "the daemon disconnected, so clients must check lengths before they send",
    );
  }
  mustAnswer(3, reply as { readonly errorCode: number } & ReplyTo<K>);
  await peer.mustBeAlive();
  return undefined;
}

/** Capabilities and indices. */
export const keyCases = casesOf("keys", {
  "a keypair's capabilities have their lengths and belong together": async (scene) => {
    const peer = await scene.client();
    const reply = await peer.ask("newKeypair", { seed: bytes(32) });
    mustAnswer(0, reply);
    const { writeCap, readCap, firstMessageIndex } = reply;
    mustHave("write_cap", writeCap, 168);
    mustHave("read_cap", readCap, 136);
    mustHave("first_message_index", firstMessageIndex, 104);
    must(
      equalBytes(writeCap.subarray(32, 64), readCap.subarray(0, 32)),
      "the capabilities hold different public keys",
    );
    must(
      equalBytes(writeCap.subarray(64), firstMessageIndex),
      "write_cap does not end in the first index",
    );
    must(
      equalBytes(readCap.subarray(32), firstMessageIndex),
      "read_cap does not end in the first index",
    );
  },
  "the same seed gives the same keypair, another seed another one": async (scene) => {
    const peer = await scene.client();
    const seeds = [new Uint8Array(32), new Uint8Array(32), new Uint8Array(32).fill(1)];
    const caps: Uint8Array[] = [];
    for (const seed of seeds) {
      caps.push((await peer.ask("newKeypair", { seed: seed as Bytes })).writeCap!);
    }
    must(equalBytes(caps[0]!, caps[1]!), "the same seed gave two keypairs");
    must(!equalBytes(caps[0]!, caps[2]!), "two seeds gave the same keypair");
  },
  "a seed of 31 bytes or none is refused with 3": async (scene) => {
    const peer = await scene.client();
    mustAnswer(3, await peer.ask("newKeypair", { seed: bytes(31) }));
    const reply = await peer.ask("newKeypair", { seed: null });
    mustAnswer(3, reply);
    must(reply.writeCap === null && reply.readCap === null, "the error reply has capabilities");
  },
  "each index has exactly one next index, whose counter is higher by one": async (scene) => {
    const peer = await scene.client();
    const { firstMessageIndex } = await scene.stream(peer);
    const next = await scene.after(peer, firstMessageIndex);
    must(
      equalBytes(next, await scene.after(peer, firstMessageIndex)),
      "there are two next indices",
    );
    const counters: bigint[] = [];
    for (const messageBoxIndex of [firstMessageIndex, next]) {
      const reply = await peer.ask("getMessageBoxIndexCounter", { messageBoxIndex });
      mustAnswer(0, reply);
      counters.push(reply.counter);
    }
    must(counters[1] === counters[0]! + 1n, `counters are ${counters.join(" and ")}`);
  },
  "a missing index is refused with 3": async (scene) => {
    const peer = await scene.client();
    mustAnswer(3, await peer.ask("nextMessageBoxIndex", { messageBoxIndex: null }));
    mustAnswer(3, await peer.ask("getMessageBoxIndexCounter", { messageBoxIndex: null }));
  },
  "an index of 1 byte is refused": async (scene) =>
    mustRefuse(await scene.client(), "nextMessageBoxIndex", { messageBoxIndex: bytes(1) }),
});

/** Envelopes. */
export const envelopeCases = casesOf("envelopes", {
  "an envelope for a read has the geometry's length and leads to the next box": async (scene) => {
    const peer = await scene.client();
    const { readCap, firstMessageIndex: messageBoxIndex } = await scene.stream(peer);
    const sealed = await peer.ask("encryptRead", { readCap, messageBoxIndex });
    mustAnswer(0, sealed);
    mustHave("message_ciphertext", sealed.messageCiphertext, scene.sizes.courierQueryReadLength);
    mustHave("envelope_hash", sealed.envelopeHash, 32);
    must((sealed.envelopeDescriptor?.length ?? 0) > 0, "there is no envelope_descriptor");
    const next = await scene.after(peer, messageBoxIndex);
    must(equalBytes(sealed.nextMessageBoxIndex!, next), "the next index is wrong");
  },
  "all envelopes for writes have the same length, including those for tombstones": async (
    scene,
  ) => {
    const peer = await scene.client();
    const { writeCap, firstMessageIndex: messageBoxIndex } = await scene.stream(peer);
    const { maxPlaintextPayloadLength, courierQueryWriteLength } = scene.sizes;
    for (const length of [0, 1, maxPlaintextPayloadLength]) {
      const fields = { plaintext: bytes(length), writeCap, messageBoxIndex };
      const sealed = await peer.ask("encryptWrite", fields);
      mustAnswer(0, sealed);
      mustHave("message_ciphertext", sealed.messageCiphertext, courierQueryWriteLength);
    }
  },
  "no two envelopes are equal": async (scene) => {
    const peer = await scene.client();
    const { readCap, firstMessageIndex: messageBoxIndex } = await scene.stream(peer);
    const one = await peer.ask("encryptRead", { readCap, messageBoxIndex });
    const two = await peer.ask("encryptRead", { readCap, messageBoxIndex });
    must(!equalBytes(one.envelopeHash!, two.envelopeHash!), "two envelopes have the same hash");
  },
  "missing and too long arguments are refused with 3": async (scene) => {
    const peer = await scene.client();
    const { writeCap, readCap, firstMessageIndex: index } = await scene.stream(peer);
    const plaintext = bytes(1);
    const long = bytes(scene.sizes.maxPlaintextPayloadLength + 1);
    mustAnswer(3, await peer.ask("encryptRead", { readCap: null, messageBoxIndex: index }));
    mustAnswer(3, await peer.ask("encryptRead", { readCap, messageBoxIndex: null }));
    for (const fields of [
      { plaintext, writeCap: null, messageBoxIndex: index },
      { plaintext, writeCap, messageBoxIndex: null },
      { plaintext: null, writeCap, messageBoxIndex: index },
      { plaintext: long, writeCap, messageBoxIndex: index },
    ]) {
      const reply = await peer.ask("encryptWrite", fields);
      mustAnswer(3, reply);
      must(reply.messageCiphertext === null, "the error reply has an envelope");
    }
  },
  "a read capability of 3 bytes is refused": async (scene) => {
    const peer = await scene.client();
    const { firstMessageIndex: messageBoxIndex } = await scene.stream(peer);
    return mustRefuse(peer, "encryptRead", { readCap: bytes(3), messageBoxIndex });
  },
  "a read capability in place of a write capability is refused": async (scene) => {
    const peer = await scene.client();
    const { readCap, firstMessageIndex: messageBoxIndex } = await scene.stream(peer);
    const fields = { plaintext: bytes(1), writeCap: readCap, messageBoxIndex };
    return mustRefuse(peer, "encryptWrite", fields);
  },
});

/** Documents and authorities. */
export const documentCases = casesOf("documents", {
  "the raw document is the current one, however it is requested": async (scene) => {
    const { peer, greeting } = await scene.connect();
    const { document } = scene.network(greeting);
    const current = await peer.ask("getPkiDocument", { epoch: 0n });
    mustAnswer(0, current);
    const byEpoch = await peer.ask("getPkiDocument", { epoch: current.epoch });
    mustAnswer(0, byEpoch);
    must(equalBytes(current.payload!, byEpoch.payload!), "the two documents differ");
    const age = Number(current.epoch) - document.epoch;
    must(age === 0 || age === 1, `the announced document is of epoch ${document.epoch}`);
  },
  "the raw document is signed by the authorities that the daemon lists": async (scene) => {
    const peer = await scene.client();
    const listed = await peer.ask("getDirectoryAuthorities", {});
    mustAnswer(0, listed);
    must((listed.authorities?.length ?? 0) > 0, "the daemon lists no authorities");
    const { payload } = await peer.ask("getPkiDocument", { epoch: 0n });
    try {
      verifyPkiDocument(payload!, listed.authorities!);
    } catch (error) {
      if (!(error instanceof PkiVerificationError)) throw error;
      must(false, error.message);
    }
  },
  "a document of an old epoch is refused with 10, and has no bytes": async (scene) => {
    const reply = await (await scene.client()).ask("getPkiDocument", { epoch: 1n });
    mustAnswer(10, reply);
    must(reply.epoch === 1n, `the epoch is ${reply.epoch}`);
    must((reply.payload?.length ?? 0) === 0, "the reply has a document anyway");
    return reply.payload === null
      ? new AllowedDifference("the payload is null, not empty: Rust's client cannot read that")
      : undefined;
  },
});

/** Contact vouchers. */
export const voucherCases = casesOf("vouchers", {
  "a voucher is minted, answered, opened, and its stream derived": async (scene) => {
    const peer = await scene.client();
    const { writeCap } = await scene.stream(peer);
    const minted = await peer.ask(
      "voucherMint",
      { messageWriteCap: writeCap, displayName: "newcomer" },
      scene.networkMs,
    );
    mustAnswer(0, minted);
    const { voucher, voucherPayload, voucherSecretKey } = minted;
    const derived = await peer.ask("voucherDeriveStream", { voucher });
    mustAnswer(0, derived);
    must(equalBytes(derived.voucherWriteCap!, minted.voucherWriteCap!), "the stream is wrong");
    const whoReply = utf8("welcome");
    const inducted = await peer.ask(
      "voucherInduct",
      { voucher, voucherPayload, whoReply },
      scene.networkMs,
    );
    mustAnswer(0, inducted);
    must(inducted.displayName === "newcomer", "the name is wrong");
    const { sealedReply } = inducted;
    const opened = await peer.ask(
      "voucherOpen",
      { voucherSecretKey, sealedReply, messageWriteCap: writeCap },
      scene.networkMs,
    );
    mustAnswer(0, opened);
    must(equalBytes(opened.whoReply!, whoReply), "the reply is wrong");
    must(equalBytes(opened.salt!, inducted.salt!), "the salt is wrong");
    const [write, read] = [opened.mutatedMessageWriteCap, inducted.mutatedMessageReadCap];
    mustHave("mutated_message_write_cap", write, 168);
    mustHave("mutated_message_read_cap", read, 136);
    must(equalBytes(write.subarray(32), read), "the mutated capabilities do not belong together");
    const other = bytes(voucherPayload!.length);
    mustAnswer(28, await peer.ask("voucherInduct", { voucher, voucherPayload: other, whoReply }));
    const damaged = sealedReply!.map((byte, i) =>
      i === sealedReply!.length - 1 ? byte ^ 1 : byte,
    );
    mustAnswer(
      30,
      await peer.ask(
        "voucherOpen",
        { voucherSecretKey, sealedReply: damaged, messageWriteCap: writeCap },
        scene.networkMs,
      ),
    );
  },
  "capabilities and vouchers of a wrong length are refused with 3": async (scene) => {
    const peer = await scene.client();
    const displayName = "newcomer";
    mustAnswer(3, await peer.ask("voucherMint", { messageWriteCap: bytes(3), displayName }));
    mustAnswer(3, await peer.ask("voucherDeriveStream", { voucher: bytes(31) }));
    const fields = { voucher: bytes(31), voucherPayload: bytes(9), whoReply: bytes(1) };
    mustAnswer(3, await peer.ask("voucherInduct", fields));
  },
});
