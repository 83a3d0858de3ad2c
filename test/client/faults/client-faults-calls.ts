/**
 * The calls in a fault schedule: how the schedule makes each one, and which outcomes the model
 * allows.
 */
import { equalBytes, utf8, utf8ToText } from "../../../src/bytes/bytes.js";
import type { MessageBoxIndex, WriteCap } from "../../../src/bytes/opaque.js";
import type { CallOptions } from "../../../src/client/call-options.js";
import { writeCapHash } from "../../../src/client/copy-calls.js";
import type { ThinClient } from "../../../src/client/thin-client.js";
import { nextMessageBoxIndex } from "../../../src/bacap/message-box-index.js";
import * as errors from "../../../src/errors/errors.js";
import {
  BROKEN_READ,
  COPIES,
  COPY_FAILURE,
  type FakeNetwork,
  type Prepared,
  READS,
  ROUND_TRIP_MS,
  WRITES,
  contentsOf,
  echoText,
} from "./client-faults-network.js";
import type { CallKind } from "./client-faults-schedule.js";

/** A reason why a call may have another outcome than the plain one. */
export type Excuse =
  /** The client was without a connection for some time. */
  | "away"
  /** The connection was lost and neither end noticed, or the client read nothing from it. */
  | "unheard"
  /** The daemon forgot the session; "perhaps" if the model cannot know. */
  | "forgotten"
  | "perhaps forgotten"
  | "offline"
  | "sending fails"
  | "reply dropped"
  /** Another client has the same session and may receive the answers. */
  | "twin";

/** A call that an application has made. */
export interface Call {
  readonly number: number;
  readonly kind: CallKind;
  readonly app: number;
  readonly client: ThinClient;
  readonly abort: AbortController;
  readonly startedAt: number;
  /** The time of the call's deadline; Infinity if it has none. */
  readonly deadlineAt: number;
  /** Whether the client had no connection when the call was made. The call then starts later. */
  readonly startedAway: boolean;
  /** Whether the client was connected to the daemon, and the daemon to the mixnet, at the start. */
  readonly startedOnline: boolean;
  /** Whether sending failed at the start of the call. */
  readonly startedFailing: boolean;
  /** The gate that holds back the answer; null if none does. */
  readonly gate: string | null;
  readonly excuses: Set<Excuse>;
  /** When the connection was first lost during the call; Infinity if it was not. */
  lostAt: number;
  /** When the connection was last lost during the call. */
  lastLostAt: number;
  aborted: { readonly at: number; readonly reason: Error } | null;
  cancelled: boolean;
  clientClosed: boolean;
  settled: boolean;
}

/** Whether the daemon continues a call by itself, as an operation. */
export function isOperation({ kind }: Pick<Call, "kind">): boolean {
  return kind === "write" || kind === "read" || kind === "copy";
}

/** Whether the daemon answers a request at once, without the mixnet. */
function isLocal({ kind }: Pick<Call, "kind">): boolean {
  return kind === "local" || kind === "document";
}

/** Why a call must not be waiting while client and daemon are connected; null if it may wait. */
export function judgeWaiting(call: Call, { online, failing }: FakeNetwork): string | null {
  if (isLocal(call)) return "waits although the daemon answers";
  if (call.kind !== "echo") return null;
  // The call first waited for the connection, and now waits for the daemon's connection to the
  // mixnet.
  if (call.startedAway) return null;
  if (!online) return "waits although the mixnet is away";
  if (call.excuses.has("forgotten")) return "waits for a reply that can no longer come";
  const unsent = failing && call.startedFailing && call.excuses.size === 1;
  return unsent ? "waits although it could not be sent" : null;
}

/** The default deadline of a kind of call, in milliseconds. */
export function defaultTimeoutOf(kind: CallKind): number {
  if (kind === "local" || kind === "document") return 60_000;
  return kind === "echo" ? 30_000 : Number.POSITIVE_INFINITY;
}

