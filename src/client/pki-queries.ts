/** What a client can ask about the network. spec/thin-protocol §4.8. */
import { type Bytes, copyBytes, randomBytes } from "../bytes/bytes.js";
import { IdentityHash } from "../bytes/opaque.js";
import {
  NotEnoughCouriersError,
  PkiDocumentUnavailableError,
  ServiceNotFoundError,
} from "../errors/errors.js";
import { daemonErrorFromCode } from "../errors/from-reply.js";
import type { PkiDocument } from "../pki/document.js";
import { type Destination, type ServiceDescriptor, findServices } from "../pki/services.js";
import type { CallOptions } from "./call-options.js";
import type { Session } from "./session.js";

/** A directory authority that the daemon trusts. */
export interface DirectoryAuthority {
  /** What the daemon's configuration calls it; signatures go by `identityKeyHash`. */
  readonly identifier: string;
  /** Signature scheme of its identity key, e.g. `Ed25519`. */
  readonly pkiSignatureScheme: string;
  /** KEM of its link key, e.g. `xwing`. */
  readonly wireKemScheme: string;
  /** URLs; empty when the daemon lists none. */
  readonly addresses: readonly string[];
  /** PEM; "" when unset. */
  readonly identityPublicKeyPem: string;
  /** PEM; "" when unset. */
  readonly linkPublicKeyPem: string;
  /** BLAKE2b-256 of the raw identity public key: the name its signatures have in a document. */
  readonly identityKeyHash: IdentityHash;
}

/** A signed document as the authorities issued it. */
export interface RawPkiDocument {
  /** The certificate: CBOR with the document and its signatures. */
  readonly payload: Bytes;
  /** The epoch that the document is for; where 0 was asked, the current one or the one before. */
  readonly epoch: number;
}

/** The signed document of `epoch`; 0 is the current one. */
export async function getPkiDocumentRaw(
  session: Session,
  epoch: number,
  options: CallOptions | undefined,
): Promise<RawPkiDocument> {
  const operation = "getPkiDocumentRaw";
  if (!Number.isSafeInteger(epoch) || epoch < 0) {
    throw new RangeError(`\`epoch\` must be an integer of at least 0, got ${epoch}`);
  }
  const fields = { epoch: BigInt(epoch) };
  const reply = await session.request("getPkiDocument", fields, { operation, options });
  if (reply.errorCode !== 0 || !reply.payload) {
    const which = epoch === 0 ? "the current epoch" : `epoch ${epoch}`;
    throw new PkiDocumentUnavailableError(
      `the daemon has no PKI document for ${which}: it keeps the previous, the current and the ` +
        "next one",
      { operation, cause: daemonErrorFromCode(reply.errorCode, { operation }) ?? undefined },
    );
  }
  return { payload: copyBytes(reply.payload), epoch: Number(reply.epoch) };
}

/** The authorities that the daemon is configured with; an empty list when it has none. */
export async function getDirectoryAuthorities(
  session: Session,
  options: CallOptions | undefined,
): Promise<DirectoryAuthority[]> {
  const operation = "getDirectoryAuthorities";
  const reply = await session.request("getDirectoryAuthorities", {}, { operation, options });
  // Code 10 means "none configured" here.
  if (reply.errorCode === 10) return [];
  const error = daemonErrorFromCode(reply.errorCode, { operation });
  if (error) throw error;
  return (reply.authorities ?? []).map((authority) => ({
    ...authority,
    addresses: authority.addresses ?? [],
    identityKeyHash: IdentityHash.from(authority.identityKeyHash),
  }));
}

/** Every service of that name; never an empty list. */
export function getServices(capability: string, document: PkiDocument | null): ServiceDescriptor[] {
  if (typeof capability !== "string" || capability === "") {
    throw new TypeError("`capability` must be the name of a service, e.g. `echo`");
  }
  if (!document) {
    throw new PkiDocumentUnavailableError(
      "the daemon has not sent a PKI document yet; wait with waitUntilOnline()",
    );
  }
  const services = findServices(capability, document);
  if (services.length > 0) return services;
  const offered = new Set(
    document.serviceNodes.flatMap((node) => [...(node.kaetzchen?.keys() ?? [])]),
  );
  throw new ServiceNotFoundError(
    `the network offers no service "${capability}" in epoch ${document.epoch}; ` +
      `it offers: ${[...offered].sort().join(", ") || "none"}`,
  );
}

/** A number from 0 to `bound` - 1, each as likely as the others. */
export function randomBelow(bound: number): number {
  // Rejection sampling: the last, incomplete range of values would favour small results.
  const limit = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const value = new DataView(randomBytes(4).buffer).getUint32(0);
    if (value < limit) return value % bound;
  }
}

/** `count` different couriers, chosen at random. */
export function getDistinctCouriers(count: number, document: PkiDocument | null): Destination[] {
  if (!Number.isInteger(count) || count < 0) {
    throw new RangeError(`\`n\` must be an integer of at least 0, got ${count}`);
  }
  const couriers = getServices("courier", document).map((service) => service.toDestination());
  if (couriers.length < count) {
    throw new NotEnoughCouriersError(
      `not enough couriers available: ${count} wanted, ${couriers.length} in the PKI document`,
    );
  }
  for (let i = 0; i < count; i++) {
    const j = i + randomBelow(couriers.length - i);
    [couriers[i], couriers[j]] = [couriers[j]!, couriers[i]!];
  }
  return couriers.slice(0, count);
}
