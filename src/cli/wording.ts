/** The parser's errors about wrong command lines, in the style of `katz`. */
import {
  type ApplicationText,
  ArgumentScannerError,
  formatMessageForArgumentScannerError,
  text_en,
} from "@stricli/core";
import { nearest } from "./nearest.js";
import { printable } from "./printable.js";
import { quoted, repeated } from "./repeated.js";

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** `a`, `a or b`, `a, b or c`. */
const anyOf = (choices: readonly string[]): string =>
  choices.length > 1
    ? `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`
    : choices.join(", ");

const either = (choices: readonly string[]): string =>
  choices.length > 0 ? `; did you mean ${anyOf(choices)}?` : "";

/** The command line, from the command on. */
const words = process.argv.slice(2);

/** The command that was called; `channel` is the one with subcommands. */
function calledCommand(): string {
  const [first = "", second = ""] = words;
  return first === "channel" ? `${first} ${second}` : first;
}

function scannerMessage(error: ArgumentScannerError): string {
  return formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: ({ input, corrections }) =>
      `there is no flag --${repeated(input)}${either(nearest(input, corrections).map((flag) => `--${flag}`))}`,
    AliasNotFoundError: ({ input }) => `there is no flag -${repeated(input)}`,
    ArgumentParseError: ({ externalFlagNameOrPlaceholder: name, input, exception }) => {
      // Placeholders of arguments are in capitals, names of flags are not.
      const where = name === name.toUpperCase() ? name : `--${name}`;
      // The parser's own message about a boolean flag repeats its value.
      const isSwitch = exception instanceof SyntaxError;
      const rule = isSwitch ? "must be true or false" : messageOf(exception);
      return `${where} ${rule}, got ${quoted(input)}`;
    },
    EnumValidationError: ({ externalFlagName, input, values }) =>
      `--${externalFlagName} must be ${anyOf(values)}, got ${quoted(input)}`,
    InvalidNegatedFlagSyntaxError: ({ externalFlagName, valueText }) =>
      `--${externalFlagName} takes no value, got ${quoted(valueText)}`,
    UnsatisfiedFlagError: ({ externalFlagName: name }) =>
      words.some((word) => word === `--${name}` || /^-\w+$/.test(word))
        ? `--${name} needs a value`
        : `--${name} is required`,
    // Of several in one list, like FILE CAP…, the first missing one.
    UnsatisfiedPositionalError: ({ placeholder, limit: [, count] = [0, 0] }) =>
      `${placeholder.split(" ")[count] ?? placeholder} is missing`,
    UnexpectedPositionalError: ({ input }) => `unexpected argument ${quoted(input)}`,
    UnexpectedFlagError: ({ externalFlagName }) => `--${externalFlagName} is given twice`,
  });
}

/** The texts of the application. */
export const wording: ApplicationText = {
  ...text_en,
  noCommandRegisteredForInput({ input, corrections }) {
    if (input.startsWith("-")) {
      return "katz: flags come after the command: katz COMMAND [FLAGS]. All commands: katz --help";
    }
    const names = nearest(
      input,
      corrections.map((name) => name.replaceAll("`", "")),
    );
    const shown = /^\w{1,40}$/.test(input) ? input : printable(quoted(input));
    // If it is not the first word, it was looked up among the subcommands of the word before it.
    const [first] = words[0] === "help" ? words.slice(1) : words;
    const above = first === undefined || first === input ? "" : `${printable(first)} `;
    return (
      `katz: there is no command ${above}${shown}${either(names) || "."} ` +
      `All commands: katz ${above}--help`
    );
  },
  exceptionWhileParsingArguments(error) {
    const what = error instanceof ArgumentScannerError ? scannerMessage(error) : messageOf(error);
    return `katz: ${printable(what)}${what.endsWith("?") ? "" : "."} See katz ${calledCommand()} --help`;
  },
  exceptionWhileLoadingCommandFunction: (error) => `katz: cannot load: ${messageOf(error)}`,
  exceptionWhileLoadingCommandContext: (error) => `katz: ${messageOf(error)}`,
  exceptionWhileRunningCommand: (error) => `katz: ${messageOf(error)}`,
  commandErrorResult: (error) => `katz: ${error.message}`,
};
