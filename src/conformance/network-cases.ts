/**
 * What goes through the network: boxes, copies, messages (spec/thin-protocol §4.2, §7.2 to §7.4).
 */
import { type Bytes, equalBytes, randomBytes, utf8 } from "../bytes/bytes.js";
import { type IdentityHash, type MessageBoxIndex, SurbId } from "../bytes/opaque.js";
import { findServices } from "../pki/services.js";
import type { DaemonRequest } from "../wire/requests.js";
import { casesOf } from "./case.js";
import type { Peer } from "./peer.js";
import type { Greeting, Scene, Stream } from "./scene.js";
import { must, mustAnswer, mustHave } from "./verdict.js";

const SRE = "startResendingEncryptedMessage";

/** Boxes. */
export const storageCases = casesOf("storage", {
  "a written box can be read, and both answers name the courier": async (scene) => {
    const peer = await scene.client();
    const stream = await scene.stream(peer);
    const index = stream.firstMessageIndex;
    const plaintext = randomBytes(scene.sizes.maxPlaintextPayloadLength);
    const written = await scene.write(peer, stream, index, plaintext);
    mustAnswer(0, written);
    must((written.plaintext?.length ?? 0) === 0, "the answer to a write has a plaintext");
    mustHave("courier_identity_hash of a write", written.courierIdentityHash, 32);
    const read = await scene.read(peer, stream, index);
    mustAnswer(0, read);
    must(read.plaintext !== null && equalBytes(read.plaintext, plaintext), "the text is wrong");
    mustHave("courier_identity_hash of a read", read.courierIdentityHash, 32);
    must((read.courierQueueId?.length ?? 0) > 0, "courier_queue_id is missing");
  },
  "an empty box is reported with 1 on request": async (scene) => {
    const peer = await scene.client();
    const stream = await scene.stream(peer);
    const reply = await scene.read(peer, stream, stream.firstMessageIndex, true);
    mustAnswer(1, reply);
    mustHave("courier_identity_hash", reply.courierIdentityHash, 32);
  },
  "a read of an empty box waits, and a new read finds a message that was written meanwhile": async (
    scene,
  ) => {
    const peer = await scene.client();
    const stream = await scene.stream(peer);
    const index = stream.firstMessageIndex;
    const { queryId, envelopeHash } = await scene.beginRead(peer, stream, index);
    // Another read was told by then that its box is empty, so this one was too.
    const other = await scene.stream(peer);
    mustAnswer(1, await scene.read(peer, other, other.firstMessageIndex, true));
    mustAnswer(0, await scene.write(peer, stream, index, utf8("late")));
    const read = await scene.read(peer, stream, index);
    mustAnswer(0, read);
    must(read.plaintext !== null && equalBytes(read.plaintext, utf8("late")), "the text is wrong");
    // The first read may have found it by now, or may wait because of its courier's cache.
    const first = await scene.stop(peer, SRE, queryId, envelopeHash);
    if (first.errorCode === 24) return;
    mustAnswer(0, first);
    must(
      first.plaintext !== null && equalBytes(first.plaintext, utf8("late")),
      "the waiting read returned the wrong text",
    );
  },
  "writing the same text again is a success, and another text is refused with 10 on request":
    async (scene) => {
      const peer = await scene.client();
      const stream = await scene.stream(peer);
      const index = stream.firstMessageIndex;
      mustAnswer(0, await scene.write(peer, stream, index, utf8("first"), true));
      mustAnswer(0, await scene.write(peer, stream, index, utf8("first"), true));
      mustAnswer(10, await scene.write(peer, stream, index, utf8("second"), true));
      mustAnswer(0, await scene.write(peer, stream, index, utf8("second")));
      const read = await scene.read(peer, stream, index);
      must(
        read.plaintext !== null && equalBytes(read.plaintext, utf8("first")),
        "the box was overwritten",
      );
    },
  "a tombstone deletes a box, which is then read as 11 and cannot be written again": async (
    scene,
  ) => {
    const peer = await scene.client();
    const stream = await scene.stream(peer);
    const index = stream.firstMessageIndex;
    mustAnswer(0, await scene.write(peer, stream, index, utf8("text")));
    mustAnswer(0, await scene.write(peer, stream, index, new Uint8Array(0), true));
    mustAnswer(11, await scene.read(peer, stream, index));
    mustAnswer(10, await scene.write(peer, stream, index, utf8("again"), true));
  },
  "one client can read what another one wrote": async (scene) => {
    const [writer, reader] = [await scene.client(), await scene.client()];
    const stream = await scene.stream(writer);
    const index = stream.firstMessageIndex;
    mustAnswer(0, await scene.write(writer, stream, index, utf8("shared")));
    const read = await scene.read(reader, stream, index);
    must(read.plaintext !== null && equalBytes(read.plaintext, utf8("shared")), "it could not");
  },
});

