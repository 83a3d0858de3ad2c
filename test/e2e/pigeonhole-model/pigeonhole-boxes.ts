/** The possible contents of boxes and results of calls: the model of the real network. */
import { CopyFailedError } from "../../../src/errors/partial-results.js";
import * as errors from "../../../src/errors/errors.js";

/** An attempt to put something into a box. It may take effect at any time after its start. */
export interface Attempt {
  /** The plaintext; null for a tombstone. */
  readonly value: string | null;
  /** The replica epoch in which it began. */
  readonly epoch: number;
  /** Whether its caller was told that it succeeded. */
  confirmed: boolean;
}

/** The time, in ms, within which undisturbed holders of a box pass on what they received. */
const HANDED_ON_MS = 1000;

/** One box of the model. */
export class ModelBox {
  readonly attempts: Attempt[] = [];
  /**
   * The certain value of the box: both holders took it when nobody had tried another value, and a
   * box is written once. A tombstone may still replace it.
   */
  fixed: { readonly value: string; readonly epoch: number } | null = null;

  /**
   * When something was first known to be at one holder at least: the clock in ms, and the replica
   * epoch.
   */
  #seen: { readonly ms: number; readonly epoch: number } | null = null;

  /** Notes that the box is not empty; true only while the storage is sound. */
  see(ms: number, epoch: number): void {
    this.#seen ??= { ms, epoch };
  }

  /**
   * Whether both holders have something other than `value`, so that an exclusive write of that
   * value, begun at `ms`, must fail: the holder that had something has passed it on, and nobody
   * tried that value.
   */
  isTakenFor(value: string, ms: number, epoch: number): boolean {
    const seen = this.#seen;
    if (seen === null || epoch !== seen.epoch || ms - seen.ms < HANDED_ON_MS) return false;
    return !this.mayHold(value);
  }

  begin(value: string | null, epoch: number): Attempt {
    const attempt = { value, epoch, confirmed: false };
    this.attempts.push(attempt);
    return attempt;
  }

  mayHold(value: string | null): boolean {
    return this.attempts.some((attempt) => attempt.value === value);
  }

  /**
   * Whether the box contains something that has not expired: boxes live for one to two weeks. A
   * confirmed value may have been stored by an earlier attempt.
   */
  mustHoldSomething(epoch: number): boolean {
    return isAlive(this.attempts, epoch);
  }

  mustBeDeleted(epoch: number): boolean {
    return isAlive(
      this.attempts.filter(({ value }) => value === null),
      epoch,
    );
  }

  fixedAt(epoch: number): string | null {
    return this.fixed && epoch - this.fixed.epoch < 2 ? this.fixed.value : null;
  }
}

function isAlive(attempts: readonly Attempt[], epoch: number): boolean {
  const oldest = Math.min(...attempts.map((attempt) => attempt.epoch));
  return attempts.some(({ confirmed }) => confirmed) && epoch - oldest < 2;
}

/** The problems so far: each excuses some outcomes. */
export class Excuses {
  /** Codes that replicas were told to return. */
  readonly replicaCodes = new Set<number>();
  /** Codes that couriers were told to return. */
  readonly courierCodes = new Set<number>();
  /** Whether replicas were unreachable, slow or full, or lost commands. */
  storageTrouble = false;
  /** Whether the epoch changed. */
  epochChanged = false;
  /** Whether documents omitted a replica, or did not come. */
  incompleteDocuments = false;
  /** Whether the daemon was restarted, and whether the mixnet was away. */
  daemonRestarted = false;
  mixnetWentAway = false;
  misleading = false;

  /**
   * Whether the daemon may lack documents, or replicas in them: a daemon that starts without the
   * mixnet has none.
   */
  get poorDocuments(): boolean {
    return this.incompleteDocuments || (this.daemonRestarted && this.mixnetWentAway);
  }

  /**
   * Whether something that a courier acknowledged, a box or a tombstone, may be lost because no
   * replica took it in time. Couriers send again only when a client asks; kind ones do so by
   * themselves, but only while they keep the envelope, which is 15 s without a data directory.
   */
  get acknowledgedMayBeLost(): boolean {
    return this.misleading || !this.storageIsSound;
  }

  /** Whether replicas always behaved correctly, and all of them were always listed. */
  get storageIsExact(): boolean {
    return this.storageIsSound && !this.poorDocuments && !this.misleading;
  }