/** What a call does: which prepared envelope or copy it uses, and which result is right. */
export interface Work {
  readonly gate: string | null;
  /**
   * Makes the call. Rejects with the client's error; returns what is wrong with the result, or
   * null.
   */
  readonly run: (options: CallOptions) => Promise<string | null>;
}

/** Creates the work of a call. */
export function workOf(
  kind: CallKind,
  number: number,
  place: number,
  client: ThinClient,
  { prepared, network }: { readonly prepared: Prepared; readonly network: FakeNetwork },
): Work {
  switch (kind) {
    case "local": {
      const index = prepared.reads[place % READS]!.messageBoxIndex;
      const right = nextMessageBoxIndex(index);
      return {
        gate: null,
        run: async (options) =>
          wrongUnless(equalBytes(await client.nextMessageBoxIndex(index, options), right)),
      };
    }
    case "document": {
      const earliest = network.epoch;
      return {
        gate: null,
        run: async (options) => {
          const { epoch } = await client.getPkiDocumentRaw(0, options);
          return wrongUnless(epoch >= earliest && epoch <= network.epoch);
        },
      };
    }
    case "echo":
      return { gate: null, run: (options) => echo(client, number, options) };
    case "online":
      return {
        gate: null,
        run: async (options) => {
          // A state that held at once may have ended before the promise is checked.
          const already = client.isConnected();
          await client.waitUntilOnline(options);
          return wrongUnless(already || client.isConnected());
        },
      };
    case "sealAndWrite": {
      const { writeCap, messageBoxIndex } = prepared.writes[place % WRITES]!;
      return { gate: null, run: (options) => write(client, writeCap, messageBoxIndex!, options) };
    }
    default:
      return operation(kind, place, client, prepared);
  }
}

function operation(
  kind: "write" | "read" | "copy",
  place: number,
  client: ThinClient,
  prepared: Prepared,
): Work {
  if (kind === "write") {
    const request = prepared.writes[place % WRITES]!;
    return {
      gate: `write ${place % WRITES}`,
      run: async (options) => {
        const { plaintext } = await client.startResendingEncryptedMessage(request, options);
        return wrongUnless(plaintext.length === 0);
      },
    };
  }
  if (kind === "read") {
    const number = place % READS;
    const request = prepared.reads[number]!;
    return {
      gate: `read ${number}`,
      run: async (options) => {
        const { plaintext } = await client.startResendingEncryptedMessage(request, options);
        return wrongUnless(number !== BROKEN_READ && equalBytes(plaintext, contentsOf(number)));
      },
    };
  }
  const number = place % COPIES;
  return {
    gate: `copy ${number}`,
    run: async (options) => {
      await client.startResendingCopyCommand(prepared.copies[number]!, options);
      return wrongUnless(number % 2 === 0);
    },
  };
}

function wrongUnless(right: boolean): string | null {
  return right ? null : "the result is a different one";
}

async function echo(
  client: ThinClient,
  number: number,
  options: CallOptions,
): Promise<string | null> {
  const payload = echoText(number);
  const node = new Uint8Array(32) as never;
  const reply = await client.blockingSendMessage(payload, node, utf8("+echo"), options);
  return wrongUnless(utf8ToText(reply.subarray(0, payload.length)) === utf8ToText(payload));
}

async function write(
  client: ThinClient,
  writeCap: WriteCap,
  index: MessageBoxIndex,
  options: CallOptions,
): Promise<string | null> {
  await client.write(writeCap, index, "sealed in the schedule", options);
  return null;
}

/** Cancels the operation that waits at a gate. */
export function cancelAt(client: ThinClient, gate: string, prepared: Prepared): Promise<void> {
  const [kind, number] = gate.split(" ") as ["write" | "read" | "copy", string];
  if (kind === "copy") {
    return client.cancelResendingCopyCommand(writeCapHash(prepared.copies[Number(number)]!));
  }
  const list = kind === "write" ? prepared.writes : prepared.reads;
  return client.cancelResendingEncryptedMessage(list[Number(number)]!.envelopeHash);
}

