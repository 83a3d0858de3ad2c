/**
 * The messages between the console's page and the process behind it: CBOR maps, first a snapshot,
 * then changes. Null means that something cannot be known; pages show it as unknown.
 */
import { type CborValue, type Encodable, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import type { DaemonTrace } from "../daemon/trace.js";
import type { LinkTrace } from "../mixnet/trace.js";
import type { StorageTrace } from "../network/storage-link.js";

/** The kind of daemon that the console shows. */
export type ConsoleMode = "embedded" | "joined" | "daemon";

/** A node of the network, as in the document. */
export interface NodeView {
  readonly name: string;
  /** The first 4 bytes of its identity hash, in hex. */
  readonly id: string;
}

/** The nodes of the network, by the current document. */
export interface MapView {
  readonly gateways: readonly NodeView[];
  readonly layers: readonly (readonly NodeView[])[];
  readonly services: readonly (NodeView & { readonly services: readonly string[] })[];
  readonly replicas: readonly NodeView[];
  /** Names of the directory authorities; null if the daemon does not list them. */
  readonly authorities: readonly string[] | null;
}

/** A document, as the page shows it. */
export interface DocumentView {
  readonly epoch: number;
  readonly version: string;
  readonly rates: Readonly<Record<string, number>>;
  /** Length of the signed document in bytes. */
  readonly length: number;
  readonly nodes: readonly {
    readonly name: string;
    readonly role: "gateway" | "mix" | "service" | "replica";
    /** The layer of mixes, from 1 on; 0 for other nodes. */
    readonly layer: number;
    readonly identity: string;
    readonly link: string;
    readonly addresses: readonly string[];
    readonly services: readonly string[];
    /** The beginning of each key, by epoch. */
    readonly keys: readonly string[];
  }[];
  /**
   * Each authority, and whether its signature is present and valid; null if the authorities' keys
   * are unknown, or too few signatures are valid.
   */
  readonly signatures:
    | readonly {
        readonly authority: string;
        readonly valid: boolean;
      }[]
    | null;
  /** How many signatures the document has, verified or not. */
  readonly signatureCount: number;
}

/** An error with its explanation. */
export interface ErrorView {
  readonly at: number;
  readonly operation: string;
  readonly code: string;
  readonly message: string;
  readonly meaning: string;
  readonly action: string;
}

/** A box of the console's own stream. */
export interface BoxView {
  /** Its number in the stream, from 0 on. */
  readonly number: number;
  /** The first 4 bytes of its ID, in hex. */
  readonly boxId: string;
  /** The console's last action on it. */
  readonly state: "writing" | "stored" | "reading" | "read" | "deleted" | "failed";
  /** The text that the console wrote. It is the console's own, and not secret. */
  readonly text: string;
  /** The replicas that hold it; null if that cannot be known. */
  readonly holders: readonly string[] | null;
  /** When a courier accepted it or its deletion, in ms since 1970; null before that. */
  readonly storedAt: number | null;
  /**
   * When replicas delete it at the earliest, in ms since 1970: they keep a box for the rest of the
   * week in which they stored it, and for the next one (spec/pigeonhole §9.2). Null before it is
   * stored.
   */
  readonly keptUntil: number | null;
}

/** Everything that is shown, by topic. An unknown topic is null. */
export interface ConsoleState {
  readonly about: {
    readonly mode: ConsoleMode;
    readonly version: string;
    /** The addresses for programs, or that of the daemon. */
    readonly addresses: readonly string[];
    readonly mixing: "instant" | "realistic" | "sphinx" | null;
    /** Whether the page moves a virtual clock. */
    readonly virtual: boolean;
  };
  readonly link: {
    /** The console's own connection to the daemon. */
    readonly toDaemon: string;
    /** Whether the daemon reports a connection to the network; null without a connection to it. */
    readonly toNetwork: boolean | null;
    readonly gateway: string | null;
    readonly address: string | null;
    readonly problem: string | null;
  };
  readonly clock: { readonly now: number; readonly running: boolean };
  readonly epoch: {
    readonly current: number;
    readonly periodMs: number | null;
    readonly endsAt: number | null;
  } | null;
  readonly rates: Readonly<Record<string, number>> | null;
  /** The work that waits and runs at the daemon. */
  readonly load: {
    readonly applications: number;
    readonly operations: number;
    readonly waitingPackets: number;
    readonly waitingMs: number;
  } | null;
  /** The work that waits and runs at the console's own client. */
  readonly client: { readonly inFlight: number; readonly queued: number; readonly pausing: number };
  readonly traffic: Readonly<Record<string, number>> | null;
  readonly map: MapView | null;
  readonly error: ErrorView | null;
  readonly boxes: readonly BoxView[];
  readonly replicas:
    | readonly {
        readonly name: string;
        readonly boxes: number;
        readonly bytes: number;
        readonly offline: boolean;
        readonly slowMs: number;
        readonly loss: number;
        /** Its boxes, as its operator sees them. At most 200. */
        readonly kept: readonly { readonly boxId: string; readonly length: number }[];
      }[]
    | null;
  readonly faults: {
    readonly online: boolean;
    readonly loss: number;
    readonly extraDelayMs: number;
    readonly withheld: boolean;
    readonly daemonRuns: boolean;
  } | null;
  /** The current document and the one before, newest first. */
  readonly documents: readonly DocumentView[];
  readonly geometry: {
    readonly sphinx: Readonly<Record<string, number>>;
    readonly pigeonhole: Readonly<Record<string, number>>;
  } | null;
}

/** Events of the console itself, besides those of the daemon, the link and the storage. */
export type ConsoleTrace =
  | {
      readonly source: "client";
      readonly event: "began";
      readonly at: number;
      readonly call: number;
      readonly operation: string;
    }
  | {
      readonly source: "client";
      readonly event: "ended";
      readonly at: number;
      readonly call: number;
      readonly operation: string;
      readonly outcome: string;
      readonly durationMs: number;
    }
  | {
      /** An action on the page. */
      readonly source: "console";
      readonly event: "did";
      readonly at: number;
      readonly text: string;
      /** The line of test code for the same action; null if there is none. */
      readonly code: string | null;
    }
  | {
      readonly source: "console";
      readonly event: "failed";
      readonly at: number;
      readonly text: string;
    };

/** An event with its sequence number, counted from 0. */
export type ConsoleEvent = { readonly seq: number } & (
  | LinkTrace
  | DaemonTrace
  | StorageTrace
  | ConsoleTrace
);

/** The actions of a page. */
export type ConsoleAction =
  | { readonly do: "echo" | "write" | "read" | "readMissing" | "delete" | "newStream" }
  | { readonly do: "online" | "withhold"; readonly value: boolean }
  | { readonly do: "loss" | "delay"; readonly value: number }
  | { readonly do: "dropNext"; readonly way: "forward" | "reply" }
  | { readonly do: "epoch" | "crash" | "restart" | "clearFaults" }
  | { readonly do: "replicaOffline"; readonly replica: string; readonly value: boolean }
  | { readonly do: "replicaFail"; readonly replica: string; readonly code: number }
  | { readonly do: "replicaSlow"; readonly replica: string; readonly value: number }
  | { readonly do: "clock"; readonly how: "pause" | "run" | "step" | "idle"; readonly ms: number };

/** From the process to the page. */
export type ToPage =
  | {
      readonly type: "snapshot";
      readonly state: ConsoleState;
      readonly events: readonly ConsoleEvent[];
    }
  | {
      readonly type: "changes";
      readonly state: Partial<ConsoleState>;
      readonly events: readonly ConsoleEvent[];
    };

/** Encodes a message. */
export function encodeMessage(message: ToPage | ConsoleAction): Uint8Array<ArrayBuffer> {
  return encodeCbor(message as unknown as Encodable);
}

/**
 * Decodes a message of the process, which the page trusts.
 * @throws ProtocolError when the bytes are not CBOR.
 */
export function decodeToPage(bytes: Uint8Array): ToPage {
  return plain(decodeCbor(bytes)) as unknown as ToPage;
}

/** Converts maps to objects; all keys are text here. */
function plain(value: CborValue): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries(Array.from(value, ([key, one]) => [String(key), plain(one)]));
}

