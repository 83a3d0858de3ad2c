// Loaded before every test file, in its process.
import { isMainThread } from "node:worker_threads";
import * as fc from "fast-check";

// With KATZ_SEED the property tests draw the same values as in another run.
const seed = process.env.KATZ_SEED;
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });

// A file whose process never ends would block the whole run: no deadline of a test covers what
// tests leave behind (a timer, a socket, a child process). The runner's own limit does not end such
// a process on every Node. This limit is far above the longest file.
const LONGEST_MINUTES = Number(process.env.KATZ_TEST_MINUTES ?? 10);
const isTestFile = process.env.NODE_TEST_CONTEXT !== undefined && isMainThread;
if (isTestFile && LONGEST_MINUTES > 0) {
  setTimeout(() => {
    console.error(
      `${process.argv[1]} did not end within ${LONGEST_MINUTES} minutes; what holds it up: ` +
        process.getActiveResourcesInfo().join(", "),
    );
    process.exit(1);
  }, LONGEST_MINUTES * 60_000).unref();
}
