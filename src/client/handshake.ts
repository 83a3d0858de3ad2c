/** The handshake. Protocol page, section 3.1: status, document, token, and the token's answer. */
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
 * What may come before the token's answer: more than a real daemon keeps for a client (1,000 replies
 * of one packet each), and never without end.
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

  constructor(token: Uint8Array<ArrayBuffer>, send: (request: DaemonRequest) => void) {
    this.#token = token;
    this.#send = send;
  }

  /**
   * Takes the next response. Null while more must come.
   * @param size length of its frame's body in bytes.
   * @throws ProtocolError when the daemon does not keep the order, leaves a geometry out, or sends
   * too much before the token's answer.
   */
  take(response: DaemonResponse | MalformedReply, size: number): HandshakeResult | null {
    if (!this.#status) {
      this.#status = this.#expect("connectionStatusEvent", response);
      // Read now, so that a wrong geometry is found before anything is sent.
      readGeometries(this.#status);
      return null;
    }
    if (!this.#document) {
      this.#document = this.#expect("newPkiDocumentEvent", response);
      this.#send({ kind: "sessionToken", clientInstanceToken: this.#token });
      return null;
    }
    if (response.kind !== "sessionTokenReply") {
      // A real daemon may flush queued replies and broadcasts before its answer (section 3.1).
      this.#earlyBytes += size;
      if (this.#early.push(response) > MAX_EARLY_MESSAGES || this.#earlyBytes > MAX_EARLY_BYTES) {
        throw new ProtocolError("the daemon sent too much before its session_token_reply");
      }
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

  #expect<K extends DaemonResponse["kind"]>(
    kind: K,
    response: DaemonResponse | MalformedReply,
  ): DaemonResponse<K> {
    if (response.kind === kind) return response as DaemonResponse<K>;
    const got = names[response.kind] ?? response.kind;
    throw new ProtocolError(
      `the daemon's ${kind === "connectionStatusEvent" ? "first" : "second"} message must be ` +
        `${names[kind]}, got ${got}: is this address really a kpclientd?`,
    );
  }
}

/** Both geometries of a status event. @throws ProtocolError when one is missing or wrong. */
export function readGeometries(status: DaemonResponse<"connectionStatusEvent">): {
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