  /** Whether replicas always behaved correctly. */
  get storageIsSound(): boolean {
    return !this.storageTrouble && this.replicaCodes.size === 0;
  }
}

/** The data about a call whose outcome is checked. */
export interface JudgedCall {
  readonly kind: string;
  /** The boxes of the call. */
  readonly boxes: readonly ModelBox[];
  /** What it writes into each box; omitted for reads. */
  readonly values?: readonly (string | null)[];
  readonly aborted: unknown;
  readonly cancelled: boolean;
  readonly clientClosed: boolean;
}

/** Why a call must not end with an error; null if it may. */
export function judgeError(call: JudgedCall, error: unknown, excuses: Excuses): string | null {
  if (call.aborted !== undefined && error === call.aborted) return null;
  if (error instanceof errors.ClientClosedError) {
    return call.clientClosed ? null : "its client is not closed";
  }
  if (error instanceof errors.StartResendingCancelledError) {
    return call.cancelled ? null : "nobody cancelled it";
  }
  if (error instanceof CopyFailedError) return judgeError(call, error.cause, excuses);
  if (error instanceof errors.CopyCommandFailedError) {
    return judgeCopy(call, error, excuses);
  }
  if (call.kind === "echo") return judgeEcho(error);
  if (error instanceof errors.ReplicaError) {
    return judgeReplica(call, error.errorCode ?? 0, excuses);
  }
  if (error instanceof errors.InvalidTombstoneSignatureError) {
    return excuses.replicaCodes.has(11) ? null : "no replica lied";
  }
  if (error instanceof errors.CourierError) return judgeCourier(error, excuses);
  if (error instanceof errors.MKEMDecryptionFailedError) {
    return excuses.epochChanged ? null : "the keys are still the same";
  }
  if (error instanceof errors.DaemonRequestError && error.errorCode === 4) {
    return excuses.poorDocuments ? null : "the documents are complete";
  }
  return "no call may fail like this";
}

function judgeEcho(error: unknown): string | null {
  const allowed =
    error instanceof errors.RequestTimeoutError ||
    error instanceof errors.ThinClientOfflineError ||
    error instanceof errors.ConnectionLostError ||
    error instanceof errors.SendFailedError;
  return allowed ? null : "an echo may be late or lost, nothing else";
}

function judgeCourier(error: errors.CourierError, excuses: Excuses): string | null {
  const code = { 31: 1, 12: 2, 13: 3, 32: 4 }[error.errorCode ?? 0] ?? 0;
  if (excuses.courierCodes.has(code)) return null;
  return code === 4 && excuses.epochChanged ? null : "no courier was told to answer so";
}

function judgeCopy(
  call: JudgedCall,
  error: errors.CopyCommandFailedError,
  excuses: Excuses,
): string | null {
  const { replicaErrorCode } = error;
  if (replicaErrorCode !== 0) return judgeReplica(call, replicaErrorCode, excuses);
  const excused = !excuses.storageIsSound || excuses.epochChanged || excuses.poorDocuments;
  return excused ? null : "replicas could be reached";
}

function judgeReplica(call: JudgedCall, code: number, excuses: Excuses): string | null {
  if (excuses.replicaCodes.has(code)) return null;
  const { boxes, values } = call;
  switch (code) {
    case 1:
      // Boxes of the temporary stream may be too old by the time they are copied.
      if (call.kind === "copy") {
        return excuses.storageIsSound && !excuses.epochChanged ? "all was written" : null;
      }
      return values === undefined ? null : "a write cannot miss a box";
    case 6:
    case 7:
    case 9:
      return excuses.storageTrouble || excuses.poorDocuments || excuses.replicaCodes.size > 0
        ? null
        : "nothing is wrong with the storage";
    case 8:
      return excuses.epochChanged || excuses.poorDocuments ? null : "it is the same epoch";
    case 10: {
      const taken = boxes.some((box, i) => box.attempts.some(({ value }) => value !== values?.[i]));
      return values !== undefined && taken ? null : "nobody else wrote to the box";
    }
    case 11:
      if (values !== undefined && call.kind !== "copy") return "a write does not report tombstones";
      return boxes.some((box) => box.mayHold(null)) ? null : "nobody deleted the box";
    default:
      return "replicas do not answer so by themselves";
  }
}
