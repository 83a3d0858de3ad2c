/** The thin client: one object with a method for everything a daemon offers. */
import { type Bytes, type PlainBytes, checkBytes, describeType } from "../bytes/bytes.js";
import {
  type EnvelopeHash,
  type IdentityHash,
  type MessageBoxIndex,
  MessageId,
  QueryId,
  type ReadCap,
  SurbId,
  type WriteCap,
  type WriteCapHash,
} from "../bytes/opaque.js";
import { Config, type ConfigInit } from "../config/config.js";
import type {
  ConnectionStatusEvent,
  EventOf,
  EventType,
  NewPkiDocumentEvent,
} from "../config/events.js";
import { InvalidStateError } from "../errors/errors.js";
import { looksLikeAddress } from "../transport/address.js";
import { PkiDocument } from "../pki/document.js";
import type { Geometry } from "../pki/geometry.js";
import type { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { prettyPrintPkiDoc } from "../pki/pretty-print.js";
import type { Destination, ServiceDescriptor } from "../pki/services.js";
import type { DaemonResponse } from "../wire/responses.js";
import * as boxes from "./boxes.js";
import * as copyCalls from "./copy-calls.js";
import * as copying from "./copy.js";
import * as envelopes from "./envelopes.js";
import * as vouchers from "./voucher.js";
import { type CallOptions, checkCallOptions } from "./call-options.js";
import { type ClosingOptions, drainOf, resolveOptions, type ThinClientOptions } from "./options.js";
import type { EventHandler, EventsOptions, Registration } from "./event-hub.js";
import { sendMessage } from "./messages.js";
import * as queries from "./documents.js";
import { ClientCore, type ClientLoad } from "./client-core.js";
import type { DirectoryAuthority, RawPkiDocument } from "./documents.js";
import type {
  ReadOptions,
  ReadResult,
  TombstoneRangeOptions,
  WriteOptions,
  WriteResult,
} from "./boxes.js";
import type { CopyDestination, CopyOptions, CopyResult, CopySource } from "./copy.js";
import type {
  EncryptReadResult,
  EncryptWriteResult,
  KeypairResult,
  ReadRequest,
  StartResendingResult,
  TombstoneRangeResult,
  WriteRequest,
} from "./envelopes.js";
import type {
  CopyCommandOptions,
  MultiDestEnvelopes,
  MultiPayloadEnvelopesRequest,
  PayloadEnvelopesRequest,
  SingleDestEnvelopes,
  TombstoneEnvelopesRequest,
} from "./copy-calls.js";
import type {
  VoucherDeriveStreamResult,
  VoucherInductResult,
  VoucherMintResult,
  VoucherOpenResult,
} from "./voucher.js";
import type { ClientState, CloseReason } from "./session.js";

/** Default deadline of {@link ThinClient.blockingSendMessage}, in milliseconds. */
const BLOCKING_SEND_TIMEOUT_MS = 30_000;

/**
 * A client of a Katzenpost daemon.
 *
 * ```ts
 * await using client = await ThinClient.connect("thinclient.toml");
 * const echo = client.getService("echo");
 * const reply = await client.blockingSendMessage("hello", ...echo.toDestination());
 * ```
 *
 * Every method that can wait takes `{ signal, timeoutMs }` as its last argument. Besides the errors
 * that each method lists, it rejects with the signal's reason when the signal is aborted,
 * `RequestTimeoutError` at its deadline, `InvalidStateError` before {@link start},
 * `ClientClosedError` once the client is stopped, `ProtocolError` when the daemon's reply cannot be
 * used, and `TypeError` or `RangeError` for invalid options.
 *
 * Calls about boxes have no default deadline if they go through the network or cost a real daemon
 * seconds of key exchange; the others have the client's default. Arguments of a wrong type or
 * length reject with TypeError or RangeError before anything is sent. When the daemon refuses, all
 * of these calls but the cancels reject with DaemonRequestError (`copy` and `tombstoneRange` with
 * one as the `cause`): code 3 for a damaged argument, 4 while the daemon has no PKI document.
 */
export class ThinClient implements AsyncDisposable {
  readonly #core: ClientCore;

  /**
   * Checks its arguments and does no I/O; {@link start} connects.
   * @param config a {@link Config}, an object such as `{ dial: { unix: { address } } }`, or an
   * address: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT` or `ws://HOST:PORT`, as `katz --address`
   * takes it.
   * @throws ConfigError, TypeError, RangeError for invalid arguments.
   */
  constructor(config: Config | ConfigInit | string, options?: ThinClientOptions) {
    const checked = Config.from(config);
    this.#core = new ClientCore(checked, resolveOptions(options));
  }

  /**
   * Makes a client and starts it.
   * @param config as for the constructor, or the path of a TOML file. Text that begins like an
   * address (`unix:`, `tcp:`, `ws:` …) is an address.
   * @throws as the constructor and {@link start}.
   */
  static async connect(
    config: Config | ConfigInit | string,
    options?: ThinClientOptions & CallOptions,
  ): Promise<ThinClient> {
    const { signal, timeoutMs, ...rest } = options ?? {};
    const isPath = typeof config === "string" && !looksLikeAddress(config);
    const loaded = isPath ? await Config.load(config) : config;
    const client = new ThinClient(loaded, rest);
    await client.start({ signal, timeoutMs });
    return client;
  }

  /**
   * Connects to the daemon; resolves after the whole handshake, when the geometries, the session
   * and (if the daemon has one) the PKI document are known.
   * @throws ConnectError when no daemon answers; UnsupportedTransportError when the platform cannot
   * dial that address; ProtocolError when the peer is not a daemon; RequestTimeoutError when the
   * handshake takes longer than `handshakeTimeoutMs`. Calls made meanwhile reject with the same
   * error, and the client may be started again. InvalidStateError when it was already started.
   */
  async start(options?: CallOptions): Promise<void> {
    checkCallOptions(options);
    await this.#core.session.start(options);
  }

  /**
   * Ends the session: the daemon forgets it and everything that waits for it. Messages that have
   * not left the daemon would be lost, so this waits for them first: see {@link ClosingOptions}.
   * Idempotent; rejects only for wrong options.
   * @throws TypeError, RangeError for invalid options.
   */
  async stop(options?: ClosingOptions): Promise<void> {
    await this.#core.session.close(true, drainOf(options));
  }

  /**
   * Closes the connection but keeps the session: the daemon holds replies to messages for it (10
   * minutes by default), and a client with the same `sessionToken` resumes it. Waiting calls
   * reject. Waiting reads are cancelled at the daemon, because nobody could get their results.
   * Writes and copies that had left continue. As with messages, requests that wait for their turn
   * when the connection ends are lost, and their calls reject. Idempotent; rejects only for wrong
   * options.
   * @throws TypeError, RangeError for invalid options.
   */
  async disconnect(options?: ClosingOptions): Promise<void> {
    await this.#core.session.close(false, drainOf(options));
  }

  /** As {@link stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * The state of the client:
   * - `idle`: not started, or a start failed; only `start`, `on` and `events` work.
   * - `connecting`: the first connection is being made; requests wait for it, and fail with it.
   * - `ready`: the handshake has finished.
   * - `reconnecting`: the connection was lost and is being made again; requests wait.
   * - `closed`: stopped, disconnected, or lost with `reconnect: false`. This state is final.
   */
  get state(): ClientState {
    return this.#core.session.state;
  }

  /**
   * Whether the client is in that state. Unlike with `state ===`, the compiler does not remember
   * it.
   */
  isState(state: ClientState): boolean {
    return this.#core.session.isState(state);
  }

  /** Resolves (never rejects) with the reason when the client is closed. */
  get closed(): Promise<CloseReason> {
    return this.#core.session.closed;
  }

  /** How many calls wait for the daemon, or (reads of empty boxes) for their next attempt. */
  get pendingCalls(): number {
    return this.#core.calls.size + this.#core.waitingReads.pausing;
  }

  /**
   * How many calls the daemon has; how many wait here for a place, for the connection or for their
   * next attempt; and how many that nobody waits for are still being ended at the daemon.
   */
  get load(): ClientLoad {
    return { ...this.#core.calls.load, pausing: this.#core.waitingReads.pausing };
  }

  /**
   * The 16 bytes that name this session at the daemon. Passed as `sessionToken`, they resume it.
   */
  get sessionToken(): Bytes {
    return this.#core.options.sessionToken.slice();
  }

  /** Sizes of mixnet packets. @throws InvalidStateError before the first handshake. */
  get geometry(): Geometry {
    return this.#core.geometry ?? notYet("geometry");
  }

  /** Sizes of Pigeonhole messages. @throws InvalidStateError before the first handshake. */
  get pigeonholeGeometry(): PigeonholeGeometry {
    return this.#core.pigeonholeGeometry ?? notYet("pigeonholeGeometry");
  }

  /** The configuration that this client was made with. */
  getConfig(): Config {
    return this.#core.config;
  }

  /** Whether the daemon is connected to the mixnet and we are connected to the daemon. */
  isConnected(): boolean {
    return this.#core.isConnected();
  }

  /**
   * Resolves when the daemon is connected to the mixnet and a PKI document is known; at once if
   * both are already true. No deadline by default.
   * @throws only what every waiting method throws.
   */
  async waitUntilOnline(options?: CallOptions): Promise<void> {
    checkCallOptions(options);
    await this.#core.waitUntilOnline(options);
  }

  /**
   * Calls `handler` for each event of that type until the returned registration is called or
   * disposed of. If the handler throws, a `handlerError` event reports it.
   * @throws TypeError for an unknown type or option, or a handler that is not a function.
   */
  on<T extends EventType>(
    type: T,
    handler: EventHandler<T>,
    options?: {
      /** Aborting it ends the registration. */
      signal?: AbortSignal | undefined;
      /** Whether the registration ends after the first event; false by default. */
      once?: boolean | undefined;
    },
  ): Registration {
    return this.#core.hub.on(type, handler, options);
  }

  /**
   * An async iterator over events from this moment on. It ends when the loop is left, the signal is
   * aborted or the client is closed. A reader that falls more than `maxQueue` events or
   * `maxQueueBytes` bytes behind gets `SlowConsumerError`.
   * @throws TypeError for an unknown type or option, RangeError for a `maxQueue` or `maxQueueBytes`
   * that is not a positive integer.
   */
  events<T extends EventType = EventType>(
    options?: EventsOptions<T>,
  ): AsyncIterableIterator<EventOf<T>> & AsyncDisposable {
    return this.#core.hub.events(options);
  }

  // Messages

  /**
   * Sends a message to a service without waiting for its reply, which arrives as a `messageReply`
   * event with the same SURB ID.
   *
   * Resolves when the daemon has the message, which is before it leaves. A `messageSent` event
   * reports that it left (or has an `err` if it could not be sent, or was lost with the
   * connection). Without a connection to the daemon the message waits for it, as every call does,
   * and then for the daemon's connection to the mixnet.
   * @param surbId 16 bytes, never used before: {@link newSurbId}.
   * @param payload at most `geometry.userForwardPayloadLength` bytes; text is sent as UTF-8.
   * @param destNode identity hash of the service node, 32 bytes.
   * @param destQueue endpoint on that node, 1 to 32 bytes.
   * @throws TypeError, RangeError for wrong arguments; ThinClientOfflineError while the daemon is
   * not connected to the mixnet; ConnectionLostError when our connection broke while writing.
   */
  async sendMessage(
    surbId: SurbId,
    payload: PlainBytes | string,
    destNode: IdentityHash,
    destQueue: Uint8Array,
    options?: CallOptions,
  ): Promise<void> {
    checkCallOptions(options);
    const operation = "sendMessage";
    const message = { operation, surbId, payload, destNode, destQueue, options };
    await sendMessage(this.#core.messageContext, message);
  }

  /**
   * Like {@link sendMessage}, but without a reply. Nothing reports whether the message left or
   * arrived.
   * @throws as {@link sendMessage}.
   */
  async sendMessageWithoutReply(
    payload: PlainBytes | string,
    destNode: IdentityHash,
    destQueue: Uint8Array,
    options?: CallOptions,
  ): Promise<void> {
    checkCallOptions(options);
    const operation = "sendMessageWithoutReply";
    const message = { operation, surbId: null, payload, destNode, destQueue, options };
    await sendMessage(this.#core.messageContext, message);
  }

  /**
   * Sends a message and waits for its reply; any number of calls may run at once. The reply is
   * padded with zeros to `geometry.forwardPayloadLength`, whatever its own length. Default
   * deadline: 30 s.
   * @throws as {@link sendMessage}; SendFailedError when the daemon could not send it;
   * ThinClientOfflineError when the daemon lost the mixnet meanwhile; ConnectionLostError when the
   * connection was lost before the message had left, or when the daemon forgot the session and with
   * it the reply; RequestTimeoutError when no reply came: the mixnet may have lost either
   * direction.
   */
  async blockingSendMessage(
    payload: PlainBytes | string,
    destNode: IdentityHash,
    destQueue: Uint8Array,
    options?: CallOptions,
  ): Promise<Bytes> {
    checkCallOptions(options);
    const operation = "blockingSendMessage";
    const message = { operation, payload, destNode, destQueue, options };
    return this.#core.awaitedReplies.send(message, BLOCKING_SEND_TIMEOUT_MS);
  }

  /** 16 random bytes that name a message. */
  static newMessageId(): MessageId {
    return MessageId.random();
  }

  /** 16 random bytes that name a reply block. */
  newSurbId(): SurbId {
    return SurbId.random();
  }

  /** 16 random bytes that name a request. */
  newQueryId(): QueryId {
    return QueryId.random();
  }

  // The network

  /**
   * The PKI document that arrived last; null before the first. It is the current epoch's document,
   * except for a moment at the beginning of an epoch (see the event `newPkiDocument`).
   */
  pkiDocument(): PkiDocument | null {
    return this.#core.documents.current;
  }

  /**
   * The PKI document of `epoch` if it is still kept (six epochs are), or else the current one.
   * @throws PkiDocumentUnavailableError when there is none at all.
   */
  pkiDocumentForEpoch(epoch: number): PkiDocument {
    return this.#core.documents.forEpoch(epoch);
  }

  /**
   * Fetches the document of `epoch` with its signatures, for `verifyPkiDocument`; 0 is the current
   * epoch.
   * @throws PkiDocumentUnavailableError when the daemon does not have it; RangeError when `epoch`
   * is not an integer from 0 up.
   */
  async getPkiDocumentRaw(epoch = 0, options?: CallOptions): Promise<RawPkiDocument> {
    checkCallOptions(options);
    return queries.getPkiDocumentRaw(this.#core.calls, epoch, options);
  }

  /**
   * The directory authorities that the daemon trusts; an empty list if none is configured.
   * @throws DaemonRequestError for any other failure of the daemon.
   */
  async getDirectoryAuthorities(options?: CallOptions): Promise<DirectoryAuthority[]> {
    checkCallOptions(options);
    return queries.getDirectoryAuthorities(this.#core.calls, options);
  }

  /**
   * Every service with that name; never an empty list.
   * @throws ServiceNotFoundError when there is none; PkiDocumentUnavailableError before the first
   * document; TypeError for an empty name; ProtocolError when the document lists it without an
   * endpoint.
   */
  getServices(capability: string): ServiceDescriptor[] {
    return queries.getServices(capability, this.pkiDocument());
  }

  /** A random service with that name. @throws as {@link getServices}. */
  getService(serviceName: string): ServiceDescriptor {
    const services = this.getServices(serviceName);
    return services[queries.randomBelow(services.length)]!;
  }

  /** Every courier. @throws as {@link getServices}. */
  getAllCouriers(): Destination[] {
    return this.getServices("courier").map((service) => service.toDestination());
  }

  /**
   * `n` different couriers, chosen at random. If you use the same courier for several boxes, anyone
   * who runs it can link those boxes; the other calls let the daemon choose again each time.
   * @throws NotEnoughCouriersError; RangeError when `n` is not an integer from 0 up; and as {@link
   * getServices}, also for 0.
   */
  getDistinctCouriers(n: number): Destination[] {
    return queries.getDistinctCouriers(n, this.pkiDocument());
  }

  /**
   * The document as text, with decoded descriptors; the argument does not change. @throws
   * TypeError.
   */
  prettyPrintPkiDoc(document: PkiDocument): string {
    return prettyPrintPkiDoc(document);
  }

  // One box

  /**
   * Reads a box and waits until it holds something. It asks again and again, each time with a fresh
   * envelope, and pauses for about a quarter of the time waited so far: at least a round trip, at
   * most 30 s. All waiting reads of one client together use half of its packets and take turns, so
   * the pauses are longer if many wait. A fresh envelope is also made when one grows old or is
   * refused (the fourth refusal in a row rejects the call).
   * @param options `wait: false` rejects with BoxIDNotFoundError when the box is empty.
   * @throws TombstoneError when the box was deleted; other ReplicaErrors, CourierErrors,
   * MKEMDecryptionFailedError, BACAPDecryptionFailedError, InvalidTombstoneSignatureError;
   * StartResendingCancelledError when it was cancelled elsewhere.
   */
  async read(readCap: ReadCap, index: MessageBoxIndex, options?: ReadOptions): Promise<ReadResult> {
    return boxes.read(this.#core, readCap, index, options);
  }

  /**
   * Writes a box; text is written as UTF-8. By default the write is done when a courier has taken
   * it. A box that already held something else keeps it; writing the same content again does no
   * harm.
   * @param plaintext 1 byte up to `pigeonholeGeometry.maxPlaintextPayloadLength`.
   * @param options `ifExists: "error"` waits for the replicas, and rejects with
   * BoxAlreadyExistsError when the box holds something else.
   * @throws RangeError for an empty plaintext, or one that does not fit into a box; CourierErrors,
   * MKEMDecryptionFailedError; StartResendingCancelledError when it was cancelled elsewhere; with
   * `ifExists: "error"` also BoxAlreadyExistsError and other ReplicaErrors.
   */
  async write(
    writeCap: WriteCap,
    index: MessageBoxIndex,
    plaintext: PlainBytes | string,
    options?: WriteOptions,
  ): Promise<WriteResult> {
    return boxes.write(this.#core, writeCap, index, plaintext, options);
  }

  /**
   * Deletes a box for good, whether or not it holds something; done when a courier has taken the
   * request.
   * @throws as {@link write} without options.
   */
  async tombstone(
    writeCap: WriteCap,
    index: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<WriteResult> {
    return boxes.tombstone(this.#core, writeCap, index, options);
  }

  // Many boxes

  /**
   * Writes a payload of any length to one or many streams. It first writes a temporary stream, from
   * which a courier then writes the destinations. Memory use does not grow with the source. An
   * empty source copies nothing and sends nothing. The copy is not atomic: see CopyFailedError.
   * @param source all bytes, or an async iterable of byte arrays.
   * @throws CopyFailedError, which says what was copied before the failure; RangeError when more
   * than 65,536 boxes would be needed; TypeError when the source yields anything but bytes; what
   * the source or `onProgress` throws.
   */
  async copy(
    source: CopySource,
    destinations: readonly CopyDestination[],
    options?: CopyOptions,
  ): Promise<CopyResult> {
    return copying.copy(this.#core, source, destinations, options);
  }

  /**
   * Makes tombstones for consecutive boxes but does not send them. Send each with
   * `startResendingEncryptedMessage({ ...envelope, writeCap })`.
   * @param maxCount how many, 0 to 2^32 - 1.
   * @throws TombstoneRangeError, which has the tombstones made before the failure; what
   * `onProgress` throws.
   */
  async tombstoneRange(
    writeCap: WriteCap,
    start: MessageBoxIndex,
    maxCount: number,
    options?: TombstoneRangeOptions,
  ): Promise<TombstoneRangeResult> {
    return boxes.tombstoneRange(this.#core, writeCap, start, maxCount, options);
  }

  // The steps of the calls above

  /**
   * Makes a new stream.
   * @param seed 32 random bytes; the same seed gives the same stream.
   * @throws TypeError, RangeError unless `seed` is 32 bytes.
   */
  async newKeypair(seed: Uint8Array, options?: CallOptions): Promise<KeypairResult> {
    return envelopes.newKeypair(this.#core.calls, seed, options);
  }

  /**
   * Seals an envelope that reads a box. It does not send it.
   * @throws DaemonRequestError when the daemon cannot seal it.
   */
  async encryptRead(
    readCap: ReadCap,
    messageBoxIndex: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<EncryptReadResult> {
    return envelopes.encryptRead(this.#core.calls, readCap, messageBoxIndex, options);
  }

  /**
   * Seals an envelope that writes a box. It does not send it.
   * @param plaintext up to `pigeonholeGeometry.maxPlaintextPayloadLength` bytes; an empty one makes
   * a tombstone.
   * @throws DaemonRequestError when the daemon cannot seal it; RangeError for a longer plaintext.
   */
  async encryptWrite(
    plaintext: PlainBytes,
    writeCap: WriteCap,
    messageBoxIndex: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<EncryptWriteResult> {
    return envelopes.encryptWrite(this.#core, plaintext, writeCap, messageBoxIndex, options);
  }

  /**
   * Has the daemon send an envelope until its answer arrives: a read until the box holds something,
   * a write until a courier has it. It survives the loss of the connection. An abort, or the
   * deadline, tells the daemon to stop; the client repeats this until the daemon has stopped
   * (`load.cancelling`).
   *
   * **Do not wait for a box with it.** A courier that has answered "no such box" a few times gives
   * the same answer to the same envelope for five minutes, even if the box is written meanwhile. So
   * a read that waits on one envelope may come 5 to 14 minutes late (spec/pigeonhole §9.1). {@link
   * read} uses a fresh envelope each time.
   * @param request the result of {@link encryptRead} or {@link encryptWrite}, with flags if wanted.
   * @throws ReplicaErrors, CourierErrors, MKEMDecryptionFailedError, BACAPDecryptionFailedError,
   * InvalidTombstoneSignatureError; StartResendingCancelledError when it was cancelled elsewhere;
   * DaemonRequestError when the daemon could not begin; TypeError for a flag or capability that
   * does not fit, or an unknown field.
   */
  async startResendingEncryptedMessage(
    request: ReadRequest | WriteRequest,
    options?: CallOptions,
  ): Promise<StartResendingResult> {
    return envelopes.startResendingEncryptedMessage(this.#core.calls, request, options);
  }

  /**
   * The same for a write with `noIdempotentBoxAlreadyExists`.
   * @throws BoxAlreadyExistsError when the box holds something else; and as {@link
   * startResendingEncryptedMessage}.
   */
  async startResendingEncryptedMessageReturnBoxExists(
    request: WriteRequest,
    options?: CallOptions,
  ): Promise<StartResendingResult> {
    const { calls } = this.#core;
    return envelopes.startResendingEncryptedMessageReturnBoxExists(calls, request, options);
  }

  /**
   * The same for a read with `noRetryOnBoxIdNotFound`: it asks once. To ask again, seal a new
   * envelope: see {@link startResendingEncryptedMessage}.
   * @throws BoxIDNotFoundError when the box is empty; and as {@link
   * startResendingEncryptedMessage}.
   */
  async startResendingEncryptedMessageNoRetry(
    request: ReadRequest,
    options?: CallOptions,
  ): Promise<StartResendingResult> {
    return envelopes.startResendingEncryptedMessageNoRetry(this.#core.calls, request, options);
  }

  /**
   * Ends the sending of an envelope: callers who wait for it get StartResendingCancelledError. It
   * works without a connection too; the daemon is told after the next reconnect. The daemon cannot
   * find a start whose packet has not left yet. The client cancels such a start again until it is
   * answered, but this call does not wait for that (`load.cancelling`).
   * @throws TypeError, RangeError unless the hash is 32 bytes. If there is nothing to end, it does
   * not throw.
   */
  async cancelResendingEncryptedMessage(
    envelopeHash: EnvelopeHash,
    options?: CallOptions,
  ): Promise<void> {
    return envelopes.cancelResendingEncryptedMessage(this.#core.calls, envelopeHash, options);
  }

  /**
   * The index of the box after `messageBoxIndex`. @throws DaemonRequestError after the last one,
   * 2^64 - 1.
   */
  async nextMessageBoxIndex(
    messageBoxIndex: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<MessageBoxIndex> {
    return envelopes.nextMessageBoxIndex(this.#core.calls, messageBoxIndex, options);
  }

  /** The number of a box in its stream: 64 bits, usually large. @throws TypeError, RangeError. */
  async getMessageBoxIndexCounter(
    messageBoxIndex: MessageBoxIndex,
    options?: CallOptions,
  ): Promise<bigint> {
    return envelopes.getMessageBoxIndexCounter(this.#core.calls, messageBoxIndex, options);
  }

  /**
   * Has a courier carry out the copy that the temporary stream of `writeCap` describes, from its
   * first box; resolves when that is done. It survives the loss of the connection: the command is
   * sent again. If the stream is then found deleted, the copy counts as done, because a courier
   * deletes the stream when it has finished. So do not delete the stream yourself while a copy is
   * in progress.
   * @throws CopyCommandFailedError, which names the envelope that failed: those before it stay
   * written. StartResendingCancelledError when it was cancelled elsewhere; DaemonRequestError when
   * the daemon could not begin.
   */
  async startResendingCopyCommand(writeCap: WriteCap, options?: CopyCommandOptions): Promise<void> {
    return copyCalls.startResendingCopyCommand(this.#core.calls, writeCap, options);
  }

  /**
   * Ends the wait for a copy command, named by `writeCapHash(writeCap)`. A courier that has begun
   * may still finish. Otherwise like {@link cancelResendingEncryptedMessage}.
   * @throws as {@link cancelResendingEncryptedMessage}.
   */
  async cancelResendingCopyCommand(
    writeCapHash: WriteCapHash,
    options?: CallOptions,
  ): Promise<void> {
    return copyCalls.cancelResendingCopyCommand(this.#core.calls, writeCapHash, options);
  }

  /**
   * Makes the elements of a copy stream that write one payload of at most 10 MiB. Write each
   * element to the next box of a temporary stream. The destination boxes hold 4 bytes less than
   * `maxPlaintextPayloadLength`.
   * @throws RangeError for a longer payload, and for an empty one with `isLast`: no element would
   * be made that could end the stream (spec/thin-protocol §7.4); DaemonRequestError when the daemon
   * cannot make them.
   */
  async createCourierEnvelopesFromPayload(
    request: PayloadEnvelopesRequest,
    options?: CallOptions,
  ): Promise<SingleDestEnvelopes> {
    return copyCalls.createCourierEnvelopesFromPayload(this.#core.calls, request, options);
  }

  /**
   * The same for several destinations; `buffer` carries over bytes that did not fill an element.
   * @throws as {@link createCourierEnvelopesFromPayload}; RangeError also for more than 30 MiB
   * together; TypeError without destinations. With `isLast` either a payload or the `buffer` must
   * have bytes.
   */
  async createCourierEnvelopesFromMultiPayload(
    request: MultiPayloadEnvelopesRequest,
    options?: CallOptions,
  ): Promise<MultiDestEnvelopes> {
    return copyCalls.createCourierEnvelopesFromMultiPayload(this.#core.calls, request, options);
  }

  /**
   * Makes the elements that delete boxes; `buffer` carries over bytes that did not fill an element.
   * @throws RangeError with `isLast` if neither tombstones nor `buffer` make an element;
   * DaemonRequestError when the daemon cannot make them; ProtocolError when the daemon made no last
   * element (spec/thin-protocol §10, defect 20).
   */
  async createCourierEnvelopesFromTombstoneRange(
    request: TombstoneEnvelopesRequest,
    options?: CallOptions,
  ): Promise<SingleDestEnvelopes> {
    return copyCalls.createCourierEnvelopesFromTombstoneRange(this.#core.calls, request, options);
  }

  // Contact vouchers

  /**
   * Makes a voucher, with which a newcomer asks a member for admission. Write the payload to box 0
   * of the voucher's stream.
   * @param messageWriteCap the capability that writes the newcomer's own messages.
   * @throws DaemonRequestError with code 3 when the capability is damaged.
   */
  async voucherMint(
    messageWriteCap: WriteCap,
    displayName: string,
    options?: CallOptions,
  ): Promise<VoucherMintResult> {
    return vouchers.voucherMint(this.#core.calls, messageWriteCap, displayName, options);
  }

  /**
   * Admits a newcomer. Write the sealed reply to box 1 of the voucher's stream.
   * @param voucher 32 bytes, from the newcomer. @param voucherPayload the content of box 0.
   * @param whoReply what to tell the newcomer.
   * @throws VoucherHashMismatchError when the payload does not belong to this voucher;
   * VoucherSignatureInvalidError when it is not signed by the key it names; DaemonRequestError with
   * code 3 when it cannot be read.
   */
  async voucherInduct(
    voucher: PlainBytes,
    voucherPayload: PlainBytes,
    whoReply: PlainBytes,
    options?: CallOptions,
  ): Promise<VoucherInductResult> {
    const { calls } = this.#core;
    return vouchers.voucherInduct(calls, voucher, voucherPayload, whoReply, options);
  }

  /**
   * Opens a member's answer.
   * @param voucherSecretKey 162 bytes, from {@link voucherMint}.
   * @param sealedReply the content of box 1. @param messageWriteCap the capability that the voucher
   * was made for.
   * @throws VoucherSealOpenFailedError when the key does not open the reply; DaemonRequestError
   * with code 3 when an argument is damaged.
   */
  async voucherOpen(
    voucherSecretKey: PlainBytes,
    sealedReply: PlainBytes,
    messageWriteCap: WriteCap,
    options?: CallOptions,
  ): Promise<VoucherOpenResult> {
    const { calls } = this.#core;
    return vouchers.voucherOpen(calls, voucherSecretKey, sealedReply, messageWriteCap, options);
  }

  /**
   * The stream through which a voucher's two sides talk; both can write and read it.
   * @param voucher 32 bytes. @throws TypeError, RangeError for any other length.
   */
  async voucherDeriveStream(
    voucher: PlainBytes,
    options?: CallOptions,
  ): Promise<VoucherDeriveStreamResult> {
    return vouchers.voucherDeriveStream(this.#core.calls, voucher, options);
  }

  // Kept for parity with the Python binding; nothing else needs these.

  /**
   * The next message that the daemon sends. It is also dispatched as usual. No deadline by default.
   * For parity.
   * @throws only what every waiting method throws.
   */
  async recv(options?: CallOptions): Promise<DaemonResponse> {
    checkCallOptions(options);
    return this.#core.session.nextFrame(options);
  }

  /**
   * Resolves when the client is closed; {@link start} runs the reading. For parity.
   * @throws InvalidStateError before {@link start}; ClientClosedError when it is already closed.
   */
  async workerLoop(): Promise<void> {
    const notUsable = this.#core.session.notUsable("workerLoop");
    if (notUsable) throw notUsable;
    await this.closed;
  }

  /**
   * Handles a message as if the daemon had sent it: a reply ends the call that waits for it. For
   * parity.
   * @throws TypeError when it has no `kind`.
   */
  async handleResponse(response: DaemonResponse): Promise<void> {
    if (typeof response?.kind !== "string") {
      throw new TypeError(`\`response\` must be a decoded response, got ${describeType(response)}`);
    }
    if (!this.#core.calls.take(response)) this.#core.onMessage(response);
  }

  /**
   * Takes over a status as if the daemon had sent it, but without an event. For parity.
   * @throws TypeError when it has no boolean `isConnected`.
   */
  parseStatus(event: ConnectionStatusEvent): void {
    // Otherwise the fields of the wire (`is_connected`) would count as "not connected".
    if (typeof event?.isConnected !== "boolean") {
      throw new TypeError(
        `\`event\` must be a ConnectionStatusEvent, with \`isConnected\`, got ${describeType(event)}`,
      );
    }
    this.#core.takeStatus(event);
  }

  /**
   * Takes over a PKI document, decoded or as bytes, as if the daemon had sent it, but without an
   * event. For parity.
   * @throws TypeError for anything else; ProtocolError when the bytes are not a document.
   */
  parsePkiDoc(event: Pick<NewPkiDocumentEvent, "payload"> & Partial<NewPkiDocumentEvent>): void {
    if (event?.payload === undefined) {
      throw new TypeError(
        `\`event\` must be a NewPkiDocumentEvent, with \`payload\`, got ${describeType(event)}`,
      );
    }
    if (event.payload !== null) checkBytes("event.payload", event.payload);
    const document = event.document ?? (event.payload && PkiDocument.decode(event.payload));
    if (document) this.#core.documents.add(document);
  }
}

function notYet(name: string): never {
  throw new InvalidStateError(`${name} is known only after start(): the daemon sends it`);
}
