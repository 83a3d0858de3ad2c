/** `katz`: the command line, run by importing it; `main.ts` does when Node is new enough. */
import { type StricliProcess, run } from "@stricli/core";
import { katz } from "./app.js";

/**
 * Wrong command lines end with this code, as everywhere in `katz`; the parser's own are negative.
 */
const USAGE = 2;

// A reader that went away, as in `katz … | head`, is not an error of ours; nobody is left to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`katz: standard output cannot be written: ${error.message}\n`);
  process.exit(1);
});
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") process.exit(1);
});

await run(katz, process.argv.slice(2), { process: process as StricliProcess });
if (typeof process.exitCode === "number" && process.exitCode < 0) process.exitCode = USAGE;
