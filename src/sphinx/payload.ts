/** The payload of a forward packet (spec/mixnet §4.5). */
import { type Bytes, checkBytes, copyBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import type { GeometryFields } from "../pki/geometry.js";

type PayloadShape = Pick<
  GeometryFields,
  "forwardPayloadLength" | "userForwardPayloadLength" | "surbLength" | "sphinxPlaintextHeaderLength"
>;

const withoutSurb = 0;
const withSurb = 1;

/** A forward payload, decoded. */
export interface ForwardPayload {
  /** The reply block, `surbLength` bytes; null if no reply is wanted. */
  readonly surb: Bytes | null;
  /** `userForwardPayloadLength` bytes: the sent payload, then zeros. */
  readonly payload: Bytes;
}

/**
 * Encodes a forward payload: flags, a reserved byte, the reply block or zeros, and the payload.
 * (Upstream puts a message without a reply block first, where services do not find it.)
 * @throws TypeError or RangeError for a reply block or a payload that does not fit the geometry.
 */
export function encodeForwardPayload(
  shape: PayloadShape,
  surb: Uint8Array | null,
  payload: Uint8Array,
): Bytes {
  if (surb !== null) checkBytes("surb", surb, shape.surbLength);
  checkBytes("payload", payload);
  if (payload.length > shape.userForwardPayloadLength) {
    throw new RangeError(
      `\`payload\` must be at most ${shape.userForwardPayloadLength} bytes, got ${payload.length}`,
    );
  }
  const block = new Uint8Array(shape.forwardPayloadLength);
  block[0] = surb === null ? withoutSurb : withSurb;
  if (surb !== null) block.set(surb, shape.sphinxPlaintextHeaderLength);
  block.set(payload, shape.sphinxPlaintextHeaderLength + shape.surbLength);
  return block;
}

/** Decodes a forward payload. @throws ProtocolError for one that a service drops. */
export function decodeForwardPayload(shape: PayloadShape, block: Uint8Array): ForwardPayload {
  if (block.length !== shape.forwardPayloadLength) {
    throw new ProtocolError(
      `forward payload of ${block.length} bytes, wanted ${shape.forwardPayloadLength}`,
    );
  }
  if (block[0] !== withoutSurb && block[0] !== withSurb) {
    throw new ProtocolError(`forward payload with flags ${block[0]}`);
  }
  if (block[1] !== 0) throw new ProtocolError(`forward payload with reserved byte ${block[1]}`);
  const surbAt = shape.sphinxPlaintextHeaderLength;
  const payloadAt = surbAt + shape.surbLength;
  return {
    surb: block[0] === withSurb ? copyBytes(block.subarray(surbAt, payloadAt)) : null,
    payload: copyBytes(block.subarray(payloadAt)),
  };
}
