/** Workers that compute CTIDH1024, so that the calling thread stays free. */
import {
  type Bytes,
  type RandomSource,
  checkBytes,
  copyBytes,
  randomBytes,
  toHex,
} from "../../bytes/bytes.js";
import { RecentlyUsed } from "../../bytes/recently-used.js";
import type { Clock, Timer } from "../../clock/clock.js";
import { onAbort } from "../../clock/on-abort.js";
import { InvalidStateError } from "../../errors/errors.js";
import type { NikeKeyPair } from "../nike/scheme.js";
import {
  CTIDH1024_PRIVATE_KEY_LENGTH,
  CTIDH1024_PUBLIC_KEY_LENGTH,
  generatePrivateKey,
  invalidPublicKeyText,
} from "./ctidh1024.js";
import type { CtidhCallOptions, CtidhProvider } from "./provider.js";
import { keptVerdicts } from "./validate.js";
import type { CtidhOutcome, CtidhResponse, CtidhTask, WorkerLike } from "./worker-protocol.js";

/** Options of a {@link CtidhPool}. */
export interface CtidhPoolOptions {
  /** The clock for the idle time of workers. */
  readonly clock: Clock;
  /** The most workers, and so the most busy cores. 2 by default. */
  readonly maxWorkers?: number | undefined;
  /** How long a worker waits for work before it is ended, in milliseconds. 30,000 by default. */
  readonly idleMs?: number | undefined;
}

interface Job {
  readonly task: CtidhTask;
  readonly settle: (outcome: CtidhOutcome) => void;
  readonly fail: (reason: unknown) => void;
  /** Whether its caller has given up. */
  dropped: boolean;
}

interface Member {
  readonly worker: WorkerLike;
  /** Its current job, even if the caller has given up. */
  job: Job | null;
  /** The ID of its current request. */
  requestId: number;
  idleTimer: Timer | null;
}

function wipe(task: CtidhTask): void {
  // Memory that was transferred to a worker has length 0 here, and must not be touched.
  if ("privateKey" in task && task.privateKey.length > 0) task.privateKey.fill(0);
}

function checkCount(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`\`${name}\` must be an integer of ${least} or more, got ${value}`);
}

/**
 * Computes CTIDH1024 in workers. Workers are made when there is work, at most `maxWorkers`, and
 * ended after `idleMs` without work. A worker keeps the process alive only while a caller waits for
 * it.
 *
 * An aborted call that waits for its turn is removed; a running one continues, and its result is
 * dropped. Each worker gets its own copy of the private key and wipes it.
 */
export class CtidhPool implements CtidhProvider {
  readonly #spawn: () => WorkerLike;
  readonly #clock: Clock;
  readonly #maxWorkers: number;
  readonly #idleMs: number;
  /** Whether public keys are valid, by their hex. */
  readonly #verdicts = new RecentlyUsed<string, boolean>(keptVerdicts);
  readonly #members = new Set<Member>();
  readonly #queue: Job[] = [];
  #lastRequestId = 0;
  #closed = false;

  /**
   * @param spawn makes a worker; the platform's is `spawnCtidhWorker`.
   * @throws RangeError for a `maxWorkers` below 1 or an `idleMs` below 0.
   */
  constructor(spawn: () => WorkerLike, options: CtidhPoolOptions) {
    this.#spawn = spawn;
    this.#clock = options.clock;
    this.#maxWorkers = checkCount("maxWorkers", options.maxWorkers ?? 2, 1);
    this.#idleMs = checkCount("idleMs", options.idleMs ?? 30_000, 0);
  }

  /** How many workers exist. */
  get workerCount(): number {
    return this.#members.size;
  }

  async generate(
    random: RandomSource = randomBytes,
    options?: CtidhCallOptions,
  ): Promise<NikeKeyPair> {
    const privateKey = generatePrivateKey(random);
    return { publicKey: await this.publicKeyOf(privateKey, options), privateKey };
  }

