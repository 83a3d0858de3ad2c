/** Makes headers, and removes one layer from them (spec/mixnet §4.3 and §4.6). */
import { type Bytes, type RandomSource, concatBytes, equalBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import {
  type NextNodeHop,
  NEXT_NODE_HOP_LENGTH,
  type RoutingCommand,
  encodeRoutingCommands,
  parseRoutingCommands,
} from "./commands.js";
import type { HopScheme, SphinxHop } from "./path.js";
import { type HopKeys, MAC_LENGTH, addStream, headerMac, headerStream } from "./primitives.js";

/** Version 0, then a reserved byte; the MAC covers both. */
const associatedData = new Uint8Array(2);

/** The lengths of a header, in bytes. */
export interface HeaderShape {
  readonly nrHops: number;
  /** Length of one hop's block. */
  readonly perHopRoutingInfoLength: number;
  readonly routingInfoLength: number;
  readonly headerLength: number;
}

/** A header, and the payload keys of its hops. */
export interface CreatedHeader {
  readonly header: Bytes;
  /**
   * Key and IV of each hop's payload cipher, 64 bytes per hop, in the order of the path. Secret.
   */
  readonly payloadKeys: readonly Bytes[];
}

/** Key and IV of a hop's payload cipher, concatenated. */
export function payloadKeyOf(keys: HopKeys): Bytes {
  return concatBytes(keys.payloadEncryption, keys.headerEncryptionIv);
}

/**
 * Makes a header for a path.
 * @throws RangeError when a hop's key cannot be used, or its commands do not fit its block.
 */
export function createHeader(
  scheme: HopScheme,
  shape: HeaderShape,
  path: readonly SphinxHop[],
  random: RandomSource,
): CreatedHeader {
  const blockLength = shape.perHopRoutingInfoLength;
  const encoded = path.map((hop, i) => {
    const commands = encodeRoutingCommands(hop.commands);
    const forNext = i < path.length - 1 ? NEXT_NODE_HOP_LENGTH : 0;
    const room = blockLength - scheme.elementInBlock - forNext;
    if (commands.length > room) {
      throw new RangeError(
        `\`path[${i}].commands\` must fit ${room} bytes, got ${commands.length}`,
      );
    }
    return commands;
  });
  const secrets = scheme.share(path, random);
  const streams: Bytes[] = [];
  const paddings: Bytes[] = [];
  for (const [i, { keys }] of secrets.entries()) {
    const stream = headerStream(keys, shape.routingInfoLength + blockLength);
    const cut = stream.length - (i + 1) * blockLength;
    streams.push(stream.slice(0, cut));
    const padding = stream.slice(cut);
    const before = paddings[i - 1];
    if (before !== undefined) addStream(padding.subarray(0, before.length), before);
    paddings.push(padding);
  }
  let routingInfo: Bytes = random((shape.nrHops - path.length) * blockLength);
  let mac: Bytes = new Uint8Array(MAC_LENGTH);
  for (let i = path.length - 1; i >= 0; i--) {
    const { element, keys } = secrets[i]!;
    const block = new Uint8Array(blockLength);
    block.set(encoded[i]!);
    const next = path[i + 1];
    if (next !== undefined) {
      const hop: NextNodeHop = { type: "NextNodeHop", id: next.id, mac };
      block.set(encodeRoutingCommands([hop]), encoded[i]!.length);
      if (scheme.elementInBlock > 0) {
        block.set(secrets[i + 1]!.element, blockLength - scheme.elementInBlock);
      }
    }
    routingInfo = addStream(concatBytes(block, routingInfo), streams[i]!);
    const padding = paddings[i - 1] ?? new Uint8Array(0);
    mac = headerMac(keys, associatedData, element, routingInfo, padding);
  }
  return {
    header: concatBytes(associatedData, secrets[0]!.element, routingInfo, mac),
    payloadKeys: secrets.map(({ keys }) => payloadKeyOf(keys)),
  };
}

/** A header as a hop sees it. */
export interface OpenedHeader {
  readonly keys: HopKeys;
  readonly commands: readonly RoutingCommand[];
  /** The header for the next hop; null at the last one. */
  readonly next: Bytes | null;
}

/** Returns the element of a header with the right length and version. @throws ProtocolError. */
export function elementOf(scheme: HopScheme, shape: HeaderShape, packet: Uint8Array): Uint8Array {
  if (packet.length < shape.headerLength) {
    throw new ProtocolError("sphinx: invalid packet, truncated");
  }
  if (packet[0] !== 0 || packet[1] !== 0) {
    throw new ProtocolError("sphinx: invalid packet, unknown version");
  }
  return packet.subarray(2, 2 + scheme.elementLength);
}

/**
 * Removes one layer from a header.
 * @throws ProtocolError when it is not for this key: too short, of another version, with an
 * unusable element, a wrong MAC, or commands that cannot be read.
 */
export function openHeader(
  scheme: HopScheme,
  shape: HeaderShape,
  privateKey: Uint8Array,
  packet: Uint8Array,
): OpenedHeader {
  const element = elementOf(scheme, shape, packet);
  let keys: HopKeys;
  try {
    keys = scheme.open(privateKey, element);
  } catch (cause) {
    // A low-order point from the sender, who may be anybody (spec/mixnet §4.6 and §12).
    throw new ProtocolError("sphinx: invalid packet, unusable group element", { cause });
  }
  const macAt = shape.headerLength - MAC_LENGTH;
  const mac = headerMac(keys, packet.subarray(0, macAt));
  if (!equalBytes(mac, packet.subarray(macAt, shape.headerLength))) {
    throw new ProtocolError("sphinx: invalid packet, MAC mismatch");
  }
  const blockLength = shape.perHopRoutingInfoLength;
  const hidden = new Uint8Array(shape.routingInfoLength + blockLength);
  hidden.set(packet.subarray(2 + scheme.elementLength, macAt));
  const opened = addStream(hidden, headerStream(keys, hidden.length));
  const commandsLength = blockLength - scheme.elementInBlock;
  const carried = opened.subarray(commandsLength, blockLength);
  const commands = parseRoutingCommands(opened.subarray(0, commandsLength));
  const nextHop = commands.find((command) => command.type === "NextNodeHop");
  if (nextHop === undefined) return { keys, commands, next: null };
  let nextElement: Bytes;
  try {
    nextElement = scheme.next(element, keys, carried);
  } catch (cause) {
    throw new ProtocolError("sphinx: invalid packet, unusable group element", { cause });
  }
  const next = concatBytes(associatedData, nextElement, opened.subarray(blockLength), nextHop.mac);
  return { keys, commands, next };
}
