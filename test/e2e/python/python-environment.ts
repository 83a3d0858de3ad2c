/** A Python environment with upstream's client, created once and kept. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../..", import.meta.url));

/** Folder of the Python part of these tests. */
export const INTEROP = join(root, "test", "e2e", "python");

/** An interpreter, or the reason why there is none. */
export type Python = { readonly interpreter: string } | { readonly missing: string };

function run(command: string, args: readonly string[]): string | null {
  const result = spawnSync(command, args, { encoding: "utf8", timeout: 300_000 });
  if (result.status === 0) return null;
  return result.error?.message ?? result.stderr.trim().split("\n").at(-1) ?? "it failed";
}

/**
 * `KATZ_PYTHON` if that is set; otherwise a virtual environment below `.build`, with the packages
 * that `requirements.txt` pins.
 */
export function pythonWithClient(): Python {
  const given = process.env["KATZ_PYTHON"];
  if (given) return { interpreter: given };
  const noPython = run("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 10))"]);
  if (noPython !== null) return { missing: `no python3 of at least 3.10 (${noPython})` };
  const requirements = join(INTEROP, "requirements.txt");
  const pinned = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const folder = join(root, ".build", `python-${pinned.slice(0, 12)}`);
  const interpreter = join(folder, "bin", "python");
  const stamp = join(folder, "complete");
  if (existsSync(stamp)) return { interpreter };
  mkdirSync(folder, { recursive: true });
  const noEnvironment = run("python3", ["-m", "venv", folder]);
  if (noEnvironment !== null) return { missing: `python3 -m venv failed (${noEnvironment})` };
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  const noPackage = run(interpreter, [...pip, "-r", requirements]);
  if (noPackage !== null) return { missing: `pip could not install the client (${noPackage})` };
  writeFileSync(stamp, "");
  return { interpreter };
}
