/** Keys of directory authorities, as callers give them and as verification uses them. */
import { type Bytes, checkBytes, copyBytes, describeType, toHex } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { ProtocolError } from "../errors/errors.js";
import type { IdentityHash } from "../bytes/opaque.js";
import { decodePublicKeyPem } from "./pem.js";
import { identityHash } from "./services.js";

/**
 * A directory authority to trust: its identity public key, raw (with `scheme` `Ed25519` by default)
 * or as PEM; or a record from `getDirectoryAuthorities`.
 */
export type AuthorityInput =
  | {
      /** The raw key (32 bytes with Ed25519), or its PEM, whose type names the scheme. */
      readonly publicKey: Uint8Array | string;
      /** The scheme of a raw key; `Ed25519` by default. Ignored with a PEM. */
      readonly scheme?: string | undefined;
      /** Its name in failures; by default the first 16 hex digits of its hash. */
      readonly identifier?: string | undefined;
    }
  | {
      /** The raw key as PEM, whose type names the scheme, e.g. `ED25519 PUBLIC KEY`. */
      readonly identityPublicKeyPem: string;
      /** Its name in failures; by default the first 16 hex digits of its hash. */
      readonly identifier?: string | undefined;
    };

/** A directory authority's identity, checked. */
export interface AuthorityKey {
  /** Its configured name, or the first digits of its hash. */
  readonly identifier: string;
  /** Name of the signature scheme, e.g. `Ed25519`; in upper case if it comes from a PEM. */
  readonly scheme: string;
  /** The raw key; 32 bytes with Ed25519, the only scheme that the synchronous functions verify. */
  readonly publicKey: Bytes;
  /** BLAKE2b-256 of the public key, 32 bytes; certificates refer to the signer by it. */
  readonly hash: IdentityHash;
}

/**
 * Reads the authorities that a caller gave; one listed twice counts once.
 * @throws TypeError or RangeError for an invalid list; ProtocolError for a PEM without a public
 * key; RangeError also for an Ed25519 key of small order.
 */
export function readAuthorities(authorities: readonly AuthorityInput[]): AuthorityKey[] {
  if (!Array.isArray(authorities)) {
    throw new TypeError(`\`authorities\` must be an array, got ${describeType(authorities)}`);
  }
  if (authorities.length === 0) throw new RangeError("`authorities` must not be empty");
  const byHash = new Map<string, AuthorityKey>();
  for (const [i, authority] of (authorities as readonly AuthorityInput[]).entries()) {
    checkOptions(`authorities[${i}]`, authority, known);
    const key = readAuthority(`authorities[${i}]`, authority);
    if (isEd25519(key.scheme) && isSmallOrder(key.publicKey)) {
      throw new RangeError(
        `\`authorities[${i}]\` must not have a key of small order: anybody can sign for it`,
      );
    }
    const hash = toHex(key.hash);
    if (!byHash.has(hash)) byHash.set(hash, key);
  }
  return [...byHash.values()];
}

/** Whether this is Ed25519, the scheme that is verified synchronously. */
export function isEd25519(scheme: string): boolean {
  return scheme.toLowerCase() === "ed25519";
}

/**
 * The y-coordinates of the eight Ed25519 points of small order, in the encoding of keys (RFC 8032,
 * section 5.1.2) without the sign bit: 0, 1, -1, the two of order 8, and 0 and 1 not reduced.
 */
const smallOrder = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** Whether an Ed25519 key is a point of small order, for which anybody can sign. */
export function isSmallOrder(publicKey: Uint8Array): boolean {
  const y = copyBytes(publicKey);
  if (y.length > 0) y[y.length - 1]! &= 0x7f;
  return smallOrder.has(toHex(y));
}

/** The fields of an authority, and the additional ones in the daemon's list. */
const known = [
  "publicKey",
  "scheme",
  "identifier",
  "identityPublicKeyPem",
  "pkiSignatureScheme",
  "wireKemScheme",
  "addresses",
  "linkPublicKeyPem",
  "identityKeyHash",
  // A field of an AuthorityKey that was read before.
  "hash",
];

function readAuthority(name: string, authority: AuthorityInput): AuthorityKey {
  const given =
    "identityPublicKeyPem" in authority ? authority.identityPublicKeyPem : authority.publicKey;
  let scheme = "Ed25519";
  let publicKey: Bytes;
  if (typeof given === "string") {
    try {
      ({ scheme, publicKey } = decodePublicKeyPem(given));
    } catch (cause) {
      if (!(cause instanceof ProtocolError)) throw cause;
      throw new ProtocolError(`\`${name}\`: ${cause.message}`, { cause });
    }
  } else {
    checkBytes(`${name}.publicKey`, given);
    if ("scheme" in authority) scheme = authority.scheme ?? scheme;
    publicKey = copyBytes(given);
  }
  const hash = identityHash(publicKey);
  const identifier = authority.identifier || toHex(hash).slice(0, 16);
  return { identifier, scheme, publicKey, hash };
}
