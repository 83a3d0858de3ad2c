/** The processor time of some work, by kind of work. */
import { type Profiler, Session } from "node:inspector/promises";

const kinds: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ["curve arithmetic (box IDs, signatures)", /@noble\/curves/],
  ["BLAKE2b and other hashes", /@noble\/hashes/],
  ["AES-GCM-SIV", /@noble\/ciphers/],
  ["X25519, Ed25519 checks, ChaCha20-Poly1305, HKDF", /node:internal\/crypto|node-crypto/],
  ["daemon", /src\/daemon\//],
  ["couriers, replicas, mixes", /src\/network\//],
  ["envelopes and boxes", /src\/crypto\//],
  ["client", /src\/client\//],
  ["frames and CBOR", /src\/(wire|cbor)\//],
  ["sockets and event loop", /node:|src\/(platform|transport|clock)\//],
];

function kindOf(node: Profiler.ProfileNode): string {
  const { url, functionName } = node.callFrame;
  if (functionName === "(garbage collector)") return "garbage collection";
  if (functionName === "(idle)") return "idle";
  const kind = kinds.find(([, pattern]) => pattern.test(url));
  return kind?.[0] ?? (url === "" ? "native code and the rest" : "other");
}

/** Runs `work` under the profiler; returns each kind's share, largest first. */
export async function whereTimeGoes(work: () => Promise<unknown>): Promise<[string, number][]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  await work();
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  const byId = new Map(profile.nodes.map((node) => [node.id, kindOf(node)]));
  const spent = new Map<string, number>();
  let total = 0;
  for (const [i, id] of (profile.samples ?? []).entries()) {
    const time = profile.timeDeltas?.[i] ?? 0;
    const kind = byId.get(id)!;
    if (kind === "idle") continue;
    spent.set(kind, (spent.get(kind) ?? 0) + time);
    total += time;
  }
  return [...spent]
    .map(([kind, time]): [string, number] => [kind, time / total])
    .sort(([, a], [, b]) => b - a);
}
