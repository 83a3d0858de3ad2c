/**
 * From an address to a finished handshake (spec/thin-protocol §3.1): status, document, token, and
 * the answer to the token.
 */
import { type Bytes, describeType } from "../bytes/bytes.js";
import { scopeWithin, watchDeadline } from "./call-options.js";
import { Connection } from "./connection.js";
import type { ResolvedOptions } from "./options.js";
import type { Clock } from "../clock/clock.js";
import { decodedSize } from "../bytes/decoded-size.js";
import { ProtocolError, RequestTimeoutError } from "../errors/errors.js";
import { Geometry } from "../pki/geometry.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import type { Transport } from "../transport/transport.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";

/** The result of a finished handshake. */
export interface HandshakeResult {
  readonly status: DaemonResponse<"connectionStatusEvent">;
  readonly document: DaemonResponse<"newPkiDocumentEvent">;
  readonly instanceToken: Uint8Array | null;
  readonly geometry: Geometry;
  readonly pigeonholeGeometry: PigeonholeGeometry;
  /** Whether the daemon knew the token. */
  readonly resumed: boolean;
  /** The daemon's name for the session, 16 bytes; null if the daemon does not say. */
  readonly appId: Uint8Array | null;
  /**
   * Messages that arrived before the answer to the token, in order; dispatch them as if they came
   * after it.
   */
  readonly early: readonly (DaemonResponse | MalformedReply)[];
}

const names: Readonly<Record<string, string>> = {
  connectionStatusEvent: "connection_status_event",
  newPkiDocumentEvent: "new_pki_document_event",
  sessionTokenReply: "session_token_reply",
};

/**
 * How many unexpected messages each of the first two legs passes over. The reference's clients do
 * so in all three legs and throw the messages away; this client keeps them and dispatches them
 * after the handshake.
 */
const MAX_UNEXPECTED_MESSAGES = 16;

/**
 * The limit on messages before the answer to the token. It is more than a real daemon keeps for a
 * client (1,000 replies of one packet each).
 */
const MAX_EARLY_MESSAGES = 10_000;
const MAX_EARLY_BYTES = 64 * 1024 * 1024;

/**
 * The client's side of the handshake as a state machine: it takes responses and sends at most one
 * request.
 */
class Handshake {
  readonly #token: Bytes;
  readonly #send: (request: DaemonRequest) => void;
  #status: DaemonResponse<"connectionStatusEvent"> | null = null;
  #document: DaemonResponse<"newPkiDocumentEvent"> | null = null;
  readonly #early: (DaemonResponse | MalformedReply)[] = [];
  #earlyBytes = 0;
  /** Messages passed over in the current leg. */
  #unexpected = 0;

  constructor(token: Bytes, send: (request: DaemonRequest) => void) {
    this.#token = token;
    this.#send = send;
  }

  /**
   * Takes the next response. Returns null while more must come.
   * @param size length of its frame's body in bytes.
   * @throws ProtocolError when a leg's expected message does not come, a geometry is missing, or
   * too much comes before the answer to the token.
   */
  take(response: DaemonResponse | MalformedReply, size: number): HandshakeResult | null {
    if (!this.#status) {
      if (response.kind !== "connectionStatusEvent")
        return this.#passOver(response, size, "status");
      // Checked here, so that a wrong geometry is found before anything is sent.
      readGeometries(response);
      this.#status = response;
      this.#unexpected = 0;
      return null;
    }
    if (!this.#document) {
      if (response.kind !== "newPkiDocumentEvent")
        return this.#passOver(response, size, "document");
      this.#document = response;
      this.#send({ kind: "sessionToken", clientInstanceToken: this.#token });
      return null;
    }
    if (response.kind !== "sessionTokenReply") {
      // A real daemon may flush queued replies and broadcasts before its answer (spec/thin-protocol
      // §3.1).
      this.#keep(response, size);
      return null;
    }
    return {
      status: this.#status,
      document: this.#document,
      instanceToken: this.#status.instanceToken,
      ...readGeometries(this.#status),
      resumed: response.resumed,
      appId: response.appId,
      early: this.#early,
    };
  }

  /**
   * Keeps a message to dispatch after the handshake. @throws ProtocolError when there are too many.
   */
  #keep(response: DaemonResponse | MalformedReply, size: number): void {
    // Decoded messages may take a hundred times as much memory as on the wire.
    this.#earlyBytes += Math.max(size, decodedSize(response, MAX_EARLY_BYTES));
    if (this.#early.push(response) > MAX_EARLY_MESSAGES || this.#earlyBytes > MAX_EARLY_BYTES) {
      throw new ProtocolError("the daemon sent too much before its session_token_reply");
    }
  }

  #passOver(
    response: DaemonResponse | MalformedReply,
    size: number,
    wanted: "status" | "document",
  ): null {
    if (++this.#unexpected <= MAX_UNEXPECTED_MESSAGES) {
      this.#keep(response, size);
      return null;
    }
    const got = names[response.kind] ?? response.kind;
    const rule =
      wanted === "status"
        ? "connection_status_event must come first"
        : "new_pki_document_event must come second";
    throw new ProtocolError(
      `the daemon's ${rule}, got ${this.#unexpected} other messages, the last one ${got}: ` +
        "is this address really a kpclientd?",
    );
  }
}

/**
 * Returns both geometries of a status event. @throws ProtocolError when one is missing or invalid.
 */
