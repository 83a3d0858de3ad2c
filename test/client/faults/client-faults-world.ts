/** The daemon and the clients of one fault schedule, and what the model knows about their calls. */
import { leftOf } from "../../e2e/seeded-schedules.js";
import { type Bytes, randomBytes } from "../../../src/bytes/bytes.js";
import { VirtualClock } from "../../../src/clock/virtual.js";
import { x25519Nike } from "../../../src/crypto/nike/x25519.js";
import { Daemon } from "../../../src/daemon/daemon.js";
import { upstreamTiming } from "../../../src/mixnet/timing.js";
import { PigeonholeGeometry } from "../../../src/pki/pigeonhole-geometry.js";
import { geometry, seededRandom, sizes } from "../../daemon/fixture.js";
import { App } from "./client-faults-app.js";
import {
  type Call,
  type Excuse,
  cancelAt,
  defaultTimeoutOf,
  isOperation,
  judgeError,
  judgeResult,
  judgeWaiting,
  workOf,
} from "./client-faults-calls.js";
import { takeFault } from "./client-faults-faults.js";
import { MachineClock } from "./client-faults-clock.js";
import { FakeNetwork, type Prepared } from "./client-faults-network.js";
import { APPS, type Schedule, type Step } from "./client-faults-schedule.js";

/** How long the daemon keeps the session of an absent client, in milliseconds. */
const GRACE_MS = 60_000;
/**
 * Longest time for anything to finish after all faults are over, in ms of the virtual clock. A
 * connection that hangs can look for 25 minutes like one whose daemon reads no further. These
 * minutes start when the client gives up its last local request on the connection.
 */
const PATIENCE_MS = 1_800_000;

const timing = {
  ...upstreamTiming,
  sessionGraceMs: GRACE_MS,
  followUpMs: { first: 500, longest: 20_000 },
};

/** The state of one schedule. */
export class FaultWorld {
  readonly clock = new VirtualClock();
  readonly machine = new MachineClock(this.clock);
  readonly violations: string[] = [];
  readonly counts = new Map<string, number>();
  readonly log: string[] = [];
  readonly network: FakeNetwork;
  readonly prepared: Prepared;
  /** The applications, followed by the twin of the first one if it exists. */
  readonly apps: App[] = [];
  daemon: Daemon | null = null;
  /** The highest number of calls that waited at the same time. */
  mostWaiting = 0;
  readonly #schedule: Schedule;
  readonly #calls: Call[] = [];
  #instanceToken: Bytes | null = null;
  #waiting = 0;
  #daemons = 0;

  constructor(schedule: Schedule, prepared: Prepared) {
    this.#schedule = schedule;
    this.prepared = prepared;
    this.network = new FakeNetwork(this.clock, prepared);
  }

  get madeCalls(): number {
    return this.#calls.length;
  }

  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  note(text: string): void {
    this.log.push(`${this.clock.monotonic()} ms: ${text}`);
  }

  violation(where: string, what: string): void {
    this.violations.push(`${this.clock.monotonic()} ms, ${where}: ${what}`);
  }

  async start(): Promise<void> {
    this.startDaemon(true);
    for (let number = 0; number < APPS; number++) {
      this.apps.push(await this.connect(number, randomBytes(16)));
    }
  }

