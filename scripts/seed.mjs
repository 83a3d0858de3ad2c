// Loaded before every test file: with KATZ_SEED the property tests draw the same values as in
// another run.
import * as fc from "fast-check";

const seed = process.env.KATZ_SEED;
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });
