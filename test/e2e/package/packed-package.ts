/**
 * The package as npm would publish it, installed into an empty project. This does not need a
 * registry.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));

/** The target of a subpath: a file, or files by condition. */
export type Target = string | Readonly<Record<string, string>>;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Target>>;
  readonly imports: Readonly<Record<string, Target>>;
}

/** The repository's package.json. */
export function manifest(): Manifest {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
}

/**
 * Every subpath that contains a module: `katzenpost-thinclient`, `katzenpost-thinclient/wire`, …
 */
export function moduleNames(): string[] {
  const { name, exports } = manifest();
  const modules = Object.entries(exports).filter(([, target]) => typeof target !== "string");
  return modules.map(([subpath]) => name + subpath.slice(1));
}

/** A project that contains only our package. */
export class PackedProject implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "katz-package-"));
  /** Files of the package, relative to it. */
  readonly files: readonly string[];

  constructor() {
    const packed = this.#npm(ROOT, [
      "pack",
      "--json",
      // The package is already built: npm's own `prepare` would only check again.
      "--ignore-scripts",
      "--pack-destination",
      this.folder,
    ]);
    const [{ filename, files }] = JSON.parse(packed) as [
      { filename: string; files: { path: string }[] },
    ];
    this.files = files.map(({ path }) => path);
    const { name, dependencies, optionalDependencies } = manifest();
    // Declared dependencies are linked from this repository, so that no registry is needed;
    // undeclared ones are missing.
    const linked = Object.keys({ ...dependencies, ...optionalDependencies }).map((dependency) => [
      dependency,
      `file:${join(ROOT, "node_modules", dependency)}`,
    ]);
    this.write("package.json", {
      private: true,
      type: "module",
      dependencies: { ...Object.fromEntries(linked), [name]: `file:./${filename}` },
    });
    this.#npm(this.folder, ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts"]);
  }

  /** Writes a file; objects become JSON. */
  write(name: string, content: string | object): void {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    writeFileSync(join(this.folder, name), text);
  }

  /** Runs Node in the project; returns its output. @throws Error when it fails. */
  node(...args: readonly string[]): string {
    return this.run(process.execPath, args);
  }

  /** Runs a command in the project; returns its output. @throws Error when it fails. */
  run(command: string, args: readonly string[]): string {
    return execFileSync(command, args, {
      cwd: this.folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      // In a CI, tools colour their output even without a terminal.
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: "1", NODE_OPTIONS: undefined },
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #npm(cwd: string, args: readonly string[]): string {
    return execFileSync("npm", [...args, "--loglevel=error"], {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }
}
