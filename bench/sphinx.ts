/**
 * The computations of a link to a real network: packets and hops compared with their bare X25519
 * operations, the handshake, and how long the slowest signatures delay the event loop. Run alone:
 * `node dist/bench/sphinx.js`.
 */
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { x25519PublicKey, x25519SharedSecret } from "#platform";
import { type Bytes, fromHex, randomBytes } from "../src/bytes/bytes.js";
import { Breather } from "../src/clock/breather.js";
import { realClock } from "../src/clock/real.js";
import { encodeAuthPayload } from "../src/gateway/auth-payload.js";
import { HandshakeInitiator, HandshakeResponder } from "../src/gateway/noise.js";
import { kyber768X25519Kem } from "../src/kem/registry.js";
import type { KemScheme } from "../src/kem/scheme.js";
import { xwingKem } from "../src/kem/xwing.js";
import { decodeCertificate } from "../src/pki/certificate.js";
import { Geometry } from "../src/pki/geometry.js";
import { verifyCertificateWith } from "../src/pki/verify-with.js";
import { aezEncrypt } from "../src/sphinx/aez.js";
import { type RoutingCommand, recipientOf } from "../src/sphinx/commands.js";
import type { SphinxHop } from "../src/sphinx/path.js";
import { encodeForwardPayload } from "../src/sphinx/payload.js";
import { Sphinx } from "../src/sphinx/sphinx.js";
import { coldHandshakeMs } from "./cold-handshake.js";
import { type BenchLine, pairedRates, syncRatePerSecond, table } from "./report.js";

const geometry = Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 2000 });
const sphinx = new Sphinx(geometry);
const privateKeys = Array.from({ length: 5 }, () => randomBytes(32));
const publicKeys = privateKeys.map((key) => x25519PublicKey(key));
const payload = new Uint8Array(2000).fill(7);

function path(hops: number, last: readonly RoutingCommand[]): SphinxHop[] {
  return publicKeys.slice(0, hops).map((publicKey, i) => ({
    id: publicKey,
    publicKey,
    commands: i < hops - 1 ? [{ type: "NodeDelay", delayMs: 100 }] : last,
  }));
}

const endpoint = recipientOf(Uint8Array.of(1));
const there = path(5, [{ type: "NodeDelay", delayMs: 100 }, endpoint]);
const back = path(4, [endpoint, { type: "SURBReply", id: new Uint8Array(16) }]);

function createPacket(): Bytes {
  const { surb } = sphinx.newSurb(back);
  return sphinx.newPacket(there, encodeForwardPayload(geometry, surb, payload));
}

/** The X25519 operations of a header with `hops` hops and fresh keys: 20 for 5, 14 for 4. */
function bareHeader(hops: number): void {
  const own = randomBytes(32);
  const blindings = Array.from({ length: hops - 1 }, () => randomBytes(32));
  let element = x25519PublicKey(own);
  for (let hop = 0; hop < hops; hop++) {
    let shared = x25519SharedSecret(own, publicKeys[hop]!);
    for (let i = 0; i < hop; i++) shared = x25519SharedSecret(blindings[i]!, shared);
    if (hop < hops - 1) element = x25519SharedSecret(blindings[hop]!, element);
  }
}

const packet = createPacket();

/** The two X25519 operations of a hop: one with its own key, one to blind. */
function bareHop(): void {
  x25519SharedSecret(privateKeys[0]!, packet.slice(2, 34));
  x25519SharedSecret(randomBytes(32), packet.slice(2, 34));
}

const authPayload = encodeAuthPayload({ additionalData: new Uint8Array(32), unixTime: 0 });

/**
 * How long each side of a handshake computes, in ms; for the client including its static key, which
 * is new for each link.
 */
function handshakeMs(kem: KemScheme): { readonly client: number; readonly gateway: number } {
  const gatewayKeys = kem.generate();
  const spent = { client: 0, gateway: 0 };
  const timed = <T>(side: keyof typeof spent, work: () => T): T => {
    const start = performance.now();
    const result = work();
    spent[side] += performance.now() - start;
    return result;
  };
  const initiator = timed(
    "client",
    () => new HandshakeInitiator({ kem, staticKeys: kem.generate() }),
  );
  const responder = new HandshakeResponder({ kem, staticKeys: gatewayKeys });
  const first = timed("client", () => initiator.writeFirst());
  const second = timed("gateway", () => {
    responder.readFirst(first);
    return responder.writeSecond(authPayload);
  });
  const third = timed("client", () => {
    initiator.readSecond(second);
    return initiator.writeThird(authPayload);
  });
  const fourth = timed("gateway", () => {
    responder.readThird(third);
    return responder.writeFourth();
  });
  timed("client", () => initiator.readFourth(fourth.message));
  return spent;
}

function leastHandshake(kem: KemScheme): { client: number; gateway: number } {
  const least = { client: Infinity, gateway: Infinity };
  for (let run = 0; run < 20; run++) {
    const { client, gateway } = handshakeMs(kem);
    least.client = Math.min(least.client, client);
    least.gateway = Math.min(least.gateway, gateway);
  }
  return least;
}

