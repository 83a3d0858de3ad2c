/**
 * Requests per second over a Unix socket: our client and daemon, compared with a peer that only
 * splits frames and runs a CBOR library on the same bytes, with a bare socket echo, and with the
 * Python client on the same daemon.
 */
import { spawn } from "node:child_process";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode, encode } from "cborg";
import { ThinClient } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { pythonWithClient } from "../test/e2e/python/python-environment.js";
import { type BenchLine, pairedRates } from "./report.js";

const index = new Uint8Array(104).fill(7);
const queryId = new Uint8Array(16).fill(9);
const request = { get_message_box_index_counter: { query_id: queryId, message_box_index: index } };
const reply = {
  get_message_box_index_counter_reply: {
    query_id: queryId,
    counter: 506381209866536711n,
    error_code: 0,
  },
};

/** Runs `call`, `inFlight` at a time, for about `ms`; returns calls per second. */
async function throughput(
  call: () => Promise<unknown>,
  inFlight: number,
  ms = 800,
): Promise<number> {
  const end = performance.now() + ms;
  let count = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < end) {
        await call();
        count++;
      }
    }),
  );
  return (count / (performance.now() - start)) * 1000;
}

/** Splits frames and nothing else. */
function onFrames(socket: Socket, onFrame: (body: Uint8Array) => void): void {
  let held = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
      const length = held.readUInt32BE(0);
      onFrame(new Uint8Array(held.subarray(4, 4 + length)));
      held = held.subarray(4 + length);
    }
  });
}

function frame(body: Uint8Array): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(body.length);
  return Buffer.concat([prefix, body]);
}

const options = { useMaps: true, allowBigInt: true };

/** A server and a client that exchange the same messages and do nothing else. */
async function startPeer(path: string): Promise<{ call(): Promise<unknown>; close(): void }> {
  const server = createServer((socket) =>
    onFrames(socket, (body) => {
      decode(body, options);
      socket.write(frame(encode(reply)));
    }),
  );
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const socket = createConnection(path);
  const waiting: ((value: unknown) => void)[] = [];
  onFrames(socket, (body) => waiting.shift()!(decode(body, options)));
  return {
    call: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        socket.write(frame(encode(request)));
      }),
    close: () => {
      socket.destroy();
      server.close();
    },
  };
}

/** Echoes bytes. */
async function startEcho(path: string): Promise<{ call(): Promise<unknown>; close(): void }> {
  const server = createServer((socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const socket = createConnection(path);
  const bytes = frame(encode(request));
  const waiting: ((value: unknown) => void)[] = [];
  let received = 0;
  socket.on("data", (chunk) => {
    for (received += chunk.length; received >= bytes.length; received -= bytes.length) {
      waiting.shift()!(null);
    }
  });
  return {
    call: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        socket.write(bytes);
      }),
    close: () => {
      socket.destroy();
      server.close();
    },
  };
}

interface ClientRates {
  readonly sequential: number;
  readonly parallel: number;
}

/**
 * The output of a client in another process. Not spawnSync, because the daemon runs in this
 * process.
 */
async function clientProcess(
  command: string,
  args: readonly string[],
  address: string,
): Promise<ClientRates> {
  const child = spawn(command, [...args, address], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
  return JSON.parse(output.trim().split("\n").at(-1)!) as ClientRates;
}

/**
 * Calls per second of the Python client, sequential and 64 in flight; null if it is not available.
 */
async function python(address: string): Promise<ClientRates | null> {
  const found = pythonWithClient();
  if ("missing" in found) {
    console.log(`Python client: not run: ${found.missing}`);
    return null;
  }
  const script = join(import.meta.dirname, "../../bench/round_trip.py");
  return clientProcess(found.interpreter, [script], address);
}

/** Our client, run like the Python client. */
async function client(address: string): Promise<void> {
  await using own = await ThinClient.connect({ dial: { tcp: { address } } });
  const { firstMessageIndex } = await own.newKeypair(new Uint8Array(32));
  const call = (): Promise<unknown> => own.getMessageBoxIndexCounter(firstMessageIndex);
  const sequential = await throughput(call, 1, 1000);
  const parallel = await throughput(call, 64, 1000);
  console.log(JSON.stringify({ sequential, parallel } satisfies ClientRates));
}

/** Runs the comparison. */
export async function benchRoundTrips(): Promise<BenchLine[]> {
  const path = (name: string): string => join(tmpdir(), `katz-bench-${process.pid}-${name}.sock`);
  await using daemon = await DevDaemon.start({
    listen: [`unix:${path("daemon")}`, "tcp:127.0.0.1:0"],
  });
  await using client = await ThinClient.connect(daemon.config());
  const keys = await client.newKeypair(new Uint8Array(32));
  const call = (): Promise<unknown> => client.getMessageBoxIndexCounter(keys.firstMessageIndex);
  const peer = await startPeer(path("peer"));
  const echo = await startEcho(path("echo"));
  const lines: BenchLine[] = [];
  const tcp = daemon.addresses[1]!.slice("tcp:".length);
  try {
    for (const [name, inFlight] of [
      ["sequential", 1],
      ["64 in flight", 64],
    ] as const) {
      const [ours, theirs] = await pairedRates(
        () => throughput(call, inFlight),
        () => throughput(peer.call, inFlight),
      );
      lines.push({
        name: `request round trip, ${name}`,
        value: ours,
        unit: "/s",
        peer: { name: "frames + CBOR library", value: theirs },
        wanted: { atLeast: 0.7 },
      });
      const bare = await throughput(echo.call, inFlight);
      lines.push({
        name: `request round trip, ${name}`,
        value: ours,
        unit: "/s",
        peer: { name: "bare socket echo", value: bare },
      });
    }
    // Each client in a separate process, on the same daemon.
    const own = await clientProcess(
      process.execPath,
      [fileURLToPath(import.meta.url), "--client"],
      tcp,
    );
    const others = await python(tcp);
    for (const [i, rate] of Object.values(others ?? {}).entries()) {
      lines.push({
        name: `request round trip, ${i === 0 ? "sequential" : "64 in flight"}`,
        value: Object.values(own)[i]!,
        unit: "/s",
        peer: { name: "Python client", value: rate },
        wanted: { atLeast: i === 0 ? 1 : 2 },
      });
    }
  } finally {
    peer.close();
    echo.close();
  }
  return lines;
}

if (process.argv[2] === "--client") await client(process.argv[3]!);
