/** The sizes and nodes of both sides of a replay, recorded and live. */
import assert from "node:assert/strict";
import type { Bytes } from "../../../src/bytes/bytes.js";
import { toHex } from "../../../src/bytes/bytes.js";
import { PkiDocument } from "../../../src/pki/document.js";
import { findServices } from "../../../src/pki/services.js";
import type { CborMap, CborValue } from "../../../src/cbor/cbor.js";
import { Substitution } from "./substitution.js";

/** The lengths that the other lengths follow from. */
export interface Sizes {
  /** U: the maximum payload of one packet in bytes. */
  readonly payload: number;
  /** Payload bytes of a reply packet, including padding. */
  readonly reply: number;
  /** M: the maximum plaintext of one box in bytes. */
  readonly box: number;
  /** Bytes of a courier query. */
  readonly query: number;
  /** k: bytes of a public key of the replicas' scheme. */
  readonly key: number;
  /** Bytes of a private key of that scheme. */
  readonly privateKey: number;
}

const privateKeySizes: Readonly<Record<string, number>> = { x25519: 32, "CTIDH1024-X25519": 162 };

const number = (map: CborValue, key: string): number => (map as CborMap).get(key) as number;

/** The sizes in a connection_status_event. */
export function sizesOf(status: CborMap): Sizes {
  const sphinx = status.get("sphinx_geometry");
  const pigeonhole = status.get("pigeonhole_geometry");
  const box = number(pigeonhole, "MaxPlaintextPayloadLength");
  const query = number(pigeonhole, "CourierQueryWriteLength");
  return {
    payload: number(sphinx, "UserForwardPayloadLength"),
    reply: number(sphinx, "ForwardPayloadLength"),
    box,
    query,
    // spec/thin-protocol §6.3: a query is M + 291 + k bytes.
    key: query - box - 291,
    privateKey: privateKeySizes[(pigeonhole as CborMap).get("NIKEName") as string]!,
  };
}

/** The recorded and the live side of one replay. */
export class Scene {
  readonly names = new Substitution();
  recorded: Sizes | null = null;
  live: Sizes | null = null;
  /** Hashes of the live nodes with a courier. */
  couriers = new Set<string>();
  /** Payload of the last plain message. */
  lastSent: Bytes = new Uint8Array(0);

  /** The sizes of both sides. @throws AssertionError before a status event arrived. */
  get sizes(): { readonly recorded: Sizes; readonly live: Sizes } {
    const { recorded, live } = this;
    assert.ok(recorded && live, "a status event comes before anything else");
    return { recorded, live };
  }

  /**
   * Reads the documents of both sides, and pairs nodes with the same service at the same position.
   */
  takeDocuments(recorded: Uint8Array, live: Uint8Array): void {
    const documents = [PkiDocument.decode(recorded), PkiDocument.decode(live)] as const;
    this.names.learnNumber(documents[0].epoch, documents[1].epoch);
    const [from, to] = documents.map((document) => findServices("echo", document));
    for (const [place, service] of from!.entries()) {
      this.names.learn(service.toDestination()[0], to![place % to!.length]!.toDestination()[0]);
    }
    const couriers = findServices("courier", documents[1]);
    this.couriers = new Set(couriers.map((courier) => toHex(courier.toDestination()[0])));
  }
}
