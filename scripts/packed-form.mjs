// Run by npm around a pack: `--begin` gives the package the form that is packed and takes the names of
// source maps out of it, `--end` puts these names back.
import { nameSourceMaps, preparePackage } from "./finish-build.mjs";

const begins = process.argv.includes("--begin");
if (begins) await preparePackage();
nameSourceMaps(!begins);
