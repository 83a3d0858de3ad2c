/** The faults that a test can inject into a replica. */
import { type RandomSource, toHex } from "../../bytes/bytes.js";
import type { MessageBoxIndex, WriteCap } from "../../bytes/opaque.js";
import { signTombstone } from "../../bacap/box.js";
import { REPLICA_ERROR_BOX_ID_NOT_FOUND, REPLICA_ERROR_TOMBSTONE } from "../../errors/codes.js";
import { uniform } from "../../mixnet/sampling.js";

function checkCode(code: number): void {
  const lowest = REPLICA_ERROR_BOX_ID_NOT_FOUND;
  const highest = REPLICA_ERROR_TOMBSTONE;
  if (Number.isInteger(code) && code >= lowest && code <= highest) return;
  throw new RangeError(
    `\`code\` must be a replica's error code from ${lowest} to ${highest}, got ${code}`,
  );
}

function checkAtLeastZero(name: string, value: number): void {
  if (typeof value === "number" && value >= 0) return;
  throw new RangeError(`\`${name}\` must be a number from 0 up, got ${String(value)}`);
}

function checkCount(name: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 0) return;
  throw new RangeError(`\`${name}\` must be an integer from 0 up, got ${String(count)}`);
}

/**
 * Faults of one replica, all off initially. The replica answers with the given code and does not do
 * what was asked. The answer is sealed like any other, so it reaches the client as the replica's
 * own. One exception: clients believe code 11 to a read only with the signature of the box's
 * writer, and report 25 without it; {@link serveTombstone} supplies the signature.
 */
export class ReplicaFaults {
  readonly #random: RandomSource;
  readonly #next: number[] = [];
  /** Signatures by box ID. */
  readonly #tombstones = new Map<string, Uint8Array>();
  #code: number | null = null;
  #offline = false;
  #slowMs = 0;
  #loss = 0;
  #loseNext = 0;
  #storageLimitBytes = Number.POSITIVE_INFINITY;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /**
   * Answers the next message, a read or a write, with a code; several calls queue up. Boxes from
   * other replicas do not count.
   * @throws RangeError when `code` is not one of the replicas' codes 1 to 11, or `times` is not an
   * integer from 0 up.
   */
  failNext(code: number, times = 1): void {
    checkCode(code);
    checkCount("times", times);
    for (let i = 0; i < times; i++) this.#next.push(code);
  }

  /**
   * Answers everything with a code, also boxes from other replicas; null ends that.
   * @throws RangeError when `code` is not one of the replicas' codes 1 to 11.
   */
  fail(code: number | null): void {
    if (code !== null) checkCode(code);
    this.#code = code;
  }

  /**
   * Answers reads of a box with 11 and a tombstone signed by its writer, whatever is stored. The
   * stored box stays, and writes work as before.
   * @param writeCap the capability of the box's stream: only its holder can sign.
   * @throws TypeError, RangeError when the capability or the index is invalid.
   */
  serveTombstone(writeCap: WriteCap, index: MessageBoxIndex): void {
    const { boxId, signature } = signTombstone(writeCap, index);
    this.#tombstones.set(toHex(boxId), signature);
  }

  /** Whether the replica is unreachable. Its stored boxes stay. */
  get offline(): boolean {
    return this.#offline;
  }

  set offline(offline: boolean) {
    this.#offline = offline;
  }

  /** How much longer each answer takes, in ms. */
  get slowMs(): number {
    return this.#slowMs;
  }

  set slowMs(ms: number) {
    checkAtLeastZero("slowMs", ms);
    this.#slowMs = ms;
  }

  /** The share of commands that are lost, 0 to 1. */
  get loss(): number {
    return this.#loss;
  }

  set loss(share: number) {
    if (!(share >= 0 && share <= 1)) {
      throw new RangeError(`\`loss\` must be from 0 to 1, got ${share}`);
    }
    this.#loss = share;
  }

  /** Loses the next commands. @throws RangeError when `count` is not an integer from 0 up. */
  loseNext(count = 1): void {
    checkCount("count", count);
    this.#loseNext += count;
  }

  /** How much the replica may store, in bytes; more is refused with code 6. */
  get storageLimitBytes(): number {
    return this.#storageLimitBytes;
  }

  set storageLimitBytes(bytes: number) {
    checkAtLeastZero("storageLimitBytes", bytes);
    this.#storageLimitBytes = bytes;
  }

  /** Ends all faults. */
  clear(): void {
    this.#next.length = 0;
    this.#tombstones.clear();
    this.#code = null;
    this.#offline = false;
    this.#slowMs = 0;
    this.#loss = 0;
    this.#loseNext = 0;
    this.#storageLimitBytes = Number.POSITIVE_INFINITY;
  }

  /** The code to answer a message with; null to serve it. For the replica. */
  takeCode(): number | null {
    return this.#next.shift() ?? this.#code;
  }

  /**
   * Signature (64 bytes) of the tombstone that answers a read of the box; undefined to serve the
   * read. For the replica.
   */
  tombstoneSignature(boxId: Uint8Array): Uint8Array | undefined {
    return this.#tombstones.get(toHex(boxId));
  }

  /** The code to answer another replica's box with; null to serve it. */
  get standingCode(): number | null {
    return this.#code;
  }

  /** Whether this command gets lost. For the link. */
  takeLoss(): boolean {
    if (this.#loseNext > 0) {
      this.#loseNext--;
      return true;
    }
    return this.#loss > 0 && uniform(this.#random) < this.#loss;
  }
}
