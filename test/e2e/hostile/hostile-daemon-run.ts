/** Hostile clients against the daemon: it must answer or disconnect, and never crash. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { toHex } from "../../../src/bytes/bytes.js";
import { encodeCourierQueryReply } from "../../../src/crypto/envelope/courier-messages.js";
import { isThinClientError } from "../../../src/errors/errors.js";
import type { OutgoingPacket } from "../../../src/mixnet/link.js";
import { type DaemonRequest, type RequestKind, encodeRequest } from "../../../src/wire/requests.js";
import type { DaemonResponse } from "../../../src/wire/responses.js";
import {
  type World,
  courierAnswer,
  freshId,
  noGateway,
  padded,
  world,
} from "../../daemon/fixture.js";
import {
  SeededNumbers,
  type Tally,
  endsInFrame,
  hostileFrame,
  withinTurns,
} from "./hostile-frames.js";
import { requestKinds, requestsOf } from "../../wire/message-arbitraries.js";

interface Run {
  readonly seed: number;
  readonly random: SeededNumbers;
  readonly tally: Tally;
  readonly requests: readonly DaemonRequest[];
  readonly failures: string[];
  responses: number;
  hangUps: number;
}

/** Requests that a daemon serves completely, and arbitrary ones of every kind. */
async function honestRequests(seed: number): Promise<DaemonRequest[]> {
  const made = world();
  const client = made.connect();
  await client.hello(freshId());
  client.send({ kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32).fill(1) });
  const keys = await client.expect("newKeypairReply");
  const place = { queryId: freshId(), messageBoxIndex: keys.firstMessageIndex };
  client.send({ kind: "encryptRead", readCap: keys.readCap, ...place });
  const sealed = await client.expect("encryptReadReply");
  client.send({
    kind: "voucherMint",
    queryId: freshId(),
    messageWriteCap: keys.writeCap,
    displayName: "x",
  });
  const minted = await client.expect("voucherMintReply");
  await made.daemon.close();
  const start = {
    kind: "startResendingEncryptedMessage",
    queryId: freshId(),
    messageBoxIndex: keys.firstMessageIndex,
    replyIndex: null,
    envelopeDescriptor: sealed.envelopeDescriptor,
    messageCiphertext: sealed.messageCiphertext,
    envelopeHash: sealed.envelopeHash,
    noRetryOnBoxIdNotFound: true,
    noIdempotentBoxAlreadyExists: true,
  } as const;
  const builder = {
    queryId: freshId(),
    destWriteCap: keys.writeCap,
    destStartIndex: keys.firstMessageIndex,
    isStart: true,
    isLast: true,
  };
  const served: DaemonRequest[] = [
    { kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32) },
    { kind: "encryptRead", readCap: keys.readCap, ...place },
    { kind: "encryptWrite", writeCap: keys.writeCap, plaintext: new Uint8Array(9), ...place },
    { kind: "nextMessageBoxIndex", ...place },
    { kind: "getMessageBoxIndexCounter", ...place },
    { kind: "getPkiDocument", queryId: freshId(), epoch: 0n },
    { kind: "createCourierEnvelopesFromPayload", payload: new Uint8Array(300), ...builder },
    { kind: "createCourierEnvelopesFromTombstoneRange", maxCount: 2, buffer: null, ...builder },
    {
      kind: "createCourierEnvelopesFromMultiPayload",
      queryId: freshId(),
      destinations: [
        { payload: new Uint8Array(9), writeCap: keys.writeCap, startIndex: keys.firstMessageIndex },
      ],
      isStart: true,
      isLast: false,
      buffer: new Uint8Array(20),
    },
    { kind: "voucherMint", queryId: freshId(), messageWriteCap: keys.writeCap, displayName: "x" },
    {
      kind: "voucherInduct",
      queryId: freshId(),
      voucher: minted.voucher,
      voucherPayload: minted.voucherPayload,
      whoReply: new Uint8Array(9),
    },
    { kind: "voucherDeriveStream", queryId: freshId(), voucher: minted.voucher },
    { ...start, readCap: keys.readCap, writeCap: null },
    { ...start, readCap: null, writeCap: keys.writeCap },
    {
      kind: "cancelResendingEncryptedMessage",
      queryId: freshId(),
      envelopeHash: sealed.envelopeHash,
    },
    {
      kind: "startResendingCopyCommand",
      queryId: freshId(),
      writeCap: keys.writeCap,
      courierIdentityHash: null,
      courierQueueId: null,
    },
    {
      kind: "sendMessage",
      id: freshId(),
      withSurb: true,
      surbId: freshId() as never,
      destinationIdHash: new Uint8Array(32),
      recipientQueueId: Uint8Array.of(1),
      payload: new Uint8Array(9),
    },
    { kind: "sessionToken", clientInstanceToken: freshId() },
  ];
  const arbitrary = requestKinds
    .filter((kind: RequestKind) => kind !== "thinClose")
    .flatMap((kind) => fc.sample(requestsOf(kind), { seed: seed | 0, numRuns: 4 }));
  // Large ranges are honest work, and many of them would only slow this down.
  const bounded = arbitrary.map((request) =>
    request.kind === "createCourierEnvelopesFromTombstoneRange"
      ? { ...request, maxCount: request.maxCount % 3 }
      : request,
  );
  return [...served, ...served, ...bounded];
}

