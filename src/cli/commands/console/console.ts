/** `katz console`: shows the network and the application in a page. */
import { createRequire } from "node:module";
import { setImmediate } from "node:timers/promises";
import { type Metric, ThinClient, randomBytes, toHex } from "katzenpost-thinclient";
import { JoinedDaemon, verifyPkiDocumentWith } from "katzenpost-thinclient/join";
import { DevDaemon, VirtualClock } from "katzenpost-thinclient/testing";
import { ConsoleFeed, type ConsoleSubject } from "../../../console/feed.js";
import type { VerifyDocument } from "../../../console/documents.js";
import { realClock } from "../../../clock/real.js";
import { UsageError } from "../../failure.js";
import { type DaemonPlace, daemonPlaces } from "../../find-daemon.js";
import { aborted } from "../../interrupt.js";
import type { Output, OutputFlags } from "../../output.js";
import { runCommand } from "../../run.js";
import { usualAddresses } from "../daemon/daemon.js";
import { OpeningPage } from "./open-page.js";
import { ConsoleServer } from "./server.js";

/** Flags of the command. */
export interface ConsoleFlags extends OutputFlags {
  readonly address?: string;
  readonly config?: string;
  /** The client.toml of a real network. */
  readonly join?: string;
  /** Whether the page is opened in a browser. */
  readonly open: boolean;
  readonly port?: number;
  readonly listen?: readonly string[];
  readonly mixing?: "realistic" | "sphinx" | "instant";
  /** Length of an epoch in milliseconds. */
  readonly epoch?: number;
  readonly seed?: string;
  /** Whether the embedded network uses a virtual clock. */
  readonly virtual: boolean;
}

/** Length of the token in bytes. */
const TOKEN_BYTES = 16;

/** How long the client may take to connect before the page is shown without it, in ms. */
const CONNECT_MS = 2000;

/** Flags that only apply to the embedded network. */
const embeddedOnly = ["mixing", "seed", "virtual"] as const;

const { version } = createRequire(import.meta.url)("katzenpost-thinclient/package.json") as {
  version: string;
};

/** The subject, and the function that ends it. */
interface Started {
  readonly subject: Omit<ConsoleSubject, "version" | "verify">;
  readonly close: () => Promise<void>;
}

/** Forwards events, once there is a feed. */
class Events {
  feed: ConsoleFeed | null = null;
  readonly #early: Parameters<ConsoleFeed["add"]>[0][] = [];

  readonly onTrace = (trace: Parameters<ConsoleFeed["add"]>[0]): void => {
    if (this.feed === null) this.#early.push(trace);
    else this.feed.add(trace);
  };

  readonly metrics = (metric: Metric): void => this.feed?.addMetric(metric);

