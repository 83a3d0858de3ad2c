/** Writes `docs/from-python.md`. */
import { DEVIATIONS } from "./deviations.js";
import { SEED_SYMBOLS } from "./seed-symbols.js";
import type { SeedSymbol } from "./symbol.js";

const cell = (text: string): string => text.replaceAll("|", "\\|");

function twinOf({ twin, kind, renamed }: SeedSymbol): string {
  if (twin === null) return "none";
  return kind === "method" && renamed && twin.endsWith(".prototype")
    ? `\`new ${twin.slice(0, -".prototype".length)}\``
    : `\`${twin}\``;
}

function row(symbol: SeedSymbol): string {
  const { seed, kind, version, difference, test } = symbol;
  const notes = [version, difference].filter((note) => note !== undefined).join("; ");
  const link = test === null ? "" : `[${test.title}](../test/reference/parity/${test.file})`;
  return `| \`${seed}\` | ${kind} | ${twinOf(symbol)} | ${cell(notes)} | ${cell(link)} |`;
}

/** The expected page. */
export function renderFromPython(): string {
  const count = SEED_SYMBOLS.reduce((sum, { symbols }) => sum + symbols.length, 0);
  const chapters = SEED_SYMBOLS.map(({ title, symbols }) =>
    [
      `## ${title}`,
      "",
      "| Python | what | here | difference | shown by the test |",
      "| --- | --- | --- | --- | --- |",
      ...symbols.map(row),
    ].join("\n"),
  );
  const deviations = DEVIATIONS.map(
    ({ there, here, why }) => `| ${cell(there)} | ${cell(here)} | ${cell(why)} |`,
  );
  return `# From Python

This page lists every public symbol of the Python binding, ${count} in all: those of
\`katzenpost_thinclient\` 0.0.15, and those that releases up to 0.0.25 added. \`node
scripts/generate-docs.mjs\` generates it from \`test/reference/parity/seed-symbols.ts\`; a test fails if
a symbol or its test is missing.

## Names

Classes, errors and constants keep their spelling. Methods, fields and options use camelCase, with
acronyms as words: \`new_surb_id\` is \`newSurbId\`, \`pki_document\` is \`pkiDocument\`. The tables list
the exceptions.

Calls with up to four arguments keep the binding's order. Calls with more arguments, or with flags, take
one object. Every call that can wait takes \`{ signal, timeoutMs }\` as its last argument. Bytes are
\`Uint8Array\`; capabilities, indices and IDs have their own types, created with
\`WriteCap.from(bytes)\`, \`ReadCap.fromHex(text)\` and so on. Calls that talk to the daemon return
promises.

${chapters.join("\n\n")}

\`katzenpost_reticulum\`, which the 0.0.15 wheel also contains, is a different program and has no counterpart.

## Deliberate differences

| there | here | why |
| --- | --- | --- |
${deviations.join("\n")}
`;
}
