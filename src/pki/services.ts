/** Finds the services that a consensus lists (spec/thin-protocol §6.4). */
import { type Bytes, utf8 } from "../bytes/bytes.js";
import type { IdentityHash } from "../bytes/opaque.js";
import { ProtocolError } from "../errors/errors.js";
import type { PkiDocument } from "./document.js";
import { hash256 } from "../bytes/hash.js";
import type { MixDescriptor } from "./mix-descriptor.js";

/** The destination of a message: the node (32 bytes), and the endpoint on it (1 to 32 bytes). */
export type Destination = readonly [destNode: IdentityHash, destQueue: Uint8Array];

/**
 * The identity hash of the node with the raw identity public key `identityKey`: BLAKE2b-256, 32
 * bytes.
 */
export function identityHash(identityKey: Uint8Array): IdentityHash {
  return hash256(identityKey) as Bytes as IdentityHash;
}

/** A service on a node. */
export class ServiceDescriptor {
  /** The endpoint, e.g. the bytes of `+echo`. */
  readonly recipientQueueId: Uint8Array;
  /** The node. */
  readonly mixDescriptor: MixDescriptor;

  /** @param recipientQueueId the endpoint: 1 to 32 bytes. @param mixDescriptor the node. */
  constructor(recipientQueueId: Uint8Array, mixDescriptor: MixDescriptor) {
    this.recipientQueueId = recipientQueueId;
    this.mixDescriptor = mixDescriptor;
  }

  /** Node and endpoint, in the order of the sending calls' arguments. */
  toDestination(): Destination {
    return [identityHash(this.mixDescriptor.identityKey), this.recipientQueueId];
  }
}

/**
 * Every service of a document with that `capability`, in the document's order; an empty list if
 * there is none. Only service nodes are considered.
 * @throws ProtocolError when the document has no ServiceNodes, or such a service has no endpoint of
 * 1 to 32 bytes.
 */
export function findServices(capability: string, doc: PkiDocument): ServiceDescriptor[] {
  if (!Array.isArray(doc.fields.get("ServiceNodes"))) {
    throw new ProtocolError("the PKI document has no ServiceNodes");
  }
  const found: ServiceDescriptor[] = [];
  for (const node of doc.serviceNodes) {
    const parameters = node.kaetzchen?.get(capability);
    if (parameters === undefined) continue;
    const endpoint = parameters.get("endpoint");
    const queue = typeof endpoint === "string" ? utf8(endpoint) : new Uint8Array(0);
    if (queue.length < 1 || queue.length > 32) {
      throw new ProtocolError(
        `service ${JSON.stringify(capability)} of node ${JSON.stringify(node.name)} must have ` +
          "an endpoint of 1 to 32 bytes",
      );
    }
    found.push(new ServiceDescriptor(queue, node));
  }
  return found;
}