/** Why a call must not end with a result at `now`; null if it may. */
export function judgeResult(
  call: Call,
  wrong: string | null,
  now: number,
  open: ReadonlySet<string>,
): string | null {
  // The client was online, but lost the connection at the same moment.
  if (call.kind === "online" && call.lastLostAt === now) return null;
  if (call.gate !== null && !open.has(call.gate)) return "nothing had answered it";
  return wrong;
}

/** Why a call must not end with an error at `now`; null if it may. */
export function judgeError(
  call: Call,
  error: unknown,
  now: number,
  { open, graceMs }: { readonly open: ReadonlySet<string>; readonly graceMs: number },
): string | null {
  if (error === call.aborted?.reason) {
    return now === call.aborted?.at ? null : "it continued after its abort";
  }
  if (error instanceof errors.ClientClosedError) {
    return call.clientClosed ? null : "its client is not closed";
  }
  if (error instanceof errors.RequestTimeoutError) return judgeTimeout(call, now);
  if (call.kind === "echo") return judgeEcho(call, error, now, graceMs);
  if (error instanceof errors.StartResendingCancelledError) {
    return call.cancelled ? null : "nobody cancelled it";
  }
  return judgeVerdict(call, error, open);
}

function judgeTimeout(call: Call, now: number): string | null {
  if (now !== call.deadlineAt) return `its deadline was at ${call.deadlineAt} ms`;
  const waits = call.gate !== null || call.kind === "online" || call.kind === "sealAndWrite";
  if (waits || call.excuses.size > 0) return null;
  const tooShort = call.kind === "echo" && call.deadlineAt - call.startedAt < ROUND_TRIP_MS;
  return tooShort ? null : "nothing prevented its answer";
}

function judgeEcho(call: Call, error: unknown, now: number, graceMs: number): string | null {
  if (error instanceof errors.ThinClientOfflineError) {
    if (now === call.startedAt && !call.startedOnline) return null;
    // The client's news of the mixnet may be old when it reads them.
    const excused = call.excuses.has("offline") || call.excuses.has("unheard");
    return excused ? null : "the mixnet was there";
  }
  if (error instanceof errors.ConnectionLostError) {
    if (call.excuses.has("forgotten") || call.excuses.has("perhaps forgotten")) return null;
    if (call.excuses.has("twin")) return null;
    // The connection was lost before the daemon confirmed that the packet had left.
    if (call.lastLostAt === now && error.message.includes("had left")) return null;
    // The connection was lost in the same turn in which the client wrote the message.
    if (now === call.startedAt && call.lostAt === now) return null;
    if (call.excuses.has("unheard") || now - call.lostAt >= graceMs) return null;
    return "the daemon kept the session";
  }
  if (error instanceof errors.SendFailedError) {
    return call.excuses.has("sending fails") ? null : "the gateway was there";
  }
  return "no echo may fail like this";
}

function judgeVerdict(call: Call, error: unknown, open: ReadonlySet<string>): string | null {
  const { gate } = call;
  if (gate === null || !open.has(gate)) return "nothing had reported that";
  const [kind, number] = gate.split(" ");
  if (kind === "copy" && Number(number) % 2 === 1) {
    const { errorCode, failedEnvelopeIndex } = COPY_FAILURE;
    const right =
      error instanceof errors.CopyCommandFailedError &&
      error.replicaErrorCode === errorCode &&
      error.failedEnvelopeIndex === failedEnvelopeIndex;
    return right ? null : "the courier had answered something else";
  }
  const broken = kind === "read" && Number(number) === BROKEN_READ;
  return broken && error instanceof errors.CourierError ? null : "it had to succeed";
}
