/** The parameters that a network's boxes depend on: with other values they would not be found. */
import { ConfigError } from "../errors/errors.js";
import { DEFAULT_EPOCH_MS } from "../pki/epoch.js";
import { usualPayloadLength } from "./parameters.js";

/** The network options that are stored together with its boxes. */
export interface NetworkShape {
  /** How many storage replicas there are. */
  readonly replicas: number;
  /** How many service nodes there are, each with a courier. */
  readonly couriers: number;
  /** The NIKE scheme of envelopes. */
  readonly nike: "x25519" | "CTIDH1024-X25519";
  /** The longest payload of a message, in bytes. */
  readonly userForwardPayloadLength: number;
  /** The length of an epoch in milliseconds. */
  readonly epochMs: number;
}

/** The requested parameters; missing ones are taken from the stored network. */
export type WishedShape = { readonly [N in keyof NetworkShape]?: NetworkShape[N] | undefined };

/** The known parameters of a stored network; empty for a new one. */
export type KnownShape = { -readonly [N in keyof NetworkShape]?: NetworkShape[N] };

/** Where a shape is kept: short texts by name. */
export interface Settings {
  /** The text of that name; null if there is none. */
  setting(name: string): Promise<string | null>;
  /** Keeps a text. */
  set(name: string, value: string): Promise<void>;
}

const shapeNames = ["nike", "replicas", "couriers", "userForwardPayloadLength", "epochMs"] as const;

function usualShape(nike: NetworkShape["nike"]): NetworkShape {
  return {
    replicas: 5,
    couriers: 3,
    nike,
    userForwardPayloadLength: usualPayloadLength(nike),
    epochMs: DEFAULT_EPOCH_MS,
  };
}

/** Reads the parameters from a store's settings. */
export async function readShape(store: Settings): Promise<KnownShape> {
  const known: KnownShape = {};
  for (const name of shapeNames) {
    const value = await store.setting(name);
    if (value === null) continue;
    Object.assign(known, { [name]: name === "nike" ? value : Number(value) });
  }
  return known;
}

/** Writes the parameters into a new store's settings. */
export async function writeShape(store: Settings, shape: NetworkShape): Promise<void> {
  if ((await store.setting("epochMs")) !== null) return;
  await Promise.all(shapeNames.map((name) => store.set(name, String(shape[name]))));
}

/**
 * The parameters of a network: the stored ones, or else the requested ones, or else the defaults.
 * @param name of its place, for messages.
 * @param place the kind of place, e.g. "directory".
 * @throws ConfigError when a requested parameter differs from the stored one.
 */
export function shapeOf(
  name: string,
  place: string,
  known: KnownShape,
  options: WishedShape,
): NetworkShape {
  for (const part of shapeNames) {
    const has = known[part];
    const wanted = options[part];
    if (has === undefined || wanted === undefined || has === wanted) continue;
    throw new ConfigError(
      `${name} was created with ${part} ${has}, but ${wanted} is requested; with that its boxes would not ` +
        `be found. Omit the option, pass ${has}, or use another ${place}`,
    );
  }
  const usual = usualShape(known.nike ?? options.nike ?? "x25519");
  const one = <N extends keyof NetworkShape>(part: N): NetworkShape[N] =>
    known[part] ?? options[part] ?? usual[part];
  return {
    replicas: one("replicas"),
    couriers: one("couriers"),
    nike: one("nike"),
    userForwardPayloadLength: one("userForwardPayloadLength"),
    epochMs: one("epochMs"),
  };
}