  async publicKeyOf(privateKey: Uint8Array, options?: CtidhCallOptions): Promise<Bytes> {
    checkBytes("privateKey", privateKey, CTIDH1024_PRIVATE_KEY_LENGTH);
    const task: CtidhTask = {
      operation: "groupAction",
      publicKey: new Uint8Array(CTIDH1024_PUBLIC_KEY_LENGTH),
      privateKey: copyBytes(privateKey),
    };
    return curveOf(await this.#perform(task, options));
  }

  async sharedSecret(
    privateKey: Uint8Array,
    publicKey: Uint8Array,
    options?: CtidhCallOptions,
  ): Promise<Bytes> {
    checkBytes("privateKey", privateKey, CTIDH1024_PRIVATE_KEY_LENGTH);
    checkBytes("publicKey", publicKey, CTIDH1024_PUBLIC_KEY_LENGTH);
    const verdict = this.#verdicts.get(toHex(publicKey));
    if (verdict === false) throw new RangeError(invalidPublicKeyText);
    const task: CtidhTask = {
      operation: verdict === true ? "groupAction" : "sharedSecret",
      publicKey: copyBytes(publicKey),
      privateKey: copyBytes(privateKey),
    };
    return curveOf(await this.#perform(task, options));
  }

  async validate(publicKey: Uint8Array, options?: CtidhCallOptions): Promise<boolean> {
    checkBytes("publicKey", publicKey, CTIDH1024_PUBLIC_KEY_LENGTH);
    const known = this.#verdicts.get(toHex(publicKey));
    if (known !== undefined) return known;
    const task: CtidhTask = { operation: "validate", publicKey: copyBytes(publicKey) };
    return (await this.#perform(task, options)).kind === "done";
  }

  /** Ends all workers; pending and later calls reject with InvalidStateError. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const waiting = this.#queue.splice(0);
    for (const member of this.#members) {
      if (member.job) waiting.push(member.job);
      this.#remove(member);
    }
    for (const job of waiting) job.fail(closedError());
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #perform(task: CtidhTask, options: CtidhCallOptions = {}): Promise<CtidhOutcome> {
    const { signal } = options;
    try {
      if (this.#closed) throw closedError();
      signal?.throwIfAborted();
      const outcome = await this.#enqueue(task, signal);
      if (outcome.kind === "failed") throw new Error(`the CTIDH worker failed: ${outcome.message}`);
      this.#verdicts.set(toHex(task.publicKey), outcome.kind === "done");
      return outcome;
    } finally {
      wipe(task);
    }
  }

  #enqueue(task: CtidhTask, signal: AbortSignal | undefined): Promise<CtidhOutcome> {
    return new Promise((resolve, reject) => {
      const job: Job = {
        task,
        settle: (outcome) => {
          leave?.();
          resolve(outcome);
        },
        fail: (reason) => {
          leave?.();
          reject(reason);
        },
        dropped: false,
      };
      const leave =
        signal &&
        onAbort(signal, () => {
          this.#drop(job);
          job.fail(signal.reason);
        });
      this.#queue.push(job);
      this.#dispatch();
    });
  }

  #drop(job: Job): void {
    job.dropped = true;
    const place = this.#queue.indexOf(job);
    if (place >= 0) this.#queue.splice(place, 1);
    for (const member of this.#members) {
      if (member.job === job) member.worker.keepAlive(false);
    }
  }

  /** Gives waiting jobs to workers, as far as there are any. */
  #dispatch(): void {
    while (this.#queue.length > 0) {
      let idle = [...this.#members].find((member) => member.job === null);
      if (!idle && this.#members.size >= this.#maxWorkers) return;
      const job = this.#queue.shift()!;
      try {
        idle ??= this.#hire();
        this.#assign(idle, job);
      } catch (error) {
        if (idle) this.#remove(idle);
        // Not passed on as a RangeError: callers would take it for one about the keys.
        const why = error instanceof Error ? error.message : String(error);
        job.fail(new Error(`a CTIDH worker could not be started: ${why}`, { cause: error }));
      }
    }
  }

  #hire(): Member {
    const member: Member = { worker: this.#spawn(), job: null, requestId: 0, idleTimer: null };
    member.worker.onMessage((response) => this.#onResponse(member, response));
    member.worker.onError((error) => this.#onFailure(member, error));
    this.#members.add(member);
    return member;
  }

  #assign(member: Member, job: Job): void {
    member.idleTimer?.cancel();
    member.idleTimer = null;
    member.job = job;
    member.requestId = ++this.#lastRequestId;
    member.worker.keepAlive(true);
    // Only the private key is transferred: the public key is still needed here to remember the
    // result.
    const transfer = "privateKey" in job.task ? [job.task.privateKey.buffer] : [];
    member.worker.postMessage({ ...job.task, id: member.requestId }, transfer);
  }

  #onResponse(member: Member, response: CtidhResponse): void {
    const { job } = member;
    if (!this.#members.has(member) || job === null || response.id !== member.requestId) return;
    member.job = null;
    if (!job.dropped) job.settle(response.outcome);
    this.#dispatch();
    if (member.job !== null) return;
    member.worker.keepAlive(false);
    const retire = (): void => this.#remove(member);
    member.idleTimer = this.#clock.after(this.#idleMs, retire, { background: true });
  }

  #onFailure(member: Member, error: Error): void {
    if (!this.#members.has(member)) return;
    this.#remove(member);
    if (member.job && !member.job.dropped) {
      member.job.fail(new Error("the CTIDH worker failed", { cause: error }));
    }
    this.#dispatch();
  }

  #remove(member: Member): void {
    this.#members.delete(member);
    member.idleTimer?.cancel();
    member.worker.terminate();
  }
}

function closedError(): InvalidStateError {
  return new InvalidStateError("the CTIDH pool is closed");
}

function curveOf(outcome: CtidhOutcome): Bytes {
  if (outcome.kind === "done" && outcome.curve !== null) return outcome.curve;
  throw new RangeError(invalidPublicKeyText);
}
