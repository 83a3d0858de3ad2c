/** Chooses the route of a packet and its delay at each hop (spec/mixnet §6). */
import { type RandomSource, equalBytes } from "../bytes/bytes.js";
import type { IdentityHash } from "../bytes/opaque.js";
import { LinkError } from "./link.js";
import type { PkiDocument } from "../pki/document.js";
import { samplingCap } from "../pki/epoch.js";
import type { MixDescriptor } from "../pki/mix-descriptor.js";
import { identityHash } from "../pki/services.js";
import { exponential, pick } from "./sampling.js";

/** How often a new route is chosen if the delays are too long. */
const longestRerolls = 32;
/** How often a new route is chosen if a key is missing. */
const missingKeyRerolls = 3;

/** One node on the route. */
export interface PathHop {
  readonly node: MixDescriptor;
  /** How long the packet is delayed there, in ms. */
  readonly delayMs: number;
}

/** The route of a packet, and back. */
export interface Route {
  /** Gateway, one mix per layer, service node. */
  readonly forward: readonly PathHop[];
  /** One mix per layer, gateway; empty if no reply is wanted. */
  readonly reply: readonly PathHop[];
  /** Time until the service has the packet, in ms. */
  readonly forwardMs: number;
  /** How long the service delays its reply, in ms. */
  readonly serviceMs: number;
  /** Time from the service to the client, in ms. */
  readonly replyMs: number;
}

/** The input for choosing a route. */
export interface RouteRequest {
  readonly document: PkiDocument;
  readonly gateway: IdentityHash;
  readonly destination: IdentityHash;
  readonly wantsReply: boolean;
  readonly random: RandomSource;
  /** Draws the delay of one hop, in ms. */
  readonly delay: () => number;
  /** Returns the epoch in `ms` milliseconds. */
  readonly epochIn: (ms: number) => number;
  /** Length of an epoch, in ms. */
  readonly periodMs: number;
}

/**
 * Draws the delay of one hop: an exponential sample, rounded down, plus 1, in ms. Samples above the
 * cap (probability 10^-12) are cut to it.
 * @param mu rate per ms.
 */
export function hopDelay(random: RandomSource, mu: number): number {
  return Math.min(Math.floor(exponential(random, mu)) + 1, samplingCap(mu));
}

function findNode(nodes: readonly MixDescriptor[], hash: IdentityHash): MixDescriptor | undefined {
  return nodes.find((node) => equalBytes(identityHashOf(node), hash));
}

const hashes = new WeakMap<MixDescriptor, IdentityHash>();

function identityHashOf(node: MixDescriptor): IdentityHash {
  let hash = hashes.get(node);
  if (hash === undefined) {
    hash = identityHash(node.identityKey);
    hashes.set(node, hash);
  }
  return hash;
}

/**
 * Chooses a route to a service node and back: each mix uniformly from its layer, in both directions
 * independently.
 * @throws LinkError when gateway or service node are not in the document, or no route can be found.
 */
export function chooseRoute(request: RouteRequest): Route {
  const { document } = request;
  const gateway = findNode(document.gatewayNodes, request.gateway);
  if (gateway === undefined) {
    throw new LinkError(
      "client/conn: PKI error: client: failed to find source gateway node: pki: node not found",
    );
  }
  const service = findNode(document.serviceNodes, request.destination);
  if (service === undefined) {
    throw new LinkError(
      "client/conn: PKI error: client: failed to find destination service node: " +
        "pki: service not found",
    );
  }
  let missingKeys = 0;
  for (let tries = 0; tries <= longestRerolls; tries++) {
    const route = drawRoute(request, gateway, service);
    if (route.forwardMs + route.serviceMs + route.replyMs >= 2 * request.periodMs) continue;
    if (hasAllKeys(route, request.epochIn)) return route;
    if (++missingKeys > missingKeyRerolls) break;
  }
  throw new LinkError("client/conn: PKI error: client: failed to find a path");
}

function drawRoute(request: RouteRequest, gateway: MixDescriptor, service: MixDescriptor): Route {
  const { document, random, delay, wantsReply } = request;
  const mixes = (): PathHop[] =>
    document.topology.map((layer) => ({ node: pick(random, layer), delayMs: delay() }));
  const entry = { node: gateway, delayMs: delay() };
  const there = [entry, ...mixes()];
  const serviceMs = wantsReply ? delay() : 0;
  const back = wantsReply ? [...mixes(), { node: gateway, delayMs: 0 }] : [];
  return {
    forward: [...there, { node: service, delayMs: serviceMs }],
    reply: back,
    forwardMs: total(there),
    serviceMs,
    replyMs: total(back),
  };
}

function total(hops: readonly PathHop[]): number {
  return hops.reduce((sum, hop) => sum + hop.delayMs, 0);
}

/** Whether every hop has a key for the epoch in which the packet should arrive there. */
function hasAllKeys(route: Route, epochIn: (ms: number) => number): boolean {
  let elapsed = 0;
  for (const { node, delayMs } of [...route.forward, ...route.reply]) {
    if (!node.mixKeys.has(epochIn(elapsed))) return false;
    elapsed += delayMs;
  }
  return true;
}
