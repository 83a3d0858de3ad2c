/** The commands for a hop, in its block of the header (spec/mixnet §4.4). */
import { type Bytes, checkBytes, concatBytes, copyBytes, describeType } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";

/** The next hop; only the creation of a packet writes this command. */
export interface NextNodeHop {
  readonly type: "NextNodeHop";
  /** Identity hash of the node, 32 bytes. */
  readonly id: Uint8Array;
  /** MAC of the header for that node, 32 bytes. */
  readonly mac: Uint8Array;
}

/** The recipient of the payload at the last hop: an endpoint, or a queue ID at a gateway. */
export interface Recipient {
  readonly type: "Recipient";
  /** 32 bytes; a shorter name is padded with zeros. */
  readonly id: Uint8Array;
}

/** The payload is a reply, with the ID of its reply block. */
export interface SurbReply {
  readonly type: "SURBReply";
  /** 16 bytes. */
  readonly id: Uint8Array;
}

/** How long the hop delays the packet. */
export interface NodeDelay {
  readonly type: "NodeDelay";
  /** In ms, below 2^32. */
  readonly delayMs: number;
}

/** One command for a hop. */
export type RoutingCommand = NextNodeHop | Recipient | SurbReply | NodeDelay;

const idOf = { NextNodeHop: 1, Recipient: 2, SURBReply: 3, NodeDelay: 0x80 } as const;

/** Length of an encoded {@link NextNodeHop} in bytes. */
export const NEXT_NODE_HOP_LENGTH = 1 + 32 + 32;
const recipientLength = 32;
const surbIdLength = 16;

/** A recipient's name as in commands: padded with zeros to 32 bytes. */
export function recipientOf(name: Uint8Array): Recipient {
  checkBytes("name", name);
  if (name.length < 1 || name.length > recipientLength) {
    throw new RangeError(`\`name\` must be 1 to ${recipientLength} bytes, got ${name.length}`);
  }
  const id = new Uint8Array(recipientLength);
  id.set(name);
  return { type: "Recipient", id };
}

function encodeOne(command: RoutingCommand): Bytes {
  const id = Uint8Array.of(idOf[command.type]);
  switch (command.type) {
    case "NextNodeHop":
      checkBytes("NextNodeHop.id", command.id, 32);
      checkBytes("NextNodeHop.mac", command.mac, 32);
      return concatBytes(id, command.id, command.mac);
    case "Recipient":
      checkBytes("Recipient.id", command.id, recipientLength);
      return concatBytes(id, command.id);
    case "SURBReply":
      checkBytes("SURBReply.id", command.id, surbIdLength);
      return concatBytes(id, command.id);
    case "NodeDelay": {
      const { delayMs } = command;
      if (typeof delayMs !== "number") {
        throw new TypeError(`\`delayMs\` must be a number, got ${describeType(delayMs)}`);
      }
      if (!Number.isInteger(delayMs) || delayMs < 0 || delayMs > 0xffffffff) {
        throw new RangeError(`\`delayMs\` must be an integer below 2^32, got ${delayMs}`);
      }
      const encoded = new Uint8Array(5);
      encoded[0] = idOf.NodeDelay;
      new DataView(encoded.buffer).setUint32(1, delayMs);
      return encoded;
    }
  }
}

/**
 * Encodes the commands one after the other, without padding. @throws TypeError or RangeError for
 * invalid ones.
 */
export function encodeRoutingCommands(commands: readonly RoutingCommand[]): Bytes {
  return concatBytes(...commands.map(encodeOne));
}

/**
 * The commands in a hop's block, in order. They end with the block or at a zero byte, which only
 * zeros may follow.
 * @throws ProtocolError for an unknown or truncated command, and for anything else after the end.
 */
export function parseRoutingCommands(block: Uint8Array): RoutingCommand[] {
  const commands: RoutingCommand[] = [];
  let at = 0;
  const take = (length: number): Bytes => {
    if (block.length - at < length) throw new ProtocolError("sphinx: truncated per-hop command");
    const bytes = copyBytes(block.subarray(at, at + length));
    at += length;
    return bytes;
  };
  while (at < block.length) {
    const id = block[at++]!;
    switch (id) {
      case 0:
        if (block.subarray(at).some((byte) => byte !== 0)) {
          throw new ProtocolError("sphinx: bytes after the end of the per-hop commands");
        }
        return commands;
      case idOf.NextNodeHop:
        commands.push({ type: "NextNodeHop", id: take(32), mac: take(32) });
        break;
      case idOf.Recipient:
        commands.push({ type: "Recipient", id: take(recipientLength) });
        break;
      case idOf.SURBReply:
        commands.push({ type: "SURBReply", id: take(surbIdLength) });
        break;
      case idOf.NodeDelay: {
        const delayMs = new DataView(take(4).buffer).getUint32(0);
        commands.push({ type: "NodeDelay", delayMs });
        break;
      }
      default:
        throw new ProtocolError(`sphinx: unknown per-hop command ${id}`);
    }
  }
  return commands;
}

/** A hop's commands by type; null if there is none of a type. */
export interface HopCommands {
  readonly nextNodeHop: NextNodeHop | null;
  readonly recipient: Recipient | null;
  readonly surbReply: SurbReply | null;
  readonly nodeDelay: NodeDelay | null;
}

/** Sorts a hop's commands by type. @throws ProtocolError when one type appears twice. */
export function sortHopCommands(commands: readonly RoutingCommand[]): HopCommands {
  const find = <T extends RoutingCommand["type"]>(
    type: T,
  ): Extract<RoutingCommand, { readonly type: T }> | null => {
    const found = commands.filter((command) => command.type === type);
    if (found.length > 1) throw new ProtocolError(`sphinx: per-hop command ${type} appears twice`);
    return (found[0] as Extract<RoutingCommand, { readonly type: T }> | undefined) ?? null;
  };
  return {
    nextNodeHop: find("NextNodeHop"),
    recipient: find("Recipient"),
    surbReply: find("SURBReply"),
    nodeDelay: find("NodeDelay"),
  };
}
