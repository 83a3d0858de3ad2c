/** A storage replica. spec/pigeonhole §9.2. */
import type { Bytes, RandomSource } from "../../bytes/bytes.js";
import type { Clock, Timer } from "../../clock/clock.js";
import { envelopeHashOf } from "../../crypto/envelope/courier-messages.js";
import {
  type OpenedEnvelope,
  openReplicaMessage,
  sealReplicaReply,
} from "../../crypto/envelope/replica-envelope.js";
import type {
  ReplicaInnerMessage,
  ReplicaReplyMessage,
  SignedBox,
} from "../../crypto/envelope/replica-messages.js";
import {
  type ReplicaCommand,
  type ReplicaMessageCommand,
  type ReplicaMessageReplyCommand,
  decodeReplicaCommand,
  encodeReplicaCommand,
} from "../../crypto/envelope/wire-commands.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../../crypto/nike/scheme.js";
import {
  REPLICA_ERROR_INTERNAL_ERROR,
  REPLICA_ERROR_INVALID_EPOCH,
  REPLICA_ERROR_REPLICATION_FAILED,
  REPLICA_ERROR_TOMBSTONE,
  REPLICA_SUCCESS,
} from "../../errors/codes.js";
import { InvalidEpochError, ProtocolError, ReplicaError } from "../../errors/errors.js";
import type { Timing } from "../../mixnet/timing.js";
import type { Breather } from "../../clock/breather.js";
import { refusalOf } from "../ask-replica.js";
import { keepSecrets } from "../kept-secrets.js";
import type { StorageLink, StorageLinkTarget, StoragePeer } from "../storage-link.js";
import type { BoxStore } from "./box-store.js";
import { EnvelopeKeys } from "./envelope-keys.js";
import { Proxy } from "./proxy.js";
import { Rebalance } from "./rebalance.js";
import { ReplicaBoxes } from "./replica-boxes.js";
import { ReplicaFaults } from "./replica-faults.js";
import { Replication } from "./replication.js";
import { type StorageDocument, placeOf } from "./shards.js";

/** A replica's identity, as in documents. */
export interface ReplicaIdentity {
  /** For people. Box placement uses `identityKey`, commands use `replicaId`. */
  readonly name: string;
  /** Static ID, 0 to 255. */
  readonly replicaId: number;
  /** Identity public key as published. */
  readonly identityKey: Uint8Array;
}

/** What a replica needs. */
export interface ReplicaOptions {
  /** Its identity; `identityKey` decides which boxes it holds. */
  readonly identity: ReplicaIdentity;
  /** The clock for all waits. */
  readonly clock: Clock;
  /** Source of nonces and ephemeral keys, and of random faults. */
  readonly random: RandomSource;
  /** The replica's waits; the daemon's and the couriers' waits in it are ignored. */
  readonly timing: Timing;
  /** The NIKE scheme of the envelopes. */
  readonly scheme: NikeScheme;
  /** Lengths of the network's messages; they must belong to `scheme`. */
  readonly sizes: PigeonholeSizes;
  /** Where its boxes are stored; closed together with the replica. */
  readonly store: BoxStore;
  /** 32 bytes from which its envelope keys are derived; secret. Keep it together with the store. */
  readonly keySeed: Uint8Array;
  /** The current replica epoch. */
  readonly replicaEpoch: () => number;
  /** The current document; null if there is none. */
  readonly document: () => StorageDocument | null;
  /** The connection to another replica, by its ID. */
  readonly linkTo: (replicaId: number) => StorageLink | undefined;
  /** Lets other work run while many boxes are sent. */
  readonly breather: Breather;
  /** Called for each box that was stored. */
  readonly onStored?: (() => void) | undefined;
  /** Called when the stored boxes cannot be read to send them to other replicas. */
  readonly onFault?: ((error: Error) => void) | undefined;
}

const noBytes = new Uint8Array(0);

/** The code that answers an error in opening an envelope. */
function codeOf(error: unknown): number {
  const code = error instanceof ReplicaError ? error.errorCode : null;
  return code ?? REPLICA_ERROR_INTERNAL_ERROR;
}

/**
 * Stores boxes, passes on messages for other shards, and sends what it stored to the box's other
 * shard. No input makes it throw: malformed commands get no answer, malformed envelopes get a code.
 */
