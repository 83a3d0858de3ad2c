import type { PigeonholeSizes } from "../../src/pki/pigeonhole-sizes.js";

/** Our names for the reference's fields. */
export function asReference(sizes: PigeonholeSizes) {
  return {
    BoxCiphertextLength: sizes.boxCiphertextLength,
    CourierEnvelopeCiphertextSize: sizes.courierEnvelopeCiphertextLength,
    CourierQueryReadLength: sizes.courierQueryReadLength,
    CourierQueryReplyReadLength: sizes.courierQueryReplyReadLength,
    CourierQueryReplyWriteLength: sizes.courierQueryReplyWriteLength,
    CourierQueryWriteLength: sizes.courierQueryWriteLength,
    EnvelopeReplySize: sizes.envelopeReplyLength,
    MaxPlaintextPayloadLength: sizes.maxPlaintextPayloadLength,
    NIKEName: sizes.nikeName,
    PaddedPayloadLength: sizes.paddedPayloadLength,
    ReplicaInnerMessagePaddedSize: sizes.replicaInnerMessagePaddedLength,
    ReplicaInnerMessageWriteSize: sizes.replicaInnerMessageWriteLength,
    ReplicaReplyInnerMessagePaddedSize: sizes.replicaReplyInnerMessagePaddedLength,
    ReplicaReplyInnerMessageReadSize: sizes.replicaReplyInnerMessageReadLength,
    SignatureSchemeName: sizes.signatureSchemeName,
  };
}
