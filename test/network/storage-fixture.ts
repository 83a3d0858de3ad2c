/** A storage network for tests, with a client that does not use a daemon. */
import type { Bytes } from "../../src/bytes/bytes.js";
import type { EnvelopeDescriptor, MessageBoxIndex, WriteCap } from "../../src/bytes/opaque.js";
import type { Clock } from "../../src/clock/clock.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { type Keypair, keypairFromSeed } from "../../src/bacap/capabilities.js";
import { makeReadMessage, makeWriteMessage } from "../../src/crypto/envelope/box-messages.js";
import {
  type ClientEnvelope,
  createCourierEnvelope,
  createReplicaMessage,
  openEnvelopeReply,
  openReplicaReply,
} from "../../src/crypto/envelope/client-envelope.js";
import {
  type CourierEnvelopeReply,
  type CopyCommandReply,
  decodeCourierQueryReply,
  encodeCourierQuery,
} from "../../src/crypto/envelope/courier-messages.js";
import type {
  ReplicaInnerMessage,
  ReplicaReplyMessage,
} from "../../src/crypto/envelope/replica-messages.js";
import {
  type ReplicaCommand,
  decodeReplicaCommand,
  encodeReplicaCommand,
} from "../../src/crypto/envelope/wire-commands.js";
import { pigeonholeSizes } from "../../src/pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../../src/crypto/nike/scheme.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { REPLICA_EPOCH_MS, epochAt } from "../../src/pki/epoch.js";
import { chacha20Random } from "../../src/bacap/seeded-random.js";
import { chooseIntermediates } from "../../src/crypto/sharding.js";
import { type Timing, instantTiming } from "../../src/mixnet/timing.js";
import type { Courier } from "../../src/network/courier/courier.js";
import type { ReplicaIdentity } from "../../src/network/replica/replica.js";
import { type StorageDocument, onlineHolders } from "../../src/network/replica/shards.js";
import type { StoragePeer } from "../../src/network/storage-link.js";
import { StorageNetwork, type StorageNetworkOptions } from "../../src/network/storage-network.js";

/** Small boxes keep the tests quick. */
export const sizes = pigeonholeSizes(200, "x25519");

/** A seed of 32 equal bytes. */
export function seed(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}

/** A stream of its own for each number. */
export function stream(byte: number): Keypair {
  return keypairFromSeed(seed(byte));
}

function identities(count: number): ReplicaIdentity[] {
  return Array.from({ length: count }, (_, replicaId) => ({
    name: `replica${replicaId}`,
    replicaId,
    identityKey: seed(100 + replicaId),
  }));
}

/** The options of a fixture. */
export interface FixtureOptions extends Partial<
  Pick<
    StorageNetworkOptions,
    "storeFor" | "logFor" | "courierCount" | "paced" | "sizes" | "kindCouriers"
  >
> {
  readonly clock?: Clock;
  readonly timing?: Partial<Timing>;
  readonly replicas?: number;
  readonly random?: (length: number) => Bytes;
  /** The replicas' scheme; it must be x25519, possibly wrapped by a counter. */
  readonly scheme?: NikeScheme;
}

/** A running storage network and the calls of its client. */
export class StorageFixture {
  readonly clock: Clock;
  readonly network: StorageNetwork;
  readonly random: (length: number) => Bytes;
  readonly sizes: typeof sizes;
  readonly #identities: readonly ReplicaIdentity[];
  #document: StorageDocument | null = null;
  #epoch = 0;

  private constructor(options: FixtureOptions) {
    this.clock = options.clock ?? new VirtualClock();
    this.random = options.random ?? chacha20Random(seed(9));
    this.sizes = options.sizes ?? sizes;
    this.#identities = identities(options.replicas ?? 5);
    this.network = new StorageNetwork({
      courierCount: 1,
      ...options,
      sizes: this.sizes,
      clock: this.clock,
      random: this.random,
      timing: { ...instantTiming, ...options.timing },
      scheme: options.scheme ?? x25519Nike,
      replicas: this.#identities,
      keySeed: seed(7),
      document: () => this.#document,
    });
  }

