/** Copy commands and the elements of copy streams (spec/thin-protocol §4.6, §4.7 and §7.4). */
import {
  type Bytes,
  checkBytes,
  copyBytes,
  describeType,
  type PlainBytes,
} from "../bytes/bytes.js";
import { MessageBoxIndex, WriteCap, type WriteCapHash, checkWriteCap } from "../bytes/opaque.js";
import { checkFlag, checkOptions } from "../bytes/options.js";
import { checkBoxIndex, checkInteger } from "./argument-checks.js";
import { type CallOptions, checkCallOptions } from "./call-options.js";
import { REPLICA_ERROR_TOMBSTONE } from "../errors/codes.js";
import { hasCode, ProtocolError, type ThinClientError } from "../errors/errors.js";
import { copyReplyToException } from "../errors/from-reply.js";
import { hash256 } from "../bytes/hash.js";
import type { Asking } from "./envelopes.js";
import { MAX_COPY_CALL_LENGTH, MAX_COPY_PAYLOAD_LENGTH } from "../pki/copy-stream-plan.js";
import type { Destination } from "../pki/services.js";
import { copyKey } from "../wire/operations.js";
import { required, type Cancellation, type Calls } from "./calls.js";

/** Options of `startResendingCopyCommand`. */
export interface CopyCommandOptions extends CallOptions {
  /**
   * The courier to use. By default, and with null, the daemon picks one at random, so that nobody
   * who runs couriers can link the copy to the writes before it.
   */
  readonly courier?: Destination | null | undefined;
}

/** What `createCourierEnvelopesFromPayload` takes. */
export interface PayloadEnvelopesRequest {
  /** At most 10 MiB. Do not change it before the call settles. */
  readonly payload: PlainBytes;
  /** The right to write the destination's stream: 168 bytes. */
  readonly destWriteCap: WriteCap;
  /**
   * The first box to write: 104 bytes. For a later call of the stream, the `nextDestIndex` of the
   * call before.
   */
  readonly destStartIndex: MessageBoxIndex;
  /** Whether this call begins the stream. */
  readonly isStart: boolean;
  /**
   * Whether this call ends the stream. An empty payload makes no element, so it cannot end a
   * stream.
   */
  readonly isLast: boolean;
}

/** One destination of `createCourierEnvelopesFromMultiPayload`. */
export interface DestinationPayload {
  /**
   * At most 10 MiB, and 30 MiB for all destinations of a call. Do not change it before the call
   * settles.
   */
  readonly payload: PlainBytes;
  /** The right to write the destination's stream: 168 bytes. */
  readonly writeCap: WriteCap;
  /**
   * The first box to write: 104 bytes. For a later call, this destination's entry in the
   * `nextDestIndices` of the call before.
   */
  readonly startIndex: MessageBoxIndex;
}

/** What `createCourierEnvelopesFromMultiPayload` takes. */
export interface MultiPayloadEnvelopesRequest {
  /** At least one. */
  readonly destinations: readonly DestinationPayload[];
  /** Whether this call begins the stream: its first element is marked as the first. */
  readonly isStart: boolean;
  /**
   * Whether this call ends the stream: the rest goes into an element that is marked as the last,
   * and `buffer` is empty. Without payload and buffer there is no element to mark.
   */
  readonly isLast: boolean;
  /**
   * The `buffer` that the previous call for this stream returned; leave it out in the first call.
   */
  readonly buffer?: PlainBytes | null | undefined;
}

/** What `createCourierEnvelopesFromTombstoneRange` takes. */
export interface TombstoneEnvelopesRequest {
  /** The right to write to, and so to delete from, the destination's stream: 168 bytes. */
  readonly destWriteCap: WriteCap;
  /**
   * The first box to delete: 104 bytes. For a later call, the `nextDestIndex` of the call before.
   */
  readonly destStartIndex: MessageBoxIndex;
  /** How many boxes to delete: 0 to 2^32 - 1. */
  readonly maxCount: number;
  /** Whether this call begins the stream: its first element is marked as the first. */
  readonly isStart: boolean;
  /**
   * Whether this call ends the stream. With `maxCount` 0, daemons of v0.0.99 lose the `buffer`, so
   * no element can be the last: the call rejects with ProtocolError (spec/thin-protocol §10, defect
   * 20).
   */
  readonly isLast: boolean;
  /**
   * The `buffer` that the previous call for this stream returned; leave it out in the first call.
   */
  readonly buffer?: PlainBytes | null | undefined;
}

interface StreamElements {
  /** Elements of a copy stream; each is the plaintext of one box of the temporary stream. */
  readonly envelopes: Bytes[];
  /** Pass this to the next call for the same stream. Empty after the last call. */
  readonly buffer: Bytes;
}

/** Elements made for one destination. */
export interface SingleDestEnvelopes extends StreamElements {
  /** The destination's box after the last one written. */
  readonly nextDestIndex: MessageBoxIndex;
  /** Null, because there is only one destination: see `nextDestIndex`. */
  readonly nextDestIndices: null;
}

/** Elements made for several destinations. */
export interface MultiDestEnvelopes extends StreamElements {
  /** Null, because there may be several destinations: see `nextDestIndices`. */
  readonly nextDestIndex: null;
  /** Each destination's box after the last one written, in the order of the request. */
  readonly nextDestIndices: MessageBoxIndex[];
}

/** What the three builders return. */
export type CreateEnvelopesResult = SingleDestEnvelopes | MultiDestEnvelopes;

const MAX_UINT32 = 0xffff_ffff;

/**
 * The name of a temporary stream's copy command: BLAKE2b-256 of its WriteCap, 32 bytes.
 * @throws TypeError, RangeError when `writeCap` is not a WriteCap.
 */
export function writeCapHash(writeCap: WriteCap): WriteCapHash {
  checkWriteCap("writeCap", writeCap);
  return hash256(writeCap) as Bytes as WriteCapHash;
}

/** Has a courier carry out the copy that a temporary stream describes; resolves when it is done. */
export async function startResendingCopyCommand(
  calls: Calls,
  writeCap: WriteCap,
  options?: CopyCommandOptions,
): Promise<void> {
  checkCallOptions(options, "courier");
  checkWriteCap("writeCap", writeCap);
  const courier = options?.courier ?? null;
  if (courier !== null) checkCourier(courier);
  const kept = courier && ([copyBytes(courier[0]), copyBytes(courier[1])] as const);
  const asking = { operation: "startResendingCopyCommand", options };
  await resendCopyCommand(calls, WriteCap.from(writeCap), asking, kept);
}

/** {@link startResendingCopyCommand} without checks. */
export async function resendCopyCommand(
  calls: Calls,
  writeCap: WriteCap,
  asking: Asking,
  courier: readonly [Bytes, Bytes] | null = null,
): Promise<void> {
  const fields = {
    writeCap,
    courierIdentityHash: courier?.[0] ?? null,
    courierQueueId: courier?.[1] ?? null,
  };
  let saidAgain = false;
  const reply = await calls.request("startResendingCopyCommand", fields, {
    ...asking,
    defaultTimeoutMs: Infinity,
    cancellation: copyCancellation(hash256(writeCap) as Bytes as WriteCapHash),
    onLoss: () => (saidAgain = true),
  });
  const error = copyReplyToException(reply, { operation: asking.operation });
  if (error && !(saidAgain && isOfDeletedStream(error))) throw error;
}

/**
 * Whether a courier reports that the temporary stream was deleted. Only a courier that has finished
 * deletes it. After a lost connection the command is sent again, and the daemon may choose another
 * courier, which then comes too late. So the copy is done. (A destination's tombstone gives code
 * 10, box already exists.)
 */
function isOfDeletedStream(error: ThinClientError): boolean {
  return (
    hasCode(error, "THIN_CLIENT_ERROR_COPY_COMMAND_FAILED") &&
    error.replicaErrorCode === REPLICA_ERROR_TOMBSTONE
  );
}

function checkCourier(courier: Destination): void {
  if (!Array.isArray(courier) || courier.length !== 2) {
    throw new TypeError(
      "`options.courier` must be a pair of node and queue, as toDestination() returns it, got " +
        describeType(courier),
    );
  }
  checkBytes("options.courier[0]", courier[0], 32);
  checkBytes("options.courier[1]", courier[1]);
  const { length } = courier[1];
  if (length < 1 || length > 32) {
    throw new RangeError(`\`options.courier[1]\` must be 1 to 32 bytes, got ${length}`);
  }
}

function copyCancellation(hash: WriteCapHash): Cancellation {
  return {
    key: copyKey(hash),
    onlyForReply: false,
    request: (queryId) => ({ kind: "cancelResendingCopyCommand", queryId, writeCapHash: hash }),
  };
}

