/** What the client reports about itself: log lines, measurements for prom-client, its load. */
import assert from "node:assert/strict";
import { type Logger, type MetricsHook, ThinClient } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

// #region adapter
/** What the adapter uses of `import * as prom from "prom-client"`. */
interface Prom {
  readonly Counter: new (options: Described) => { inc(labels: Labels): void };
  readonly Gauge: new (options: Described) => { set(labels: Labels, value: number): void };
  readonly Histogram: new (options: Described & { buckets: number[] }) => {
    observe(labels: Labels, value: number): void;
  };
}
type Labels = Record<string, string>;
type Described = { name: string; help: string; labelNames: string[] };

/** A metrics hook that fills prom-client's registry: `ThinClient.connect(config, { metrics })`. */
function promMetrics(prom: Prom): MetricsHook {
  const requests = new prom.Histogram({
    name: "katzenpost_request_seconds",
    help: "How long calls took, including reconnects",
    labelNames: ["operation", "outcome"],
    buckets: [0.01, 0.1, 1, 10, 60, 600],
  });
  const calls = new prom.Gauge({
    name: "katzenpost_calls",
    help: "Calls that wait: at the daemon, or for a place there",
    labelNames: ["where"],
  });
  const reconnects = new prom.Counter({
    name: "katzenpost_reconnects_total",
    help: "Connections to the daemon that were made again",
    labelNames: ["resumed"],
  });
  return (metric) => {
    switch (metric.name) {
      case "request": {
        const { operation, outcome, durationMs } = metric;
        requests.observe({ operation, outcome }, durationMs / 1000);
        break;
      }
      case "calls":
        calls.set({ where: "daemon" }, metric.inFlight);
        calls.set({ where: "queue" }, metric.queued);
        break;
      case "reconnect":
        reconnects.inc({ resumed: String(metric.resumed) });
    }
  };
}
// #endregion

/** Stands in for prom-client, which this project does not depend on: remembers what it is given. */
const recorded = new Map<string, { labels: Labels; value: number }[]>();
class Recorder {
  readonly #name: string;
  constructor({ name }: Described) {
    this.#name = name;
  }
  #add(labels: Labels, value: number): void {
    recorded.set(this.#name, [...(recorded.get(this.#name) ?? []), { labels, value }]);
  }
  inc(labels: Labels): void {
    this.#add(labels, 1);
  }
  set(labels: Labels, value: number): void {
    this.#add(labels, value);
  }
  observe(labels: Labels, value: number): void {
    this.#add(labels, value);
  }
}
const prom: Prom = { Counter: Recorder, Gauge: Recorder, Histogram: Recorder };

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
const config = daemon.config();
const lines: string[] = [];

// #region logger
const logger: Logger = {
  debug: () => {},
  info: (message, fields) => lines.push(JSON.stringify({ level: "info", message, ...fields })),
  warn: (message, fields) => lines.push(JSON.stringify({ level: "warn", message, ...fields })),
  error: (message, fields) => lines.push(JSON.stringify({ level: "error", message, ...fields })),
};
await using client = await ThinClient.connect(config, {
  logger, // `console` fits, too
  metrics: promMetrics(prom),
  reconnect: { initialDelayMs: 20 },
});
// #endregion

const stream = await client.newKeypair(new Uint8Array(32));
await assert.rejects(client.getPkiDocumentRaw(1));
await client.blockingSendMessage("x", ...client.getService("echo").toDestination());
const { writeCap, readCap, firstMessageIndex } = stream;
const reading = client.read(readCap, firstMessageIndex);
await client.write(writeCap, firstMessageIndex, "x");
await reading;
const back = new Promise<void>((resolve) => {
  client.on("reconnected", () => resolve(), { once: true });
});
await daemon.restart();
await back;

// #region load
const { inFlight, queued, pausing, cancelling } = client.load;
if (queued > 100) console.log(`${inFlight} calls at the daemon, ${queued} wait for a place`);
if (pausing > 0) console.log(`${pausing} reads wait for their box, and will ask again`);
if (cancelling > 0) console.log(`${cancelling} cancelled calls have not ended at the daemon`);
// #endregion

const requests = recorded.get("katzenpost_request_seconds")!.map(({ labels }) => labels);
const ended = requests.map(({ operation, outcome }) => `${operation}: ${outcome}`);
assert.deepEqual(ended.sort(), [
  "blockingSendMessage: ok",
  "encryptRead: ok",
  "encryptWrite: ok",
  "getPkiDocumentRaw: refused",
  "newKeypair: ok",
  "read: ok",
  "startResendingEncryptedMessage: ok",
  "startResendingEncryptedMessage: ok",
  "write: ok",
]);
assert.deepEqual(recorded.get("katzenpost_reconnects_total")![0]!.labels, { resumed: "false" });
assert.ok(recorded.get("katzenpost_calls")!.length > 0);
assert.ok(lines.length > 0);
console.log(`measured: ${ended.join(", ")}; ${lines.length} log lines`);
