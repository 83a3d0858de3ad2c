/**
 * A double of mixnet, couriers and replicas for the client's fault schedules. It knows a few boxes
 * and copies in advance, and answers for each one only after its gate is open. It sends no real
 * packets.
 */
import { type Bytes, concatBytes, toHex, utf8 } from "../../../src/bytes/bytes.js";
import type { WriteCap } from "../../../src/bytes/opaque.js";
import type { ReadRequest, WriteRequest } from "../../../src/client/envelopes.js";
import { ThinClient } from "../../../src/client/thin-client.js";
import type { VirtualClock } from "../../../src/clock/virtual.js";
import {
  CopyStatus,
  type CourierQueryReply,
  decodeCourierQuery,
  encodeCourierQueryReply,
} from "../../../src/crypto/envelope/courier-messages.js";
import type { ReplicaReadReply } from "../../../src/crypto/envelope/replica-messages.js";
import type { OutgoingPacket } from "../../../src/mixnet/link.js";
import { memoryPair } from "../../../src/transport/memory.js";
import {
  FIRST_EPOCH,
  FakeMixnetLink,
  noGateway,
  padded,
  replicaAnswer,
  world,
} from "../../daemon/fixture.js";

/** How long a packet and its reply take, in milliseconds. */
export const ROUND_TRIP_MS = 100;
/** How many envelopes and copies every schedule uses; several calls may use the same one. */
export const WRITES = 12;
export const READS = 6;
export const COPIES = 6;
/** The read whose courier has lost its cache. */
export const BROKEN_READ = READS - 1;
/** The error of every second copy. */
export const COPY_FAILURE = { errorCode: 10, failedEnvelopeIndex: 2n } as const;

/** Envelopes and copies, made only once: sealing costs more than the rest of a schedule. */
export interface Prepared {
  readonly writes: readonly WriteRequest[];
  readonly reads: readonly ReadRequest[];
  readonly copies: readonly WriteCap[];
  /** The gate and the reply of each request, by the request's bytes in hex. */
  readonly answers: ReadonlyMap<string, { readonly gate: string; readonly reply: Bytes }>;
}

let prepared: Promise<Prepared> | null = null;

/** Returns the envelopes and copies, which are the same for all schedules. */
export function prepare(): Promise<Prepared> {
  prepared ??= make();
  return prepared;
}

/** The contents of the box that a read asks for. */
export function contentsOf(read: number): Bytes {
  return utf8(`what box ${read} holds`);
}

async function make(): Promise<Prepared> {
  const { daemon, clock } = world();
  const dial = async () => {
    const [near, far] = memoryPair();
    daemon.serve(far);
    return near;
  };
  const client = await ThinClient.connect(
    { dial: { unix: { address: "@never-dialled" } } },
    { dial, clock, liveness: false },
  );
  const answers = new Map<string, { gate: string; reply: Bytes }>();
  const stream = await client.newKeypair(new Uint8Array(32).fill(1));
  let index = stream.firstMessageIndex;
  const writes: WriteRequest[] = [];
  const reads: ReadRequest[] = [];
  for (let i = 0; i < WRITES; i++) {
    const sealed = await client.encryptWrite(contentsOf(i), stream.writeCap, index);
    writes.push(sealed);
    const ack = courierReply({ replyType: "ack" });
    answers.set(toHex(sealed.messageCiphertext), { gate: `write ${i}`, reply: ack });
    if (i < READS) {
      const read = await client.encryptRead(stream.readCap, index);
      reads.push(read);
      const reply =
        i === BROKEN_READ
          ? courierReply({ errorCode: 2 })
          : await boxReply(sealed.messageCiphertext, read.messageCiphertext);
      answers.set(toHex(read.messageCiphertext), { gate: `read ${i}`, reply });
    }
    index = sealed.nextMessageBoxIndex;
  }
  const copies: WriteCap[] = [];
  for (let i = 0; i < COPIES; i++) {
    const { writeCap } = await client.newKeypair(new Uint8Array(32).fill(100 + i));
    copies.push(writeCap);
    const failed = { status: CopyStatus.FAILED, ...COPY_FAILURE };
    const succeeded = { status: CopyStatus.SUCCEEDED, errorCode: 0, failedEnvelopeIndex: 0n };
    const reply = padded(
      encodeCourierQueryReply({ kind: "copy", reply: i % 2 ? failed : succeeded }),
    );
    answers.set(toHex(writeCap), { gate: `copy ${i}`, reply });
  }
  await client.stop();
  await daemon.close();
  return { writes, reads, copies, answers };
}

