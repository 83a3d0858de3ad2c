/**
 * The state that the parts of a client share: session, events, and the daemon's last status and
 * document.
 */
import { onProcessEnd } from "#platform";
import type { Config } from "../config/config.js";
import type { ClientEvent, ConnectionStatusEvent, EventType } from "../config/events.js";
import { placeTimeout } from "../errors/call-site.js";
import { ClientClosedError, ThinClientError } from "../errors/errors.js";
import type { Bytes } from "../bytes/bytes.js";
import { decodeCertificate } from "../pki/certificate.js";
import { PkiDocument } from "../pki/document.js";
import { Geometry } from "../pki/geometry.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import type { Transport } from "../transport/transport.js";
import { type DaemonResponse, budgetOf } from "../wire/responses.js";
import { type CallOptions, type Hindrance, watchDeadline } from "./call-options.js";
import { DocumentFollower, PkiCache, requestPkiDocument } from "./documents.js";
import type { CallLoad, Calls } from "./calls.js";
import { EventHub } from "./event-hub.js";
import type { HandshakeResult } from "./handshake.js";
import { AwaitedReplies, type MessageContext, UnsentMessages } from "./messages.js";
import type { ResolvedOptions } from "./options.js";
import { Session } from "./session.js";
import { WaitingReads } from "./waiting-reads.js";

const NS_PER_MS = 1_000_000;

/** How many calls wait, and for what; see `ThinClient.load`. */
export interface ClientLoad extends CallLoad {
  /** Reads of empty boxes that pause between two attempts. */
  readonly pausing: number;
}

/** The state behind a `ThinClient`. */
export class ClientCore {
  readonly config: Config;
  readonly options: ResolvedOptions;
  readonly hub: EventHub;
  readonly session: Session;
  readonly documents = new PkiCache();
  readonly awaitedReplies: AwaitedReplies;
  readonly waitingReads: WaitingReads;
  readonly messageContext: MessageContext;
  readonly #unsent = new UnsentMessages();
  geometry: Geometry | null = null;
  pigeonholeGeometry: PigeonholeGeometry | null = null;
  readonly #follower: DocumentFollower;
  #online = false;
  /** Each entry ends one wait for the mixnet. */
  readonly #onlineWaiters = new Set<(reason: unknown) => void>();
  /** Removes the hook on the end of the process. */
  #keepGoing: (() => void) | null = null;

