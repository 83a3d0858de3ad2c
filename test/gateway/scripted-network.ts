/**
 * A network whose keys the tests have: the reference's recorded consensus, moved to the requested
 * epoch and signed again, a gateway that unwraps real packets through every hop, and an echo
 * service at the end. It has no queues and no mixing; the embedded network's gateway port has both.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { type Bytes, copyBytes, fromHex, toHex } from "../../src/bytes/bytes.js";
import { type CborMap, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";
import type { Clock } from "../../src/clock/clock.js";
import { CommandCodec, ConsensusError, type WireCommand } from "../../src/gateway/commands.js";
import { consensusCommands, noConsensusCommand } from "../../src/gateway/consensus-chunks.js";
import { shakeHandsAsServer } from "../../src/gateway/shake-hands.js";
import { WireLink } from "../../src/gateway/wire-link.js";
import { xwingKem } from "../../src/kem/xwing.js";
import {
  certificateMessage,
  decodeCertificate,
  encodeCertificate,
} from "../../src/pki/certificate.js";
import { PkiDocument } from "../../src/pki/document.js";
import { Geometry } from "../../src/pki/geometry.js";
import { hash256 } from "../../src/bytes/hash.js";
import { sortHopCommands } from "../../src/sphinx/commands.js";
import { decodeForwardPayload } from "../../src/sphinx/payload.js";
import { Sphinx } from "../../src/sphinx/sphinx.js";
import type { Transport } from "../../src/transport/transport.js";
import { loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-pki-document");
export const FIRST_EPOCH = 50_000_000;
export const geometry = Geometry.forNike({
  nike: "x25519",
  nrHops: 5,
  userForwardPayloadLength: 2000,
});
const codec = new CommandCodec(geometry);
const sphinx = new Sphinx(geometry);

// The tests use their own keys, because the file's seeds are not RFC 8032 seeds.
const authorityKeys = [1, 2, 3].map((number) => {
  const seed = new Uint8Array(32).fill(number);
  return { seed, publicKey: copyBytes(ed25519.getPublicKey(seed)) };
});
export const authorities = authorityKeys.map(({ publicKey }) => ({ publicKey }));

/** A node's Sphinx key for an epoch. The file has three keys per node, so they repeat. */
function mixPrivateKey(node: string, epoch: number): Bytes {
  const number = FIRST_EPOCH + ((((epoch - FIRST_EPOCH) % 3) + 3) % 3);
  return fromHex(vectors.nodePrivateKeys[node].mixPrivateKeys[number]);
}

const publicKeys = new Map<string, Bytes>();
function rememberKeys(): void {
  const document = PkiDocument.decode(fromHex(vectors.certifiedDocumentCBOR));
  const nodes = [...document.gatewayNodes, ...document.serviceNodes, ...document.topology.flat()];
  for (const node of nodes) {
    for (const [epoch, key] of node.mixKeys) publicKeys.set(`${node.name} ${epoch}`, key);
  }
}
rememberKeys();

/** How a test changes the document of an epoch before the authorities sign it. */
export interface DocumentChange {
  readonly signers?: number;
  /** The first epoch in which the certificate is no longer valid; by default five epochs later. */
  readonly expiration?: number;
  readonly edit?: (document: Map<unknown, unknown>) => void;
}

/** The signed document of an epoch. */
export function signedDocument(
  epoch: number,
  { signers = 3, expiration = epoch + 5, edit }: DocumentChange = {},
): Bytes {
  const document = decodeCbor(fromHex(vectors.certifiedDocumentCBOR)) as Map<string, unknown>;
  const moved = (bytes: Uint8Array): Bytes => {
    const map = decodeCbor(bytes) as Map<string, unknown>;
    const keys = new Map<number, Bytes>();
    for (let one = epoch; one < epoch + 3; one++) {
      const number = FIRST_EPOCH + ((((one - FIRST_EPOCH) % 3) + 3) % 3);
      keys.set(one, publicKeys.get(`${map.get("Name") as string} ${number}`)!);
    }
    map.set("Epoch", epoch);
    map.set("MixKeys", keys);
    return encodeCbor(map as CborMap);
  };
  const list = (value: unknown) => (value as Uint8Array[]).map(moved);
  document.set("Epoch", epoch);
  document.set("GatewayNodes", list(document.get("GatewayNodes")));
  document.set("ServiceNodes", list(document.get("ServiceNodes")));
  document.set("Topology", (document.get("Topology") as Uint8Array[][]).map(list));
  document.set("SphinxGeometryHash", geometry.hash());
  edit?.(document);
  const { keyType, version } = decodeCertificate(fromHex(vectors.signedConsensus));
  const certified = encodeCbor(document as unknown as CborMap);
  const unsigned = { version, keyType, certified, expiration };
  const message = certificateMessage(unsigned);
  const signatures = authorityKeys.slice(0, signers).map(({ seed, publicKey }) => ({
    publicKeySum256: hash256(publicKey),
    payload: copyBytes(ed25519.sign(message, seed)),
  }));
  return encodeCertificate({ ...unsigned, signatures });
}

const gatewayKeys = vectors.nodePrivateKeys.gateway1;
const linkSeed = fromHex(gatewayKeys.linkSeed);
const linkKeys = xwingKem.generate(() => linkSeed);
const [gatewayNode] = PkiDocument.decode(fromHex(vectors.certifiedDocumentCBOR)).gatewayNodes;
const { identityKey } = gatewayNode!;

