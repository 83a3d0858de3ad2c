/** The options of an embedded daemon, checked. */
import { describeType, isBytes } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { kindnesses } from "../mixnet/kindness.js";
import { type GrowingPause, type Timing, upstreamTiming } from "../mixnet/timing.js";

/** Gives what is wrong with a value, or null. */
type Check = (name: string, value: unknown) => Error | null;

/** Fewest replicas: an envelope names two. spec/pigeonhole §5. */
const leastReplicas = 2;
const mostReplicas = 256;

/** What a value is, and for plain ones which. Only where it cannot be a secret. */
function describe(value: unknown): string {
  return typeof value === "number" ? String(value) : describeType(value);
}

function wrongType(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`\`${name}\` must be ${wanted}, got ${describe(value)}`);
}

/** A check that a value is of a kind. */
function ofKind(wanted: string, is: (value: unknown) => boolean): Check {
  return (name, value) => (is(value) ? null : wrongType(name, wanted, value));
}

function oneOf(...choices: readonly string[]): Check {
  return (name, value) =>
    choices.includes(value as string)
      ? null
      : new RangeError(`\`${name}\` must be ${choices.join(" or ")}, got ${JSON.stringify(value)}`);
}

const isText = (value: unknown): boolean => typeof value === "string";
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isFunction = (value: unknown): boolean => typeof value === "function";

const replicas: Check = (name, value) => {
  const count = value as number;
  if (Number.isInteger(count) && count >= leastReplicas && count <= mostReplicas) return null;
  return new RangeError(
    `\`${name}\` must be an integer from ${leastReplicas} to ${mostReplicas}: each envelope goes to ` +
      `two, got ${describe(value)}`,
  );
};

const milliseconds: Check = (name, value) =>
  typeof value === "number" && value >= 0
    ? null
    : new RangeError(
        `\`${name}\` must be a number of milliseconds from 0 up, got ${describe(value)}`,
      );

/** For what goes on by itself after each wait: without one it would never let go. */
const positiveMilliseconds: Check = (name, value) =>
  value === 0
    ? new RangeError(`\`${name}\` must be a number of milliseconds above 0, got 0`)
    : milliseconds(name, value);

const tries: Check = (name, value) =>
  Number.isSafeInteger(value) && (value as number) >= 1
    ? null
    : new RangeError(`\`${name}\` must be an integer from 1 up, got ${describe(value)}`);

const growingPause: Check = (name, value) => {
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

/** The check of each wait, by what the table has in its place. */
function timingCheck(name: keyof Timing): Check {
  if (name === "copyTries") return tries;
  if (repeated.has(name)) return positiveMilliseconds;
  return typeof upstreamTiming[name] === "number" ? milliseconds : growingPause;
}

const timing: Check = (name, value) => {
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

const port: Check = (name, value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_533
    ? null
    : new RangeError(
        `\`${name}\` must be an integer from 0 to 65533, for three ports follow from it, got ` +
          describe(value),
      );

const yesOrNo = ofKind("true or false", (value) => typeof value === "boolean");

/** Numbers that the network checks itself. */
const byNetwork: Check = () => null;

const checks: Readonly<Record<string, Check>> = {
  listen: ofKind(
    "an address, or an array of addresses",
    (value) => isText(value) || isTexts(value),
  ),
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
  allowRemote: yesOrNo,
  allowedOrigins: ofKind("an array of strings", isTexts),
  token: ofKind("a string", isText),
  gateway: ofKind("an address", isText),
  authorityPort: port,
  dataDirectory: ofKind("a path", (value) => isText(value) && value !== ""),
  onFault: ofKind("a function", isFunction),
  onRefusal: ofKind("a function", isFunction),
  mu: byNetwork,
  lambdaP: byNetwork,
  lambdaL: byNetwork,
  lambdaM: byNetwork,
  lambdaG: byNetwork,
  lambdaR: byNetwork,
  ...Object.fromEntries(kindnesses.map((name) => [name, yesOrNo])),
};

/**
 * Refuses options that are not known, and invalid values; undefined is as left out. Most
 * numbers are checked by the network.
 * @throws TypeError, RangeError naming the option, what was wanted and what came.
 */
export function checkDevDaemonOptions(options: object): void {
  checkOptions("options", options, Object.keys(checks));
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const wrong = value === undefined ? null : checks[name]!(`options.${name}`, value);
    if (wrong !== null) throw wrong;
  }
  const { gateway, mixing } = options as { gateway?: string; mixing?: string };
  if (gateway !== undefined && mixing === "instant") {
    throw new RangeError(
      "`options.mixing` must be realistic or sphinx with a gateway, got instant: its documents " +
        "tell clients to send a thousand packets a second",
    );
  }
}
