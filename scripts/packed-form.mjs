// npm runs it around a pack: `--begin` gives the package the form that is packed and removes the
// names of source maps from it, `--end` restores these names.
import { nameSourceMaps, preparePackage } from "./finish-build.mjs";

const begins = process.argv.includes("--begin");
if (begins) await preparePackage();
nameSourceMaps(!begins);
