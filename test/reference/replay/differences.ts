/**
 * Where ours differs from the reference daemon on purpose. The replays hold ours to this table as
 * they hold it to the recordings: a difference that is not here fails, and so does one that is here
 * but does not show.
 */
import type { CborValue } from "../../../src/cbor/cbor.js";
import type { Kindness } from "../../../src/mixnet/kindness.js";
import type { RecordingName } from "./recording.js";

/** A reply where the reference gave none. */
export interface ReplyInstead {
  readonly kind: string;
  readonly errorCode: number;
}

/** One deliberate difference of our daemon. */
export interface Difference {
  readonly file: RecordingName;
  /** Place in the recording's list of frames. */
  readonly frame: number;
  /** What the reference does. */
  readonly reference: string;
  readonly ours: string;
  readonly why: string;
  /** Fields of the reply at that place that may be otherwise. */
  readonly fields?: Readonly<Record<string, (live: CborValue) => boolean>>;
  /** A reply before that place, where the reference was silent or hung up. */
  readonly reply?: ReplyInstead;
}

const isEmptyBytes = (value: CborValue): boolean =>
  value instanceof Uint8Array && value.length === 0;

const EMPTY_PAYLOAD = {
  reference: "`get_pki_document_reply` with code 10 has the payload null",
  ours: "the payload is an empty byte string",
  why: "the Rust client cannot read null there and reports a broken frame instead of the code",
  fields: { payload: isEmptyBytes },
} as const;

const WRONG_LENGTH = {
  reference: "a capability or index of a wrong length ends the connection",
  why:
    "an application's mistake in one request should not take its other requests with it, " +
    "and it should hear what was wrong",
} as const;

const wrongLength = (kind: string) =>
  ({
    ...WRONG_LENGTH,
    ours: `\`${kind}\` with code 3; the connection stays`,
    reply: { kind, errorCode: 3 },
  }) as const;

/** Every deliberate difference, in the recordings' order. */
export const DIFFERENCES: readonly Difference[] = [
  { file: "bad_args", frame: 36, ...wrongLength("next_message_box_index_reply") },
  { file: "bad_args", frame: 56, ...wrongLength("encrypt_read_reply") },
  { file: "bad_args", frame: 90, ...wrongLength("encrypt_write_reply") },
  {
    file: "bad_args",
    frame: 124,
    reference: "a start with a garbage envelope descriptor is never answered",
    ours: "`start_resending_encrypted_message_reply` with code 22",
    why: "a caller must not wait for ever for what cannot come",
    reply: { kind: "start_resending_encrypted_message_reply", errorCode: 22 },
  },
  { file: "bad_args", frame: 179, ...EMPTY_PAYLOAD },
  { file: "keys", frame: 23, ...wrongLength("next_message_box_index_reply") },
  { file: "pki", frame: 9, ...EMPTY_PAYLOAD },
];

/** A deliberate difference that no recording shows; a test of the daemon holds ours to it. */
export interface UnrecordedDifference {
  /** Number of the reference's defect: spec/thin-protocol §10. */
  readonly defect: number;
  readonly reference: string;
  readonly ours: string;
  readonly why: string;
}

/** Differences in what the recordings do not ask. */
export const UNRECORDED: readonly UnrecordedDifference[] = [
  {
    defect: 14,
    reference:
      "of two connections with one token the newer takes the session over, and is never answered " +
      "again when the older one ends",
    ours: "the older one is hung up, and the newer one served",
    why: "clients dial again only when the old connection is gone; a test that does not must end",
  },
  {
    defect: 18,
    reference: "anybody can cancel anything; of two starts of one envelope the older is lost",
    ours: "an application cancels what it started, all of that name; each start is answered",
    why: "applications that share a daemon do not know of each other",
  },
  {
    defect: 19,
    reference: "`reply_index` of a start is ignored; so is half a courier's name in a copy command",
    ours: "the courier is asked for the reply of that index; half a name is refused with code 3",
    why: "what an application asks for is done, or it hears why not",
  },
  {
    defect: 20,
    reference: "a tombstone range of `max_count` 0 drops the buffer",
    ours:
      "the buffer is given back, and the last call ends the stream with it. A last call with nothing " +
      "in it, buffer included, makes no element at either: the client refuses it",
    why: "what a call before left over belongs to the stream",
  },
];

/** Something that the embedded network does better when it is asked to. */
export interface KindnessRow {
  readonly option: keyof Kindness;
  /** What happens without it, as on a real network. */
  readonly real: string;
  readonly kind: string;
}

/** Every kindness, in the order of its options. */
export const KINDNESSES: readonly KindnessRow[] = [
  {
    option: "kindCouriers",
    real:
      "a courier asks the replicas for a missed box five times more, then gives the miss that it has " +
      "until another new envelope comes after its time (300 s; 15 s without mixing); a miss of the " +
      "replica asked for is given though the other one found the box; what replicas refused or missed " +
      "is not sent again by itself; temporary streams of copies stay",
    kind:
      "it asks as long as a client does, prefers what was found, sends again until a replica did " +
      "what was asked; temporary streams are deleted",
  },
  {
    option: "kindCancels",
    real:
      "a cancel is served when it is read, a start when its tick comes: one that overtakes its start " +
      "finds nothing, is answered 0, and the start runs for ever",
    kind: "a cancel finds every start of its name that was read before it",
  },
  {
    option: "kindSessions",
    real:
      "what waits for its tick when the connection ends is lost; so are results that come while the " +
      "application is away, and the operation is dead then; replies that were kept come before the " +
      "token's answer",
    kind: "all of it is sent and kept, and the token is answered first",
  },
  {
    option: "kindConnections",
    real:
      "while there is no document, connections are accepted one after the other, for up to 30 s each " +
      "(3 s without mixing), those that were hung up too",
    kind: "they wait side by side",
  },
  {
    option: "kindDocuments",
    real: "a new document is told of after 11/16 of its epoch; `get_pki_document` has it from the start",
    kind: "it is told of when its epoch begins",
  },
  {
    option: "kindReading",
    real:
      "while more than 16 of a client's packets wait for their tick nothing of it is read, cancels " +
      "and good-byes included",
    kind: "up to 32,768 may wait",
  },
];

/** The differences of one recording, by frame. */
export function differencesOf(file: RecordingName): Map<number, Difference> {
  const own = DIFFERENCES.filter((difference) => difference.file === file);
  return new Map(own.map((difference) => [difference.frame, difference]));
}
