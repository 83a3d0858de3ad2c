/** `katz help`: shows the same as `--help`. */
import { type CommandContext, type RouteMap, type StricliProcess, run } from "@stricli/core";
import { ExitCode } from "../../failure.js";
import { printable } from "../../printable.js";
import { quoted } from "../../repeated.js";

/** Shows the help of a command, or the list of all. */
export async function help(_flags: object, command?: string, subcommand?: string): Promise<void> {
  // Loaded here, because the application imports this command.
  const { katz } = await import("../../app.js");
  const names = [command, subcommand].filter((name) => name !== undefined);
  if (subcommand !== undefined && !hasSubcommands(katz.root, command!)) {
    process.stderr.write(
      `katz: unexpected argument ${printable(quoted(subcommand))}. See katz help --help\n`,
    );
    process.exitCode = ExitCode.USAGE;
    return;
  }
  await run(katz, [...names, "--help"], { process: process as StricliProcess });
}

function hasSubcommands(root: object, command: string): boolean {
  if (!("getAllEntries" in root)) return false;
  const entries = (root as RouteMap<CommandContext>).getAllEntries();
  return entries.some(({ name, target }) => name.original === command && "getAllEntries" in target);
}
