/** NIKE schemes by their names. spec/pigeonhole §3. */
import type { NikeScheme } from "./scheme.js";
import { x25519Nike } from "./x25519.js";
import { nikeByName } from "../../pki/scheme-names.js";

/**
 * The scheme with that name.
 * @param name in any case.
 * @param available the schemes to choose from: only x25519 by default.
 * @throws RangeError when none of them has that name.
 */
export function nikeSchemeByName(
  name: string,
  available: readonly NikeScheme[] = [x25519Nike],
): NikeScheme {
  return nikeByName(name, available);
}
