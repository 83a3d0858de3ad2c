/** `katz ping`: measures round trips of messages to a service. */
import {
  ServiceNotFoundError,
  type ThinClient,
  equalBytes,
  hasCode,
  randomBytes,
} from "katzenpost-thinclient";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { AlreadyReported, ExitCode, codeOf, exitCodeOf, messageOf } from "../../failure.js";
import { nearest } from "../../nearest.js";
import { currentDocument, viewOf } from "../../network-view.js";
import { type PingSummary, PingTimes, round, shown, summarize } from "../../ping-statistics.js";
import { paced } from "../../paced.js";
import { bar, duration } from "../../terminal.js";
import { RECONNECT, tellReconnects } from "../../reconnects.js";

/** Flags of the command. */
export interface PingFlags extends ClientFlags {
  /** How many; by default until interrupted. */
  readonly count?: number;
  /** Minimum time between two, in milliseconds. */
  readonly interval: number;
  /** The most that are on their way at once. */
  readonly window: number;
}

/** Long enough that a reply cannot be mistaken for another message's. */
const PAYLOAD_LENGTH = 32;

/** Pings until the count is reached or Ctrl-C; fails if no reply arrived. */
export function ping(flags: PingFlags, service: string): Promise<void> {
  const work = async (run: ClientRun): Promise<void> => {
    tellReconnects(run);
    const { output, signal, client } = run;
    const { count = Infinity, interval, window } = flags;
    const size = client.geometry.packetLength;
    look(client, service);
    output.heading(`PING ${service} through the mixnet, packets of ${size} bytes`);
    const tick = tickOf(client);
    if (tick !== null) output.heading(`the network's schedule: ${tickText(tick, interval)}`);
    const series = new Series(run, service);
    await paced({ count, intervalMs: interval, window, signal }, (seq) => series.one(seq));
    series.finish();
  };
  return withClient(flags, work, { reconnect: RECONNECT, revealsNothing: true });
}

/** The average time between two packets of the daemon, in milliseconds, by the current document. */
function tickOf(client: ThinClient): number | null {
  const lambdaP = client.pkiDocument()?.lambdaP ?? 0;
  return lambdaP > 0 ? 1 / lambdaP : null;
}

function tickText(tickMs: number, intervalMs: number): string {
  const allowed = `about one packet every ${duration(tickMs)}, for all clients of the daemon together`;
  return intervalMs < tickMs ? `${allowed}: it sets the pace` : allowed;
}

/** Why messages cannot be sent. */
type Hindrance = "the daemon is away" | "the mixnet is out of reach";

/** @throws ServiceNotFoundError when nobody offers the service; it suggests similar names. */
function look(client: ThinClient, service: string): void {
  try {
    client.getService(service);
  } catch (error) {
    if (!hasCode(error, "ERR_SERVICE_NOT_FOUND")) throw error;
    const offered = viewOf(currentDocument(client)).serviceNodes.flatMap(
      ({ services }) => services,
    );
    const near = nearest(service, [...new Set(offered)]);
    if (near.length === 0) throw error;
    throw new ServiceNotFoundError(`${error.message}; did you mean ${near.join(" or ")}?`, {
      cause: error,
    });
  }
}

class Series {
  readonly #run: ClientRun;
  readonly #service: string;
  readonly #times = new PingTimes();
  #sent = 0;
  #waiting = 0;
  #unsent = 0;
  /** Why the last message was not sent; null if it was. */
  #hindrance: Hindrance | null = null;
  #failure: unknown = null;

  constructor(run: ClientRun, service: string) {
    this.#run = run;
    this.#service = service;
  }

