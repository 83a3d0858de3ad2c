/** The copy commands of a courier (spec/pigeonhole §9.1). */
import { concatBytes, toHex } from "../../bytes/bytes.js";
import {
  type MessageBoxIndex,
  WriteCap,
  type WriteCap as WriteCapBytes,
} from "../../bytes/opaque.js";
import type { Clock, Timer } from "../../clock/clock.js";
import { firstIndexOf, parseWriteCap } from "../../bacap/capabilities.js";
import { nextMessageBoxIndex } from "../../bacap/message-box-index.js";
import {
  type CopyCommandReply,
  CopyStatus,
  type CourierEnvelope,
  decodeCopyCommandReply,
  encodeCopyCommandReply,
} from "../../crypto/envelope/courier-messages.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import { hash256 } from "../../bytes/hash.js";
import type { Timing } from "../../mixnet/timing.js";
import type { Breather } from "../../clock/breather.js";
import { ConcurrencyGate } from "../concurrency-gate.js";
import type { CopyReplicas } from "./copy-replicas.js";
import { type CopyOutcome, runCopy } from "./copy-run.js";
import type { CourierRecord, CourierRecordKind, EnvelopeLog } from "./envelope-log.js";
import { ReadAhead } from "./read-ahead.js";

/** How many copies run at a time; others wait. */
const mostAtOnce = 16;
/** How many commands may be unfinished; further ones get no answer. */
const mostUnfinished = 1024;
/** How many results are kept; the oldest are dropped. */
const mostResults = 4096;
/** How many boxes of a finished copy are deleted at a time. */
const deletionsAtOnce = 4;

const inProgress: CopyCommandReply = {
  status: CopyStatus.IN_PROGRESS,
  errorCode: 0,
  failedEnvelopeIndex: 0n,
};
const succeeded: CopyCommandReply = { ...inProgress, status: CopyStatus.SUCCEEDED };
const unusable: CopyCommandReply = { ...inProgress, status: CopyStatus.FAILED };

/** What copy commands need. */
export interface CopyCommandsOptions {
  readonly clock: Clock;
  readonly timing: Pick<Timing, "copyResultMs">;
  readonly sizes: PigeonholeSizes;
  readonly replicas: CopyReplicas;
  /** Where commands are stored; null to not store them. */
  readonly log: EnvelopeLog | null;
  readonly breather: Breather;
  /** Whether copied streams are deleted; see {@link Kindness.kindCouriers}. */
  readonly kind: boolean;
}

interface CopyJob {
  readonly key: Uint8Array;
  /** Settles when the command is logged; it must not be acknowledged before that. */
  logged: Promise<void>;
  /** The final answer; null until there is one. */
  result: CopyCommandReply | null;
}