function courierReply(fields: { replyType?: "ack"; errorCode?: number }): Bytes {
  const reply: CourierQueryReply = {
    kind: "envelope",
    reply: {
      envelopeHash: new Uint8Array(32),
      replyIndex: 0,
      replyType: "ack",
      payload: new Uint8Array(0),
      errorCode: 0,
      ...fields,
    },
  };
  return padded(encodeCourierQueryReply(reply));
}

/** A courier's reply to a read of the box that a write filled. */
async function boxReply(write: Uint8Array, read: Uint8Array): Promise<Bytes> {
  let box: ReplicaReadReply | null = null;
  await replicaAnswer({ payload: write } as OutgoingPacket, (message) => {
    if (message.kind === "write") box = { ...message, kind: "read", errorCode: 0 };
    return { kind: "write", errorCode: 0 };
  });
  return replicaAnswer({ payload: read } as OutgoingPacket, () => box!);
}

const stillWaiting = {
  write: null,
  read: courierReply({ replyType: "ack" }),
  copy: padded(
    encodeCourierQueryReply({
      kind: "copy",
      reply: { status: CopyStatus.IN_PROGRESS, errorCode: 0, failedEnvelopeIndex: 0n },
    }),
  ),
};

/** The network behind all daemons of one schedule. */
export class FakeNetwork {
  readonly open = new Set<string>();
  /** How often each plain message was sent, by its text. */
  readonly echoes = new Map<string, number>();
  online = true;
  failing = false;
  /** How many of the next replies are lost. */
  toDrop = 0;
  epoch = FIRST_EPOCH;
  readonly #clock: VirtualClock;
  readonly #prepared: Prepared;
  #link: FakeMixnetLink | null = null;

  constructor(clock: VirtualClock, known: Prepared) {
    this.#clock = clock;
    this.#prepared = known;
  }

  /** Creates the link of a new daemon; the link before it is dead. */
  link(): FakeMixnetLink {
    const link = new FakeMixnetLink(this.#clock);
    link.etaMs = ROUND_TRIP_MS;
    link.current = this.epoch;
    link.failure = this.failing ? noGateway : null;
    link.onSend = (packet) => this.#carry(link, packet);
    this.#link = link;
    return link;
  }

  /**
   * Tells a daemon the connection status and the document. Call it after the daemon has opened its
   * link.
   */
  announce(): void {
    this.#link?.status(this.online);
    this.#link?.document();
  }

  setOnline(online: boolean): void {
    this.online = online;
    if (this.#link && !this.#link.closed) this.#link.status(online, online ? "" : "unplugged");
  }

  setFailing(failing: boolean): void {
    this.failing = failing;
    if (this.#link) this.#link.failure = failing ? noGateway : null;
  }

  nextEpoch(): void {
    this.epoch++;
    if (!this.#link || this.#link.closed) return;
    this.#link.current = this.epoch;
    this.#link.document();
  }

  #carry(link: FakeMixnetLink, packet: OutgoingPacket): void {
    link.packets.length = 0;
    const reply = this.#answer(packet);
    if (!reply || !packet.surbId) return;
    this.#clock.after(ROUND_TRIP_MS, () => {
      if (!this.online || link.closed) return;
      if (this.toDrop > 0) this.toDrop--;
      else link.reply(packet, reply);
    });
  }

  #answer({ recipient, payload }: OutgoingPacket): Uint8Array | null {
    if (recipient[0] === "+".charCodeAt(0)) {
      const text = new TextDecoder().decode(payload);
      this.echoes.set(text, (this.echoes.get(text) ?? 0) + 1);
      return padded(payload);
    }
    const query = decodeCourierQuery(payload);
    const subject = query.kind === "copy" ? query.writeCap : payload;
    const known = this.#prepared.answers.get(toHex(subject));
    // The schedule itself sealed this envelope, so the courier accepts it at once.
    if (!known) return courierReply({ replyType: "ack" });
    if (this.open.has(known.gate)) return known.reply;
    return stillWaiting[known.gate.split(" ")[0] as keyof typeof stillWaiting];
  }
}

/** The text of an echo, as a separate payload. */
export function echoText(number: number): Bytes {
  return concatBytes(utf8(`echo ${number}`), new Uint8Array(1));
}