/** The longest time in milliseconds that the event loop is blocked during `work`. */
async function worstDelayMs(work: () => Promise<unknown>): Promise<number> {
  const resolution = 1;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  await realClock.sleep(20);
  await work();
  await realClock.sleep(20);
  delay.disable();
  return Math.max(0, delay.max / 1e6 - resolution);
}

/**
 * The longest CPU time in ms of one event-loop turn during `work`; null where the runtime cannot
 * measure one thread. That of the whole process would count the compiler's and the garbage
 * collector's threads, which do not block the loop.
 */
async function longestTurnMs(work: () => Promise<unknown>): Promise<number | null> {
  const { threadCpuUsage } = process as { threadCpuUsage?: typeof process.cpuUsage };
  if (threadCpuUsage === undefined) return null;
  let longest = 0;
  let isOver = false;
  let spent = threadCpuUsage();
  const turn = (): void => {
    const { user, system } = threadCpuUsage(spent);
    longest = Math.max(longest, (user + system) / 1000);
    spent = threadCpuUsage();
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  return longest;
}

/**
 * How long it takes to verify four signatures under `Ed25519 Sphincs+`, as in a consensus of six
 * authorities, in ms. Also the longest delay of the event loop meanwhile, that of a loop that only
 * waits for the same time on the same machine, and the longest turn of the loop in CPU time, which
 * is meaningful on a busy machine too.
 */
async function fourSphincsSignatures() {
  const certificates = ["mixnet-cert-ed25519-sphincs", "mixnet-cert-ed25519-sphincs-2"].map(
    (name) => {
      const url = new URL(`../../test/reference/vectors/${name}.json`, import.meta.url);
      const { certificate, publicKeyPEM } = JSON.parse(readFileSync(url, "utf8"));
      return { certificate: decodeCertificate(fromHex(certificate)), publicKey: publicKeyPEM };
    },
  );
  const breather = new Breather(realClock);
  const verifyAll = async (): Promise<void> => {
    for (const { certificate, publicKey } of [...certificates, ...certificates]) {
      await verifyCertificateWith(certificate, [{ publicKey }], { currentEpoch: 1 }, () =>
        breather.pause(),
      );
    }
  };
  const start = performance.now();
  const worstMs = await worstDelayMs(verifyAll);
  const wholeMs = performance.now() - start;
  const idleMs = await worstDelayMs(() => realClock.sleep(wholeMs));
  return { wholeMs, worstMs, idleMs, turnMs: await longestTurnMs(verifyAll) };
}

/** Measures all of it. */
export async function benchSphinx(): Promise<BenchLine[]> {
  const micros = (rate: number): number => 1e6 / rate;
  const [created, bareCreated] = await pairedRates(
    () => syncRatePerSecond(createPacket, 1000),
    () =>
      syncRatePerSecond(() => {
        bareHeader(4);
        bareHeader(5);
      }, 1000),
  );
  const [unwrapped, bareUnwrapped] = await pairedRates(
    () => syncRatePerSecond(() => sphinx.unwrap(privateKeys[0]!, packet), 1000),
    () => syncRatePerSecond(bareHop, 1000),
  );
  const [key, body] = [randomBytes(64), new Uint8Array(2606)];
  const sealed = syncRatePerSecond(
    () => aezEncrypt(key.subarray(0, 48), key.subarray(48), body),
    1000,
  );
  const xwing = leastHandshake(xwingKem);
  const kyber = leastHandshake(kyber768X25519Kem);
  const sphincs = await fourSphincsSignatures();
  return [
    {
      name: "forward packet with SURB",
      value: micros(created),
      unit: "us",
      peer: { name: "its 34 X25519", value: micros(bareCreated) },
      wanted: { atMost: 2 },
    },
    {
      name: "unwrap at a hop",
      value: micros(unwrapped),
      unit: "us",
      peer: { name: "its 2 X25519", value: micros(bareUnwrapped) },
      wanted: { atMost: 2 },
    },
    { name: "AEZ of 2,606 bytes", value: micros(sealed), unit: "us" },
    {
      name: "handshake, client's side, XWING",
      value: xwing.client,
      unit: "ms",
      wanted: { atMost: 60 },
    },
    { name: "handshake, gateway's side, XWING", value: xwing.gateway, unit: "ms" },
    {
      name: "first of a process, client's side, XWING",
      value: await coldHandshakeMs("client"),
      unit: "ms CPU",
      wanted: { atMost: 60 },
    },
    {
      name: "first of a process, gateway's side, XWING",
      value: await coldHandshakeMs("gateway"),
      unit: "ms CPU",
      wanted: { atMost: 60 },
    },
    {
      name: "handshake, client's side, Kyber768-X25519",
      value: kyber.client,
      unit: "ms",
      wanted: { atMost: 60 },
    },
    { name: "four SPHINCS+ signatures", value: sphincs.wholeMs, unit: "ms" },
    {
      name: "worst event-loop delay during these",
      value: sphincs.worstMs,
      unit: "ms",
      wanted: { atMost: 50 },
    },
    ...(sphincs.turnMs === null
      ? []
      : [
          {
            name: "longest turn of the loop, CPU time of its thread",
            value: sphincs.turnMs,
            unit: "ms",
            wanted: { atMost: 50 },
          },
        ]),
    { name: "worst event-loop delay of an idle process", value: sphincs.idleMs, unit: "ms" },
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${table(await benchSphinx())}\n`);
}