  startDaemon(newInstance: boolean): void {
    if (newInstance) this.#instanceToken = randomBytes(16);
    this.daemon = new Daemon({
      link: this.network.link(),
      clock: this.machine,
      timing,
      geometry,
      pigeonholeGeometry: PigeonholeGeometry.fromSphinx(geometry, "x25519", 32),
      sizes,
      scheme: x25519Nike,
      voucherScheme: x25519Nike,
      authorities: [],
      // The model counts operations as if the daemon read and served all requests at once.
      kindCancels: true,
      kindReading: true,
      random: seededRandom(1000 * this.#schedule.seed + ++this.#daemons),
      instanceToken: this.#instanceToken!,
      onFault: (error) => {
        // Some steps cut frames short on purpose.
        if (!/frame/.test(error.message)) this.violation("daemon", String(error));
      },
    });
    this.network.announce();
  }

  async connect(number: number, sessionToken: Uint8Array): Promise<App> {
    const app: App = new App({
      number,
      clock: this.machine,
      sessionToken,
      maxInFlight: this.#schedule.maxInFlight,
      serve: (transport) => {
        this.daemon?.serve(transport);
        return this.daemon !== null;
      },
    });
    app.client.on("daemonDisconnected", () => {
      this.note(`app ${number} lost its connection`);
      this.excuse("away", number);
      for (const call of this.#ofApp(number)) {
        call.lastLostAt = this.clock.monotonic();
        call.lostAt = Math.min(call.lostAt, call.lastLostAt);
      }
    });
    app.client.on("reconnected", ({ resumed }) => {
      this.count(resumed ? "reconnected, resumed" : "reconnected, forgotten");
      this.note(`app ${number} is back, ${resumed ? "resumed" : "forgotten"}`);
    });
    await this.clock.runUntil(app.client.start());
    return app;
  }

  /** The waiting calls of one application, or of all. */
  #ofApp(number: number | null): Call[] {
    return this.#calls.filter(({ app, settled }) => !settled && (number ?? app) === app);
  }

  /** Adds an excuse to the waiting calls of an application, or of all if `app` is null. */
  excuse(excuse: Excuse, app: number | null = null): void {
    for (const call of this.#ofApp(app)) call.excuses.add(excuse);
  }

  /** Takes one step; skips it if the present state does not allow it. */
  async take(step: Step): Promise<void> {
    if (step.kind === "call") {
      const app = this.apps[step.app % this.apps.length]!;
      for (let i = 0; i < step.times; i++) this.#call(app, step, step.place + i);
    } else if (step.kind === "cancel" || step.kind === "abort") {
      this.#end(step);
    } else {
      await takeFault(this, step);
    }
    this.mostWaiting = Math.max(this.mostWaiting, this.#waiting);
    // Odd seeds settle only when time advances, so several steps can happen in one turn of the
    // event loop.
    if (step.kind === "advance" || this.#schedule.seed % 2 === 0) await this.settle();
  }

  /** Lets everything that is ready run, then checks that no call waits that must not. */
  async settle(): Promise<void> {
    await this.clock.advance(0);
    await this.clock.advance(0);
    this.#checkNow();
  }

  #checkNow(): void {
    for (const call of this.#ofApp(null)) {
      const app = this.apps.find(({ client }) => client === call.client);
      const reason = app?.isServed ? judgeWaiting(call, this.network) : null;
      if (reason !== null) this.violation(nameOf(call), reason);
    }
    this.#checkOperations();
  }

  /** Checks that the number of the daemon's operations matches the calls that wait. */
  #checkOperations(): void {
    if (!this.daemon || this.apps.length > APPS || this.replaced) return;
    if (this.apps.some((app) => !app.isServed)) return;
    const inFlight = this.apps.reduce((sum, { client }) => sum + client.load.inFlight, 0);
    const { operations } = this.daemon.load;
    // A call that gives up does not stop the daemon's work on an envelope that other calls wait
    // for.
    const shared = this.#calls.filter(
      (call) => call.settled && isOperation(call) && this.#othersWaitLike(call),
    ).length;
    if (operations < inFlight || operations > inFlight + shared) {
      const wanted = `${inFlight} to ${inFlight + shared}`;
      this.violation("daemon", `has ${operations} operations, there must be ${wanted}`);
    }
  }

