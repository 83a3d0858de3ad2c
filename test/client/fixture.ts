/** Shared parts of the client's tests: a document, a client with a scripted daemon, and waiting. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Bytes, fromHex } from "../../src/bytes/bytes.js";
import type { ConfigInit } from "../../src/config/config.js";
import { type ClientEvent, eventTypes } from "../../src/config/events.js";
import { ThinClient } from "../../src/client/thin-client.js";
import type { ThinClientOptions } from "../../src/client/options.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { decodeCertificate } from "../../src/pki/certificate.js";
import {
  type ScriptedConnection,
  ScriptedDaemon,
  type ScriptedDaemonOptions,
} from "../../src/testing/scripted-daemon.js";
import { type CborMap, type Encodable, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";

const recorded = JSON.parse(
  readFileSync(
    new URL("../../../test/reference/transcripts/pki-document.json", import.meta.url),
    "utf8",
  ),
) as { certificate: string; epoch: number };

const document = decodeCbor(decodeCertificate(fromHex(recorded.certificate)).certified) as CborMap;

/** The recorded document with some members changed; `undefined` removes a member. */
export function pkiDocument(members: Record<string, Encodable> = {}): Bytes {
  return encodeCbor({ ...Object.fromEntries(document), ...members } as Encodable);
}

/** The first service node of the recorded document with some members changed. */
export function serviceNode(members: Record<string, Encodable>): Bytes {
  const [node] = document.get("ServiceNodes") as Uint8Array[];
  const fields = Object.fromEntries(decodeCbor(node!) as CborMap);
  return encodeCbor({ ...fields, ...members } as Encodable);
}

/** A configuration whose address is never dialled, because the tests pass their own `dial`. */
export const unused: ConfigInit = { dial: { tcp: { address: "localhost:1" } } };

/** A client and its daemon, not yet connected. */
export interface Pair {
  readonly client: ThinClient;
  readonly daemon: ScriptedDaemon;
  readonly clock: VirtualClock;
  /** All events of the client, in order. */
  readonly heard: ClientEvent[];
  /** The events of one type. */
  of<T extends ClientEvent["type"]>(type: T): Extract<ClientEvent, { type: T }>[];
}

/** A client that dials a scripted daemon and uses a virtual clock. */
export function pair(
  options: ThinClientOptions = {},
  daemonOptions: ScriptedDaemonOptions = {},
  config: Partial<ConfigInit> = {},
): Pair {
  const daemon = new ScriptedDaemon(daemonOptions);
  const clock = new VirtualClock();
  // Probes are off, because this daemon only answers what a test tells it to. Liveness has its own
  // tests.
  const client = new ThinClient(
    { ...unused, ...config },
    { dial: daemon.dial, clock, liveness: false, ...options },
  );
  const heard: ClientEvent[] = [];
  for (const type of eventTypes) client.on(type, (event) => void heard.push(event));
  return {
    client,
    daemon,
    clock,
    heard,
    of: <T extends ClientEvent["type"]>(type: T) =>
      heard.filter((event): event is Extract<ClientEvent, { type: T }> => event.type === type),
  };
}

/** A pair after the handshake. */
export interface ConnectedPair extends Pair {
  readonly connection: ScriptedConnection;
}

/** A client that is connected to a scripted daemon. */
export async function connectedPair(
  options: ThinClientOptions = {},
  daemonOptions: ScriptedDaemonOptions = {},
  config: Partial<ConfigInit> = {},
): Promise<ConnectedPair> {
  const made = pair(options, daemonOptions, config);
  const [connection] = await Promise.all([made.daemon.shakeHands(), made.client.start()]);
  return { ...made, connection };
}

/** Lets everything that is ready run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whether a promise is still pending after everything that is ready has run. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  promise.then(
    () => (pending = false),
    () => (pending = false),
  );
  await turn();
  return pending;
}

/** The error of a promise that must reject. */
export async function reasonOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  return assert.fail("the promise should have rejected");
}
