// Run by npm around a pack: `--begin` takes comments and the names of source maps out of the code that
// the package carries, `--end` puts the names of source maps back.
import { dropComments, nameSourceMaps } from "./finish-build.mjs";

const begins = process.argv.includes("--begin");
if (begins) await dropComments();
nameSourceMaps(!begins);
