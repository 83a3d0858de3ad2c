/** What the parser says about wrong command lines, in the words of the rest of `katz`. */
import {
  type ApplicationText,
  ArgumentScannerError,
  formatMessageForArgumentScannerError,
  text_en,
} from "@stricli/core";
import { printable } from "./printable.js";

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

const either = (choices: readonly string[]): string =>
  choices.length > 0 ? `; did you mean ${choices.join(" or ")}?` : "";

function scannerMessage(error: ArgumentScannerError): string {
  return formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: ({ input, corrections }) =>
      `there is no flag --${input}${either(corrections.map((flag) => `--${flag}`))}`,
    AliasNotFoundError: ({ input }) => `there is no flag -${input}`,
    ArgumentParseError: ({ externalFlagNameOrPlaceholder: name, input, exception }) => {
      // Placeholders of arguments are in capitals, names of flags are not.
      const where = name === name.toUpperCase() ? name : `--${name}`;
      return `${where} ${messageOf(exception)}, got ${JSON.stringify(input)}`;
    },
    EnumValidationError: ({ externalFlagName, input, values }) =>
      `--${externalFlagName} must be ${values.join(" or ")}, got ${JSON.stringify(input)}`,
    UnsatisfiedFlagError: ({ externalFlagName }) => `--${externalFlagName} needs a value`,
    UnsatisfiedPositionalError: ({ placeholder }) => `${placeholder} is missing`,
    UnexpectedPositionalError: ({ input }) => `${JSON.stringify(input)} is one argument too many`,
    UnexpectedFlagError: ({ externalFlagName }) => `--${externalFlagName} is given twice`,
  });
}

/** The texts of the application. */
export const wording: ApplicationText = {
  ...text_en,
  noCommandRegisteredForInput({ input, corrections }) {
    const names = corrections.map((name) => name.replaceAll("`", ""));
    return `katz: there is no command ${printable(input)}${either(names) || "."} All commands: katz --help`;
  },
  exceptionWhileParsingArguments(error) {
    const what = error instanceof ArgumentScannerError ? scannerMessage(error) : messageOf(error);
    return `katz: ${printable(what)}${what.endsWith("?") ? "" : "."} See katz COMMAND --help`;
  },
  exceptionWhileLoadingCommandFunction: (error) => `katz: cannot load: ${messageOf(error)}`,
  exceptionWhileLoadingCommandContext: (error) => `katz: ${messageOf(error)}`,
  exceptionWhileRunningCommand: (error) => `katz: ${messageOf(error)}`,
  commandErrorResult: (error) => `katz: ${error.message}`,
};