  /** A network that has its first document. */
  static async start(options: FixtureOptions = {}): Promise<StorageFixture> {
    const fixture = new StorageFixture(options);
    await fixture.network.start();
    await fixture.publish();
    return fixture;
  }

  /** A network with kind couriers that has its first document. */
  static kind(options: FixtureOptions = {}): Promise<StorageFixture> {
    const timing = { courierCacheMs: 300_000, ...options.timing };
    return StorageFixture.start({ kindCouriers: true, ...options, timing });
  }

  /** A network without a document. */
  static async startWithoutDocument(options: FixtureOptions = {}): Promise<StorageFixture> {
    const fixture = new StorageFixture(options);
    await fixture.network.start();
    return fixture;
  }

  /** The virtual clock. */
  get virtual(): VirtualClock {
    return this.clock as VirtualClock;
  }

  /** The first courier. */
  get courier(): Courier {
    return this.network.couriers[0]!;
  }

  /** The current document. */
  get document(): StorageDocument {
    return this.#document!;
  }

  /** The current replica epoch. */
  get replicaEpoch(): number {
    return epochAt(this.clock.now(), REPLICA_EPOCH_MS).epoch;
  }

  /** Creates and publishes the next document, which omits replicas that are offline. */
  async publish(): Promise<void> {
    const epoch = this.replicaEpoch;
    const storageReplicas: StorageDocument["storageReplicas"][number][] = [];
    for (const identity of this.#identities) {
      const keys = await this.network.publicKeys(identity.replicaId, [epoch, epoch + 1]);
      if (keys.size === 0) continue;
      storageReplicas.push({
        ...identity,
        identityKey: identity.identityKey as Bytes,
        linkKey: new Uint8Array(32),
        epoch: this.#epoch,
        envelopeKeys: keys as ReadonlyMap<number, Bytes>,
        addresses: new Map(),
        fields: new Map(),
      });
    }
    this.#document = {
      epoch: ++this.#epoch,
      lambdaR: 0.005,
      storageReplicas,
      configuredReplicaIdentityKeys: this.#identities.map(
        ({ identityKey }) => identityKey as Bytes,
      ),
    };
    this.network.documentChanged();
  }

  /** Ids of the online shards of a box, first shard first. */
  shardsOf(boxId: Uint8Array): number[] {
    return onlineHolders(this.document, boxId).map(({ replicaId }) => replicaId);
  }

  /** An envelope for a message, to intermediates chosen as by clients, or to the given ones. */
  async envelope(
    message: ReplicaInnerMessage,
    options: { readonly to?: readonly [number, number]; readonly epoch?: number } = {},
  ): Promise<ClientEnvelope> {
    const { epoch = this.replicaEpoch, to } = options;
    const chosen =
      to?.map((id) => this.document.storageReplicas.find((one) => one.replicaId === id)!) ??
      chooseIntermediates(this.document, message.boxId, this.random);
    const recipients = chosen.map((replica) => ({
      replicaId: replica.replicaId,
      publicKey: replica.envelopeKeys.get(epoch)!,
    }));
    return createCourierEnvelope({
      scheme: x25519Nike,
      sizes: this.sizes,
      message,
      recipients: [recipients[0]!, recipients[1]!],
      epoch,
      random: this.random,
    });
  }

  /** Sends a command to a replica as the wire would; null if it does not answer. */
  async tell(
    replicaId: number,
    command: ReplicaCommand,
    from: StoragePeer = "courier",
  ): Promise<ReplicaCommand | null> {
    const bytes = encodeReplicaCommand(command, this.sizes.wireCommandLength);
    const answer = await this.network.replicas[replicaId]!.receive(bytes, from);
    return answer && decodeReplicaCommand(answer, this.sizes.nikePublicKeyLength);
  }

  /**
   * Asks a replica as a courier or another replica would; returns its answer and its outer code.
   */
  async askReplica(
    replicaId: number,
    message: ReplicaInnerMessage,
    options: { readonly from?: StoragePeer; readonly epoch?: number } = {},
  ): Promise<{ readonly errorCode: number; readonly reply: ReplicaReplyMessage | null }> {
    const { from = "courier", epoch = this.replicaEpoch } = options;
    const replica = this.document.storageReplicas.find((one) => one.replicaId === replicaId)!;
    const sealed = await createReplicaMessage({
      scheme: x25519Nike,
      sizes: this.sizes,
      message,
      publicKey: replica.envelopeKeys.get(epoch)!,
      random: this.random,
    });
    const answer = await this.tell(replicaId, sealed.command, from);
    if (answer?.kind !== "replicaMessageReply") throw new Error("expected a reply");
    const { errorCode, envelopeReply } = answer;
    if (envelopeReply.length === 0) return { errorCode, reply: null };
    return { errorCode, reply: openReplicaReply([sealed.replyKey], envelopeReply) };
  }

  /** Sends a query to a courier; null if it does not answer. */
  async query(query: Uint8Array, courier: Courier = this.courier) {
    const payload = new Uint8Array(query.length + 50);
    payload.set(query);
    const reply = await courier.handle({ payload, wantsReply: true });
    return reply === null ? null : decodeCourierQueryReply(reply);
  }

  /** Sends an envelope once. */
  async send(
    envelope: ClientEnvelope,
    courier: Courier = this.courier,
  ): Promise<CourierEnvelopeReply> {
    const reply = await this.query(envelope.query, courier);
    if (reply?.kind !== "envelope") throw new Error("expected an envelope reply");
    return reply.reply;
  }

  /** Opens a replica's reply. */
  open(envelopeDescriptor: EnvelopeDescriptor, sealed: Uint8Array): Promise<ReplicaReplyMessage> {
    return openEnvelopeReply({
      scheme: x25519Nike,
      envelopeDescriptor,
      sealedReply: sealed,
      publicKeyOf: (replicaId, epoch) =>
        this.document.storageReplicas
          .find((one) => one.replicaId === replicaId)
          ?.envelopeKeys.get(Number(epoch)),
    });
  }

  /** Lets everything that is ready run; on the platform's clock also the disk. */
  async settle(): Promise<void> {
    if (!(this.clock instanceof VirtualClock)) await this.clock.sleep(1);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Sends an envelope, waits, and returns the replica's answer. */
  async ask(envelope: ClientEnvelope): Promise<ReplicaReplyMessage> {
    await this.send(envelope);
    for (let i = 0; i < 1000; i++) {
      await this.settle();
      const reply = await this.send(envelope);
      if (reply.replyType === "payload") {
        return this.open(envelope.envelopeDescriptor, reply.payload);
      }
    }
    throw new Error("the courier has no payload");
  }

  /** Writes a box through the whole network; returns the replica's code. */
  async write(cap: WriteCap, index: MessageBoxIndex, plaintext: Uint8Array): Promise<number> {
    const message = makeWriteMessage(this.sizes, cap, index, plaintext);
    return (await this.ask(await this.envelope(message))).errorCode;
  }

  /** Reads a box through the whole network. */
  async read(keys: Keypair, index: MessageBoxIndex = keys.firstMessageIndex) {
    return this.ask(await this.envelope(makeReadMessage(keys.readCap, index)));
  }

  /** Sends a copy command once. */
  async copy(cap: WriteCap, courier: Courier = this.courier): Promise<CopyCommandReply> {
    const reply = await this.query(encodeCourierQuery({ kind: "copy", writeCap: cap }), courier);
    if (reply?.kind !== "copy") throw new Error("expected a copy reply");
    return reply.reply;
  }
}
