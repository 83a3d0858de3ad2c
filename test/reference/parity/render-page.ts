/** Makes `docs/from-python.md`. */
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

/** The page as it must be. */
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

Every public symbol of the Python binding, ${count} in all: those of \`katzenpost_thinclient\` 0.0.15 and
what newer releases up to 0.0.25 added. Made from \`test/reference/parity/seed-symbols.ts\` by
\`node scripts/generate-docs.mjs\`; a test fails when a symbol is missing here or its test is gone.

## The rule for names

Classes, errors and constants keep their spelling. Methods, fields and options are in camelCase, with
acronyms as words: \`new_surb_id\` is \`newSurbId\`, \`pki_document\` is \`pkiDocument\`. What is called
otherwise says so below.

Arguments come in the binding's order up to four; where there are more, or flags, they are one object.
Last comes \`{ signal, timeoutMs }\`, for every call that can wait. Bytes are \`Uint8Array\`;
capabilities, indices and IDs have types of their own, made with \`WriteCap.from(bytes)\`,
\`ReadCap.fromHex(text)\` and so on. Calls that talk to the daemon return promises.

${chapters.join("\n\n")}

\`katzenpost_reticulum\`, which the 0.0.15 wheel carried along, is another program and has no twin.

## Deliberate differences

| there | here | why |
| --- | --- | --- |
${deviations.join("\n")}
`;
}