  constructor(config: Config, options: ResolvedOptions) {
    this.config = config;
    this.options = options;
    this.hub = new EventHub((type) => configuredHandler(config, type), options.logger);
    // The session applies its own deadline to every way to dial.
    const dial =
      options.dial ??
      (({ signal }): Promise<Transport> => config.dial.dial({ signal, timeoutMs: Infinity }));
    const place = options.dial ? "the daemon" : String(config.dial);
    this.session = new Session((signal) => dial({ signal }), place, options, {
      onHandshake: (result) => this.#onHandshake(result),
      onMessage: (message) => this.onMessage(message),
      emit: (event) => this.#emit(event),
      isOnline: () => this.#online,
      onStartFailed: (error) => {
        for (const reject of this.#onlineWaiters) reject(error);
      },
      whenSent: () => this.#unsent.whenSent(),
      onClosed: ({ reason, error }) => {
        this.#tellLost("the client was closed");
        this.#keepGoing?.();
        this.#follower.end();
        this.#online = false;
        this.awaitedReplies.onClosed(error);
        this.waitingReads.close(
          new ClientClosedError("read: the client is closed", {
            operation: "read",
            cause: error ?? undefined,
          }),
        );
        this.hub.emit({ type: "closed", reason, error });
        this.hub.end();
      },
    });
    this.messageContext = {
      session: this.session,
      options,
      unsent: this.#unsent,
      whenConnected: (operation, limits) => this.#wait(operation, limits, () => this.isConnected()),
      isConnected: () => this.isConnected(),
      geometry: () => this.geometry,
    };
    this.awaitedReplies = new AwaitedReplies(this.messageContext);
    this.#follower = new DocumentFollower({
      clock: options.clock,
      canAsk: () => this.session.isState("ready"),
      fetch: () => this.#fetchDocument(),
    });
    this.waitingReads = new WaitingReads({
      clock: options.clock,
      lambdaP: () => this.documents.current?.lambdaP ?? null,
    });
  }

  get calls(): Calls {
    return this.session.calls;
  }

  isConnected(): boolean {
    return this.#online && this.session.isState("ready");
  }

  waitUntilOnline(options: CallOptions | undefined): Promise<void> {
    const isOnline = (): boolean => this.isConnected() && this.documents.current !== null;
    return this.#wait("waitUntilOnline", options, isOnline);
  }

  /** Waits until `isThere` returns true after one of the events that can change it. */
  async #wait(
    operation: string,
    options: CallOptions | undefined,
    isThere: () => boolean,
  ): Promise<void> {
    const notUsable = this.session.notUsable(operation);
    if (notUsable) throw notUsable;
    options?.signal?.throwIfAborted();
    if (isThere()) return;
    const registrations: { (): void }[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        const check = (): void => {
          if (isThere()) resolve();
        };
        const { clock } = this.options;
        const hindrance = (): Hindrance | null => this.#hindrance();
        const deadline = watchDeadline(clock, operation, options, Infinity, reject, hindrance);
        this.#onlineWaiters.add(reject);
        registrations.push(
          () => this.#onlineWaiters.delete(reject),
          () => deadline.dispose(),
          this.hub.on("connectionStatus", check),
          this.hub.on("newPkiDocument", check),
          this.hub.on("reconnected", check),
          this.hub.on("closed", () =>
            reject(new ClientClosedError(`${operation}: the client is closed`, { operation })),
          ),
        );
      });
    } catch (error) {
      placeTimeout(error, this.#wait);
      throw error;
    } finally {
      for (const unregister of registrations) unregister();
    }
  }

  #hindrance(): Hindrance | null {
    const noDocument = { text: "the daemon has no PKI document" };
    return this.calls.hindrance(true, this.documents.current === null ? noDocument : null);
  }

  /** Dispatches a message that does not answer a call. */
  onMessage(message: DaemonResponse): void {
    switch (message.kind) {
      case "connectionStatusEvent":
        this.#onStatus(message);
        break;
      case "newPkiDocumentEvent":
        this.#onDocument(message);
        break;
      case "messageSentEvent": {
        const event = {
          type: "messageSent",
          messageId: message.messageId,
          surbId: message.surbId,
          sentAt: new Date(message.sentAt * 1000),
          replyEtaMs: message.replyEta / NS_PER_MS,
          err: message.err ?? "",
        } as const;
        if (event.surbId) this.#unsent.settled(event.surbId);
        this.awaitedReplies.onSent(event);
        this.hub.emit(event);
        break;
      }
      case "messageReplyEvent": {
        const event = {
          type: "messageReply",
          messageId: message.messageId,
          surbId: message.surbId,
          payload: message.payload ?? new Uint8Array(0),
          replyIndex: message.replyIndex,
          errorCode: message.errorCode,
        } as const;
        if (event.surbId) this.#unsent.settled(event.surbId);
        this.awaitedReplies.onReply(event);
        this.hub.emit(event);
        break;
      }
      case "messageIdGarbageCollected":
        if (message.messageId) {
          this.hub.emit({ type: "messageIdGarbageCollected", messageId: message.messageId });
        }
        break;
      case "shutdownEvent":
        this.hub.emit({ type: "shutdown" });
        break;
      default:
        // A late reply to a call that was given up or sent again.
        this.options.logger.debug("ignored a reply without a waiting call", {
          kind: message.kind,
        });
    }
  }

  /** Stores what a status event says. */
  takeStatus(event: ConnectionStatusEvent): void {
    this.#online = event.isConnected;
    if (event.sphinxGeometry) {
      this.geometry = event.sphinxGeometry;
      this.config.geometry = event.sphinxGeometry;
    }
    if (event.pigeonholeGeometry) this.pigeonholeGeometry = event.pigeonholeGeometry;
    if (!event.isConnected) this.awaitedReplies.onOffline();
  }

  #emit(event: ClientEvent): void {
    if (event.type === "daemonDisconnected") {
      this.#online = false;
      this.awaitedReplies.onConnectionLost();
    }
    if (event.type === "reconnected" && !event.resumed) this.awaitedReplies.onForgotten();
    this.hub.emit(event);
    if (event.type === "daemonDisconnected")
      this.#tellLost("the connection to the daemon was lost");
  }

  /** Emits an event for each message whose sender believes that it is on its way. */
  #tellLost(what: string): void {
    const lost = this.#unsent.lose();
    if (lost.length === 0) return;
    this.options.logger.warn("messages that had not left yet were lost", { count: lost.length });
    for (const surbId of lost) {
      this.hub.emit({
        type: "messageSent",
        messageId: null,
        surbId,
        sentAt: new Date(this.options.clock.now()),
        replyEtaMs: 0,
        err: `${what} before the daemon said that the message had left; a daemon forgets messages that have not left`,
      });
    }
  }

  #onHandshake(result: HandshakeResult): void {
    if (this.options.stopOnExit) {
      this.#keepGoing ??= onProcessEnd(() => this.session.closeAtOnce());
    }
    this.#onStatus(result.status);
    this.#onDocument(result.document);
  }

  #onStatus(message: DaemonResponse<"connectionStatusEvent">): void {
    const { sphinxGeometry, pigeonholeGeometry } = message;
    let geometries: Pick<ConnectionStatusEvent, "sphinxGeometry" | "pigeonholeGeometry">;
    try {
      geometries = {
        sphinxGeometry: sphinxGeometry instanceof Map ? Geometry.fromWire(sphinxGeometry) : null,
        pigeonholeGeometry:
          pigeonholeGeometry instanceof Map
            ? PigeonholeGeometry.fromWire(pigeonholeGeometry)
            : null,
      };
    } catch (error) {
      this.#skipped("connection_status_event", error);
      return;
    }
    const event: ConnectionStatusEvent = {
      type: "connectionStatus",
      isConnected: message.isConnected,
      err: typeof message.err === "string" ? message.err : "",
      instanceToken: message.instanceToken,
      ...geometries,
    };
    this.takeStatus(event);
    this.hub.emit(event);
  }

  #onDocument(message: DaemonResponse<"newPkiDocumentEvent">): void {
    const { payload } = message;
    let document: PkiDocument | null = null;
    try {
      // An old daemon may send zero bytes if it has no document.
      if (payload && payload.length > 0) document = PkiDocument.decode(payload, budgetOf(message));
    } catch (error) {
      this.#skipped("new_pki_document_event", error);
      return;
    }
    this.#takeDocument(document, document ? payload : null);
  }

  /**
   * Stores a document and announces it, unless it is already known: no document is announced twice.
   */
  #takeDocument(document: PkiDocument | null, payload: Bytes | null): void {
    const isKnown = document !== null && this.documents.holds(document);
    if (document && !isKnown) this.documents.add(document);
    const { current } = this.documents;
    if (current) this.#follower.follow(current);
    if (!isKnown) this.hub.emit({ type: "newPkiDocument", payload, document });
  }

  /** Asks for the document of the current epoch. A daemon has it before it announces it. */
  async #fetchDocument(): Promise<void> {
    const { reply, payload } = await requestPkiDocument(this.calls, 0, undefined);
    const budget = budgetOf(reply);
    const { certified } = decodeCertificate(payload, budget);
    const document = PkiDocument.decode(certified, budget);
    const { current } = this.documents;
    if (current === null || document.epoch > current.epoch) this.#takeDocument(document, certified);
  }

  #skipped(what: string, error: unknown): void {
    if (!(error instanceof ThinClientError)) throw error;
    this.options.logger.warn("skipped an invalid event", {
      event: what,
      error: error.message,
    });
  }
}

function configuredHandler(
  config: Config,
  type: EventType,
): ((event: ClientEvent) => void | Promise<void>) | undefined {
  const handlers = {
    connectionStatus: config.onConnectionStatus,
    newPkiDocument: config.onNewPkiDocument,
    messageSent: config.onMessageSent,
    messageReply: config.onMessageReply,
    daemonDisconnected: config.onDaemonDisconnected,
  };
  const handler = handlers[type as keyof typeof handlers] ?? undefined;
  return handler as ((event: ClientEvent) => void | Promise<void>) | undefined;
}
