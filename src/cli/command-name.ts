/** How the user calls this program, for texts that say what to type. */
import { basename } from "node:path";

/** Works wherever the package is installed, because the package name is unique in the registry. */
export const BY_PACKAGE = "npx katzenpost-thinclient";

/** What to type before a command's name: `katz` only if it is on the user's `PATH`. */
export function commandName(
  argv: readonly string[] = process.argv,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const isInstalled = basename(argv[1] ?? "", ".cmd") === "katz";
  // npx puts the program's folder on its own PATH only.
  return isInstalled && env["npm_command"] !== "exec" ? "katz" : BY_PACKAGE;
}
