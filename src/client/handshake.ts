/** The handshake. spec/thin-protocol §3.1: status, document, token, and the token's answer. */
import { describeType } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import { Geometry } from "../pki/geometry.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
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
export class Handshake {
  readonly #token: Uint8Array<ArrayBuffer>;
  readonly #send: (request: DaemonRequest) => void;
  #status: DaemonResponse<"connectionStatusEvent"> | null = null;
  #document: DaemonResponse<"newPkiDocumentEvent"> | null = null;
  readonly #early: (DaemonResponse | MalformedReply)[] = [];
  #earlyBytes = 0;
  /** Messages passed over in this leg. */
  #unexpected = 0;

  constructor(token: Uint8Array<ArrayBuffer>, send: (request: DaemonRequest) => void) {
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
    this.#earlyBytes += size;
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
