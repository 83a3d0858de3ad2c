/**
 * Where our daemon deliberately differs from the reference daemon. The replays check ours against
 * this table and the recordings: a difference that is not in the table fails, and so does an entry
 * in the table that does not occur.
 */
import type { CborValue } from "../../../src/cbor/cbor.js";
import type { Kindness } from "../../../src/mixnet/kindness.js";
import type { RecordingName } from "./recording.js";

/** A reply where the reference sent none. */
export interface ReplyInstead {
  readonly kind: string;
  readonly errorCode: number;
}

/** One deliberate difference of our daemon. */
export interface Difference {
  readonly file: RecordingName;
  /** Position in the recording's list of frames. */
  readonly frame: number;
  /** What the reference does. */
  readonly reference: string;
  readonly ours: string;
  readonly why: string;
  /** Fields of the reply at that position that may differ. */
  readonly fields?: Readonly<Record<string, (live: CborValue) => boolean>>;
  /** A reply before that position, where the reference was silent or hung up. */
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
    "an application's mistake in one request should not end its other requests, " +
    "and the reply should say what was wrong",
} as const;

const wrongLength = (kind: string) =>
  ({
    ...WRONG_LENGTH,
    ours: `\`${kind}\` with code 3; the connection stays`,
    reply: { kind, errorCode: 3 },
  }) as const;

/** Every deliberate difference, in the order of the recordings. */
export const DIFFERENCES: readonly Difference[] = [
  { file: "bad_args", frame: 36, ...wrongLength("next_message_box_index_reply") },
  { file: "bad_args", frame: 56, ...wrongLength("encrypt_read_reply") },
  { file: "bad_args", frame: 90, ...wrongLength("encrypt_write_reply") },
  {
    file: "bad_args",
    frame: 124,
    reference: "a start with a garbage envelope descriptor is never answered",
    ours: "`start_resending_encrypted_message_reply` with code 22",
    why: "a caller must not wait forever for an answer that never comes",
    reply: { kind: "start_resending_encrypted_message_reply", errorCode: 22 },
  },
  { file: "bad_args", frame: 179, ...EMPTY_PAYLOAD },
  { file: "keys", frame: 23, ...wrongLength("next_message_box_index_reply") },
  { file: "pki", frame: 9, ...EMPTY_PAYLOAD },
];

/** A deliberate difference that no recording shows; a test of the daemon checks it. */
export interface UnrecordedDifference {
  /** Number of the reference's defect: spec/thin-protocol §10. */
  readonly defect: number;
  readonly reference: string;
  readonly ours: string;
  readonly why: string;
}

/** Differences that the recordings do not cover. */
export const UNRECORDED: readonly UnrecordedDifference[] = [
  {
    defect: 14,
    reference:
      "of two connections with one token, the newer one takes the session over; once the older " +
      "one ends, the newer one gets no more answers",
    ours: "the daemon closes the older one and serves the newer one",
    why:
      "clients dial again only after the old connection is gone; a test that dials earlier " +
      "must still end",
  },
  {
    defect: 16,
    reference:
      "a courier's answer that cannot be read ends the operation, and its start is never answered",
    ours: "the start is answered with code 4",
    why: "one bad courier must not make a program wait forever",
  },
  {
    defect: 18,
    reference:
      "any application can cancel any operation; of two starts of one envelope, the " +
      "older one is lost",
    ours:
      "a cancel ends all starts of that envelope by the same application; each start is " +
      "answered",
    why: "applications that share a daemon do not know about each other",
  },
  {
    defect: 19,
    reference: "`reply_index` of a start is ignored; so is half a courier's name in a copy command",
    ours: "the courier is asked for the reply of that index; half a name is refused with code 3",
    why: "the daemon does what the application asks, or reports why not",
  },
  {
    defect: 20,
    reference: "a tombstone range of `max_count` 0 drops the buffer",
    ours:
      "the daemon returns the buffer, and the last call ends the stream with it. With both " +
      "daemons, a last call with no content and an empty buffer creates no element; the client " +
      "refuses it",
    why: "the rest from an earlier call belongs to the stream",
  },
];

/** An improvement of the embedded network that an option turns on. */
export interface KindnessRow {
  readonly option: keyof Kindness;
  /** The behaviour without it, as on a real network. */
  readonly real: string;
  readonly kind: string;
}

/** Every kind option, in their order. */
export const KINDNESSES: readonly KindnessRow[] = [
  {
    option: "kindCouriers",
    real:
      "a courier asks the replicas five more times for a missing box, then repeats the cached " +
      "miss until it has expired (300 s; 15 s without mixing) and a new envelope arrives; it " +
      "reports the miss of the replica asked for even if the other one found the box; it does " +
      "not resend what replicas refused or missed; it keeps the temporary streams of copies",
    kind:
      "it asks as long as a client does, prefers a found box, and resends until a replica did " +
      "what was asked; it deletes temporary streams",
  },
  {
    option: "kindCancels",
    real:
      "the daemon serves a cancel when it reads it, but a start only at its tick: a cancel that " +
      "overtakes its start finds nothing and is answered with 0, and the start runs forever",
    kind: "a cancel finds every start of its envelope that was read before it",
  },
  {
    option: "kindSessions",
    real:
      "requests that wait for their tick when the connection ends are lost; results that arrive " +
      "while the application is away are lost, and their operation is dead; kept replies come " +
      "before the answer to the token",
    kind: "the daemon sends those requests, keeps those results, and answers the token first",
  },
  {
    option: "kindConnections",
    real:
      "without a document, the daemon accepts connections one after the other, for up to 30 s " +
      "each (3 s without mixing), including connections that have already ended",
    kind: "connections wait in parallel",
  },
  {
    option: "kindDocuments",
    real:
      "the daemon announces a new document after 11/16 of its epoch; `get_pki_document` " +
      "returns it from the start",
    kind: "the daemon announces it when its epoch begins",
  },
  {
    option: "kindMixes",
    real:
      "with real packets (`sphinx` mixing, or a gateway's port), a hop that is too busy drops a " +
      "packet that would leave more than 450 ms after its delay",
    kind: "it passes the packet on, however late",
  },
  {
    option: "kindReading",
    real:
      "while more than 16 of a client's packets wait for their tick, the daemon reads nothing " +
      "from that client, including cancels and `thin_close`",
    kind: "up to 32,768 may wait",
  },
];

/** The differences of one recording, by frame. */
export function differencesOf(file: RecordingName): Map<number, Difference> {
  const own = DIFFERENCES.filter((difference) => difference.file === file);
  return new Map(own.map((difference) => [difference.frame, difference]));
}
