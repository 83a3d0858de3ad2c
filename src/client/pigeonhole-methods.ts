/** The client's methods for Pigeonhole, the storage system: streams of boxes that only their
 * capabilities tie together. */
import type { PlainBytes } from "../bytes/bytes.js";
import type {
  EnvelopeHash,
  MessageBoxIndex,
  ReadCap,
  WriteCap,
  WriteCapHash,
} from "../bytes/opaque.js";
import * as boxes from "./boxes.js";
import type { CallOptions } from "./call-options.js";
import type { ClientCore } from "./client-core.js";
import * as copying from "./copy.js";
import type { CopySource } from "./copy-source.js";
import { type CopyDestination, type CopyOptions, type CopyResult, copy } from "./copy-to.js";
import * as pigeonhole from "./pigeonhole.js";
import type {
  CopyCommandOptions,
  EncryptReadResult,
  EncryptWriteResult,
  KeypairResult,
  MultiDestEnvelopes,
  MultiPayloadEnvelopesRequest,
  PayloadEnvelopesRequest,
  ReadRequest,
  SingleDestEnvelopes,
  StartResendingResult,
  TombstoneEnvelopesRequest,
  TombstoneRangeResult,
  WriteRequest,
} from "./pigeonhole-types.js";
import { type TombstoneRangeOptions, tombstoneRange } from "./tombstone.js";
import * as vouchers from "./voucher.js";

/**
 * The part of `ThinClient` that works on boxes.
 *
 * Calls that go through the network, or that cost a real daemon seconds of key exchange, have no
 * deadline by default; the others have the client's. Arguments of a wrong type or length reject
 * with TypeError or RangeError before anything is sent. All calls but the cancels reject with
 * DaemonRequestError (`copy` and `tombstoneRange` with one as the `cause`) when the daemon refuses:
 * code 3 for an argument that is damaged, 4 while it has no PKI document. What else every call may
 * reject with says `ThinClient`.
 */
export abstract class PigeonholeMethods {
  readonly #core: ClientCore;

  /** @internal */
  constructor(core: ClientCore) {
    this.#core = core;
  }

  // One box

