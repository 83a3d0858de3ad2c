/** An embedded network behind a Unix socket, with two clients, for end-to-end tests. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bytes } from "../../src/bytes/bytes.js";
import type { MessageBoxIndex, WriteCap } from "../../src/bytes/opaque.js";
import type { ThinClientOptions } from "../../src/client/options.js";
import type { KeypairResult } from "../../src/client/envelopes.js";
import { ThinClient } from "../../src/client/thin-client.js";
import type { Clock } from "../../src/clock/clock.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { instantTiming } from "../../src/mixnet/timing.js";
import { DevDaemon, type DevDaemonOptions } from "../../src/testing/dev-daemon.js";
import { JoinedDaemon, quickRates, quickTiming } from "./joined-daemon.js";

/** `length` bytes that differ from call to call. */
export function somePayload(length: number): Bytes {
  return new Uint8Array(randomBytes(length));
}

/** A new stream, created by `client`. */
export function newStream(client: ThinClient): Promise<KeypairResult> {
  return client.newKeypair(somePayload(32));
}

/** Waits on the virtual clock if there is one, otherwise in real time. */
function settleOn<T>(clock: Clock, promise: Promise<T>, limitMs?: number): Promise<T> {
  return clock instanceof VirtualClock ? clock.runUntil(promise, limitMs) : promise;
}

/**
 * Where the daemon runs: in the network's process, or outside, with real packets through a gateway.
 */
export type DaemonPlace = "inside" | "behind the gateway";

/** Both places. */
export const DAEMON_PLACES: readonly DaemonPlace[] = ["inside", "behind the gateway"];

/** A network, its daemon, and two applications. */
export class TwoClients implements AsyncDisposable {
  readonly daemon: DevDaemon;
  readonly alice: ThinClient;
  readonly bob: ThinClient;
  readonly #folder: string;
  readonly #joined: JoinedDaemon | null;

  private constructor(
    daemon: DevDaemon,
    joined: JoinedDaemon | null,
    clients: readonly ThinClient[],
    folder: string,
  ) {
    this.daemon = daemon;
    this.#joined = joined;
    [this.alice, this.bob] = clients as [ThinClient, ThinClient];
    this.#folder = folder;
  }

  /**
   * Starts everything; both clients see the mixnet when it resolves. On a virtual clock they are
   * connected in memory, because the clock does not wait for sockets.
   */
  static async start(
    options: DevDaemonOptions = {},
    clientOptions: ThinClientOptions = {},
  ): Promise<TwoClients> {
    const folder = await mkdtemp(join(tmpdir(), "katz-integration-"));
    const address = join(folder, "d.sock");
    const virtual = options.clock instanceof VirtualClock;
    const daemon = await DevDaemon.start({
      ...options,
      ...(virtual ? {} : { listen: `unix:${address}` }),
    });
    const { clock, dial } = daemon;
    const connect = async (): Promise<ThinClient> => {
      const client = await ThinClient.connect(
        { dial: { unix: { address } } },
        { clock, ...(virtual ? { dial } : {}), ...clientOptions },
      );
      await client.waitUntilOnline();
      return client;
    };
    const clients = await settleOn(clock, Promise.all([connect(), connect()]));
    return new TwoClients(daemon, null, clients, folder);
  }

  /**
   * Like {@link start}, for either place. Behind the gateway everything between the clients' daemon
   * and the services is real: the gateway's port over TCP, and Sphinx packets through every hop.
   */
  static async startAt(place: DaemonPlace): Promise<TwoClients> {
    if (place === "inside") return TwoClients.start();
    const timing = { ...instantTiming, ...quickTiming };
    const daemon = await DevDaemon.start({
      gateway: "tcp:127.0.0.1:0",
      mixing: "realistic",
      // A machine that runs many tests at once is sometimes late.
      kindMixes: true,
      ...quickRates,
      timing,
    });
    const joined = new JoinedDaemon(daemon, timing);
    const connect = async (): Promise<ThinClient> => {
      const client = await ThinClient.connect(
        { dial: { unix: { address: "@joined" } } },
        { dial: joined.dial },
      );
      await client.waitUntilOnline();
      return client;
    };
    const clients = await Promise.all([connect(), connect()]);
    return new TwoClients(daemon, joined, clients, "");
  }

  /**
   * Waits until the clients' daemon carries nothing on: what was cancelled before its packet left ends
   * when that would leave.
   */
  async nothingLeft(): Promise<void> {
    const { daemon } = this.#joined ?? this.daemon;
    while (daemon.load.operations > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Makes every replica answer with a code; null ends that. */
  failReplicas(code: number | null): void {
    for (const replica of this.daemon.storage.replicas) replica.faults.fail(code);
  }

  /** Stops clients, daemon and network, and checks that the daemon has nothing left to do. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock } = this.daemon;
    await settleOn(clock, Promise.all([this.alice.stop(), this.bob.stop()]));
    await this.#joined?.[Symbol.asyncDispose]();
    await settleOn(clock, this.daemon.close());
    if (this.#folder !== "") await rm(this.#folder, { recursive: true });
  }
}

/** Writes each plaintext to the next box, one after the other; resolves to the following box. */
export async function writeAll(
  client: ThinClient,
  writeCap: WriteCap,
  start: MessageBoxIndex,
  plaintexts: readonly Uint8Array[],
): Promise<MessageBoxIndex> {
  let index = start;
  for (const plaintext of plaintexts) {
    index = (await client.write(writeCap, index, plaintext)).nextMessageBoxIndex;
  }
  return index;
}

/** Reads consecutive boxes, all at once, and waits for each. */
export async function readAll(
  client: ThinClient,
  { readCap, firstMessageIndex }: Pick<KeypairResult, "readCap" | "firstMessageIndex">,
  count: number,
): Promise<{ readonly boxes: Bytes[]; readonly next: MessageBoxIndex }> {
  const indices = [firstMessageIndex];
  while (indices.length < count) {
    indices.push(await client.nextMessageBoxIndex(indices.at(-1)!));
  }
  const reads = await Promise.all(indices.map((index) => client.read(readCap, index)));
  return {
    boxes: reads.map(({ plaintext }) => plaintext),
    next: reads.at(-1)!.nextMessageBoxIndex,
  };
}