/** The results of packets: answers, invalid answers, and silence. */
function answerPacket(run: Run, { link }: World, packet: OutgoingPacket): void {
  const { random } = run;
  if (!packet.surbId || random.below(3) === 0) return;
  switch (random.below(4)) {
    case 0:
      link.reply(packet, random.bytes(random.below(900)));
      break;
    case 1:
      link.reply(packet, padded(random.bytes(1 + random.below(300))));
      break;
    case 2:
      try {
        link.reply(packet, courierAnswer(packet, random.below(6)));
      } catch {
        // The packet was not a request to a courier.
        link.reply(packet, new Uint8Array(0));
      }
      break;
    default: {
      const reply = {
        status: random.below(4),
        errorCode: random.below(256),
        failedEnvelopeIndex: 1n,
      };
      link.reply(packet, padded(encodeCourierQueryReply({ kind: "copy", reply })));
    }
  }
}

/** Sends frames on one connection until the daemon hangs up, or the limit is reached. */
async function attackConnection(run: Run, made: World, count: number): Promise<void> {
  const { random, tally, requests, seed } = run;
  const client = made.connect();
  const token = random.below(4) > 0 ? random.bytes(16) : null;
  // Before the greeting, without a session, and with one.
  const state = random.below(3);
  if (state > 0) await client.greeting();
  if (state > 1 && token) client.send({ kind: "sessionToken", clientInstanceToken: token });
  let last: Uint8Array = new Uint8Array(0);
  const end = tally.frames + count;
  while (!client.closed && tally.frames < end) {
    last = hostileFrame(encodeRequest(random.pick(requests)), random, tally);
    client.transport.write(last);
    if (!endsInFrame(last)) client.transport.end();
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (const packet of made.link.packets.splice(0)) answerPacket(run, made, packet);
    if (random.below(200) === 0) made.link.failure = made.link.failure ? null : noGateway;
    run.responses += client.responses.splice(0).length;
  }
  if (client.closed) run.hangUps++;
  else if (random.below(2) === 0) client.send({ kind: "thinClose" });
  else client.transport.destroy();
  await withinTurns(() => client.closed, seed, last);
  run.responses += client.responses.splice(0).length;
  for (const fault of made.faults.splice(0)) {
    if (isThinClientError(fault)) continue;
    run.failures.push(`${String(fault.stack)} near ${toHex(last.subarray(0, 300))}`);
  }
}

/** A well-behaved client must be served whatever the others do. */
async function checkHonest(run: Run, made: World): Promise<void> {
  const client = made.connect();
  let served: DaemonResponse | null = null;
  const asking = (async () => {
    await client.hello(freshId());
    client.send({ kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32) });
    served = await client.expect("newKeypairReply");
  })();
  await withinTurns(() => served !== null || client.closed, run.seed, new Uint8Array(0));
  await asking;
  client.send({ kind: "thinClose" });
  await withinTurns(() => client.closed, run.seed, new Uint8Array(0));
}

/** Sends `count` hostile frames to a daemon; returns its counts. */
export async function attackDaemon(count: number, seed: number) {
  const random = new SeededNumbers(seed);
  const requests = await honestRequests(seed);
  const tally = { frames: 0, changedMessages: 0 };
  const run: Run = { seed, random, tally, requests, failures: [], responses: 0, hangUps: 0 };
  const made = world();
  while (tally.frames < count) {
    for (let i = 0; i < 50 && tally.frames < count; i++) await attackConnection(run, made, 60);
    await checkHonest(run, made);
  }
  // Everything that the attackers left ends with their sessions.
  await made.clock.advance(3_600_000);
  assert.deepEqual(made.daemon.load, {
    connections: 0,
    sessions: 0,
    operations: 0,
    awaitedReplies: 0,
    waitingPackets: 0,
    waitingMs: 0,
    waitingTurns: [],
  });
  await made.daemon.close();
  return { ...tally, failures: run.failures, responses: run.responses, hangUps: run.hangUps };
}
