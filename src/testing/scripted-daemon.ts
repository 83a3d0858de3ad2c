/**
 * A daemon that does exactly what a test tells it to, for cases that a correct daemon never shows.
 */
import { checkOptions } from "../bytes/options.js";
import { type Bytes, randomBytes } from "../bytes/bytes.js";
import { Geometry } from "../pki/geometry.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { memoryPair } from "../transport/memory.js";
import type { Transport } from "../transport/transport.js";
import { FrameDecoder, encodeFrame } from "../wire/framing.js";
import { type DaemonRequest, type RequestKind, decodeRequest } from "../wire/requests.js";
import { type DaemonResponse, encodeResponse } from "../wire/responses.js";

/** One client's connection, from the daemon's side. */
export class ScriptedConnection {
  /** The daemon's end; `destroy()` disconnects the client. */
  readonly transport: Transport;
  /** Requests that no `expect` has taken yet. */
  readonly requests: DaemonRequest[] = [];
  #waiting: ((request: DaemonRequest | null) => void)[] = [];
  #closed = false;
  readonly #decoder = new FrameDecoder();

  /** @param transport the daemon's end, not opened yet. */
  constructor(transport: Transport) {
    this.transport = transport;
    transport.open({
      onData: (chunk) =>
        this.#decoder.push(chunk, (body) => {
          const request = decodeRequest(body);
          if (!request) return;
          const next = this.#waiting.shift();
          if (next) next(request);
          else this.requests.push(request);
        }),
      onClose: () => {
        this.#closed = true;
        for (const waiting of this.#waiting) waiting(null);
        this.#waiting = [];
      },
    });
  }

  /** Whether the client has disconnected. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The client's next request; null if it disconnected. */
  next(): Promise<DaemonRequest | null> {
    const request = this.requests.shift();
    if (request || this.#closed) return Promise.resolve(request ?? null);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * The client's next request, which must be of that kind. @throws Error when it is of another
   * kind.
   */
  async expect<K extends RequestKind>(kind: K): Promise<DaemonRequest<K>> {
    const request = await this.next();
    if (request?.kind === kind) return request as DaemonRequest<K>;
    throw new Error(`expected the client to send ${kind}, it sent ${request?.kind ?? "nothing"}`);
  }

  /** Sends a response. */
  send(response: DaemonResponse): void {
    this.transport.write(encodeFrame(encodeResponse(response)));
  }

  /** Sends bytes unchanged, whether or not they are a frame. */
  sendRaw(bytes: Uint8Array): void {
    this.transport.write(bytes);
  }
}

/** What a scripted daemon reports about itself. */
export interface ScriptedDaemonOptions {
  /** Whether statuses report a connection to the mixnet; true by default. */
  readonly isConnected?: boolean;
  /** CBOR of the document that clients get in the handshake; none by default. */
  readonly document?: Uint8Array | null;
  /** The geometry in statuses; x25519, 5 hops and 1,872 bytes by default. */
  readonly geometry?: Geometry;
  /**
   * The Pigeonhole geometry in statuses; by default it follows from `geometry` with x25519: 1,549
   * bytes per box.
   */
  readonly pigeonholeGeometry?: PigeonholeGeometry;
}

/** A daemon that does nothing on its own; it even runs the handshake only when asked. */
export class ScriptedDaemon {
  /** The geometry in statuses: the option, or its default. */
  readonly geometry: Geometry;
  /** The Pigeonhole geometry in statuses: the option, or its default. */
  readonly pigeonholeGeometry: PigeonholeGeometry;
  readonly #options: ScriptedDaemonOptions;
  /** Sent in every status; replace it to simulate a restarted daemon. */
  instanceToken: Bytes = randomBytes(16);
  /** Every connection so far. */
  readonly connections: ScriptedConnection[] = [];
  /** Names the client's session; the same as long as the session is resumed. */
  #appId: Bytes = randomBytes(16);
  #waiting: ((connection: ScriptedConnection) => void)[] = [];
  #unclaimed: ScriptedConnection[] = [];
  /** Set to an error to refuse dials. */
  refuse: Error | null = null;

  /** @throws TypeError for an unknown option. */
  constructor(options: ScriptedDaemonOptions = {}) {
    const known = ["isConnected", "document", "geometry", "pigeonholeGeometry"];
    checkOptions("options", options, known);
    this.#options = options;
    this.geometry =
      options.geometry ??
      Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 1872 });
    this.pigeonholeGeometry =
      options.pigeonholeGeometry ?? PigeonholeGeometry.fromSphinx(this.geometry, "x25519", 32);
  }

  /** Pass this as a client's `dial` option. */
  readonly dial = async (): Promise<Transport> => {
    if (this.refuse) throw this.refuse;
    const [ours, theirs] = memoryPair();
    const connection = new ScriptedConnection(ours);
    this.connections.push(connection);
    const waiting = this.#waiting.shift();
    if (waiting) waiting(connection);
    else this.#unclaimed.push(connection);
    return theirs;
  };

  /** The next connection, before any message. */
  accept(): Promise<ScriptedConnection> {
    const connection = this.#unclaimed.shift();
    if (connection) return Promise.resolve(connection);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Makes a status event of this daemon. */
  status(isConnected = this.#options.isConnected ?? true): DaemonResponse<"connectionStatusEvent"> {
    return {
      kind: "connectionStatusEvent",
      isConnected,
      err: null,
      instanceToken: this.instanceToken,
      sphinxGeometry: this.geometry.toWire(),
      pigeonholeGeometry: this.pigeonholeGeometry.toWire(),
    };
  }

  /** Makes a document event of this daemon. */
  documentEvent(): DaemonResponse<"newPkiDocumentEvent"> {
    const { document = null } = this.#options;
    return { kind: "newPkiDocumentEvent", payload: document as Bytes | null };
  }

  /** Accepts the next connection and runs the handshake. */
  async shakeHands(resumed = false): Promise<ScriptedConnection> {
    const connection = await this.accept();
    connection.send(this.status());
    connection.send(this.documentEvent());
    await connection.expect("sessionToken");
    if (!resumed) this.#appId = randomBytes(16);
    connection.send({ kind: "sessionTokenReply", appId: this.#appId, resumed });
    return connection;
  }
}
