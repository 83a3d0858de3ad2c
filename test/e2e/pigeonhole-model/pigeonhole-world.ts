/** The network of one schedule, its calls, and what the model knows about them. */
import { leftOf } from "../seeded-schedules.js";
import { toHex, utf8ToText } from "../../../src/bytes/bytes.js";
import type { EnvelopeHash, MessageBoxIndex } from "../../../src/bytes/opaque.js";
import { ThinClient } from "../../../src/client/thin-client.js";
import { VirtualClock } from "../../../src/clock/virtual.js";
import { type Keypair, keypairFromSeed } from "../../../src/bacap/capabilities.js";
import { nextMessageBoxIndex } from "../../../src/bacap/message-box-index.js";
import { DevDaemon } from "../../../src/testing/dev-daemon.js";
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  TombstoneError,
} from "../../../src/errors/errors.js";
import { replicaEpoch } from "../../../src/pki/epoch.js";
import { Excuses, type JudgedCall, ModelBox, judgeError } from "./pigeonhole-boxes.js";
import { takeCall } from "./pigeonhole-calls.js";
import { takeFault } from "./pigeonhole-faults.js";
import {
  BOXES_PER_STREAM,
  CLIENTS,
  type Schedule,
  STREAMS,
  type Step,
} from "./pigeonhole-schedule.js";

/** The longest time for anything after all faults have ended, in ms of the virtual clock. */
const PATIENCE_MS = 300_000;

/** A box, its position, and what the model knows about it. */
export interface Place {
  readonly name: string;
  readonly stream: Keypair;
  readonly index: MessageBoxIndex;
  readonly model: ModelBox;
}

/** A call that was made. */
interface Call extends JudgedCall {
  readonly name: string;
  readonly client: ThinClient;
  readonly abort: AbortController;
  /** Only set for calls that a cancel can name. */
  readonly envelopeHash: EnvelopeHash | null;
  /**
   * Whether it may wait forever after the faults have ended, as for a box that is never written.
   */
  readonly mayWait: () => boolean;
  aborted: unknown;
  cancelled: boolean;
  clientClosed: boolean;
  settled: boolean;
}

/** The state of one schedule. */
export class ModelWorld {
  readonly schedule: Schedule;
  readonly clock: VirtualClock;
  readonly violations: string[] = [];
  readonly counts = new Map<string, number>();
  readonly log: string[] = [];
  readonly excuses = new Excuses();
  readonly places: Place[] = [];
  readonly clients: ThinClient[] = [];
  epochsSkipped = 0;
  #daemon: DevDaemon | null = null;
  readonly #calls: Call[] = [];
  #tokens = 0;
  #firstEpoch = 0;
  /** Boxes that were empty at the end. */
  readonly #empty = new Set<Place>();

  constructor(schedule: Schedule) {
    this.schedule = schedule;
    const { epochMs, beforeEpochMs, misleading } = schedule;
    // New Year 2026 is a Thursday, so epochs of both lengths begin then.
    this.clock = new VirtualClock(Date.UTC(2026, 0, 1) + epochMs - beforeEpochMs);
    this.excuses.misleading = misleading;
  }