  #othersWaitLike({ app, gate }: Call): boolean {
    return this.#ofApp(app).some((other) => other.gate === gate);
  }

  /**
   * True once a client with the same session replaced another one: the operations of the old one
   * continue.
   */
  replaced = false;

  #call(app: App, step: Extract<Step, { kind: "call" }>, place: number): void {
    const number = this.#calls.length;
    const { client } = app;
    const work = workOf(step.call, number, place, client, this);
    const startedAt = this.clock.monotonic();
    const timeoutMs = Number.isFinite(step.timeoutMs)
      ? step.timeoutMs
      : defaultTimeoutOf(step.call);
    // Sealing has no deadline of its own, and a connection that hangs never brings an answer.
    const deadline = step.call === "sealAndWrite" ? Math.min(timeoutMs, 120_000) : timeoutMs;
    const abort = new AbortController();
    const call: Call = {
      number,
      kind: step.call,
      app: app.number,
      client,
      abort,
      startedAt,
      deadlineAt: startedAt + deadline,
      startedAway: !client.isState("ready"),
      startedOnline: client.isConnected(),
      startedFailing: this.network.failing,
      gate: work.gate,
      excuses: new Set(this.#excusesNow(app)),
      lostAt: app.client.isState("ready") ? Number.POSITIVE_INFINITY : startedAt,
      lastLostAt: Number.NEGATIVE_INFINITY,
      aborted: null,
      cancelled: false,
      clientClosed: false,
      settled: false,
    };
    this.#calls.push(call);
    this.#waiting++;
    this.count(step.call);
    this.note(`starts ${nameOf(call)}`);
    const options = Number.isFinite(deadline) ? { timeoutMs: deadline } : {};
    work.run({ signal: abort.signal, ...options }).then(
      (wrong) => {
        const now = this.clock.monotonic();
        this.#ended(call, "done", judgeResult(call, wrong, now, this.network.open));
      },
      (error: unknown) => {
        const now = this.clock.monotonic();
        const known = { open: this.network.open, graceMs: GRACE_MS };
        const name = error instanceof Error ? error.constructor.name : String(error);
        const aborted = call.aborted !== null && error === call.aborted.reason;
        const reason = judgeError(call, error, now, known);
        this.#ended(call, aborted ? "aborted" : name, reason && `${String(error)}: ${reason}`);
      },
    );
  }

  #excusesNow(app: App): Excuse[] {
    const excuses: Excuse[] = [];
    if (!app.client.isState("ready")) excuses.push("away");
    else if (!app.line!.isSound) excuses.push("unheard");
    if (!this.network.online) excuses.push("offline");
    if (this.network.failing) excuses.push("sending fails");
    if (this.network.toDrop > 0) excuses.push("reply dropped");
    if (this.apps.length > APPS && app.number !== 1) excuses.push("twin");
    return excuses;
  }

  #ended(call: Call, outcome: string, reason: string | null): void {
    if (call.settled) this.violation(nameOf(call), "ended twice");
    call.settled = true;
    this.#waiting--;
    this.count(`${call.kind} -> ${outcome}`);
    this.note(`${nameOf(call)} -> ${outcome}`);
    if (reason !== null) this.violation(nameOf(call), reason);
  }

  #end(step: Extract<Step, { kind: "cancel" | "abort" }>): void {
    const waiting = this.#ofApp(null).filter((call) => step.kind === "abort" || call.gate !== null);
    if (waiting.length === 0) return;
    const call = waiting[step.call % waiting.length]!;
    this.count(step.kind);
    this.note(`${step.kind} ${nameOf(call)}`);
    if (step.kind === "cancel") this.#cancel(call);
    else if (call.aborted === null) this.abort(call);
  }

  abort(call: Call): void {
    const reason = new Error("aborted by the schedule");
    call.aborted = { at: this.clock.monotonic(), reason };
    call.abort.abort(reason);
  }

  #cancel({ client, app, gate }: Call): void {
    const ended = this.#ofApp(app).filter((call) => call.gate === gate && call.client === client);
    for (const call of ended) call.cancelled = true;
    const startedAt = this.clock.monotonic();
    const others = ended.map((call) => nameOf(call)).join(", ");
    cancelAt(client, gate!, this.prepared).then(
      () =>
        setImmediate(() => {
          this.count("cancel -> done");
          for (const call of ended) {
            if (!call.settled) this.violation(nameOf(call), "continued after its cancel");
          }
        }),
      (error: unknown) => {
        const name = error instanceof Error ? error.constructor.name : String(error);
        this.count(`cancel -> ${name}`);
        const late = this.clock.monotonic() === startedAt + 60_000;
        const allowed =
          (name === "RequestTimeoutError" && late) ||
          (name === "ClientClosedError" && client.isState("closed"));
        if (!allowed) this.violation(`cancel of ${others}`, String(error));
      },
    );
  }

  /** Stops a client for good, and checks that all its calls ended. */
  async close(app: App, goodbye: boolean): Promise<void> {
    const own = this.#calls.filter(({ client, settled }) => client === app.client && !settled);
    for (const call of own) call.clientClosed = true;
    const sessions = this.daemon?.load.sessions ?? 0;
    const known = app.isServed && !app.line!.isCracked;
    await this.clock.runUntil(goodbye ? app.client.stop() : app.client.disconnect());
    for (const call of own) {
      if (!call.settled) this.violation(nameOf(call), "outlived its client");
    }
    if (app.client.pendingCalls > 0) this.violation("client", "has calls after its end");
    if (goodbye && known && this.daemon && this.daemon.load.sessions !== sessions - 1) {
      this.violation("daemon", "keeps the session of a client that said goodbye");
    }
    const { told, wrong } = await app.checkReaders();
    for (let i = 0; i < told; i++) this.count("slow reader -> told");
    for (const what of wrong) this.violation("slow reader", what);
  }

  /** Ends all faults, lets everything finish, and checks what is left. */
  async finish(): Promise<void> {
    this.note("all faults end");
    await takeFault(this, { kind: "heal" });
    const end = this.clock.monotonic() + PATIENCE_MS;
    const over = (): boolean => this.#waiting === 0 && this.apps.every(({ isServed }) => isServed);
    while (!over() && this.clock.monotonic() < end) await this.clock.advance(1000);
    await this.settle();
    for (const call of this.#ofApp(null)) {
      this.violation(nameOf(call), "never ended");
      this.abort(call);
    }
    for (const [text, times] of this.network.echoes) {
      if (times > 1) this.violation(text, `was sent ${times} times`);
    }
    await this.#checkUsable();
    for (const app of this.apps) await this.close(app, true);
    // This ends the sessions of clients that were stopped while they were disconnected.
    await this.clock.advance(GRACE_MS);
    const left = leftOf(this.daemon!.load);
    if (left.length > 0) this.violation("daemon", `still has ${JSON.stringify(left)}`);
    await this.clock.runUntil(this.daemon!.close());
    await this.clock.advance(timing.broadcastHoldMs);
    const { pending } = this.clock;
    if (pending > 0) this.violation("clock", `${pending} timers outlive everything`);
  }

  /** Checks that every client works normally after all faults. */
  async #checkUsable(): Promise<void> {
    const start = this.#calls.length;
    for (const app of this.apps) {
      const step = { kind: "call", app: app.number, times: 1, timeoutMs: 1000 } as const;
      this.#call(app, { ...step, call: "local", place: 0 }, 0);
      this.#call(app, { ...step, call: "echo", place: 0 }, 0);
      this.#call(app, { ...step, call: "write", place: 0 }, 0);
    }
    await this.clock.advance(1000);
    for (const call of this.#calls.slice(start)) {
      if (call.excuses.size > 0) this.violation(nameOf(call), `has ${[...call.excuses].join()}`);
      if (!call.settled) this.violation(nameOf(call), "does not end although all faults are over");
    }
  }

  /** Releases everything after a run that failed. */
  async giveUp(): Promise<void> {
    for (const { client } of this.apps) void client.stop();
    void this.daemon?.close();
    await this.clock.advance(10_000);
  }
}

function nameOf({ number, kind, gate, app }: Call): string {
  return `#${number} ${gate ?? kind} of app ${app}`;
}
