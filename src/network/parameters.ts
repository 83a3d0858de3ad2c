/** The checked configuration of a network; spec/mixnet §0 lists the usual values. */
import { DEFAULT_EPOCH_MS } from "../pki/epoch.js";

/** Rates per millisecond, as the documents publish them. */
export interface Rates {
  /** Rate of the delay at each hop: the mean delay is 1/mu. */
  readonly mu: number;
  /** Rate of a client's sends: packets, or loop decoys if there are none. */
  readonly lambdaP: number;
  /**
   * Rate of a client's additional loop decoys, which leave besides those on ticks of lambdaP. Not
   * used with `instant` mixing.
   */
  readonly lambdaL: number;
  /**
   * Rate of a mix's loop decoys. It is published but not used: nobody watches links inside a
   * process.
   */
  readonly lambdaM: number;
  /** Rate of a gateway's decoys. It is published but not used. */
  readonly lambdaG: number;
  /** Rate of sends between couriers and replicas. */
  readonly lambdaR: number;
}

/** The rates of the usual development network. */
const defaultRates: Rates = {
  mu: 0.005,
  lambdaP: 0.001,
  lambdaL: 0.0005,
  lambdaM: 0.0005,
  lambdaG: 0.0015,
  lambdaR: 0.005,
};

/**
 * The default rates with some replaced. @throws RangeError naming a rate that is not a finite
 * number from 0 up.
 */
function ratesFrom(given: { readonly [N in keyof Rates]?: number | undefined }): Rates {
  const rates: { -readonly [N in keyof Rates]: number } = { ...defaultRates };
  for (const name of Object.keys(rates) as (keyof Rates)[]) {
    const rate = given[name] ?? rates[name];
    if (!Number.isFinite(rate) || rate < 0) {
      throw new RangeError(`\`${name}\` must be a finite number from 0 up, got ${rate}`);
    }
    rates[name] = rate;
  }
  if (rates.mu === 0) throw new RangeError("`mu` must be above 0, got 0");
  return rates;
}

/** Returns `value`, or `fallback` if it is undefined. @throws RangeError outside the bounds. */
function countFrom(
  name: string,
  value: number | undefined,
  fallback: number,
  least: number,
  most: number,
): number {
  const count = value ?? fallback;
  if (!Number.isInteger(count) || count < least || count > most) {
    throw new RangeError(`\`${name}\` must be an integer from ${least} to ${most}, got ${count}`);
  }
  return count;
}

/** The numbers of a network, with the usual values for those that were not given. */
interface NetworkNumbers {
  readonly rates: Rates;
  readonly epochMs: number;
  readonly nrHops: number;
  readonly userForwardPayloadLength: number;
  readonly gateways: number;
  readonly mixesPerLayer: number;
  readonly couriers: number;
  readonly replicas: number;
}

/** The given numbers. */
type GivenNumbers = {
  readonly [N in Exclude<keyof NetworkNumbers, "rates">]?: number | undefined;
} & { readonly [N in keyof Rates]?: number | undefined };

/** The payload length of a packet with which a box holds 1,549 bytes, by the storage's NIKE. */
export function usualPayloadLength(nikeName: string): number {
  return nikeName === "x25519" ? 1872 : 2000;
}

/** Replicas: none, or at least the two that each envelope names (spec/pigeonhole §5). */
function replicaCount(value: number | undefined): number {
  const count = countFrom("replicas", value, 5, 0, 256);
  if (count !== 1) return count;
  throw new RangeError("`replicas` must be 0, or from 2 to 256: each envelope goes to two, got 1");
}

/** Checks the numbers of a network. @throws RangeError naming an invalid number. */
export function networkNumbers(options: GivenNumbers): NetworkNumbers {
  const day = 24 * 3_600_000;
  const payload = options.userForwardPayloadLength;
  return {
    rates: ratesFrom(options),
    epochMs: countFrom("epochMs", options.epochMs, DEFAULT_EPOCH_MS, 1000, 7 * day),
    nrHops: countFrom("nrHops", options.nrHops, 5, 3, 20),
    userForwardPayloadLength: countFrom("userForwardPayloadLength", payload, 1872, 1, 10_000_000),
    gateways: countFrom("gateways", options.gateways, 1, 1, 100),
    mixesPerLayer: countFrom("mixesPerLayer", options.mixesPerLayer, 2, 1, 100),
    couriers: countFrom("couriers", options.couriers, 3, 1, 100),
    replicas: replicaCount(options.replicas),
  };
}