  /** Sends earlier events to the feed. */
  to(feed: ConsoleFeed): void {
    this.feed = feed;
    for (const trace of this.#early) feed.add(trace);
    this.#early.length = 0;
  }
}

const verify: VerifyDocument = async (raw, authorities, epoch) => {
  const checks = { epoch };
  const verified = await verifyPkiDocumentWith(raw, authorities, checks, setImmediate);
  const signed = new Set(verified.signers.map(({ identifier }) => identifier));
  return authorities.map(({ identifier }) => {
    return { authority: identifier, valid: signed.has(identifier) };
  });
};

/** Runs until SIGINT or SIGTERM. */
export function consoleCommand(flags: ConsoleFlags): Promise<void> {
  return runCommand(flags, async ({ output, signal }) => {
    checkFlags(flags);
    const stopped = aborted(signal);
    const events = new Events();
    const { subject, close } = await start(flags, output, signal, events);
    try {
      const feed = new ConsoleFeed({ ...subject, version, verify });
      events.to(feed);
      const token = toHex(randomBytes(TOKEN_BYTES));
      await using server = await ConsoleServer.start({ feed, token, port: flags.port ?? 0 });
      tell(output, server, subject);
      await using page = flags.open ? await OpeningPage.write(server.url) : null;
      if (page !== null && !(await page.open())) {
        output.warning("no browser could be started: open the address above yourself");
      }
      await stopped;
      feed.close();
    } finally {
      await close();
    }
  });
}

/** @throws UsageError for flags that cannot be combined. */
export function checkFlags(flags: ConsoleFlags): void {
  const { address, config, join } = flags;
  const foreign = [address, config, join].filter((flag) => flag !== undefined).length;
  if (foreign > 1) {
    throw new UsageError("--address, --config and --join each say which daemon; give one of them");
  }
  if (foreign === 0) return;
  const embedded = embeddedOnly.find((flag) => flags[flag] !== undefined && flags[flag] !== false);
  if (embedded !== undefined) {
    throw new UsageError(`--${embedded} is for the embedded network, which is not started here`);
  }
  if (join === undefined && (flags.listen !== undefined || flags.epoch !== undefined)) {
    throw new UsageError("--listen and --epoch are for a daemon that the console starts");
  }
}

function start(
  flags: ConsoleFlags,
  output: Output,
  signal: AbortSignal,
  events: Events,
): Promise<Started> {
  if (flags.join !== undefined) return joined(flags.join, flags, events);
  if (flags.address !== undefined || flags.config !== undefined) {
    return foreign(flags, signal, events);
  }
  return embedded(flags, output, events);
}

/** Starts the embedded network with a daemon, which programs can use too. */
async function embedded(flags: ConsoleFlags, output: Output, events: Events): Promise<Started> {
  const clock = flags.virtual ? new VirtualClock(Date.now()) : realClock;
  const options = {
    mixing: flags.mixing ?? "realistic",
    epochMs: flags.epoch,
    seed: flags.seed,
    clock,
    onTrace: events.onTrace,
    onFault: (error: Error) => output.warning(error.message),
  } as const;
  const remark = (text: string): void => output.remark(text);
  // A virtual clock stands still, so programs that wait by their own clocks would wait forever.
  const usual = flags.virtual ? [] : await usualAddresses(remark);
  const daemon = await DevDaemon.start({ ...options, listen: flags.listen ?? usual }).catch(
    (error: unknown) => {
      if (flags.listen !== undefined) throw error;
      output.remark(`not listening at the usual place: ${(error as Error).message}`);
      return DevDaemon.start({ ...options, listen: "tcp:127.0.0.1:0" });
    },
  );
  const client = new ThinClient(
    // The address is for messages only: `dial` is what connects.
    { dial: { unix: { address: "@console" } } },
    { dial: daemon.dial, clock, metrics: events.metrics, reconnect: RECONNECT },
  );
  if (flags.virtual) await (clock as VirtualClock).runUntil(client.start());
  else await client.start();
  return {
    subject: {
      mode: "embedded",
      client,
      clock,
      addresses: daemon.addresses,
      embedded: daemon,
      joined: null,
      virtual: flags.virtual ? (clock as VirtualClock) : null,
    },
    close: async () => {
      // A virtual clock stands still, so nothing that waits by it would end.
      if (!flags.virtual) await client.stop({ drain: false });
      await daemon.close();
    },
  };
}

/** How fast the console's own client reconnects when its daemon returns, in ms. */
const RECONNECT = { initialDelayMs: 200, maxDelayMs: 2000 };

/** Starts our daemon on a real network. */
async function joined(file: string, flags: ConsoleFlags, events: Events): Promise<Started> {
  const daemon = await JoinedDaemon.start({
    config: file,
    listen: flags.listen,
    epochMs: flags.epoch,
    onTrace: events.onTrace,
  });
  const client = new ThinClient(daemon.config(), { metrics: events.metrics, reconnect: RECONNECT });
  await connectSoon(client);
  return {
    subject: {
      mode: "joined",
      client,
      clock: realClock,
      addresses: daemon.addresses,
      embedded: null,
      joined: () => daemon.describe(),
      virtual: null,
    },
    close: async () => {
      await client.stop({ drain: false });
      await daemon.close();
    },
  };
}

/** Uses the daemon of another process. */
async function foreign(flags: ConsoleFlags, signal: AbortSignal, events: Events): Promise<Started> {
  const [place] = (await daemonPlaces(flags, signal)) as readonly [DaemonPlace];
  const client = new ThinClient(
    { dial: place.dial },
    { metrics: events.metrics, reconnect: RECONNECT },
  );
  await connectSoon(client);
  return {
    subject: {
      mode: "daemon",
      client,
      clock: realClock,
      addresses: [place.address],
      embedded: null,
      joined: null,
      virtual: null,
    },
    close: () => client.stop({ drain: false }),
  };
}

/**
 * Connects. If the daemon waits for its document, the page is shown while the client waits.
 * @throws what connecting throws, if it fails at once.
 */
async function connectSoon(client: ThinClient): Promise<void> {
  const connecting = client.start();
  await Promise.race([connecting, realClock.sleep(CONNECT_MS)]);
  connecting.catch(() => {});
}

/** Prints where the page is. Its URL is a secret, so it goes to standard output only. */
function tell(output: Output, server: ConsoleServer, subject: Started["subject"]): void {
  output.result(server.url, {
    type: "console",
    time: new Date(),
    url: server.url,
    mode: subject.mode,
    addresses: subject.addresses,
    pid: process.pid,
  });
  output.remark("open this address in a browser of this machine; its last part is a secret");
  if (subject.mode !== "daemon" && subject.addresses.length > 0) {
    output.remark(`programs reach the daemon at ${subject.addresses.join(" ")}`);
  }
}