type Field = "boolean" | "number" | "string" | readonly string[];

const without = {};
const fieldsOf: Readonly<Record<ConsoleAction["do"], Readonly<Record<string, Field>>>> = {
  echo: without,
  write: without,
  read: without,
  readMissing: without,
  delete: without,
  newStream: without,
  online: { value: "boolean" },
  withhold: { value: "boolean" },
  loss: { value: "number" },
  delay: { value: "number" },
  dropNext: { way: ["forward", "reply"] },
  epoch: without,
  crash: without,
  restart: without,
  clearFaults: without,
  replicaOffline: { replica: "string", value: "boolean" },
  replicaFail: { replica: "string", code: "number" },
  replicaSlow: { replica: "string", value: "number" },
  clock: { how: ["pause", "run", "step", "idle"], ms: "number" },
};

/** Decodes a page's action; null if it is not one. Never throws. */
export function decodeAction(bytes: Uint8Array): ConsoleAction | null {
  let value: CborValue;
  try {
    value = decodeCbor(bytes);
  } catch {
    return null;
  }
  if (!(value instanceof Map)) return null;
  const name = value.get("do");
  if (typeof name !== "string" || !Object.hasOwn(fieldsOf, name)) return null;
  const fields = fieldsOf[name as ConsoleAction["do"]];
  const action: Record<string, unknown> = { do: name };
  for (const [field, wanted] of Object.entries(fields)) {
    const given = value.get(field);
    const fits =
      typeof wanted === "string" ? typeof given === wanted : wanted.includes(given as string);
    if (!fits) return null;
    action[field] = given;
  }
  return action as unknown as ConsoleAction;
}
