/**
 * What a client keeps of an envelope to open its reply (spec/pigeonhole §5). It is opaque to
 * applications, which pass it back; it holds a private key.
 */
import type { Bytes } from "../../bytes/bytes.js";
import type { EnvelopeDescriptor } from "../../bytes/opaque.js";
import { requiredBytes, requiredUint64 } from "../../cbor/fields.js";
import { decodeCborMap, encodeOrderedCborMap } from "../cbor.js";

/** Contents of an envelope descriptor. */
export interface EnvelopeDescriptorFields {
  /** Replica epoch of the keys: unsigned 64 bits. */
  readonly epoch: bigint;
  /** Static ids of the two intermediate replicas. */
  readonly replicaIds: readonly [number, number];
  /** Ephemeral NIKE private key. Secret. */
  readonly envelopeKey: Bytes;
}

/**
 * Encodes a descriptor as CBOR: a map of `Epoch`, `ReplicaNums` (a byte string of 2) and
 * `EnvelopeKey`, in this order, which is not the canonical one.
 */
export function encodeEnvelopeDescriptor(fields: EnvelopeDescriptorFields): EnvelopeDescriptor {
  return encodeOrderedCborMap({
    Epoch: fields.epoch,
    ReplicaNums: Uint8Array.from(fields.replicaIds),
    EnvelopeKey: fields.envelopeKey,
  }) as EnvelopeDescriptor;
}

/** Reads a descriptor. @throws TypeError; ProtocolError when it is not one. */
export function decodeEnvelopeDescriptor(bytes: Uint8Array): EnvelopeDescriptorFields {
  const what = "envelope descriptor";
  const map = decodeCborMap(what, bytes);
  const replicaIds = requiredBytes(map, "ReplicaNums", what, 2);
  return {
    epoch: requiredUint64(map, "Epoch", what),
    replicaIds: [replicaIds[0]!, replicaIds[1]!],
    envelopeKey: requiredBytes(map, "EnvelopeKey", what),
  };
}