function replyOf(outcome: CopyOutcome): CopyCommandReply {
  if (outcome.succeeded) return succeeded;
  return {
    status: CopyStatus.FAILED,
    errorCode: outcome.errorCode,
    failedEnvelopeIndex: BigInt(outcome.failedEnvelope),
  };
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/**
 * Runs copy commands in the background, once each, and reports their progress. The boxes of a
 * copied stream stay, because upstream's couriers try to delete them and fail (spec/pigeonhole
 * §9.1); kind couriers delete them. The boxes of a failed copy always stay, because the command may
 * be tried again, also at another courier. That attempt writes the same boxes again, which is a
 * success.
 */
export class CopyCommands {
  readonly #options: CopyCommandsOptions;
  readonly #gate = new ConcurrencyGate(mostAtOnce);
  readonly #unfinished = new Map<string, CopyJob>();
  /** Finished commands, in the order in which they finished. */
  readonly #finished = new Map<string, { readonly job: CopyJob; readonly timer: Timer }>();
  /** Stops the copies and clean-ups in progress. */
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  constructor(options: CopyCommandsOptions) {
    this.#options = options;
  }

  /**
   * The progress of the command with this capability; starts the command if it is new.
   * @returns null if the courier cannot take it at the moment.
   */
  async answer(writeCap: Uint8Array): Promise<CopyCommandReply | null> {
    const key = hash256(writeCap);
    const hex = toHex(key);
    const finished = this.#finished.get(hex);
    if (finished?.job.result) return finished.job.result;
    let job = this.#unfinished.get(hex);
    if (job === undefined) {
      const cap = this.#parse(writeCap);
      if (cap === null) return unusable;
      if (this.#unfinished.size >= mostUnfinished) return null;
      job = { key, logged: Promise.resolve(), result: null };
      this.#unfinished.set(hex, job);
      job.logged = this.#record(job, "copy", cap);
      void this.#run(job, cap);
    }
    try {
      await job.logged;
    } catch {
      return null;
    }
    return job.result ?? inProgress;
  }

  #parse(writeCap: Uint8Array): WriteCapBytes | null {
    try {
      return parseWriteCap(writeCap);
    } catch {
      return null;
    }
  }

  async #record(job: CopyJob, kind: CourierRecordKind, body: Uint8Array): Promise<void> {
    await this.#options.log?.append({ kind, key: job.key, body });
  }

  async #run(job: CopyJob, cap: WriteCapBytes): Promise<void> {
    try {
      await job.logged;
    } catch {
      this.#unfinished.delete(toHex(job.key));
      return;
    }
    const outcome = await this.#gate.run(() => this.#stoppable((stop) => this.#copy(cap, stop)));
    if (this.#closed) return;
    this.#finish(job, replyOf(outcome));
    // A result that could not be logged only costs a repetition after the next start.
    if (outcome.succeeded && this.#options.kind) {
      await this.#record(job, "clear", concatBytes(cap, u32(outcome.boxes))).catch(() => {});
      await this.#clear(job, cap, outcome.boxes);
    } else {
      await this.#record(job, "result", encodeCopyCommandReply(job.result!)).catch(() => {});
    }
  }

  /**
   * Runs a task that {@link close} can stop. When it ends, work that it left running is stopped.
   */
  async #stoppable<T>(task: (stop: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#underWay.add(controller);
    if (this.#closed) controller.abort();
    try {
      return await task(controller.signal);
    } finally {
      // Do not wait for boxes that were read ahead of a stream's end.
      controller.abort();
      this.#underWay.delete(controller);
    }
  }

  #copy(cap: WriteCapBytes, stop: AbortSignal): Promise<CopyOutcome> {
    const { sizes, replicas, breather } = this.#options;
    const read = (index: MessageBoxIndex) => replicas.readBox(cap, index, stop);
    const source = new ReadAhead(firstIndexOf(cap), read);
    const write = (envelope: CourierEnvelope) => replicas.writeEnvelope(envelope, stop);
    return runCopy({ sizes, source, write, breather });
  }

  #finish(job: CopyJob, result: CopyCommandReply): void {
    const { clock, timing } = this.#options;
    const hex = toHex(job.key);
    job.result = result;
    this.#unfinished.delete(hex);
    const forget = (): void => this.#forget(hex);
    const timer = clock.after(timing.copyResultMs, forget, { background: true });
    this.#finished.set(hex, { job, timer });
    if (this.#finished.size <= mostResults) return;
    for (const oldest of this.#finished.keys()) {
      this.#forget(oldest);
      break;
    }
  }

  #forget(hex: string): void {
    const finished = this.#finished.get(hex);
    if (finished === undefined) return;
    finished.timer.cancel();
    this.#finished.delete(hex);
    this.#options.log?.remove(finished.job.key);
  }

  /** Deletes the boxes of a copied stream, and logs when that is done. Never rejects. */
  async #clear(job: CopyJob, cap: WriteCapBytes, boxes: number): Promise<void> {
    try {
      await this.#stoppable((stop) => this.#deleteBoxes(cap, boxes, stop));
      if (this.#finished.has(toHex(job.key))) {
        await this.#record(job, "result", encodeCopyCommandReply(succeeded));
      } else if (!this.#closed) {
        this.#options.log?.remove(job.key);
      }
    } catch {
      // Closed meanwhile, or not logged: the next start deletes what is left.
    }
  }

  /**
   * Deletes boxes, a few at a time. A box that no shard deletes is left. @throws (rejects) when
   * stopped.
   */
  async #deleteBoxes(cap: WriteCapBytes, boxes: number, stop: AbortSignal): Promise<void> {
    const { replicas, breather } = this.#options;
    let index = firstIndexOf(cap);
    let left = boxes;
    const work = async (): Promise<void> => {
      while (left > 0) {
        const place = index;
        left--;
        if (left > 0) index = nextMessageBoxIndex(index);
        await replicas.deleteBox(cap, place, stop);
        await breather.pause();
      }
    };
    await Promise.all(Array.from({ length: deletionsAtOnce }, work));
  }

  /** Continues a command that an earlier courier logged. */
  resume(record: CourierRecord): void {
    const hex = toHex(record.key);
    // A client may have sent it again meanwhile.
    if (this.#unfinished.has(hex) || this.#finished.has(hex)) return;
    const job: CopyJob = { key: record.key, logged: Promise.resolve(), result: null };
    if (record.kind === "result") {
      this.#finish(job, decodeCopyCommandReply(record.body));
      return;
    }
    const length = WriteCap.length!;
    const cap = parseWriteCap(record.body.subarray(0, length));
    if (record.kind === "copy") {
      this.#unfinished.set(hex, job);
      void this.#run(job, cap);
      return;
    }
    const view = new DataView(record.body.buffer, record.body.byteOffset, record.body.length);
    this.#finish(job, succeeded);
    void this.#clear(job, cap, view.getUint32(length));
  }

  /** Stops everything and cancels all timers. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#underWay) controller.abort();
    for (const { timer } of this.#finished.values()) timer.cancel();
    this.#finished.clear();
    this.#unfinished.clear();
  }
}