/** Writes elements to a temporary stream and has a courier carry them out. */
async function copy(scene: Scene, peer: Peer, elements: readonly Uint8Array[]) {
  const temporary = await scene.stream(peer);
  let index = temporary.firstMessageIndex;
  for (const element of elements) {
    mustAnswer(0, await scene.write(peer, temporary, index, element));
    index = await scene.after(peer, index);
  }
  const { writeCap } = temporary;
  const fields = { writeCap, courierIdentityHash: null, courierQueueId: null };
  return peer.ask("startResendingCopyCommand", fields, scene.networkMs);
}

function checkElements(scene: Scene, elements: readonly Uint8Array[], last: boolean): void {
  const full = scene.sizes.maxPlaintextPayloadLength;
  const lengths = elements.map(({ length }) => length);
  const good = lengths.every((length, i) =>
    last && i === lengths.length - 1 ? length > 0 && length <= full : length === full,
  );
  must(good, `elements of ${lengths.join(", ")} bytes came, but boxes hold ${full}`);
}

const payloadFields = (stream: Stream, payload: Bytes) => ({
  payload,
  destWriteCap: stream.writeCap,
  destStartIndex: stream.firstMessageIndex,
  isStart: true,
  isLast: true,
});

/** Copy streams and copy commands. */
export const copyingCases = casesOf("copying", {
  "a payload is cut into elements, copied, and read back": async (scene) => {
    const peer = await scene.client();
    const destination = await scene.stream(peer);
    const payload = randomBytes(scene.sizes.maxPlaintextPayloadLength + 500);
    const made = await peer.ask(
      "createCourierEnvelopesFromPayload",
      payloadFields(destination, payload),
    );
    mustAnswer(0, made);
    checkElements(scene, made.envelopes!, true);
    mustAnswer(0, await copy(scene, peer, made.envelopes!));
    const second = await scene.after(peer, destination.firstMessageIndex);
    const parts: Uint8Array[] = [];
    for (const index of [destination.firstMessageIndex, second]) {
      const read = await scene.read(peer, destination, index);
      mustAnswer(0, read);
      parts.push(read.plaintext!);
    }
    must(
      parts[0]!.length === scene.sizes.maxPlaintextPayloadLength - 4,
      `the first copied box holds ${parts[0]!.length} bytes`,
    );
    must(
      equalBytes(Uint8Array.of(...parts[0]!, ...parts[1]!), payload),
      "the copied text is wrong",
    );
    const next = await scene.after(peer, second);
    must(equalBytes(made.nextDestIndex!, next), "next_dest_index is wrong");
  },
  "two destinations share a stream, and the buffer carries over": async (scene) => {
    const peer = await scene.client();
    const streams = [await scene.stream(peer), await scene.stream(peer)];
    const elements: Uint8Array[] = [];
    let indices: readonly MessageBoxIndex[] = streams.map((stream) => stream.firstMessageIndex);
    let buffer: Bytes | null = null;
    for (const isLast of [false, true]) {
      const made = await peer.ask("createCourierEnvelopesFromMultiPayload", {
        destinations: streams.map(({ writeCap }, i) => ({
          payload: utf8(`${isLast ? "last" : "first"} for ${i}`),
          writeCap,
          startIndex: indices[i]!,
        })),
        isStart: !isLast,
        isLast,
        buffer,
      });
      mustAnswer(0, made);
      checkElements(scene, made.envelopes ?? [], isLast);
      elements.push(...(made.envelopes ?? []));
      must(isLast || (made.buffer?.length ?? 0) > 0, "no buffer is left for the next call");
      must(!isLast || (made.buffer?.length ?? 0) === 0, "the last call left a buffer");
      must(made.nextDestIndices?.length === 2, "next_dest_indices must have two entries");
      ({ buffer, nextDestIndices: indices } = made as { buffer: Bytes | null } & {
        nextDestIndices: readonly MessageBoxIndex[];
      });
    }
    mustAnswer(0, await copy(scene, peer, elements));
    for (const [i, stream] of streams.entries()) {
      const second = await scene.after(peer, stream.firstMessageIndex);
      for (const [when, index] of [
        ["first", stream.firstMessageIndex],
        ["last", second],
      ] as const) {
        const read = await scene.read(peer, stream, index);
        const expected = utf8(`${when} for ${i}`);
        must(read.plaintext !== null && equalBytes(read.plaintext, expected), "the text is wrong");
      }
    }
  },
  "tombstones are copied": async (scene) => {
    const peer = await scene.client();
    const destination = await scene.stream(peer);
    const made = await peer.ask("createCourierEnvelopesFromTombstoneRange", {
      destWriteCap: destination.writeCap,
      destStartIndex: destination.firstMessageIndex,
      maxCount: 2,
      isStart: true,
      isLast: true,
      buffer: null,
    });
    mustAnswer(0, made);
    mustAnswer(0, await copy(scene, peer, made.envelopes!));
    mustAnswer(11, await scene.read(peer, destination, destination.firstMessageIndex));
    const second = await scene.after(peer, destination.firstMessageIndex);
    mustAnswer(11, await scene.read(peer, destination, second));
  },
  "a copy onto a taken box fails with 26, and reports 10 and the position": async (scene) => {
    const peer = await scene.client();
    const destination = await scene.stream(peer);
    const index = destination.firstMessageIndex;
    mustAnswer(0, await scene.write(peer, destination, index, utf8("taken"), true));
    const made = await peer.ask(
      "createCourierEnvelopesFromPayload",
      payloadFields(destination, utf8("other")),
    );
    const reply = await copy(scene, peer, made.envelopes!);
    mustAnswer(26, reply);
    must(reply.replicaErrorCode === 10, `replica_error_code is ${reply.replicaErrorCode}`);
    must(
      BigInt(reply.failedEnvelopeIndex ?? 0) === 1n,
      `failed_envelope_index is ${reply.failedEnvelopeIndex}`,
    );
  },
  "builders refuse missing arguments with 3, and accept empty ones": async (scene) => {
    const peer = await scene.client();
    const stream = await scene.stream(peer);
    const payload = payloadFields(stream, utf8("x"));
    const noCap = { ...payload, destWriteCap: null };
    mustAnswer(3, await peer.ask("createCourierEnvelopesFromPayload", noCap));
    const noIndex = { ...payload, destStartIndex: null };
    mustAnswer(3, await peer.ask("createCourierEnvelopesFromPayload", noIndex));
    const empty = { ...payload, payload: new Uint8Array(0) as Bytes };
    const nothing = await peer.ask("createCourierEnvelopesFromPayload", empty);
    mustAnswer(0, nothing);
    must((nothing.envelopes?.length ?? 0) === 0, "an empty payload made elements");
    must(equalBytes(nothing.nextDestIndex!, stream.firstMessageIndex), "the index changed");
    mustAnswer(
      3,
      await peer.ask("createCourierEnvelopesFromMultiPayload", {
        destinations: [],
        isStart: true,
        isLast: true,
        buffer: null,
      }),
    );
    const none = await peer.ask("createCourierEnvelopesFromTombstoneRange", {
      destWriteCap: stream.writeCap,
      destStartIndex: stream.firstMessageIndex,
      maxCount: 0,
      isStart: true,
      isLast: false,
      buffer: null,
    });
    mustAnswer(0, none);
    must((none.envelopes?.length ?? 0) === 0, "no tombstones made elements");
  },
});

