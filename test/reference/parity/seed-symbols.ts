/**
 * Every public symbol of the reference (the Python binding 0.0.15, and additions up to 0.0.25) with
 * its counterpart here. `docs/from-python.md` is generated from this list, and `parity.test.ts`
 * checks the package against it.
 */
import { CLIENT_SYMBOLS } from "./client-symbols.js";
import { OTHER_SYMBOLS } from "./other-symbols.js";
import type { SymbolGroup } from "./symbol.js";

/** The list, in the order of the page. */
export const SEED_SYMBOLS: readonly SymbolGroup[] = [...CLIENT_SYMBOLS, ...OTHER_SYMBOLS];
