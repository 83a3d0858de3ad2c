// Loaded before every test file: KATZ_SEED makes the property tests draw what they drew in another
// run.
import * as fc from "fast-check";

const seed = process.env.KATZ_SEED;
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });
