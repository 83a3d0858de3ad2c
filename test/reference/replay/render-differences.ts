/** `docs/differences.md`, from the table that the tests go by. */
import { DIFFERENCES, type Difference, KINDNESSES, UNRECORDED } from "./differences.js";

const HEAD = `# Where the embedded daemon differs from the reference

Made from \`test/reference/replay/differences.ts\`; do not edit. Everything else in the recordings under
\`test/reference/transcripts\` the embedded daemon does as kpclientd v0.0.99 did: kinds, codes, order, which
fields are null, and lengths as the geometry has them. Texts for people (\`err\`) are our own, but for
those with numbers in them.
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
    "| defect | the reference | ours | why |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function kindnesses(): string {
  return [
    "## What it does better when asked to",
    "",
    "What a real daemon, courier or replica loses, delays or lets race, the embedded one loses, delays",
    "or lets race too, without mixing as well: there the times are shorter, and nothing else. Options of",
    "`DevDaemon.start` and `startTestNetwork` make it kinder. All are off unless given, since a program",
    "that works here must not fail there.",
    "",
    "| option | without it, as on a real network | with it |",
    "|---|---|---|",
    ...KINDNESSES.map(({ option, real, kind }) => `| \`${option}\` | ${real} | ${kind} |`),
    "",
    "Of upstream's clients: one Go client that goroutines share deadlocks in its own code, nearly always",
    "on a network without mixing, so give each a client or start the daemon with `--realistic`. The Rust",
    "client over TCP makes 23 calls a second, for it leaves Nagle's algorithm on: use a Unix socket.",
    "",
    "What an embedded network keeps in a data directory survives its process in any case: a real network",
    "is never killed as a whole.",
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
