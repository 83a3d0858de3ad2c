/** Importing this file runs `katz`. `main.ts` imports it if the Node version is new enough. */
import { type StricliProcess, run } from "@stricli/core";
import { katz } from "./app.js";

/**
 * Exit code for a wrong command line, as everywhere in `katz`; the parser's own codes are negative.
 */
const USAGE = 2;

// A reader that exited, as in `katz … | head`, is not an error, and nobody would see a message.
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
