/** A client for a command: found, connected, and stopped when the command is over. */
import {
  type CallOptions,
  type ReconnectOptions,
  ThinClient,
  type Transport,
  hasCode,
} from "katzenpost-thinclient";
import {
  type DaemonPlace,
  type DaemonPlaceFlags,
  NoDaemonError,
  type PlaceFailure,
  checkOwner,
  daemonPlaces,
} from "./find-daemon.js";
import type { Owner } from "./listener-owner.js";
import type { OutputFlags } from "./output.js";
import { type Run, runCommand } from "./run.js";

/** The flags of every command that talks to a daemon. */
export interface ClientFlags extends DaemonPlaceFlags, OutputFlags {
  /** Longest wait for each answer, in milliseconds. */
  readonly timeout?: number | undefined;
}

/** What such a command works with. */
export interface ClientRun extends Run {
  readonly client: ThinClient;
  /** Where the daemon was found. */
  readonly place: DaemonPlace;
  /** For every call that waits: ends with the command, and after `--timeout`. */
  readonly call: CallOptions;
}

/** How a command wants its client. */
export interface ConnectOptions {
  /** Whether the daemon must be connected to the mixnet; true unless given. */
  readonly online?: boolean | undefined;
  /**
   * Whether what it asks and says is of no use to a stranger: no capabilities, no plaintexts; false
   * unless given. In a usual place only such a command takes a daemon whose owner cannot be known.
   */
  readonly revealsNothing?: boolean | undefined;
  /** How to come back after a loss; not at all unless given: a command then fails. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** A connection that was made already, to the first of the places. */
  readonly transport?: Transport | undefined;
  /** Longest handshake in milliseconds, when it may be longer than the library's. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Sees the client before it connects, so that it hears the handshake's events. */
  readonly prepare?: ((client: ThinClient, signal: AbortSignal | undefined) => void) | undefined;
}

/** How long to wait for the daemon to reach the mixnet when nobody says. */
const ONLINE_TIMEOUT_MS = 30_000;

/** Runs a command's work with a connected client. */
export function withClient(
  flags: ClientFlags,
  work: (run: ClientRun) => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  return runCommand(flags, async (run) => {
    const { signal, output } = run;
    const call = { signal, timeoutMs: flags.timeout };
    const found = await connect(await daemonPlaces(flags, signal), call, options);
    const { client, place, owner } = found;
    try {
      if (owner?.kind === "unknown") {
        output.remark(
          `found a daemon at ${place.address}; whose it is cannot be said: ${owner.why}`,
        );
      }
      // A daemon that has just reached its gateway says so before it has a document.
      const isReady = client.isConnected() && client.pkiDocument() !== null;
      if ((options.online ?? true) && !isReady) {
        output.status("waiting for the daemon to reach the mixnet …");
        await client.waitUntilOnline({ signal, timeoutMs: flags.timeout ?? ONLINE_TIMEOUT_MS });
        output.clearStatus();
      }
      await work({ ...run, client, place, call });
    } finally {
      await client.stop();
    }
  });
}

/** A place where something listens. */
export interface FoundPlace {
  readonly place: DaemonPlace;
  /** Whose it is; null when somebody said where the daemon is. */
  readonly owner: Owner | null;
}

/**
 * The first place where something listens, how long its answer took in milliseconds, and the
 * connection that was made, which is the caller's: a daemon without a document serves one
 * connection after the other, each up to 30 s, so that one made only to look would cost the next
 * one its turn. Says nothing to it.
 * @throws what dialling throws where somebody said which place, or when it is more than that no
 * connection was made; NoDaemonError, which says why each place failed; the reason of `signal`.
 */
export async function firstThatAnswers(
  places: readonly DaemonPlace[],
  { signal, timeoutMs }: CallOptions & { readonly signal: AbortSignal },
): Promise<FoundPlace & { readonly ms: number; readonly transport: Transport }> {
  const failures: PlaceFailure[] = [];
  for (const place of places) {
    const start = performance.now();
    try {
      const { transport, owner } = await dialPlace(place, true, { signal, timeoutMs });
      return { place, owner, transport, ms: performance.now() - start };
    } catch (error) {
      signal.throwIfAborted();
      if (place.isTold || !hasCode(error, "ERR_CONNECT")) throw error;
      failures.push({ place, error });
    }
  }
  throw new NoDaemonError(failures);
}

/**
 * Connects to the first place where a daemon answers.
 * @throws NoDaemonError when there is none, which says why each place failed; what connecting to a
 * place that was told throws, or when it is more than that no connection was made.
 */
export async function connect(
  places: readonly DaemonPlace[],
  call: CallOptions,
  options: ConnectOptions = {},
): Promise<FoundPlace & { readonly client: ThinClient }> {
  const { reconnect = false, revealsNothing = false, handshakeTimeoutMs } = options;
  let made = options.transport ?? null;
  const failures: PlaceFailure[] = [];
  for (const place of places) {
    let owner: Owner | null = null;
    // Looked at each time: anyone who comes back after a loss may be another.
    const dial = async (how: CallOptions): Promise<Transport> => {
      if (made !== null) {
        const transport = made;
        made = null;
        return transport;
      }
      const dialled = await dialPlace(place, revealsNothing, how);
      ({ owner } = dialled);
      return dialled.transport;
    };
    const client = new ThinClient({ dial: place.dial }, { reconnect, dial, handshakeTimeoutMs });
    options.prepare?.(client, call.signal);
    try {
      await client.start(call);
      return { client, place, owner };
    } catch (error) {
      await client.stop();
      if (place.isTold || !hasCode(error, "ERR_CONNECT")) throw error;
      failures.push({ place, error });
    }
  }
  throw new NoDaemonError(failures);
}

/** Connects, before and after which it looks at who listens there. @throws StrangerError */
async function dialPlace(
  place: DaemonPlace,
  revealsNothing: boolean,
  how: CallOptions,
): Promise<{ readonly transport: Transport; readonly owner: Owner | null }> {
  // Where nobody listens, that is what is to be told, and not that nobody's owner is unknown.
  checkOwner(place, true);
  const transport = await place.dial.resolve().dial(how);
  try {
    return { transport, owner: checkOwner(place, revealsNothing) };
  } catch (error) {
    transport.destroy();
    throw error;
  }
}
