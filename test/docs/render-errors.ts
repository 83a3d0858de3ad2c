/** Makes `docs/errors.md`. */
import { ERROR_CODES, explainError } from "../../src/errors/explanations.js";
import type { ThinClientError } from "../../src/errors/errors.js";
import { errorSamples } from "./error-samples.js";

const ofPart = new Set(["ERR_TOMBSTONE_RANGE", "ERR_COPY_FAILED"]);

function row(code: (typeof ERROR_CODES)[number]): string {
  const error: ThinClientError = errorSamples[code];
  const { meaning, action } = explainError(code);
  const number =
    code === "THIN_CLIENT_ERROR_UNKNOWN" ? "any other" : ofPart.has(code) ? "its cause's" : null;
  const retryable = ofPart.has(code) ? "as its cause" : error.retryable ? "yes" : "no";
  const cells = [
    `\`${code}\``,
    `\`${error.name}\``,
    number ?? (error.errorCode === null ? "" : String(error.errorCode)),
    retryable,
    meaning,
    action,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** The page as it must be. */
export function renderErrors(): string {
  return `# Errors

Wrong arguments are \`TypeError\` and \`RangeError\`, and name the argument, what was wanted and what
came; methods that return promises reject with them. Everything else is a \`ThinClientError\` with a
\`code\` to branch on:

<!-- code: examples/errors.ts#branch -->
\`\`\`ts
\`\`\`

\`errorCode\` is the number on the wire, null where the error did not come from a reply; replicas and
daemon number from 1 each, which \`code\` tells apart. \`retryable\` says whether the same call, unchanged,
may succeed later. \`operation\` names the call, \`cause\` what lies below. \`isExpectedOutcome(error)\` is
true for the three outcomes that a correct program meets in normal work: a box that holds nothing, that
is taken, or that was deleted. \`explainError(code)\` of \`katzenpost-thinclient/errors\` gives the words
of this page, which is made from \`src/errors/explanations.ts\` by \`node scripts/generate-docs.mjs\`.

| code | class | number | retryable | what it means | what to do |
| --- | --- | --- | --- | --- | --- |
${ERROR_CODES.map(row).join("\n")}
`;
}