  /**
   * Reads a box, and waits until something is in it: it asks again and again, each time with a
   * fresh envelope, after pauses of about a quarter of the time waited so far: at least a round
   * trip, at most 30 s. All reads of one client that wait share half of its packets, in turns, so
   * that the pauses are longer where many wait. A fresh envelope is also made when one grows old or
   * is refused (four in a row are refused before the error surfaces).
   * @param options `wait: false` rejects with BoxIDNotFoundError when the box holds nothing.
   * @throws TombstoneError when the box was deleted; other ReplicaErrors, CourierErrors,
   * MKEMDecryptionFailedError, BACAPDecryptionFailedError, InvalidTombstoneSignatureError;
   * StartResendingCancelledError when it was cancelled elsewhere.
   */
  async read(
    readCap: ReadCap,
    index: MessageBoxIndex,
    options?: boxes.ReadOptions,
  ): Promise<boxes.ReadResult> {
    return boxes.read(this.#core, readCap, index, options);
  }

  /**
   * Writes a box; text is written as UTF-8. By default it is done when a courier has taken it, and
   * a box that held something else keeps that; writing the same again does no harm.
   * @param plaintext 1 byte up to `pigeonholeGeometry.maxPlaintextPayloadLength`.
   * @param options `ifExists: "error"` waits for the replicas, and rejects with
   * BoxAlreadyExistsError when the box holds something else.
   * @throws RangeError for a plaintext of no bytes, or more than a box holds; CourierErrors,
   * MKEMDecryptionFailedError; StartResendingCancelledError when it was cancelled elsewhere; with
   * `ifExists: "error"` also BoxAlreadyExistsError and other ReplicaErrors.
   */
  async write(
    writeCap: WriteCap,
    index: MessageBoxIndex,
    plaintext: PlainBytes | string,
    options?: boxes.WriteOptions,
  ): Promise<boxes.WriteResult> {
    return boxes.write(this.#core, writeCap, index, plaintext, options);
  }

  /**
   * Deletes a box for good, whether it holds something or not; done when a courier has taken it.
   * @throws as {@link write} without options.
   */
  async tombstone(
    writeCap: WriteCap,
    index: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<boxes.WriteResult> {
    return boxes.tombstone(this.#core, writeCap, index, options);
  }

  // Many boxes

  /**
   * Writes a payload of any length to one or many streams: first to a temporary stream of its own,
   * from which a courier then writes the destinations. Memory stays flat however long the source
   * is. An empty source copies nothing and sends nothing. Not atomic: see CopyFailedError.
   * @param source all bytes, or an async iterable that gives them.
   * @throws CopyFailedError, which says what was copied before the failure; RangeError when more
   * than 65,536 boxes would be needed; TypeError when the source gives anything but bytes; what the
   * source or `onProgress` throws.
   */
  async copy(
    source: CopySource,
    destinations: readonly CopyDestination[],
    options?: CopyOptions,
  ): Promise<CopyResult> {
    return copy(this.#core, source, destinations, options);
  }

  /**
   * Makes tombstones for boxes that follow each other, and sends none: that is what
   * `startResendingEncryptedMessage({ ...envelope, writeCap })` is for.
   * @param maxCount how many, 0 to 2^32 - 1.
   * @throws TombstoneRangeError, which has those that were made before the failure; what
   * `onProgress` throws.
   */
  async tombstoneRange(
    writeCap: WriteCap,
    start: MessageBoxIndex,
    maxCount: number,
    options?: TombstoneRangeOptions,
  ): Promise<TombstoneRangeResult> {
    return tombstoneRange(this.#core, writeCap, start, maxCount, options);
  }

  // The steps that the calls above are made of

  /**
   * A new stream.
   * @param seed 32 random bytes; the same seed gives the same stream.
   * @throws TypeError, RangeError unless `seed` is 32 bytes.
   */
  async newKeypair(seed: Uint8Array, options?: CallOptions): Promise<KeypairResult> {
    return pigeonhole.newKeypair(this.#core.session, seed, options);
  }

  /**
   * Seals an envelope that reads a box. Sends nothing.
   * @throws DaemonRequestError when the daemon cannot seal it.
   */
  async encryptRead(
    readCap: ReadCap,
    messageBoxIndex: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<EncryptReadResult> {
    return pigeonhole.encryptRead(this.#core.session, readCap, messageBoxIndex, options);
  }

  /**
   * Seals an envelope that writes a box. Sends nothing.
   * @param plaintext up to `pigeonholeGeometry.maxPlaintextPayloadLength` bytes; none: a tombstone.
   * @throws DaemonRequestError when the daemon cannot seal it; RangeError for a longer plaintext.
   */
  async encryptWrite(
    plaintext: PlainBytes,
    writeCap: WriteCap,
    messageBoxIndex: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<EncryptWriteResult> {
    return pigeonhole.encryptWrite(this.#core, plaintext, writeCap, messageBoxIndex, options);
  }

  /**
   * Has the daemon send an envelope until its answer is there: a read until something is in the
   * box, a write until a courier has it. Survives the loss of the connection. Aborting it, or its
   * deadline, tells the daemon to stop, again and again until it has (`load.cancelling`).
   *
   * **Not for waiting:** a courier that has answered "no such box" a few times gives that same
   * answer to the same envelope for five minutes, whatever was written meanwhile, so that a read
   * which waits on one envelope may come 5 to 14 minutes late (spec/pigeonhole §9.1). {@link read}
   * asks with a fresh one each time.
   * @param request what {@link encryptRead} or {@link encryptWrite} gave, with flags if wanted.
   * @throws ReplicaErrors, CourierErrors, MKEMDecryptionFailedError, BACAPDecryptionFailedError,
   * InvalidTombstoneSignatureError; StartResendingCancelledError when it was cancelled elsewhere;
   * DaemonRequestError when the daemon could not begin; TypeError for a flag or a capability that
   * does not fit, or a field that is not known.
   */
  async startResendingEncryptedMessage(
    request: ReadRequest | WriteRequest,
    options?: CallOptions,
  ): Promise<StartResendingResult> {
    return pigeonhole.startResendingEncryptedMessage(this.#core.session, request, options);
  }

  /**
   * The same for a write with `noIdempotentBoxAlreadyExists`.
   * @throws BoxAlreadyExistsError when the box holds something else; and as
   * {@link startResendingEncryptedMessage}.
   */
  async startResendingEncryptedMessageReturnBoxExists(
    request: WriteRequest,
    options?: CallOptions,
  ): Promise<StartResendingResult> {
    const { session } = this.#core;
    return pigeonhole.startResendingEncryptedMessageReturnBoxExists(session, request, options);
  }

  /**
   * The same for a read with `noRetryOnBoxIdNotFound`: asks once. To ask again, seal anew: see
   * {@link startResendingEncryptedMessage}.
   * @throws BoxIDNotFoundError when the box holds nothing; and as
   * {@link startResendingEncryptedMessage}.
   */
  async startResendingEncryptedMessageNoRetry(
    request: ReadRequest,
    options?: CallOptions,
  ): Promise<StartResendingResult> {
    return pigeonhole.startResendingEncryptedMessageNoRetry(this.#core.session, request, options);
  }

  /**
   * Ends the sending of an envelope: who waits for it gets StartResendingCancelledError. Works
   * without a connection too; the daemon is told when there is one again. A start whose packet has
   * not left yet the daemon cannot find: it is cancelled again until it was answered, which this
   * call does not wait for (`load.cancelling`).
   * @throws TypeError, RangeError unless the hash is 32 bytes; never because nothing was to be
   * ended.
   */
  async cancelResendingEncryptedMessage(
    envelopeHash: EnvelopeHash,
    options?: CallOptions,
  ): Promise<void> {
    return pigeonhole.cancelResendingEncryptedMessage(this.#core.session, envelopeHash, options);
  }

  /** The box after `messageBoxIndex`. @throws DaemonRequestError after the last one, 2^64 - 1. */
  async nextMessageBoxIndex(
    messageBoxIndex: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<MessageBoxIndex> {
    return pigeonhole.nextMessageBoxIndex(this.#core.session, messageBoxIndex, options);
  }

  /** The number of a box in its stream: 64 bits, rarely small. @throws TypeError, RangeError. */
  async getMessageBoxIndexCounter(
    messageBoxIndex: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<bigint> {
    return pigeonhole.getMessageBoxIndexCounter(this.#core.session, messageBoxIndex, options);
  }

  /**
   * Has a courier carry out what the temporary stream of `writeCap` holds, from its first box on;
   * resolves when that is done. Survives the loss of the connection: where the command was said
   * again after one, and the stream is found deleted, the copy counts as done, for a courier that
   * is done deletes it. So do not delete the stream yourself while a copy is under way.
   * @throws CopyCommandFailedError, which names the envelope that failed: those before it stay
   * written. StartResendingCancelledError when it was cancelled elsewhere; DaemonRequestError when
   * the daemon could not begin.
   */
  async startResendingCopyCommand(writeCap: WriteCap, options?: CopyCommandOptions): Promise<void> {
    return copying.startResendingCopyCommand(this.#core.session, writeCap, options);
  }

  /**
   * Ends the waiting for a copy command, named by `writeCapHash(writeCap)`; what a courier has
   * begun it may still finish. Otherwise as {@link cancelResendingEncryptedMessage}.
   * @throws as that.
   */
  async cancelResendingCopyCommand(
    writeCapHash: WriteCapHash,
    options?: CallOptions,
  ): Promise<void> {
    return copying.cancelResendingCopyCommand(this.#core.session, writeCapHash, options);
  }

  /**
   * Elements of a copy stream that write one payload of at most 10 MiB. Each goes to the next box
   * of a temporary stream; the boxes written hold 4 bytes less than `maxPlaintextPayloadLength`.
   * @throws RangeError for a longer payload, and for an empty one with `isLast`: no element is made
   * that could end the stream (spec/thin-protocol §7.4); DaemonRequestError when the daemon cannot
   * make them.
   */
  async createCourierEnvelopesFromPayload(
    request: PayloadEnvelopesRequest,
    options?: CallOptions,
  ): Promise<SingleDestEnvelopes> {
    return copying.createCourierEnvelopesFromPayload(this.#core.session, request, options);
  }

  /**
   * The same for several destinations; `buffer` carries over what did not fill an element.
   * @throws as {@link createCourierEnvelopesFromPayload}, for more than 30 MiB together, too;
   * TypeError without destinations. With `isLast` either a payload or the `buffer` must have bytes.
   */
  async createCourierEnvelopesFromMultiPayload(
    request: MultiPayloadEnvelopesRequest,
    options?: CallOptions,
  ): Promise<MultiDestEnvelopes> {
    return copying.createCourierEnvelopesFromMultiPayload(this.#core.session, request, options);
  }

  /**
   * Elements that delete boxes; `buffer` carries over what did not fill an element.
   * @throws RangeError with `isLast` where neither tombstones nor `buffer` make an element;
   * DaemonRequestError when the daemon cannot make them; ProtocolError when it made no last element
   * though it was to end the stream (spec/thin-protocol §10, defect 20).
   */
  async createCourierEnvelopesFromTombstoneRange(
    request: TombstoneEnvelopesRequest,
    options?: CallOptions,
  ): Promise<SingleDestEnvelopes> {
    return copying.createCourierEnvelopesFromTombstoneRange(this.#core.session, request, options);
  }

  // Contact vouchers

  /**
   * Makes a voucher, with which a newcomer asks a member to be taken in. The payload is to be
   * written to box 0 of the voucher's stream.
   * @param messageWriteCap writes the newcomer's own messages.
   * @throws DaemonRequestError with code 3 when the capability is damaged.
   */
  async voucherMint(
    messageWriteCap: WriteCap,
    displayName: string,
    options?: CallOptions,
  ): Promise<vouchers.VoucherMintResult> {
    return vouchers.voucherMint(this.#core.session, messageWriteCap, displayName, options);
  }

  /**
   * Takes a newcomer in. The sealed reply is to be written to box 1 of the voucher's stream.
   * @param voucher 32 bytes, from the newcomer. @param voucherPayload what box 0 holds.
   * @param whoReply what the newcomer is told.
   * @throws VoucherHashMismatchError when the payload is not this voucher's;
   * VoucherSignatureInvalidError when it is not signed by the key it names; DaemonRequestError with
   * code 3 when it cannot be read.
   */
  async voucherInduct(
    voucher: PlainBytes,
    voucherPayload: PlainBytes,
    whoReply: PlainBytes,
    options?: CallOptions,
  ): Promise<vouchers.VoucherInductResult> {
    const { session } = this.#core;
    return vouchers.voucherInduct(session, voucher, voucherPayload, whoReply, options);
  }

  /**
   * Opens a member's answer.
   * @param voucherSecretKey 162 bytes, from {@link voucherMint}.
   * @param sealedReply what box 1 holds. @param messageWriteCap the one that the voucher is for.
   * @throws VoucherSealOpenFailedError when the key does not open the reply; DaemonRequestError
   * with code 3 when an argument is damaged.
   */
  async voucherOpen(
    voucherSecretKey: PlainBytes,
    sealedReply: PlainBytes,
    messageWriteCap: WriteCap,
    options?: CallOptions,
  ): Promise<vouchers.VoucherOpenResult> {
    const { session } = this.#core;
    return vouchers.voucherOpen(session, voucherSecretKey, sealedReply, messageWriteCap, options);
  }

  /**
   * The stream through which a voucher's two sides talk; both can write and read it.
   * @param voucher 32 bytes. @throws TypeError, RangeError for any other length.
   */
  async voucherDeriveStream(
    voucher: PlainBytes,
    options?: CallOptions,
  ): Promise<vouchers.VoucherDeriveStreamResult> {
    return vouchers.voucherDeriveStream(this.#core.session, voucher, options);
  }
}
