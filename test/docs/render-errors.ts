/** Writes `docs/errors.md`. */
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

/** How the meaning of a code that no current daemon sends ends. */
const RESERVED = " Reserved: current daemons do not send it.";

const isReserved = (code: (typeof ERROR_CODES)[number]): boolean =>
  explainError(code).meaning.endsWith(RESERVED);

function reservedRow(code: (typeof ERROR_CODES)[number]): string {
  const { errorCode, retryable } = errorSamples[code] as ThinClientError;
  const meaning = explainError(code).meaning.slice(0, -RESERVED.length);
  return `| \`${code}\` | ${errorCode} | ${retryable ? "yes" : "no"} | ${meaning} |`;
}

/** The expected page. */
export function renderErrors(): string {
  return `# Errors

A wrong argument causes a \`TypeError\` or \`RangeError\` that names the argument, the expected value and
the actual one; methods that return promises reject with it. Every other failure is a \`ThinClientError\`
with a \`code\` to branch on:

<!-- code: examples/errors.ts#branch -->
\`\`\`ts
\`\`\`

\`errorCode\` is the number on the wire, or null if the error did not come from a reply. Replicas and
daemon both number from 1; \`code\` distinguishes them. \`retryable\` says whether the same call,
unchanged, may succeed later. \`operation\` names the call, \`cause\` the underlying error.
\`isExpectedOutcome(error)\` is true for the three outcomes that a correct program meets in normal work:
a box that is empty, taken or deleted. \`explainError(code)\` of \`katzenpost-thinclient/errors\` returns
the texts of this page; \`node scripts/generate-docs.mjs\` generates the page from
\`src/errors/explanations.ts\`.

| code | class | number | retryable | what it means | what to do |
| --- | --- | --- | --- | --- | --- |
${ERROR_CODES.filter((code) => !isReserved(code))
  .map(row)
  .join("\n")}

## Reserved codes

The protocol has these numbers, but current daemons do not send them. Their class is
\`DaemonRequestError\`. If one arrives, check which daemon answers and its version, then read its log.

| code | number | retryable | what it means |
| --- | --- | --- | --- |
${ERROR_CODES.filter(isReserved).map(reservedRow).join("\n")}
`;
}
