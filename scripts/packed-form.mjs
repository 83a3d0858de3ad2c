// Run by npm around a pack: `--begin` gives the package the form that is packed, `--end` takes that back.
import { beginPack, endPack, preparePackage } from "./finish-build.mjs";

if (process.argv.includes("--begin")) {
  await preparePackage();
  await beginPack();
} else {
  endPack();
}
