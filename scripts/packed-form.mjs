// npm runs it around a pack: `--begin` gives the package the form that is packed, `--end` undoes that.
import { beginPack, endPack, preparePackage } from "./finish-build.mjs";

if (process.argv.includes("--begin")) {
  await preparePackage();
  await beginPack();
} else {
  endPack();
}
