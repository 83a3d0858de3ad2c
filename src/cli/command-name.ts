/** How the user calls this program, for texts that say what to type. */
import { basename } from "node:path";

/**
 * What works wherever the package is installed: its own name, which nobody else has in a registry.
 */
export const BY_PACKAGE = "npx katzenpost-thinclient";

/**
 * What to type before a command's name. `katz` alone is said only to those who have it on the
 * `PATH`.
 */
export function commandName(
  argv: readonly string[] = process.argv,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const isInstalled = basename(argv[1] ?? "", ".cmd") === "katz";
  // npx puts the program's folder on its PATH alone.
  return isInstalled && env["npm_command"] !== "exec" ? "katz" : BY_PACKAGE;
}