  /** Sends one message and reports its outcome; never rejects. */
  async one(seq: number): Promise<void> {
    const { client, call, signal, output } = this.#run;
    const service = this.#service;
    if (this.#isHindered(seq)) return;
    const payload = randomBytes(PAYLOAD_LENGTH);
    this.#sent++;
    const start = performance.now();
    try {
      const destination = client.getService(service);
      const node = destination.mixDescriptor.name;
      const reply = await client.blockingSendMessage(payload, ...destination.toDestination(), call);
      const ms = round(performance.now() - start);
      const intact = equalBytes(reply.subarray(0, payload.length), payload);
      this.#times.add(ms);
      const text = `reply from ${node}: seq=${seq} time=${shown(ms)} ms${intact ? "" : " (not an echo)"}`;
      const record = { type: "reply", seq, service, node, ms, intact } as const;
      if (output.json || !output.quiet) output.result(text, record);
    } catch (error) {
      if (signal.aborted) {
        // We did not wait long enough to call it lost.
        this.#waiting++;
        return;
      }
      this.#failure = error;
      const message = messageOf(error);
      // The library's message about a deadline names a method, which is meant for programmers.
      const why = hasCode(error, "ERR_TIMEOUT")
        ? `no answer within ${duration(performance.now() - start)}`
        : message;
      const text = output.style("yellow", `no reply: seq=${seq}: ${why}`);
      const record = { type: "loss", seq, service, code: codeOf(error), message } as const;
      if (output.json || !output.quiet) output.result(text, record);
    }
  }

  /** Whether a message cannot be sent now. Counts it then, and reports the reason once. */
  #isHindered(seq: number): boolean {
    const { client, output } = this.#run;
    const before = this.#hindrance;
    const now: Hindrance | null = !client.isState("ready")
      ? "the daemon is away"
      : client.isConnected()
        ? null
        : "the mixnet is out of reach";
    this.#hindrance = now;
    if (now === null) return false;
    this.#unsent++;
    output.record({ type: "unsent", seq, service: this.#service, reason: now });
    // Another remark already reports that the daemon is away; one line per message would hide it.
    if (now !== before && now !== "the daemon is away" && !output.quiet) {
      output.line(output.style("yellow", `nothing is sent from seq=${seq} on: ${now}`));
    }
    return true;
  }

  /**
   * @throws AlreadyReported when no reply arrived; the signal's reason when none could have arrived
   * yet.
   */
  finish(): void {
    const { output, signal } = this.#run;
    const summary = summarize(this.#sent, this.#times, this.#waiting, this.#unsent);
    if (this.#sent + this.#unsent === 0) signal.throwIfAborted();
    output.record({ type: "summary", service: this.#service, ...summary });
    for (const line of summaryLines(this.#service, summary)) output.line(line);
    if (!output.quiet)
      for (const line of histogramLines(summary, output.terminal.width)) output.line(line);
    if (summary.received > 0) return;
    if (hasCode(this.#failure, "ERR_TIMEOUT") && this.#service !== "echo") {
      output.remark("not every service answers every message: katz ping echo uses one that does");
    }
    if (this.#waiting === this.#sent) signal.throwIfAborted();
    const hindered =
      this.#hindrance === "the daemon is away" ? ExitCode.CONNECTION : ExitCode.NETWORK;
    throw new AlreadyReported(this.#failure === null ? hindered : exitCodeOf(this.#failure));
  }
}

function summaryLines(service: string, summary: PingSummary): string[] {
  const { sent, received, waiting, unsent, lossPercent, minMs, avgMs, maxMs, mdevMs } = summary;
  const still = waiting > 0 ? `, ${waiting} still awaited` : "";
  const kept = unsent > 0 ? `, ${unsent} not sent` : "";
  const lines = [
    "",
    `--- ${service} ping statistics ---`,
    `${sent} sent, ${received} received, ${lossPercent}% loss${still}${kept}`,
  ];
  const times = [minMs, avgMs, maxMs, mdevMs].map(shown);
  if (received > 0) lines.push(`min/avg/max/mdev = ${times.join("/")} ms`);
  return lines;
}

/** @param room how many characters fit on a line. */
function histogramLines({ histogram, received }: PingSummary, room: number): string[] {
  if (received < 2) return [];
  const most = Math.max(...histogram.map(({ count }) => count));
  const width = Math.max(...histogram.map(({ toMs }) => shown(toMs).length));
  return histogram.map(({ fromMs, toMs, count }) => {
    const range = `${shown(fromMs).padStart(width)} to ${shown(toMs).padStart(width)} ms`;
    const left = room - range.length - String(most).length - 3;
    return `${range}  ${bar(count / most, Math.max(5, Math.min(30, left)))} ${count}`;
  });
}
