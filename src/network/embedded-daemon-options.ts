/** The options of an embedded daemon, checked before anything is made. */
import { describeType, isBytes } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { pigeonholeSizesOf } from "../pki/pigeonhole-sizes.js";
import { kindnesses } from "../mixnet/kindness.js";
import { type GrowingPause, type Timing, upstreamTiming } from "../mixnet/timing.js";
import { Geometry } from "../pki/geometry.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import type { EmbeddedDaemonOptions } from "./embedded-daemon.js";
import { networkNumbers, usualPayloadLength } from "./parameters.js";

/** Returns what is wrong with a value, or null. */
export type OptionCheck = (name: string, value: unknown) => Error | null;

/** Fewest replicas: an envelope names two. spec/pigeonhole §5. */
const leastReplicas = 2;
const mostReplicas = 256;

/** Describes a value's type and, for plain types that cannot be secret, the value. */
export function describe(value: unknown): string {
  return typeof value === "number" ? String(value) : describeType(value);
}

function wrongType(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`\`${name}\` must be ${wanted}, got ${describe(value)}`);
}

/** Makes a check for a kind of value. */
export function ofKind(wanted: string, is: (value: unknown) => boolean): OptionCheck {
  return (name, value) => (is(value) ? null : wrongType(name, wanted, value));
}

function oneOf(...choices: readonly string[]): OptionCheck {
  return (name, value) =>
    choices.includes(value as string)
      ? null
      : new RangeError(`\`${name}\` must be ${choices.join(" or ")}, got ${JSON.stringify(value)}`);
}

/** Whether a value is a string. */
export const isText = (value: unknown): boolean => typeof value === "string";
/** Whether a value is a function. */
export const isFunction = (value: unknown): boolean => typeof value === "function";

const replicas: OptionCheck = (name, value) => {
  const count = value as number;
  if (Number.isInteger(count) && count >= leastReplicas && count <= mostReplicas) return null;
  return new RangeError(
    `\`${name}\` must be an integer from ${leastReplicas} to ${mostReplicas}: each envelope goes to ` +
      `two, got ${describe(value)}`,
  );
};

const milliseconds: OptionCheck = (name, value) =>
  typeof value === "number" && value >= 0
    ? null
    : new RangeError(
        `\`${name}\` must be a number of milliseconds from 0 up, got ${describe(value)}`,
      );

/** For work that repeats after each wait: with 0 it would run without a pause. */
const positiveMilliseconds: OptionCheck = (name, value) =>
  value === 0
    ? new RangeError(`\`${name}\` must be a number of milliseconds above 0, got 0`)
    : milliseconds(name, value);

const tries: OptionCheck = (name, value) =>
  Number.isSafeInteger(value) && (value as number) >= 1
    ? null
    : new RangeError(`\`${name}\` must be an integer from 1 up, got ${describe(value)}`);

const growingPause: OptionCheck = (name, value) => {
  if (typeof value !== "object" || value === null) {
    return wrongType(name, "an object with `first` and `longest`", value);
  }
  const unknown = Object.keys(value).find((key) => key !== "first" && key !== "longest");
  if (unknown !== undefined) {
    return new TypeError(`\`${name}.${unknown}\` is not known; known: first, longest`);
  }
  const { first, longest } = value as GrowingPause;
  const wrong = milliseconds(`${name}.first`, first) ?? milliseconds(`${name}.longest`, longest);
  if (wrong !== null || longest >= first) return wrong;
  return new RangeError(
    `\`${name}.longest\` must be at least \`first\` (${first}), got ${longest}`,
  );
};

const repeated: ReadonlySet<keyof Timing> = new Set([
  "resendMs",
  "composeRetryMs",
  "copyPollMs",
  "garbageCollectionMs",
]);

/** The check of each wait, depending on the type of its default. */
function timingCheck(name: keyof Timing): OptionCheck {
  if (name === "copyTries") return tries;
  if (repeated.has(name)) return positiveMilliseconds;
  return typeof upstreamTiming[name] === "number" ? milliseconds : growingPause;
}

const timing: OptionCheck = (name, value) => {
  if (typeof value !== "object" || value === null) return wrongType(name, "an object", value);
  for (const [wait, given] of Object.entries(value)) {
    if (!Object.hasOwn(upstreamTiming, wait)) {
      const known = Object.keys(upstreamTiming).join(", ");
      return new TypeError(`\`${name}.${wait}\` is not a wait; known: ${known}`);
    }
    const wrong = timingCheck(wait as keyof Timing)(`${name}.${wait}`, given);
    if (wrong !== null) return wrong;
  }
  return null;
};

/** A check for booleans. */
export const yesOrNo = ofKind("true or false", (value) => typeof value === "boolean");

/** For numbers that the network checks itself. */
const byNetwork: OptionCheck = () => null;

const checks: Readonly<Record<string, OptionCheck>> = {
  seed: ofKind("a string or bytes", (value) => isText(value) || isBytes(value)),
  clock: ofKind("a Clock", (value) => isFunction((value as { after?: unknown } | null)?.after)),
  mixing: oneOf("instant", "realistic", "sphinx"),
  timing,
  epochMs: byNetwork,
  couriers: byNetwork,
  replicas,
  mixesPerLayer: byNetwork,
  nike: oneOf("x25519", "CTIDH1024-X25519"),
  userForwardPayloadLength: byNetwork,
  onFault: ofKind("a function", isFunction),
  onTrace: ofKind("a function", isFunction),
  mu: byNetwork,
  lambdaP: byNetwork,
  lambdaL: byNetwork,
  lambdaM: byNetwork,
  lambdaG: byNetwork,
  lambdaR: byNetwork,
  ...Object.fromEntries(kindnesses.map((name) => [name, yesOrNo])),
};

/** The check of a store's name. */
export const storeCheck = ofKind("a name", (value) => isText(value) && value !== "");

/**
 * Refuses unknown options, invalid values, and sizes too small for a box; undefined counts as left
 * out.
 * @param more checks of a platform's additional options, by name.
 * @throws TypeError, RangeError naming the option, what was wanted and what it got.
 */
export function checkEmbeddedDaemonOptions(
  options: object,
  more: Readonly<Record<string, OptionCheck>> = {},
): void {
  const all = { ...more, ...checks };
  checkOptions("options", options, Object.keys(all));
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const wrong = value === undefined ? null : all[name]!(`options.${name}`, value);
    if (wrong !== null) throw wrong;
  }
  checkSizes(options);
}

/** Checks numbers as a network does, and sizes as geometries do. */
function checkSizes(options: EmbeddedDaemonOptions): void {
  const { nike = "x25519", userForwardPayloadLength = usualPayloadLength(nike) } = options;
  const { nrHops } = networkNumbers({ ...options, userForwardPayloadLength });
  const geometry = Geometry.forNike({ nike: "x25519", nrHops, userForwardPayloadLength });
  pigeonholeSizesOf(PigeonholeGeometry.fromSphinx(geometry, nike));
}
