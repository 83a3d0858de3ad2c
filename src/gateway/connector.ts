/** Which gateway is dialled, at which address, and when (spec/mixnet §7.3). */
import { type RandomSource, equalBytes } from "../bytes/bytes.js";
import { pick } from "../mixnet/sampling.js";
import type { PkiDocument } from "../pki/document.js";
import type { MixDescriptor } from "../pki/mix-descriptor.js";
import type { ServerIdentity } from "./shake-hands.js";

/** The transports in upstream's order; they are also the keys of a descriptor's addresses. */
export const DEFAULT_TRANSPORTS: readonly string[] = ["tcp", "tcp4", "tcp6", "quic", "ws", "onion"];

/** A gateway to dial. */
export interface GatewayCandidate extends ServerIdentity {
  /** URLs by transport, e.g. `tcp` to `tcp://192.0.2.1:30004`. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
}

/** Makes a candidate from a gateway of a document. */
function candidateOf(descriptor: MixDescriptor): GatewayCandidate {
  const { name, identityKey, linkKey, addresses } = descriptor;
  return { name, identityKey, linkKey, addresses };
}

/** The gateways to choose from: the document's if there is one, otherwise the pinned ones. */
export function gatewaysOf(
  document: PkiDocument | null,
  pinned: readonly GatewayCandidate[],
): readonly GatewayCandidate[] {
  const listed = document?.gatewayNodes.map(candidateOf) ?? [];
  return listed.length > 0 ? listed : pinned;
}

/**
 * Chooses a random gateway. Those that `avoid` names are left out as long as there are others.
 */
export function chooseGateway(
  gateways: readonly GatewayCandidate[],
  avoid: (name: string) => boolean,
  random: RandomSource,
): GatewayCandidate {
  const good = gateways.filter(({ name }) => !avoid(name));
  return pick(random, good.length > 0 ? good : gateways);
}

/** Whether a document lists this gateway with these keys. */
export function listsGateway(document: PkiDocument, gateway: ServerIdentity): boolean {
  return document.gatewayNodes.some(
    ({ identityKey, linkKey }) =>
      equalBytes(identityKey, gateway.identityKey) && equalBytes(linkKey, gateway.linkKey),
  );
}

/** The addresses of a gateway to dial, in the order of the transports. */
export function dialPlan({ addresses }: GatewayCandidate, transports: readonly string[]): string[] {
  return transports.flatMap((transport) => addresses.get(transport) ?? []);
}

/** The pause before each dial: none at first, then growing, and short again after a good link. */
export class DialPauses {
  #nextMs = 0;

  /** The pause before the next dial, in ms: 0, 15,000, 30,000 … 120,000. */
  next(): number {
    const pause = this.#nextMs;
    this.#nextMs = Math.min(pause + 15_000, 120_000);
    return pause;
  }

  /** Call this when a gateway has sent something: the next dial comes soon. */
  reset(): void {
    this.#nextMs = 2_000;
  }
}
