/** A directory authority: an identity that signs consensus documents. */
import { x25519PublicKey } from "#platform";
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Bytes } from "../../bytes/bytes.js";
import type { IdentityHash } from "../../bytes/opaque.js";
import { encodePublicKeyPem } from "../../pki/pem.js";
import { identityHash } from "../../pki/services.js";
import { derive } from "../random.js";
import { authorityAddress } from "../topology.js";

/** Signature scheme of the authorities. */
export const PKI_SIGNATURE_SCHEME = "Ed25519";
/** Scheme of the network's links. */
export const WIRE_KEM_SCHEME = "x25519";

/** What clients learn about an authority (spec/thin-protocol §4.8). */
export interface AuthorityIdentity {
  /** `auth1` and so on; signatures refer to `identityKeyHash`. */
  readonly identifier: string;
  /** Scheme of the identity key: `Ed25519`. */
  readonly pkiSignatureScheme: string;
  /** Scheme of the link key: `x25519`. */
  readonly wireKemScheme: string;
  /** The URL under which it is listed. It answers there if the network was given ports for that. */
  readonly addresses: string[];
  /** PEM of the 32 raw bytes: `ED25519 PUBLIC KEY` (spec/mixnet §3.2). */
  readonly identityPublicKeyPem: string;
  /** PEM of the 32 raw bytes: `X25519 PUBLIC KEY`. */
  readonly linkPublicKeyPem: string;
  /** BLAKE2b-256 of the identity public key. */
  readonly identityKeyHash: IdentityHash;
}

/** A directory authority with its keys. */
export class Authority {
  /** Its public identity. */
  readonly identity: AuthorityIdentity;
  /** Raw identity public key, 32 bytes. */
  readonly identityKey: Bytes;
  /** Its X25519 link key pair. The private key is secret. */
  readonly linkKeys: {
    /** 32 bytes. */
    readonly publicKey: Bytes;
    /** 32 bytes. Secret. */
    readonly privateKey: Bytes;
  };
  readonly #secret: Bytes;

  /** The authority with number `index` (from 0) of the network that `seed` determines. */
  constructor(seed: Uint8Array, index: number) {
    const identifier = `auth${index + 1}`;
    const own = derive(seed, `authority ${identifier}`);
    this.#secret = derive(own, "identity");
    const publicKey = ed25519.getPublicKey(this.#secret) as Bytes;
    const linkKey = derive(own, "link");
    this.identityKey = publicKey;
    this.linkKeys = { publicKey: x25519PublicKey(linkKey), privateKey: linkKey };
    this.identity = {
      identifier,
      pkiSignatureScheme: PKI_SIGNATURE_SCHEME,
      wireKemScheme: WIRE_KEM_SCHEME,
      addresses: [authorityAddress(index)],
      identityPublicKeyPem: encodePublicKeyPem(PKI_SIGNATURE_SCHEME, publicKey),
      linkPublicKeyPem: encodePublicKeyPem(WIRE_KEM_SCHEME, this.linkKeys.publicKey),
      identityKeyHash: identityHash(publicKey),
    };
  }

  /** Ed25519 signature (64 bytes) of `message`. RFC 8032. */
  sign(message: Uint8Array): Bytes {
    return ed25519.sign(message, this.#secret) as Bytes;
  }
}
