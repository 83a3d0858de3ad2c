/**
 * The gateway's end of a link, built on the server half of the handshake. It does what a test tells
 * it to, right or wrong. Tests of how a link handles errors do not need the gateway of a network.
 */
import type { Bytes } from "../../src/bytes/bytes.js";
import type { Clock } from "../../src/clock/clock.js";
import { CommandCodec, type WireCommand } from "../../src/gateway/commands.js";
import { shakeHandsAsServer, type ServerIdentity } from "../../src/gateway/shake-hands.js";
import { WireLink } from "../../src/gateway/wire-link.js";
import type { KemKeyPair } from "../../src/kem/scheme.js";
import { x25519Kem } from "../../src/kem/x25519.js";
import { Geometry } from "../../src/pki/geometry.js";
import type { Transport } from "../../src/transport/transport.js";

export const geometry = Geometry.forNike({
  nike: "x25519",
  nrHops: 5,
  userForwardPayloadLength: 64,
});
export const codec = new CommandCodec(geometry);

/** The keys of a gateway. */
export interface GatewayKeys {
  readonly linkKeys: KemKeyPair;
  readonly identity: ServerIdentity;
}

export function newGatewayKeys(name = "gateway1"): GatewayKeys {
  const linkKeys = x25519Kem.generate();
  const { publicKey: identityKey } = x25519Kem.generate();
  return { linkKeys, identity: { name, identityKey, linkKey: linkKeys.publicKey } };
}

/** One accepted link, after the handshake. */
export interface ScriptedLink {
  readonly link: WireLink;
  readonly queueId: Bytes;
  /** The client's commands, in order. */
  readonly received: WireCommand[];
  send(command: WireCommand): void;
}

/** Performs the handshake with the client, and sends the NoOp unless told otherwise. */
export async function acceptClient(
  transport: Transport,
  keys: GatewayKeys,
  clock: Clock,
  onCommand: (command: WireCommand, link: ScriptedLink) => void = () => {},
  greeting: WireCommand | null = { type: "NoOp" },
): Promise<ScriptedLink> {
  const link = new WireLink(transport, clock);
  const hands = await shakeHandsAsServer(link, {
    kem: x25519Kem,
    staticKeys: keys.linkKeys,
    identityKey: keys.identity.identityKey,
    clock,
  });
  const scripted: ScriptedLink = {
    link,
    queueId: hands.additionalData,
    received: [],
    send: (command) => void link.send(command).catch(() => {}),
  };
  link.beginCommands({
    codec,
    sealKey: hands.keys.responderToInitiator,
    openKey: hands.keys.initiatorToResponder,
    longestCommand: codec.clientLength,
    readTimeoutMs: 120_000,
    writeTimeoutMs: 60_000,
    onCommand: (command) => {
      scripted.received.push(command);
      onCommand(command, scripted);
    },
  });
  if (greeting !== null) scripted.send(greeting);
  return scripted;
}