/** Ends a copy command; callers who wait for it get `StartResendingCancelledError`. */
export async function cancelResendingCopyCommand(
  calls: Calls,
  writeCapHash: WriteCapHash,
  options?: CallOptions,
): Promise<void> {
  const operation = "cancelResendingCopyCommand";
  checkCallOptions(options);
  checkBytes("writeCapHash", writeCapHash, 32);
  const hash = copyBytes(writeCapHash) as WriteCapHash;
  await calls.cancel(copyCancellation(hash), operation, () =>
    calls.ask(operation, { writeCapHash: hash }, { operation, options, failOnLoss: true }),
  );
}

/**
 * Makes the elements that write one payload to one destination. Nothing is kept for a next call.
 */
export async function createCourierEnvelopesFromPayload(
  calls: Calls,
  request: PayloadEnvelopesRequest,
  options?: CallOptions,
): Promise<SingleDestEnvelopes> {
  const operation = "createCourierEnvelopesFromPayload";
  checkCallOptions(options);
  const known = ["payload", "destWriteCap", "destStartIndex", "isStart", "isLast"];
  checkOptions("request", request, known);
  checkPayload("request.payload", request.payload);
  checkWriteCap("request.destWriteCap", request.destWriteCap);
  checkBoxIndex("request.destStartIndex", request.destStartIndex);
  checkEnds(request);
  checkLast(request.isLast && request.payload.length === 0, "`request.payload` is");
  const fields = {
    payload: request.payload as Bytes,
    destWriteCap: copyBytes(request.destWriteCap),
    destStartIndex: copyBytes(request.destStartIndex),
    isStart: request.isStart,
    isLast: request.isLast,
  };
  const settings = { operation, options, defaultTimeoutMs: Infinity };
  const reply = await calls.ask(operation, fields, settings);
  return {
    envelopes: reply.envelopes ?? [],
    buffer: new Uint8Array(0),
    nextDestIndex: required(reply.nextDestIndex, "next_dest_index", operation),
    nextDestIndices: null,
  };
}

/** Makes the elements that write one payload to each of several destinations. */
export async function createCourierEnvelopesFromMultiPayload(
  calls: Calls,
  request: MultiPayloadEnvelopesRequest,
  options?: CallOptions,
): Promise<MultiDestEnvelopes> {
  const operation = "createCourierEnvelopesFromMultiPayload";
  checkCallOptions(options);
  checkOptions("request", request, ["destinations", "isStart", "isLast", "buffer"]);
  const { destinations, isStart, isLast } = request;
  checkPayloads(destinations);
  checkEnds(request);
  const buffer = checkedBuffer(request.buffer);
  const nothing = !buffer?.length && destinations.every(({ payload }) => payload.length === 0);
  checkLast(isLast && nothing, "every `payload` of `request.destinations`, and the buffer, is");
  const kept = destinations.map(({ payload, writeCap, startIndex }) => ({
    payload,
    writeCap: WriteCap.from(writeCap),
    startIndex: MessageBoxIndex.from(startIndex),
  }));
  const fields = { destinations: kept, isStart, isLast, buffer };
  return elementsFromMultiPayload(calls, fields, { operation, options });
}

/** {@link createCourierEnvelopesFromMultiPayload} without checks. */
export async function elementsFromMultiPayload(
  calls: Calls,
  { destinations, isStart, isLast, buffer }: MultiPayloadEnvelopesRequest,
  asking: Asking,
): Promise<MultiDestEnvelopes> {
  const { operation } = asking;
  const fields = {
    destinations: destinations.map((one) => ({ ...one, payload: one.payload as Bytes })),
    isStart,
    isLast,
    buffer: (buffer ?? null) as Bytes | null,
  };
  const kind = "createCourierEnvelopesFromMultiPayload";
  const reply = await calls.ask(kind, fields, { ...asking, defaultTimeoutMs: Infinity });
  const nextDestIndices = required(reply.nextDestIndices, "next_dest_indices", operation);
  if (nextDestIndices.length !== destinations.length) {
    throw new ProtocolError(
      `${operation}: the daemon sent ${nextDestIndices.length} next_dest_indices for ` +
        `${destinations.length} destinations`,
      { operation },
    );
  }
  return {
    envelopes: reply.envelopes ?? [],
    buffer: reply.buffer ?? new Uint8Array(0),
    nextDestIndex: null,
    nextDestIndices,
  };
}

