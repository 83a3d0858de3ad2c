/**
 * One side of the first handshake of a process, in a separate process: the figure includes what is
 * compiled and loaded then, but not imports. The parent process is the other side.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Bytes, fromHex, toHex } from "../src/bytes/bytes.js";
import { encodeAuthPayload } from "../src/gateway/auth-payload.js";
import { HandshakeInitiator, HandshakeResponder } from "../src/gateway/noise.js";
import { xwingKem as kem } from "../src/kem/xwing.js";

/** The side that is measured. */
type Side = "client" | "gateway";

const ownFile = fileURLToPath(import.meta.url);
const authPayload = encodeAuthPayload({ additionalData: new Uint8Array(32), unixTime: 0 });
const processes = 10;

/** The other end of the handshake: messages in hex. */
interface Peer {
  say(message: Bytes): void;
  heard(): Promise<Bytes>;
}

function peerOf(port: ChildProcess | NodeJS.Process): Peer {
  const waiting: string[] = [];
  let wake: (() => void) | null = null;
  port.on("message", (message: unknown) => {
    waiting.push(message as string);
    wake?.();
  });
  return {
    say: (message) => void port.send!(toHex(message)),
    async heard() {
      while (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return fromHex(waiting.shift()!);
    },
  };
}

/** Runs `work`, in the measured process with its CPU time. */
type Timed = <T>(work: () => T) => T;

async function client(peer: Peer, timed: Timed): Promise<void> {
  const side = timed(() => new HandshakeInitiator({ kem, staticKeys: kem.generate() }));
  peer.say(timed(() => side.writeFirst()));
  const second = await peer.heard();
  const third = timed(() => {
    side.readSecond(second);
    return side.writeThird(authPayload);
  });
  peer.say(third);
  const fourth = await peer.heard();
  timed(() => side.readFourth(fourth));
}

async function gateway(peer: Peer, timed: Timed, privateKey: Bytes): Promise<void> {
  const publicKey = privateKey.slice(0, kem.publicKeyLength);
  const first = await peer.heard();
  const side = new HandshakeResponder({ kem, staticKeys: { publicKey, privateKey } });
  const second = timed(() => {
    side.readFirst(first);
    return side.writeSecond(authPayload);
  });
  peer.say(second);
  const third = await peer.heard();
  const fourth = timed(() => {
    side.readThird(third);
    return side.writeFourth();
  });
  peer.say(fourth.message);
}

const sides = { client, gateway };

/** In the child: measures its side, and prints the CPU time in ms. */
async function measure(side: Side, privateKey: Bytes): Promise<void> {
  let spentMs = 0;
  await sides[side](
    peerOf(process),
    (work) => {
      const start = process.cpuUsage();
      const result = work();
      const { user, system } = process.cpuUsage(start);
      spentMs += (user + system) / 1000;
      return result;
    },
    privateKey,
  );
  process.send!(spentMs);
  process.disconnect();
}

/**
 * The CPU time of one side of an X-Wing handshake that is the first of its process, in ms, with the
 * compiler's and the garbage collector's threads: the median of ten processes.
 */
export async function coldHandshakeMs(side: Side): Promise<number> {
  const { privateKey } = kem.generate();
  const other = side === "client" ? "gateway" : "client";
  const spent: number[] = [];
  for (let run = 0; run < processes; run++) {
    const child = fork(ownFile, [side, toHex(privateKey)]);
    child.on("message", (message) => {
      if (typeof message === "number") spent.push(message);
    });
    await Promise.all([
      sides[other](peerOf(child), (work) => work(), privateKey),
      once(child, "exit"),
    ]);
  }
  if (spent.length !== processes) throw new Error(`${spent.length} of ${processes} answered`);
  return spent.toSorted((a, b) => a - b)[processes / 2]!;
}

if (process.argv[1] === ownFile) await measure(process.argv[2] as Side, fromHex(process.argv[3]!));
