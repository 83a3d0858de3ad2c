/** The nodes of the embedded network and their keys, all derived from one seed. */
import { x25519PublicKey } from "#platform";
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Bytes } from "../bytes/bytes.js";
import type { IdentityHash } from "../bytes/opaque.js";
import { encodePublicKeyPem } from "../pki/pem.js";
import { identityHash } from "../pki/services.js";
import { derive } from "./random.js";

/** The role of a node. */
export type NodeRole = "gateway" | "mix" | "service";

/** The number of nodes of each kind. */
export interface TopologySize {
  readonly authorities: number;
  readonly gateways: number;
  /** Mix layers; a path has two more hops. */
  readonly layers: number;
  readonly mixesPerLayer: number;
  readonly serviceNodes: number;
  readonly replicas: number;
}

/** A gateway, a mix or a service node. */
export class NetworkNode {
  /** Its name in documents, e.g. `mix3`. Its keys are derived from the seed and this name. */
  readonly name: string;
  /** The list of a document that contains it. */
  readonly role: NodeRole;
  /** Ed25519 public key, 32 bytes. */
  readonly identityKey: Bytes;
  /** BLAKE2b-256 of the identity key. */
  readonly identityHash: IdentityHash;
  /** X25519 public key, 32 bytes. */
  readonly linkKey: Bytes;
  /**
   * The URL under which it is listed. Nobody listens there, because the network is inside this
   * process, except at a gateway that was given a port.
   */
  address: string;
  readonly #seed: Bytes;
  readonly #mixKeys = new Map<number, Bytes>();

  constructor(seed: Uint8Array, role: NodeRole, name: string, port: number) {
    this.#seed = derive(seed, `node ${name}`);
    this.role = role;
    this.name = name;
    this.identityKey = signingPublicKey(derive(this.#seed, "identity"));
    this.identityHash = identityHash(this.identityKey);
    this.linkKey = x25519PublicKey(derive(this.#seed, "link"));
    this.address = `tcp://127.0.0.1:${port}`;
  }

  /** The X25519 public key of the node's Sphinx layer in an epoch. */
  mixKey(epoch: number): Bytes {
    let key = this.#mixKeys.get(epoch);
    if (key === undefined) {
      key = x25519PublicKey(this.mixPrivateKey(epoch));
      this.#mixKeys.set(epoch, key);
      for (const old of this.#mixKeys.keys()) if (old < epoch - 6) this.#mixKeys.delete(old);
    }
    return key;
  }

  /** @internal The private key for {@link mixKey}; secret. */
  mixPrivateKey(epoch: number): Bytes {
    return derive(this.#seed, `mix key ${epoch}`);
  }

  /** @internal Its X25519 link key pair. The private key is secret. */
  get linkKeys(): {
    /** 32 bytes. */
    readonly publicKey: Bytes;
    /** 32 bytes. Secret. */
    readonly privateKey: Bytes;
  } {
    return { publicKey: this.linkKey, privateKey: derive(this.#seed, "link") };
  }

  /** The link key as PEM, which couriers publish about themselves. */
  get linkKeyPem(): string {
    return encodePublicKeyPem("x25519", this.linkKey);
  }
}

/** What documents say about a storage replica, without its envelope keys. */
export interface NetworkReplica {
  /** Its name in documents, e.g. `replica1`. */
  readonly name: string;
  /** Static ID, 0 to 255: envelopes name it by this. */
  readonly replicaId: number;
  /** Ed25519 public key, 32 bytes. */
  readonly identityKey: Bytes;
  /** X25519 public key, 32 bytes. */
  readonly linkKey: Bytes;
  /** The URL under which it is listed. Nobody listens there. */
  readonly address: string;
}

/** All nodes. */
export interface Topology {
  /** The nodes that clients' links lead to. */
  readonly gateways: readonly NetworkNode[];
  /** The mixes, first layer to last. */
  readonly layers: readonly (readonly NetworkNode[])[];
  /** The nodes that run services, each with an echo; a courier may be attached. */
  readonly serviceNodes: readonly NetworkNode[];
  /** The storage replicas, in the order of their IDs. */
  readonly replicas: readonly NetworkReplica[];
}

const firstPort = 30_001;

function signingPublicKey(seed: Uint8Array): Bytes {
  return ed25519.getPublicKey(seed) as Bytes;
}

function times<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/**
 * The nodes that a seed (32 bytes) determines. The listed ports begin with those of the
 * authorities.
 */
export function makeTopology(seed: Uint8Array, size: TopologySize): Topology {
  let port = firstPort + size.authorities;
  let mixes = 0;
  const node = (role: NodeRole, name: string): NetworkNode =>
    new NetworkNode(seed, role, name, port++);
  return {
    gateways: times(size.gateways, (i) => node("gateway", `gateway${i + 1}`)),
    layers: times(size.layers, () => times(size.mixesPerLayer, () => node("mix", `mix${++mixes}`))),
    serviceNodes: times(size.serviceNodes, (i) => node("service", `servicenode${i + 1}`)),
    replicas: times(size.replicas, (i) => {
      const name = `replica${i + 1}`;
      const own = derive(seed, `replica ${name}`);
      return {
        name,
        replicaId: i,
        identityKey: signingPublicKey(derive(own, "identity")),
        linkKey: x25519PublicKey(derive(own, "link")),
        address: `tcp://127.0.0.1:${port++}`,
      };
    }),
  };
}

/** The URL of the authority with this number, from 0. */
export function authorityAddress(index: number): string {
  return `tcp://127.0.0.1:${firstPort + index}`;
}