/** The entry of the gateway in a client.toml. */
export const pinnedGateway = {
  name: "gateway1",
  identityKey,
  linkKey: linkKeys.publicKey,
  addresses: new Map([["tcp", ["tcp://192.0.2.1:1"]]]),
};

const nodesById = new Map<string, string>();
for (const [name, keys] of Object.entries(vectors.nodePrivateKeys)) {
  nodesById.set((keys as { identityKeyHash: string }).identityKeyHash, name);
}

/** One link that the network accepted. */
export interface ServedLink {
  readonly link: WireLink;
  readonly queueId: Bytes;
  readonly received: WireCommand[];
  send(command: WireCommand): void;
}

/** The network. Tests change its fields. */
export class ScriptedNetwork {
  readonly clock: Clock;
  readonly links: ServedLink[] = [];
  /** The route of each packet, as names of nodes. */
  readonly ways: string[][] = [];
  /** The payloads that reached the echo service. */
  readonly echoed: Bytes[] = [];
  /** Returns the document of an epoch; null if it does not exist. */
  documents: (epoch: number) => Bytes | null;
  /** The answer for a document that does not exist. */
  errorCode: number = ConsensusError.NOT_FOUND;
  /** Errors inside the network. */
  failures: unknown[] = [];
  epochNow: () => number;
  onCommand: (command: WireCommand, link: ServedLink) => boolean = () => false;
  #sequences = new Map<ServedLink, number>();

  constructor(clock: Clock, epochNow: () => number) {
    this.clock = clock;
    this.epochNow = epochNow;
    this.documents = (epoch) => (epoch <= epochNow() + 1 ? signedDocument(epoch) : null);
  }

  async accept(transport: Transport): Promise<void> {
    const link = new WireLink(transport, this.clock);
    try {
      const { clock } = this;
      const hands = await shakeHandsAsServer(link, {
        kem: xwingKem,
        staticKeys: linkKeys,
        identityKey,
        clock,
      });
      const served: ServedLink = {
        link,
        queueId: hands.additionalData,
        received: [],
        send: (command) => void link.send(command).catch(() => {}),
      };
      this.links.push(served);
      link.beginCommands({
        codec,
        sealKey: hands.keys.responderToInitiator,
        openKey: hands.keys.initiatorToResponder,
        longestCommand: codec.clientLength,
        readTimeoutMs: 120_000,
        writeTimeoutMs: 60_000,
        onCommand: (command) => {
          served.received.push(command);
          if (this.onCommand(command, served)) return;
          if (command.type === "GetConsensus2") void this.#answer(Number(command.epoch), served);
          if (command.type === "SendPacket") this.#travel(command.sphinxPacket);
        },
      });
      served.send({ type: "NoOp" });
      this.#beat(served);
    } catch (error) {
      link.close(error as Error);
    }
  }

  /** Sends a NoOp every ten seconds, as gateways do. */
  #beat(served: ServedLink): void {
    const timer = this.clock.after(10_000, () => {
      if (served.link.error !== null) return;
      served.send({ type: "NoOp" });
      this.#beat(served);
    });
    void served.link.ended.then(() => timer.cancel());
  }

  async #answer(epoch: number, served: ServedLink): Promise<void> {
    const signed = this.documents(epoch);
    const commands =
      signed === null
        ? [noConsensusCommand(this.errorCode)]
        : await consensusCommands(signed, codec.chunkLength);
    for (const command of commands) served.send(command);
  }

  /**
   * Passes a packet through all hops at once. Each hop tries its keys of the current, the last and
   * the next epoch.
   */
  #unwrap(node: string, packet: Uint8Array) {
    const now = this.epochNow();
    let failure: unknown;
    for (const epoch of [now, now - 1, now + 1]) {
      try {
        return sphinx.unwrap(mixPrivateKey(node, epoch), packet);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  #travel(packet: Uint8Array): void {
    try {
      const way: string[] = [];
      let node = "gateway1";
      let at: Uint8Array = packet;
      for (;;) {
        way.push(node);
        const found = this.#unwrap(node, at);
        const { nextNodeHop, recipient, surbReply } = sortHopCommands(found.commands);
        if (nextNodeHop !== null) {
          at = found.packet!;
          node = nodesById.get(toHex(nextNodeHop.id))!;
          continue;
        }
        if (surbReply !== null) {
          const to = this.links.findLast(({ queueId }) => toHex(queueId) === toHex(recipient!.id));
          if (to !== undefined) this.deliver(to, surbReply.id, found.payload!);
          this.ways.push(way);
          return;
        }
        const { surb, payload } = decodeForwardPayload(geometry, found.payload!);
        this.echoed.push(payload);
        if (surb === null) {
          this.ways.push(way);
          return;
        }
        const reply = sphinx.newPacketFromSurb(surb, payload);
        at = reply.packet;
        node = nodesById.get(toHex(reply.firstHop))!;
      }
    } catch (error) {
      this.failures.push(error);
    }
  }

  /** Sends a reply to a client. */
  deliver(to: ServedLink, surbId: Uint8Array, ciphertext: Uint8Array): void {
    const sequence = (this.#sequences.get(to) ?? 0) + 1;
    this.#sequences.set(to, sequence);
    to.send({ type: "Message", sequence, surbId, ciphertext });
  }
}
