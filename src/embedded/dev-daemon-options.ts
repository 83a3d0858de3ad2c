/** The options of an embedded daemon, checked. */
import { describeType } from "../bytes/bytes.js";

const known = [
  "listen",
  "seed",
  "clock",
  "mixing",
  "timing",
  "epochMs",
  "couriers",
  "replicas",
  "mixesPerLayer",
  "nike",
  "userForwardPayloadLength",
  "allowRemote",
  "allowedOrigins",
  "token",
  "dataDirectory",
  "onFault",
  "mu",
  "lambdaP",
  "lambdaL",
  "lambdaM",
  "lambdaG",
  "lambdaR",
];

const choices: Readonly<Record<string, readonly string[]>> = {
  mixing: ["instant", "realistic"],
  nike: ["x25519", "CTIDH1024-X25519"],
};

/**
 * Refuses options that are not known and choices that are none; numbers are checked by the network.
 * @throws TypeError, RangeError naming the option.
 */
export function checkDevDaemonOptions(options: object): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`\`options\` must be an object, got ${describeType(options)}`);
  }
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (!known.includes(name)) {
      throw new TypeError(`\`options.${name}\` is not an option; known: ${known.join(", ")}`);
    }
    const allowed = choices[name];
    if (allowed && value !== undefined && !allowed.includes(value as string)) {
      throw new RangeError(
        `\`options.${name}\` must be ${allowed.join(" or ")}, got ${JSON.stringify(value)}`,
      );
    }
  }
}
