#!/usr/bin/env node
/**
 * Runs the command line of `katz`, or reports that Node is too old. Older Nodes must be able to
 * read this file.
 */
import { nodeTooOld } from "../platform/node-version.js";

const tooOld = nodeTooOld(process.versions.node);
if (tooOld === null) {
  await import("./command-line.js");
} else {
  process.stderr.write(`katz: ${tooOld}\n`);
  process.exitCode = 1;
}
