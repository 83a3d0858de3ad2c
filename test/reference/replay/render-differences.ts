/** Renders `docs/differences.md` from the table that the tests use. */
import { DIFFERENCES, type Difference, KINDNESSES, UNRECORDED } from "./differences.js";

const HEAD = `# Where the embedded daemon differs from the reference

This page is generated from \`test/reference/replay/differences.ts\`; do not edit it. In everything else
that the recordings under \`test/reference/transcripts\` show, the embedded daemon behaves like kpclientd
v0.0.99: kinds, codes, order, null fields, and lengths by geometry. Human-readable texts (\`err\`) are
our own, except those that contain numbers.

Each section is a recording; \`frame\` is the number of the frame in it.
`;

function section([file, differences]: readonly [string, readonly Difference[]]): string {
  const rows = differences.map(
    ({ frame, reference, ours, why }) => `| ${frame} | ${reference} | ${ours} | ${why} |`,
  );
  return [
    `## \`${file}\``,
    "",
    "| frame | the reference | ours | why |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function unrecorded(): string {
  const rows = UNRECORDED.map(
    ({ defect, reference, ours, why }) => `| ${defect} | ${reference} | ${ours} | ${why} |`,
  );
  return [
    "## Not in the recordings",
    "",
    "`defect` is the number in [the specification's list](spec/thin-protocol.md#10-pitfalls-and-upstream-defects-do-better).",
    "",
    "| defect | the reference | ours | why |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function kindnesses(): string {
  return [
    "## Options that make it kinder",
    "",
    "The embedded network loses, delays and races whatever a real daemon, courier or replica does, also",
    "without mixing; only the times are shorter there. Options of `DevDaemon.start` and `startTestNetwork`",
    "make it kinder. All are off by default, because a program that works here must not fail on a real",
    "network.",
    "",
    "| option | without it, as on a real network | with it |",
    "|---|---|---|",
    ...KINDNESSES.map(({ option, real, kind }) => `| \`${option}\` | ${real} | ${kind} |`),
    "",
    "An embedded network with a data directory keeps its state across restarts in any case: a real network",
    "never goes down as a whole.",
    "",
    "Two of upstream's clients need care. A Go client that goroutines share deadlocks in its own code, nearly",
    "always on a network without mixing: give each goroutine its own client, or start the daemon with",
    "`--realistic`. The Rust client over TCP makes 23 calls a second, because it leaves Nagle's algorithm on:",
    "use a Unix socket.",
    "",
    "A read that starts before the write and keeps its envelope, as in Python's `test_read_before_write`, has",
    "about a second on a network without mixing: then the courier has asked its five times. After that the",
    "read waits until the miss has expired and another envelope arrives. With `--realistic` it has as long",
    "as on a real network. `read` asks with new envelopes, and does not wait.",
    "",
  ].join("\n");
}

/** The page. */
export function renderDifferences(): string {
  const byFile = new Map<string, Difference[]>();
  for (const difference of DIFFERENCES) {
    byFile.set(difference.file, [...(byFile.get(difference.file) ?? []), difference]);
  }
  return [HEAD, ...[...byFile].map(section), unrecorded(), kindnesses()].join("\n");
}