/** Makes the elements that delete consecutive boxes. */
export async function createCourierEnvelopesFromTombstoneRange(
  calls: Calls,
  request: TombstoneEnvelopesRequest,
  options?: CallOptions,
): Promise<SingleDestEnvelopes> {
  const operation = "createCourierEnvelopesFromTombstoneRange";
  checkCallOptions(options);
  const known = ["destWriteCap", "destStartIndex", "maxCount", "isStart", "isLast", "buffer"];
  checkOptions("request", request, known);
  checkWriteCap("request.destWriteCap", request.destWriteCap);
  checkBoxIndex("request.destStartIndex", request.destStartIndex);
  checkInteger("request.maxCount", request.maxCount, MAX_UINT32);
  checkEnds(request);
  const before = checkedBuffer(request.buffer);
  const nothing = !before?.length && request.maxCount === 0;
  checkLast(request.isLast && nothing, "`request.maxCount` is 0 and the buffer");
  const fields = {
    destWriteCap: copyBytes(request.destWriteCap),
    destStartIndex: copyBytes(request.destStartIndex),
    maxCount: request.maxCount,
    isStart: request.isStart,
    isLast: request.isLast,
    buffer: before,
  };
  const settings = { operation, options, defaultTimeoutMs: Infinity };
  const reply = await calls.ask(operation, fields, settings);
  const envelopes = reply.envelopes ?? [];
  let { buffer } = reply;
  if (before && before.length > 0 && envelopes.length === 0 && !buffer) {
    // A real daemon drops the buffer if no tombstones are requested (spec/thin-protocol §10, defect
    // 20).
    if (request.isLast) {
      throw new ProtocolError(
        `${operation}: the daemon did not create a last element, so the stream does not end; ` +
          "end it with a call that has a tombstone or a payload",
        { operation },
      );
    }
    buffer = before;
  }
  return {
    envelopes,
    buffer: buffer ?? new Uint8Array(0),
    nextDestIndex: required(reply.nextDestIndex, "next_dest_index", operation),
    nextDestIndices: null,
  };
}

function checkPayload(name: string, payload: unknown): number {
  checkBytes(name, payload);
  if (payload.length > MAX_COPY_PAYLOAD_LENGTH) {
    throw new RangeError(
      `\`${name}\` must be at most ${MAX_COPY_PAYLOAD_LENGTH} bytes a call, got ` +
        `${payload.length}; copy() takes any length`,
    );
  }
  return payload.length;
}

function checkPayloads(destinations: readonly DestinationPayload[]): void {
  if (!Array.isArray(destinations) || destinations.length === 0) {
    throw new TypeError(
      "`request.destinations` must be an array of at least one destination, got " +
        describeType(destinations),
    );
  }
  let total = 0;
  for (const [i, destination] of destinations.entries()) {
    const name = `request.destinations[${i}]`;
    checkOptions(name, destination, ["payload", "writeCap", "startIndex"]);
    total += checkPayload(`${name}.payload`, destination.payload);
    checkWriteCap(`${name}.writeCap`, destination.writeCap);
    checkBoxIndex(`${name}.startIndex`, destination.startIndex);
  }
  if (total > MAX_COPY_CALL_LENGTH) {
    throw new RangeError(
      "the payloads of `request.destinations` must be at most " +
        `${MAX_COPY_CALL_LENGTH} bytes together, got ${total}; copy() takes any length`,
    );
  }
}

function checkEnds(request: { readonly isStart: unknown; readonly isLast: unknown }): void {
  checkFlag("request.isStart", request.isStart);
  checkFlag("request.isLast", request.isLast);
}

/** @throws RangeError for an empty last call: it would make no element that could be the last. */
function checkLast(isEmpty: boolean, what: string): void {
  if (!isEmpty) return;
  throw new RangeError(
    `the last call of a copy stream must have content, but ${what} empty: no last element ` +
      "would be created, and the stream would not end; set `isLast` in the call before it",
  );
}

function checkedBuffer(buffer: Uint8Array | null | undefined): Bytes | null {
  if (buffer === null || buffer === undefined) return null;
  checkBytes("request.buffer", buffer);
  return copyBytes(buffer);
}