  get daemon(): DevDaemon {
    if (this.#daemon === null) throw new RangeError("the network is not started");
    return this.#daemon;
  }

  /** The current replica epoch for couriers and replicas. */
  get epoch(): number {
    return replicaEpoch(this.daemon.network.currentEpoch, this.schedule.epochMs);
  }

  /** The number of calls that were made. */
  get callCount(): number {
    return this.#calls.length;
  }

  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  note(text: string): void {
    this.log.push(`${this.clock.monotonic()} ms: ${text}`);
  }

  async start(): Promise<void> {
    const { seed, epochMs, replicas, kindCouriers } = this.schedule;
    this.#daemon = await DevDaemon.start({
      clock: this.clock,
      seed: `schedule ${seed}`,
      epochMs,
      replicas,
      kindCouriers,
      couriers: 2,
      mixesPerLayer: 1,
      // Small boxes: 200 bytes.
      userForwardPayloadLength: 523,
    });
    for (let stream = 0; stream < STREAMS; stream++) this.#layOut(stream);
    this.#firstEpoch = this.epoch;
    while (this.clients.length < CLIENTS) this.clients.push(await this.connect());
  }

  #layOut(stream: number): void {
    const bytes = new Uint8Array(32).fill(stream + 1);
    new DataView(bytes.buffer).setUint32(0, this.schedule.seed);
    const keypair = keypairFromSeed(bytes);
    let index: MessageBoxIndex = keypair.firstMessageIndex;
    for (let box = 0; box < BOXES_PER_STREAM; box++) {
      this.places.push({ name: `${stream}/${box}`, stream: keypair, index, model: new ModelBox() });
      index = nextMessageBoxIndex(index);
    }
  }

  /** A client that reconnects soon after a loss. */
  async connect(sessionToken?: Uint8Array): Promise<ThinClient> {
    const token = new Uint8Array(16).fill(++this.#tokens);
    const client = new ThinClient(
      { dial: { unix: { address: "@never-dialled" } } },
      {
        clock: this.clock,
        dial: this.daemon.dial,
        sessionToken: sessionToken ?? token,
        reconnect: { initialDelayMs: 100, maxDelayMs: 1000 },
      },
    );
    await this.clock.runUntil(client.start());
    return client;
  }

  /** Takes one step; skips it if the present state does not allow it. */
  async take(step: Step): Promise<void> {
    const before = this.excuses.epochChanged;
    if (step.kind === "advance") {
      this.count("advance");
      await this.#advance(step.ms);
    } else if (step.kind === "cancel" || step.kind === "abort") {
      await this.#end(step);
    } else if ("client" in step && step.kind !== "replaceClient") {
      await takeCall(this, step);
    } else {
      await takeFault(this, step);
    }
    if (before !== this.excuses.epochChanged) this.note("the epoch changed");
  }

  async #advance(ms: number): Promise<void> {
    const before = this.daemon.network.currentEpoch;
    await this.clock.advance(ms);
    if (this.daemon.network.currentEpoch !== before) this.epochChanges();
  }

  /** Called when the epoch has changed: new documents list the replicas that are online. */
  epochChanges(): void {
    this.count("epoch change");
    this.excuses.epochChanged = true;
    const { replicas } = this.daemon.storage;
    const incomplete = replicas.some(({ faults }) => faults.offline);
    const { documentsWithheld, online } = this.daemon.network.faults;
    if (incomplete || documentsWithheld || !online) {
      this.excuses.incompleteDocuments = true;
    }
  }

  /** Makes a call; its outcome is checked when it ends. */
  begin<T>(
    client: ThinClient,
    title: string,
    subject: Pick<Call, "kind" | "boxes"> &
      Partial<Pick<Call, "values" | "envelopeHash" | "mayWait">>,
    run: (signal: AbortSignal) => Promise<T>,
    judge: (result: T) => string | null,
    judgeMore: (error: unknown) => string | null = () => null,
  ): void {
    const call: Call = {
      envelopeHash: null,
      mayWait: () => false,
      ...subject,
      name: `#${this.#calls.length} ${subject.kind} ${title}`,
      client,
      abort: new AbortController(),
      aborted: undefined,
      cancelled: false,
      clientClosed: false,
      settled: false,
    };
    this.#calls.push(call);
    this.note(`client ${this.clients.indexOf(client)} starts ${call.name}`);
    const end = (outcome: string, reason: string | null): void => {
      call.settled = true;
      this.count(`${call.kind} -> ${outcome}`);
      this.note(`${call.name} -> ${outcome}`);
      if (reason !== null) this.violation(call.name, `${outcome}: ${reason}`);
    };
    run(call.abort.signal).then(
      (result) => end("done", judge(result)),
      (error: unknown) => {
        const reason = judgeError(call, error, this.excuses) ?? judgeMore(error);
        end(error === call.aborted ? "aborted" : nameOf(error), reason);
      },
    );
  }

  /** Ends a call in progress, by abort or by cancel. */
  async #end(step: Extract<Step, { call: number }>): Promise<void> {
    const isCancel = step.kind === "cancel";
    const usable = this.#calls.filter(
      ({ settled, envelopeHash }) => !settled && (!isCancel || envelopeHash !== null),
    );
    if (usable.length === 0) return;
    this.count(step.kind);
    const call = usable[step.call % usable.length]!;
    this.note(`${step.kind} ${call.name}`);
    if (!isCancel) {
      this.#abort(call);
      return;
    }
    const key = toHex(call.envelopeHash!);
    const ended = usable.filter(
      (other) => other.client === call.client && toHex(other.envelopeHash!) === key,
    );
    for (const other of ended) other.cancelled = true;
    // It may have to wait for a daemon that only a later step restarts.
    call.client.cancelResendingEncryptedMessage(call.envelopeHash!).then(
      () => {
        setImmediate(() => {
          for (const other of ended) {
            if (!other.settled) this.violation(other.name, "continued after its cancel");
          }
        });
      },
      (error: unknown) => {
        if (!call.clientClosed) this.violation(`cancel ${call.name}`, String(error));
      },
    );
    await this.clock.advance(0);
  }

  #abort(call: Call): void {
    if (call.abort.signal.aborted) return;
    call.aborted = new Error("aborted by the schedule");
    call.abort.abort(call.aborted);
  }

  /**
   * Marks the calls of a client that is about to be closed; returns a check that they have ended.
   */
  closing(client: ThinClient): () => void {
    const own = this.#calls.filter((call) => call.client === client && !call.settled);
    for (const call of own) call.clientClosed = true;
    return () => {
      for (const call of own) {
        if (!call.settled) this.violation(call.name, "outlived its client");
      }
      if (client.pendingCalls > 0) this.violation("client", "has pending calls after its end");
    };
  }

  /** Records an outcome that the model does not allow. */
  violation(where: string, what: string): void {
    this.violations.push(`${this.clock.monotonic()} ms, ${where}: ${what}`);
  }

  /** Ends all faults, lets everything finish, and checks what is left. */
  async finish(): Promise<void> {
    this.note("all faults end");
    await takeFault(this, { kind: "heal" });
    for (const call of this.#calls) if (!call.settled && call.mayWait()) this.#abort(call);
    await this.#quiet("calls", () => this.#calls.every(({ settled }) => settled));
    const { replicas } = this.daemon.storage;
    const isReplicated = () => replicas.every(({ unreplicated }) => unreplicated === 0);
    // Couriers try the envelopes that they accepted again with growing pauses, up to 48 s.
    await this.clock.advance(60_000);
    await this.#quiet("replication", isReplicated);
    await takeFault(this, { kind: "relist" });
    await this.#quiet("replication to replicas that came back", isReplicated);
    await this.#readEverything();
    // The contents of boxes must be certain for both holders: no fault occurred before, and none is
    // too old.
    if (this.excuses.storageIsExact && this.epoch === this.#firstEpoch) await this.#contest();
    await this.#close();
  }

  async #quiet(what: string, isQuiet: () => boolean): Promise<void> {
    const end = this.clock.monotonic() + PATIENCE_MS;
    while (!isQuiet() && this.clock.monotonic() < end) await this.clock.advance(500);
    if (isQuiet()) return;
    const left = this.#calls.filter(({ settled }) => !settled).map(({ name }) => name);
    this.violation("after all faults", `${what} did not come to an end: ${left.join("; ")}`);
    for (const call of this.#calls) if (!call.settled) this.#abort(call);
    await this.clock.advance(1000);
  }

  /** The final content of every box. */
  async #readEverything(): Promise<void> {
    const client = this.clients[0]!;
    const reads = this.places.map(async (place) => {
      const { name, stream, index, model } = place;
      const epoch = this.epoch;
      let held: string;
      let wrong: string | null = null;
      try {
        const { plaintext } = await client.read(stream.readCap, index, { wait: false });
        held = utf8ToText(plaintext);
        const certain = model.fixedAt(epoch);
        if (!model.mayHold(held)) wrong = "nobody wrote that";
        else if (certain !== null && held !== certain) wrong = `should be ${certain}`;
        else if (model.mustBeDeleted(epoch) && !this.excuses.acknowledgedMayBeLost)
          wrong = "was deleted";
      } catch (error) {
        held = nameOf(error);
        if (error instanceof BoxIDNotFoundError) {
          this.#empty.add(place);
          if (model.mustHoldSomething(epoch) && !this.excuses.acknowledgedMayBeLost)
            wrong = "was written";
        } else if (!(error instanceof TombstoneError && model.mayHold(null))) {
          wrong = "is not an allowed end";
        }
      }
      this.count(`in the end -> ${/^(copy|value)/.test(held) ? "held" : held}`);
      this.note(`in the end ${name} holds ${held}`);
      if (wrong !== null) this.violation(`box ${name} in the end`, `${held}: ${wrong}`);
    });
    await this.clock.runUntil(Promise.all(reads), PATIENCE_MS);
  }

  /**
   * Exclusive writes of values that were never written: the first one that finds a box empty must
   * succeed, and no other.
   */
  async #contest(): Promise<void> {
    const client = this.clients[1]!;
    const writes = this.places.map(async (place) => {
      const { name, stream, index } = place;
      const wins = this.#empty.has(place);
      for (const [value, mayStay] of [
        ["contest 1", wins],
        ["contest 2", false],
        ["contest 1", wins],
      ] as const) {
        this.count(mayStay ? "contest won" : "contest lost");
        const outcome = await client
          .write(stream.writeCap, index, value, { ifExists: "error" })
          .then(() => "done", nameOf);
        const expected = mayStay ? "done" : BoxAlreadyExistsError.name;
        if (outcome === expected) continue;
        this.violation(`box ${name} in the end`, `${value} -> ${outcome} instead of ${expected}`);
      }
    });
    await this.clock.runUntil(Promise.all(writes), PATIENCE_MS);
  }

  async #close(): Promise<void> {
    const checks = this.clients.map((client) => this.closing(client));
    await this.clock.runUntil(Promise.all(this.clients.map((client) => client.stop())));
    for (const check of checks) check();
    await this.clock.advance(0);
    const { daemon } = this;
    const load = leftOf(daemon.daemon.load);
    if (load.length > 0) this.violation("daemon", `still has ${JSON.stringify(load)}`);
    await this.clock.runUntil(daemon.close());
    await this.clock.advance(0);
    const { pending } = this.clock;
    if (pending > 0) this.violation("clock", `${pending} timers outlive everything`);
  }

  /** Releases everything after a run that failed. */
  async giveUp(): Promise<void> {
    for (const client of this.clients) void client.stop();
    void this.#daemon?.close();
    await this.clock.advance(10_000);
  }
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.name} (${nameOf(cause)})` : error.name;
}
