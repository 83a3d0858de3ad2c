/** The thin client: one object with a method for everything a daemon offers. */
import { type Bytes, type PlainBytes, describeType } from "../bytes/bytes.js";
import { type IdentityHash, MessageId, QueryId, SurbId } from "../bytes/opaque.js";
import { Config, type ConfigInit } from "../config/config.js";
import type {
  ConnectionStatusEvent,
  EventOf,
  EventType,
  NewPkiDocumentEvent,
} from "../config/events.js";
import { InvalidStateError } from "../errors/errors.js";
import { looksLikeAddress } from "../transport/address.js";
import type { PkiDocument } from "../pki/document.js";
import type { Geometry } from "../pki/geometry.js";
import type { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { prettyPrintPkiDoc } from "../pki/pretty-print.js";
import type { Destination, ServiceDescriptor } from "../pki/services.js";
import type { DaemonResponse } from "../wire/responses.js";
import { type CallOptions, checkCallOptions } from "./call-options.js";
import { type ClosingOptions, drainOf } from "./closing.js";
import type { EventHandler, EventsOptions, Registration } from "./event-hub.js";
import { sendMessage } from "./messages.js";
import { type ThinClientOptions, resolveOptions } from "./options.js";
import * as queries from "./pki-queries.js";
import { ClientCore, type ClientLoad } from "./client-core.js";
import { PigeonholeMethods } from "./pigeonhole-methods.js";
import type { ClientState, CloseReason } from "./session.js";

/** Deadline of {@link ThinClient.blockingSendMessage} where none is given, in milliseconds. */
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
 * Every method that can wait takes `{ signal, timeoutMs }` last. Besides what each of them names,
 * it rejects with the signal's reason when that is aborted, `RequestTimeoutError` at its deadline,
 * `InvalidStateError` before {@link start}, `ClientClosedError` once the client is stopped,
 * `ProtocolError` when the daemon's reply cannot be used, and `TypeError` or `RangeError` for
 * options that cannot be.
 */
export class ThinClient extends PigeonholeMethods implements AsyncDisposable {
  readonly #core: ClientCore;

  /**
   * Checks its arguments and does no I/O; {@link start} connects.
   * @param config a {@link Config}, `{ dial: { unix: { address } } }` and the like, or an address:
   * `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT` or `ws://HOST:PORT`, as `katz --address` takes it.
   * @throws ConfigError, TypeError, RangeError for what is wrong with the arguments.
   */
  constructor(config: Config | ConfigInit | string, options?: ThinClientOptions) {
    const checked = Config.from(config);
    const core = new ClientCore(checked, resolveOptions(options));
    super(core);
    this.#core = core;
  }

  /**
   * Makes a client and starts it.
   * @param config as for the constructor, or the path of a TOML file: a text that begins as an
   * address does (`unix:`, `tcp:`, `ws:` …) is one.
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
   * Connects to the daemon; resolves after the whole handshake, when geometries, session and (if
   * the daemon has one) PKI document are there.
   * @throws ConnectError when no daemon answers, UnsupportedTransportError where the platform
   * cannot dial that address, ProtocolError when it is no daemon, RequestTimeoutError when the
   * handshake takes longer than `handshakeTimeoutMs`; calls made meanwhile reject with the same
   * error, and the client may be started again. InvalidStateError when it was started already.
   */
  async start(options?: CallOptions): Promise<void> {
    checkCallOptions(options);
    await this.#core.session.start(options);
  }

  /**
   * Ends the session: the daemon forgets it and all that waits for it. Messages that the daemon has
   * and that have not left would be lost with it, so this waits for them first: see {@link
   * ClosingOptions}. Idempotent; rejects for wrong options only.
   * @throws TypeError, RangeError for options that cannot be.
   */
  async stop(options?: ClosingOptions): Promise<void> {
    await this.#core.session.close(true, drainOf(options));
  }

  /**
   * Closes the connection but keeps the session: the daemon holds replies to messages for it (10
   * minutes by default), and a client with the same `sessionToken` takes it up again. Calls that
   * wait reject; reads among them are cancelled at the daemon, since nobody can get what they find,
   * while boxes that are being written and copies that are under way go on, if they had left: as
   * with messages, what waits for its turn when the connection ends is lost, and their calls
   * reject. Idempotent; rejects for wrong options only.
   * @throws TypeError, RangeError for options that cannot be.
   */
  async disconnect(options?: ClosingOptions): Promise<void> {
    await this.#core.session.close(false, drainOf(options));
  }

  /** As {@link stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Where the client is in its life:
   * - `idle`: made, not started (or a start failed); only `start`, `on` and `events` work.
   * - `connecting`: the first connection is being made; requests wait for it, and fail with it.
   * - `ready`: the handshake is finished.
   * - `reconnecting`: the connection was lost and is being made again; requests wait.
   * - `closed`: stopped, disconnected, or lost with `reconnect: false`; for good.
   */
  get state(): ClientState {
    return this.#core.session.state;
  }

  /** Whether the client is in that state; unlike `state ===`, the compiler does not remember it. */
  isState(state: ClientState): boolean {
    return this.#core.session.isState(state);
  }

  /** Resolves (never rejects) when the client is closed, and says why. */
  get closed(): Promise<CloseReason> {
    return this.#core.session.closed;
  }

  /**
   * How many calls wait: for the daemon, or, reads of boxes that are not there yet, to ask again.
   */
  get pendingCalls(): number {
    return this.#core.session.pendingCalls + this.#core.waitingReads.pausing;
  }

  /**
   * How many calls the daemon has, how many wait here (for a place, for the connection, to ask
   * again), and how many that nobody waits for any more are still being ended at the daemon.
   */
  get load(): ClientLoad {
    return { ...this.#core.session.load, pausing: this.#core.waitingReads.pausing };
  }

  /** The 16 bytes that name this session at the daemon: as `sessionToken` they resume it. */
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

  /** The configuration this client was made with. */
  getConfig(): Config {
    return this.#core.config;
  }

  /** Whether the daemon is connected to the mixnet (and we to the daemon). */
  isConnected(): boolean {
    return this.#core.isConnected();
  }

  /**
   * Resolves when the daemon is connected to the mixnet and a PKI document is there; at once when
   * both are true already. No deadline by default.
   * @throws as every method that can wait, and nothing else.
   */
  async waitUntilOnline(options?: CallOptions): Promise<void> {
    checkCallOptions(options);
    await this.#core.waitUntilOnline(options);
  }

  /**
   * Calls `handler` for each event of that type until the returned registration is called or
   * disposed of. What it throws goes to `handlerError`.
   * @throws TypeError for an unknown type or option, or a handler that is no function.
   */
  on<T extends EventType>(
    type: T,
    handler: EventHandler<T>,
    options?: {
      /** Aborting it ends the registration. */
      signal?: AbortSignal | undefined;
      /** Whether the first event ends it; false by default. */
      once?: boolean | undefined;
    },
  ): Registration {
    return this.#core.hub.on(type, handler, options);
  }

  /**
   * Events from now on as an async iterator; leaving the loop, aborting or closing the client ends
   * it. A reader that falls more than `maxQueue` events behind gets `SlowConsumerError`.
   * @throws TypeError for an unknown type or option, RangeError for a `maxQueue` below 1.
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
   * @param surbId 16 bytes, never used before: {@link newSurbId}.
   * @param payload at most `geometry.userForwardPayloadLength` bytes; text is sent as UTF-8.
   * @param destNode identity hash of the service node, 32 bytes.
   * @param destQueue endpoint on that node, 1 to 32 bytes.
   *
   * Resolves when the daemon has it, which is before it leaves: that is told by a `messageSent`
   * event (with an `err` when it could not, or was lost with the connection). While there is no
   * connection to the daemon the message waits for it, as every call does, and for the daemon's to
   * the mixnet then.
   * @throws TypeError, RangeError for wrong arguments; ThinClientOfflineError while the daemon has
   * no connection to the mixnet; ConnectionLostError when ours broke while writing.
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
   * As {@link sendMessage}, but no reply is wanted: nothing tells whether it arrived, nor whether
   * it left.
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
   * Sends a message and waits for its reply; any number may run at once. The reply is padded with
   * zeros to `geometry.forwardPayloadLength`, whatever its own length. Default deadline: 30 s.
   * @throws as {@link sendMessage}; SendFailedError when the daemon could not send it;
   * ThinClientOfflineError when the daemon lost the mixnet meanwhile; ConnectionLostError when the
   * connection was lost before the message had left, or the daemon forgot the session meanwhile,
   * and with it the reply; RequestTimeoutError when no reply
   * came: the mixnet may have lost either direction.
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

  /** 16 fresh random bytes to name a message by. */
  static newMessageId(): MessageId {
    return MessageId.random();
  }

  /** 16 fresh random bytes to name a reply block by. */
  newSurbId(): SurbId {
    return SurbId.random();
  }

  /** 16 fresh random bytes to name a request by. */
  newQueryId(): QueryId {
    return QueryId.random();
  }

  // The network

  /**
   * The PKI document that came last, which is the current epoch's but for a moment at its beginning
   * (see the event `newPkiDocument`); null before the first.
   */
  pkiDocument(): PkiDocument | null {
    return this.#core.documents.current;
  }

  /**
   * The PKI document of `epoch` if it is still kept (six epochs are), else the current one.
   * @throws PkiDocumentUnavailableError when there is none at all.
   */
  pkiDocumentForEpoch(epoch: number): PkiDocument {
    return this.#core.documents.forEpoch(epoch);
  }

  /**
   * The document of `epoch` with its signatures, for `verifyPkiDocument`; 0 is the current epoch.
   * @throws PkiDocumentUnavailableError when the daemon does not have it; RangeError when `epoch`
   * is no integer from 0 up.
   */
  async getPkiDocumentRaw(epoch = 0, options?: CallOptions): Promise<queries.RawPkiDocument> {
    checkCallOptions(options);
    return queries.getPkiDocumentRaw(this.#core.session, epoch, options);
  }

  /**
   * The directory authorities that the daemon trusts; an empty list when it is configured with
   * none.
   * @throws DaemonRequestError for any other failure of the daemon.
   */
  async getDirectoryAuthorities(options?: CallOptions): Promise<queries.DirectoryAuthority[]> {
    checkCallOptions(options);
    return queries.getDirectoryAuthorities(this.#core.session, options);
  }

  /**
   * Every service of that name; never an empty list.
   * @throws ServiceNotFoundError when there is none; PkiDocumentUnavailableError before the first
   * document; TypeError for an empty name; ProtocolError when the document lists it without
   * endpoint.
   */
  getServices(capability: string): ServiceDescriptor[] {
    return queries.getServices(capability, this.pkiDocument());
  }

  /** One of the services of that name, each as likely. @throws as {@link getServices}. */
  getService(serviceName: string): ServiceDescriptor {
    const services = this.getServices(serviceName);
    return services[queries.randomBelow(services.length)]!;
  }

  /** Every courier. @throws as {@link getServices}. */
  getAllCouriers(): Destination[] {
    return this.getServices("courier").map((service) => service.toDestination());
  }

  /**
   * `n` different couriers at random. Using chosen couriers for several boxes ties those together
   * in the eyes of whoever runs them; the other calls let the daemon choose anew each time.
   * @throws NotEnoughCouriersError; RangeError when `n` is no integer from 0 up; and as
   * {@link getServices}, for 0 too.
   */
  getDistinctCouriers(n: number): Destination[] {
    return queries.getDistinctCouriers(n, this.pkiDocument());
  }

  /** The document as text, descriptors decoded; the argument stays as it is. @throws TypeError. */
  prettyPrintPkiDoc(document: PkiDocument): string {
    return prettyPrintPkiDoc(document);
  }

  // Kept for parity with the Python binding; nothing needs them.

  /**
   * The next message the daemon sends; it is dispatched as well. No deadline by default. For
   * parity.
   * @throws as every method that can wait, and nothing else.
   */
  async recv(options?: CallOptions): Promise<DaemonResponse> {
    checkCallOptions(options);
    return this.#core.session.nextFrame(options);
  }

  /**
   * Resolves when the client is closed: {@link start} runs the reading. For parity.
   * @throws InvalidStateError before {@link start}; ClientClosedError when it is closed already.
   */
  async workerLoop(): Promise<void> {
    const notUsable = this.#core.session.notUsable("workerLoop");
    if (notUsable) throw notUsable;
    await this.closed;
  }

  /** Handles a message as if the daemon had sent it. For parity. @throws TypeError. */
  async handleResponse(response: DaemonResponse): Promise<void> {
    if (typeof response?.kind !== "string") {
      throw new TypeError(`\`response\` must be a decoded response, got ${describeType(response)}`);
    }
    this.#core.onMessage(response);
  }

  /** Takes a status in as if the daemon had sent it. For parity. */
  parseStatus(event: ConnectionStatusEvent): void {
    this.#core.takeStatus(event);
  }

  /** Takes a PKI document in as if the daemon had sent it. For parity. */
  parsePkiDoc(event: NewPkiDocumentEvent): void {
    if (event.document) this.#core.documents.add(event.document);
  }
}

function notYet(name: string): never {
  throw new InvalidStateError(`${name} is known only after start(): the daemon sends it`);
}