function readGeometries(status: DaemonResponse<"connectionStatusEvent">): {
  geometry: Geometry;
  pigeonholeGeometry: PigeonholeGeometry;
} {
  if (!(status.sphinxGeometry instanceof Map) || !(status.pigeonholeGeometry instanceof Map)) {
    const [name, value] =
      status.sphinxGeometry instanceof Map
        ? ["pigeonhole_geometry", status.pigeonholeGeometry]
        : ["sphinx_geometry", status.sphinxGeometry];
    throw new ProtocolError(
      `the daemon did not supply its geometry: \`${name}\` must be a map, got ` +
        describeType(value),
    );
  }
  return {
    geometry: Geometry.fromWire(status.sphinxGeometry),
    pigeonholeGeometry: PigeonholeGeometry.fromWire(status.pigeonholeGeometry),
  };
}

// From a transport to a connection whose handshake has finished.

/** Callbacks for the stages of a connection. */
export interface ShakeHandsHandlers {
  /** The connection was made; nothing was received yet. */
  onConnection(connection: Connection): void;
  /** The handshake has finished; called before any later message. */
  onReady(connection: Connection, result: HandshakeResult): void;
  /** Bytes arrived. */
  onBytes(): void;
  /** A message after the handshake. */
  onResponse(response: DaemonResponse | MalformedReply): void;
  /** The connection ended after the handshake. */
  onClose(connection: Connection, error: Error | null): void;
}

/**
 * Runs the handshake; resolves when `onReady` has returned.
 * @param timeoutMs the time limit in milliseconds.
 * @throws ProtocolError, RequestTimeoutError, the signal's reason, or why the connection was lost;
 * the connection is then closed. Also what `onReady` throws.
 */
export function shakeHands(
  transport: Transport,
  options: ResolvedOptions,
  timeoutMs: number,
  signal: AbortSignal,
  handlers: ShakeHandsHandlers,
): Promise<void> {
  const { clock, maxMessageSize, sessionToken } = options;
  return new Promise((resolve, reject) => {
    let done = false;
    const fail = (reason: unknown): void => {
      if (done) return;
      done = true;
      deadline.dispose();
      connection.silence();
      connection.destroy();
      void connection.closed.then(() => reject(reason));
    };
    const deadline = watchDeadline(clock, "handshake", { signal }, timeoutMs, (reason) =>
      fail(signal.aborted ? reason : tooLate(reason, transport)),
    );
    const handshake = new Handshake(sessionToken, (request) => connection.send(request));
    const take = (response: DaemonResponse | MalformedReply, size: number): void => {
      let result: HandshakeResult | null;
      try {
        result = handshake.take(response, size);
      } catch (error) {
        fail(error);
        return;
      }
      if (!result) return;
      done = true;
      deadline.dispose();
      try {
        handlers.onReady(connection, result);
        resolve();
      } catch (error) {
        reject(error);
      }
    };
    const connection: Connection = new Connection(transport, maxMessageSize, {
      onBytes: () => handlers.onBytes(),
      onResponse: (response, size) => {
        if (done) handlers.onResponse(response);
        else take(response, size);
      },
      onClose: (error) => {
        if (done) handlers.onClose(connection, error);
        else fail(error ? noDaemon(error, connection.address) : hungUp(connection.address));
      },
    });
    handlers.onConnection(connection);
    connection.open();
  });
}

function tooLate(cause: unknown, transport: Transport): RequestTimeoutError {
  return new RequestTimeoutError(
    `${transport.address} accepted the connection but did not finish the handshake in time: ` +
      "is it a kpclientd, and does it have a PKI document?",
    { operation: "start", cause },
  );
}

/** If the first messages cannot be read, the peer is probably not a daemon. */
function noDaemon(error: Error, address: string): Error {
  if (!(error instanceof ProtocolError)) return error;
  return new ProtocolError(
    `${address} does not speak the thin-client protocol: ${error.message}; ` +
      "is it really a kpclientd?",
    { operation: "start", cause: error },
  );
}

function hungUp(address: string): ProtocolError {
  return new ProtocolError(
    `${address} closed the connection during the handshake: is it really a kpclientd?`,
  );
}

// A time limit for any dial function, ours or the application's.

/**
 * Runs `dial` with a signal that aborts with `signal` or after `timeoutMs`. A dial that ignores its
 * signal is abandoned; if it connects later, its transport is closed.
 * @param place where it leads, for the error.
 * @throws RequestTimeoutError; the signal's reason; what `dial` throws.
 */
export async function dialInTime(
  dial: (signal: AbortSignal) => Promise<Transport>,
  place: string,
  clock: Clock,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Transport> {
  signal.throwIfAborted();
  const scope = scopeWithin(signal);
  let over = false;
  try {
    return await new Promise<Transport>((resolve, reject) => {
      const end = (reason: unknown): void => {
        over = true;
        scope.abort(reason);
        reject(reason);
      };
      const deadline = watchDeadline(clock, "start", { signal }, timeoutMs, (reason) =>
        end(signal.aborted ? reason : notDialled(reason, place, timeoutMs)),
      );
      // A dial that throws synchronously is treated like one that rejects.
      void new Promise<Transport>((made) => made(dial(scope.signal)))
        .then((transport) => {
          if (over) transport.destroy();
          else resolve(transport);
        }, reject)
        .finally(() => deadline.dispose());
    });
  } finally {
    scope.leave();
  }
}

function notDialled(cause: unknown, place: string, timeoutMs: number): RequestTimeoutError {
  const text = `no connection to ${place} within ${timeoutMs} ms`;
  return new RequestTimeoutError(text, { operation: "start", cause });
}