export class Replica implements StorageLinkTarget {
  /** Its identity, from the options. */
  readonly identity: ReplicaIdentity;
  /** Injects faults; none initially. */
  readonly faults: ReplicaFaults;
  readonly #options: ReplicaOptions;
  /** Opens envelopes. */
  readonly #scheme: NikeScheme;
  readonly #keys: EnvelopeKeys;
  readonly #boxes: ReplicaBoxes;
  readonly #replication: Replication;
  readonly #rebalance: Rebalance;
  readonly #proxy: Proxy;
  #garbageTimer: Timer | null = null;
  #closed = false;

  constructor(options: ReplicaOptions) {
    const { clock, random, timing, scheme, sizes, store, document, linkTo } = options;
    const { replicaEpoch, breather } = options;
    this.#options = options;
    this.identity = options.identity;
    this.faults = new ReplicaFaults(random);
    this.#scheme = keepSecrets(scheme);
    this.#keys = new EnvelopeKeys(scheme, options.keySeed);
    const limitBytes = (): number => this.faults.storageLimitBytes;
    const { onStored } = options;
    this.#boxes = new ReplicaBoxes({ sizes, store, replicaEpoch, limitBytes, onStored });
    this.#replication = new Replication({ clock, timing, document, linkTo });
    const send = (replicaId: number, box: SignedBox) => this.#replication.send(replicaId, box);
    const { identityKey } = options.identity;
    const boxes = this.#boxes;
    this.#rebalance = new Rebalance({
      breather,
      identityKey,
      boxes,
      document,
      send,
      onFault: (error) => options.onFault?.(error),
    });
    this.#proxy = new Proxy({
      replicaEpoch,
      random,
      timing,
      scheme,
      sizes,
      linkTo,
      onMissedAt: (box, shard) => void send(shard.replicaId, box),
    });
  }

  /** Makes the current keys and starts to delete old boxes periodically. */
  async start(): Promise<void> {
    await this.#keys.prepare(this.#options.replicaEpoch());
    this.#armGarbageCollection();
  }

  /**
   * Its envelope public keys by replica epoch, for a document: those of `replicaEpochs`, and those
   * of the epoch before while they are kept. None while it is offline.
   */
  async envelopeKeys(replicaEpochs: readonly number[]): Promise<Map<number, Uint8Array>> {
    return this.faults.offline ? new Map() : this.#keys.published(replicaEpochs);
  }

  /** Call this for every new document: it sends boxes to replicas that came online. */
  documentChanged(document: StorageDocument): void {
    if (!this.#closed) this.#rebalance.update(document);
  }

  /** How many boxes are stored, and how many bytes they take. */
  get stored(): {
    /** Boxes of all stored epochs, including tombstones. */
    readonly boxes: number;
    /** For each box its payload, and 100 bytes for ID, length and signature. */
    readonly bytes: number;
  } {
    const { size, sizeBytes } = this.#options.store;
    return { boxes: size, bytes: sizeBytes };
  }

  /** The stored boxes, in any order, with what the replica's operator can see of each. */
  async *keptBoxes(): AsyncIterable<{
    /** The box's ID, 32 bytes. It does not tell whose it is, or which boxes belong together. */
    readonly boxId: Uint8Array;
    /** The replica epoch (a week) in which it was stored here. */
    readonly epoch: number;
    /** Length of the ciphertext in bytes; 0 for a tombstone. */
    readonly length: number;
  }> {
    for await (const { epoch, box } of this.#options.store.boxes()) {
      yield { boxId: box.boxId, epoch, length: box.payload.length };
    }
  }

  /** How many boxes could not yet be sent to their other shard. */
  get unreplicated(): number {
    return this.#replication.waiting;
  }

  #armGarbageCollection(): void {
    if (this.#closed) return;
    const { clock, timing } = this.#options;
    const collect = (): void => {
      void this.collectGarbage();
      this.#armGarbageCollection();
    };
    const delay = timing.garbageCollectionMs;
    this.#garbageTimer = clock.after(delay, collect, { background: true });
  }

  /**
   * Deletes expired boxes and erases expired keys. This also happens every `garbageCollectionMs`,
   * and a failure is tried again then. Never rejects.
   */
  async collectGarbage(): Promise<void> {
    await this.#boxes.collectGarbage().catch(() => 0);
    await this.#keys.prepare(this.#options.replicaEpoch()).catch(() => {});
  }

  /** See {@link StorageLinkTarget.receive}. Never rejects. */
  async receive(bytes: Bytes, from: StoragePeer): Promise<Bytes | null> {
    if (this.#closed) return null;
    const { sizes } = this.#options;
    let command: ReplicaCommand;
    try {
      command = decodeReplicaCommand(bytes, sizes.nikePublicKeyLength);
    } catch (error) {
      if (error instanceof ProtocolError) return null;
      throw error;
    }
    const answer = await this.#answer(command, from);
    return answer === null ? null : encodeReplicaCommand(answer, sizes.wireCommandLength);
  }

  async #answer(command: ReplicaCommand, from: StoragePeer): Promise<ReplicaCommand | null> {
    switch (command.kind) {
      case "replicaMessage":
        return this.#answerEnvelope(command, from);
      case "replicaWrite":
        return {
          kind: "replicaWriteReply",
          errorCode: this.faults.standingCode ?? (await this.#boxes.write(command)),
        };
      case "replicaDecoy":
      case "noOp":
        return { kind: command.kind };
      default:
        return null;
    }
  }

  async #answerEnvelope(
    command: ReplicaMessageCommand,
    from: StoragePeer,
  ): Promise<ReplicaMessageReplyCommand> {
    const { sizes, random, document, identity } = this.#options;
    const replyWith = (errorCode: number, envelopeReply: Uint8Array) => ({
      kind: "replicaMessageReply" as const,
      errorCode,
      envelopeHash: envelopeHashOf(command),
      replicaId: identity.replicaId,
      envelopeReply,
    });
    const current = document();
    if (current === null) return replyWith(REPLICA_ERROR_INVALID_EPOCH, noBytes);
    try {
      const { message, replyKey } = await this.#open(command);
      const answer = await this.#serve(message, current, from);
      // Sealed with the key that opened the message, of whatever epoch.
      return replyWith(answer.errorCode, sealReplicaReply(sizes, replyKey, answer, random));
    } catch (error) {
      return replyWith(codeOf(error), noBytes);
    }
  }

  /** Opens a message with the keys of the current epoch, the next, or the one before. */
  async #open(command: ReplicaMessageCommand): Promise<OpenedEnvelope> {
    const epoch = this.#options.replicaEpoch();
    // The epoch before comes last, because its key may have to be made first, which can take a
    // second.
    for (const of of [epoch, epoch + 1, epoch - 1]) {
      const privateKey = await this.#keys.privateKey(of);
      if (privateKey === null) continue;
      try {
        return await openReplicaMessage({ scheme: this.#scheme, privateKey, command });
      } catch (error) {
        if (!(error instanceof InvalidEpochError)) throw error;
      }
    }
    throw new InvalidEpochError("no envelope key opens the message");
  }

  async #serve(
    message: ReplicaInnerMessage,
    document: StorageDocument,
    from: StoragePeer,
  ): Promise<ReplicaReplyMessage> {
    const fault = this.faults.takeCode();
    if (fault !== null) return refusalOf(message, fault);
    const signature = this.faults.tombstoneSignature(message.boxId);
    if (message.kind === "read" && signature) {
      const { kind, boxId } = message;
      return { kind, errorCode: REPLICA_ERROR_TOMBSTONE, boxId, signature, payload: noBytes };
    }
    const place = placeOf(document, message.boxId, this.identity.identityKey);
    if (from === "courier" && !place.isOnlineOwn) return this.#proxy.pass(message, place.others);
    if (message.kind === "read") return this.#boxes.read(message);
    // A message from another replica is not passed on to a third one: two replicas with different
    // documents could pass a write back and forth forever.
    if (!place.isOwn) return refusalOf(message, REPLICA_ERROR_REPLICATION_FAILED);
    const errorCode = await this.#boxes.write(message);
    if (errorCode === REPLICA_SUCCESS) {
      for (const { replicaId } of place.others) void this.#replication.send(replicaId, message);
    }
    return { kind: "write", errorCode };
  }

  /** Finishes pending work and closes its store. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#garbageTimer?.cancel();
    this.#replication.close();
    this.#rebalance.close();
    await this.#options.store.close();
  }
}