function echoMessage(
  scene: Scene,
  greeting: Greeting,
  fields: Partial<DaemonRequest<"sendMessage">>,
): DaemonRequest<"sendMessage"> {
  const [service] = findServices("echo", scene.network(greeting).document);
  must(service !== undefined, "the network has no echo service");
  const [destinationIdHash, recipientQueueId] = service.toDestination();
  return {
    kind: "sendMessage",
    id: null,
    withSurb: true,
    surbId: SurbId.random(),
    destinationIdHash,
    recipientQueueId: recipientQueueId as Bytes,
    payload: utf8("hello"),
    ...fields,
  };
}

/** Sends a message that cannot be sent; the sent event must say so. */
async function mustFail(
  scene: Scene,
  fields: (u: number) => Partial<DaemonRequest<"sendMessage">>,
): Promise<void> {
  const { peer, greeting } = await scene.connect();
  const u = scene.network(greeting).geometry.userForwardPayloadLength;
  const message = echoMessage(scene, greeting, fields(u));
  peer.send(message);
  const sent = await peer.event("messageSentEvent", scene.networkMs);
  must(
    sent.surbId !== null && equalBytes(sent.surbId, message.surbId!),
    "the event is for another message",
  );
  must((sent.err?.length ?? 0) > 0, "the event does not report a failure");
}

