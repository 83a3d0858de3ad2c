/** Finds and connects a client for a command, and stops it when the command is over. */
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

/** What such a command gets. */
export interface ClientRun extends Run {
  readonly client: ThinClient;
  /** Where the daemon was found. */
  readonly place: DaemonPlace;
  /** Options for every waiting call: it ends with the command, and after `--timeout`. */
  readonly call: CallOptions;
}

/** How a command connects its client. */
export interface ConnectOptions {
  /** Whether the daemon must be connected to the mixnet; true by default. */
  readonly online?: boolean | undefined;
  /**
   * Whether the command's requests reveal nothing to a stranger: no capabilities, no plaintexts;
   * false by default. In a usual place, only such a command uses a daemon whose owner cannot be
   * determined.
   */
  readonly revealsNothing?: boolean | undefined;
  /** How to reconnect after a loss; by default the command fails. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** An existing connection to the first of the places. */
  readonly transport?: Transport | undefined;
  /** Longest handshake in milliseconds, if it may be longer than the library's limit. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Called with the client before it connects, so that listeners hear the handshake's events. */
  readonly prepare?: ((client: ThinClient, signal: AbortSignal | undefined) => void) | undefined;
}

/** The default time to wait until the daemon reaches the mixnet. */
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
        output.remark(`found a daemon at ${place.address}, but its owner is unknown: ${owner.why}`);
      }
      // A daemon that has just reached its gateway reports that before it has a document.
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
  /** Its owner; null if the user named the daemon's place. */
  readonly owner: Owner | null;
}

/**
 * The first place where something listens, how long the answer took in milliseconds, and the
 * connection, which the caller must use. A daemon without a document serves one connection after
 * the other, each for up to 30 s, so a connection made only to look would cost the next one its
 * turn. Nothing is sent on it.
 * @throws what dialling throws if the user named the place, or if the problem is more than a
 * refused connection; NoDaemonError, which says why each place failed; the reason of `signal`.
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
 * @throws NoDaemonError when there is none, which says why each place failed; what connecting
 * throws if the user named the place, or if the problem is more than a refused connection.
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
    // Checked each time: after a loss, somebody else may listen there.
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

/** Connects, and checks the listener's owner before and after. @throws StrangerError */
async function dialPlace(
  place: DaemonPlace,
  revealsNothing: boolean,
  how: CallOptions,
): Promise<{ readonly transport: Transport; readonly owner: Owner | null }> {
  // If nobody listens, report that, not that the owner is unknown.
  checkOwner(place, true);
  const transport = await place.dial.resolve().dial(how);
  try {
    return { transport, owner: checkOwner(place, revealsNothing) };
  } catch (error) {
    transport.destroy();
    throw error;
  }
}
