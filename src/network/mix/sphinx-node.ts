/** What a node does with its layer of a packet (spec/mixnet §4.6 and §7.5). */
import { toHex } from "../../bytes/bytes.js";
import { ProtocolError } from "../../errors/errors.js";
import type { HopCommands } from "../../sphinx/commands.js";
import { sortHopCommands } from "../../sphinx/commands.js";
import type { Sphinx, UnwrappedPacket } from "../../sphinx/sphinx.js";
import type { NetworkNode } from "../topology.js";

/** How much of a replay tag is remembered, in bytes: enough that no two packets share it. */
const rememberedTagLength = 16;

/** A packet without a node's layer, and the commands for the node. */
export interface OpenedPacket extends UnwrappedPacket {
  readonly told: HopCommands;
}

/** A node's keys of three epochs, and the packets that it has seen under each key. */
export class SphinxNode {
  readonly node: NetworkNode;
  readonly #sphinx: Sphinx;
  readonly #epochNow: () => number;
  readonly #seen = new Map<number, Set<string>>();

  constructor(node: NetworkNode, sphinx: Sphinx, epochNow: () => number) {
    this.node = node;
    this.#sphinx = sphinx;
    this.#epochNow = epochNow;
  }

  /** @throws ProtocolError when the packet must be dropped: not for this node, or seen before. */
  open(packet: Uint8Array): OpenedPacket {
    const now = this.#epochNow();
    for (const epoch of this.#seen.keys()) {
      if (epoch < now - 1 || epoch > now + 1) this.#seen.delete(epoch);
    }
    let failure: unknown;
    for (const epoch of [now, now - 1, now + 1]) {
      let unwrapped: UnwrappedPacket;
      try {
        unwrapped = this.#sphinx.unwrap(this.node.mixPrivateKey(epoch), packet);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        failure = error;
        continue;
      }
      this.#remember(epoch, unwrapped.replayTag);
      return { ...unwrapped, told: sortHopCommands(unwrapped.commands) };
    }
    throw failure;
  }

  #remember(epoch: number, replayTag: Uint8Array): void {
    const tag = toHex(replayTag.subarray(0, rememberedTagLength));
    const seen = this.#seen.get(epoch) ?? new Set();
    this.#seen.set(epoch, seen);
    if (seen.has(tag))
      throw new ProtocolError(`sphinx: ${this.node.name} has already seen this packet`);
    seen.add(tag);
  }
}