/** Messages to services. */
export const messageCases = casesOf("messages", {
  "an echo comes back: first the sent event, then the reply, padded with zeros": async (scene) => {
    const { peer, greeting } = await scene.connect();
    const { geometry } = scene.network(greeting);
    const message = echoMessage(scene, greeting, {});
    peer.send(message);
    const sent = await peer.event("messageSentEvent", scene.networkMs);
    must(equalBytes(sent.surbId!, message.surbId!), "the sent event has another SURB ID");
    must((sent.err ?? "") === "", `it was not sent: ${sent.err}`);
    const nowS = scene.clock.now() / 1000;
    must(
      Math.abs(sent.sentAt - nowS) < 86_400,
      `sent_at is ${sent.sentAt}, which is not a time in s`,
    );
    const reply = await peer.event("messageReplyEvent", scene.networkMs);
    must(equalBytes(reply.surbId!, message.surbId!), "the reply has another SURB ID");
    must(reply.errorCode === 0, `error_code is ${reply.errorCode}`);
    mustHave("the reply", reply.payload, geometry.forwardPayloadLength);
    must(
      equalBytes(reply.payload.subarray(0, 5), utf8("hello")) &&
        reply.payload.subarray(5).every((byte) => byte === 0),
      "the reply is not the message followed by zeros",
    );
  },
  "a message of the maximum length comes back complete": async (scene) => {
    const { peer, greeting } = await scene.connect();
    const payload = randomBytes(scene.network(greeting).geometry.userForwardPayloadLength);
    peer.send(echoMessage(scene, greeting, { payload }));
    await peer.event("messageSentEvent", scene.networkMs);
    const reply = await peer.event("messageReplyEvent", scene.networkMs);
    must(equalBytes(reply.payload!.subarray(0, payload.length), payload), "the text is wrong");
  },
  "a message without a reply block gets no event": async (scene) => {
    const { peer, greeting } = await scene.connect();
    peer.send(echoMessage(scene, greeting, { withSurb: false, surbId: null }));
    // An event for the other message would come before the answer to this one.
    peer.send(echoMessage(scene, greeting, {}));
    await peer.event("messageReplyEvent", scene.networkMs);
    await peer.event("messageSentEvent", scene.networkMs);
    await peer.mustBeAlive();
  },
  "a message that is too long is reported as not sent": (scene) =>
    mustFail(scene, (u) => ({ payload: randomBytes(u + 1) })),
  "a message to an unknown node is reported as not sent": (scene) =>
    mustFail(scene, () => ({ destinationIdHash: randomBytes(32) as Bytes as IdentityHash })),
  "a message to a queue of 33 bytes is reported as not sent": (scene) =>
    mustFail(scene, () => ({ recipientQueueId: randomBytes(33) })),
});
