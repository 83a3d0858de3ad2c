/** From an address to a finished handshake. spec/thin-protocol §3.1: status, document, token, and the token's answer. */
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

/** What a finished handshake tells. */
export interface HandshakeResult {
  readonly status: DaemonResponse<"connectionStatusEvent">;
  readonly document: DaemonResponse<"newPkiDocumentEvent">;
  readonly instanceToken: Uint8Array | null;
  readonly geometry: Geometry;
  readonly pigeonholeGeometry: PigeonholeGeometry;
  /** Whether the daemon knew the token. */
  readonly resumed: boolean;
  /** Names the session at the daemon, 16 bytes; null when the daemon does not say. */
  readonly appId: Uint8Array | null;
  /** What arrived before the token's answer, in order; to be dispatched as if it came after. */
  readonly early: readonly (DaemonResponse | MalformedReply)[];
}

const names: Readonly<Record<string, string>> = {
  connectionStatusEvent: "connection_status_event",
  newPkiDocumentEvent: "new_pki_document_event",
  sessionTokenReply: "session_token_reply",
};

/**
 * How many messages that are not expected the first two legs pass over, each. The reference's
 * clients do the same in all three; what they throw away is kept here and told after the handshake.
 */
const MAX_UNEXPECTED_MESSAGES = 16;

/**
 * What may come before the token's answer: more than a real daemon keeps for a client (1,000
 * replies of one packet each), and never without end.
 */
const MAX_EARLY_MESSAGES = 10_000;
const MAX_EARLY_BYTES = 64 * 1024 * 1024;

/** The client's side of the handshake as a state machine: responses in, at most one request out. */
class Handshake {
  readonly #token: Bytes;
  readonly #send: (request: DaemonRequest) => void;
  #status: DaemonResponse<"connectionStatusEvent"> | null = null;
  #document: DaemonResponse<"newPkiDocumentEvent"> | null = null;
  readonly #early: (DaemonResponse | MalformedReply)[] = [];
  #earlyBytes = 0;
  /** Messages passed over in this leg. */
  #unexpected = 0;

  constructor(token: Bytes, send: (request: DaemonRequest) => void) {
    this.#token = token;
    this.#send = send;
  }

  /**
   * Takes the next response. Null while more must come.
   * @param size length of its frame's body in bytes.
   * @throws ProtocolError when what a leg waits for does not come, a geometry is left out, or too
   * much comes before the token's answer.
   */
  take(response: DaemonResponse | MalformedReply, size: number): HandshakeResult | null {
    if (!this.#status) {
      if (response.kind !== "connectionStatusEvent")
        return this.#passOver(response, size, "status");
      // Read now, so that a wrong geometry is found before anything is sent.
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
   * Keeps a message that is told after the handshake. @throws ProtocolError when they are too many.
   */
  #keep(response: DaemonResponse | MalformedReply, size: number): void {
    // What is kept is decoded, and may be a hundred times as large as on the wire.
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

/** Both geometries of a status event. @throws ProtocolError when one is missing or wrong. */
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

// From a transport to a connection whose handshake is finished.

/** What becomes of a connection. */
export interface ShakeHandsHandlers {
  /** The connection was made; nothing came yet. */
  onConnection(connection: Connection): void;
  /** The handshake is finished; called before any later message. */
  onReady(connection: Connection, result: HandshakeResult): void;
  /** Bytes came. */
  onBytes(): void;
  /** A message after the handshake. */
  onResponse(response: DaemonResponse | MalformedReply): void;
  /** The connection ended after the handshake. */
  onClose(connection: Connection, error: Error | null): void;
}

/**
 * Goes through the handshake; resolves when `onReady` has returned.
 * @param timeoutMs how long it may take.
 * @throws ProtocolError, RequestTimeoutError, the signal's reason; the connection is closed then.
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
      fail(reason instanceof RequestTimeoutError ? tooLate(reason, transport) : reason),
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

function tooLate(reason: RequestTimeoutError, transport: Transport): RequestTimeoutError {
  return new RequestTimeoutError(
    `${transport.address} accepted the connection but did not finish the handshake in time: ` +
      "is it a kpclientd, and has it a PKI document?",
    { operation: "start", cause: reason },
  );
}

/** What cannot be read before the handshake is finished is hardly a daemon's. */
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

// Dials that end, anyone who wrote them.

/**
 * Runs `dial` with a signal that is aborted with `signal`, or after `timeoutMs`. A dial that does
 * not look at it is left behind, and hung up on if it connects after all.
 * @throws RequestTimeoutError; the signal's reason; what `dial` throws.
 */
export async function dialInTime(
  dial: (signal: AbortSignal) => Promise<Transport>,
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
        end(reason instanceof RequestTimeoutError ? notDialled(reason, timeoutMs) : reason),
      );
      // One that throws at once is no other than one that rejects.
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

function notDialled(reason: RequestTimeoutError, timeoutMs: number): RequestTimeoutError {
  const text = `no connection to the daemon within ${timeoutMs} ms`;
  return new RequestTimeoutError(text, { operation: "start", cause: reason });
}
