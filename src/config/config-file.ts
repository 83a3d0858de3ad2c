/** The TOML file that tells a thin client where its daemon is (spec/thin-protocol §1.1). */
import { readText } from "#platform";
import { TomlError, parse } from "smol-toml";
import { describeType } from "../bytes/bytes.js";
import { isTable, quotedList, unknownKeys, within } from "../errors/config-checks.js";
import { ConfigError } from "../errors/errors.js";
import { hintAtAddress } from "../transport/address.js";
import { DialConfig } from "../transport/dial-config.js";

const TABLE = "[Dial.Tcp]";
const ADDRESS = `Address = "localhost:64331"`;
const EXAMPLE = `${TABLE} with ${ADDRESS}`;

/** Top-level keys that only a daemon's own configuration has. */
const ofTheDaemon: ReadonlySet<string> = new Set([
  "Listen",
  "Logging",
  "PinnedGateways",
  "VotingAuthority",
  "PKISignatureScheme",
  "WireKEMScheme",
  "UpstreamProxy",
]);

/** A configuration file: exactly one table `[Dial]` with exactly one of its sub-tables. */
export class ConfigFile {
  /** Where the daemon is. */
  readonly dial: DialConfig;

  /** @throws ConfigError when `dial` does not name exactly one transport. */
  constructor(dial: DialConfig) {
    dial.resolve();
    this.dial = dial;
  }

  /**
   * Reads a file.
   * @throws ConfigError that begins with `config: <path>: ` when the file is missing, unreadable,
   * or not valid for {@link parse}.
   */
  static async load(tomlPath: string): Promise<ConfigFile> {
    if (typeof tomlPath !== "string") {
      throw new ConfigError(`config: path must be a string, got ${describeType(tomlPath)}`);
    }
    let toml: string;
    try {
      toml = await readText(tomlPath);
    } catch (cause) {
      const what = unreadable(cause) + hintAtAddress(tomlPath);
      throw new ConfigError(`config: ${tomlPath}: ${what}`, { cause });
    }
    return ConfigFile.parse(toml, tomlPath);
  }

  /**
   * Reads the text of a file; messages call it `source`.
   * @throws ConfigError that begins with `config: <source>: ` and names what is wrong: with line
   * and column if it is not TOML, otherwise with the table and key.
   */
  static parse(toml: string, source = "(text)"): ConfigFile {
    return within(`config: ${source}`, () => {
      if (typeof toml !== "string") {
        throw new ConfigError(`TOML text must be a string, got ${describeType(toml)}`);
      }
      const data = parseToml(toml);
      const unknown = unknownKeys(data, ["Dial"]);
      if (unknown.length > 0) {
        throw new ConfigError(
          `unknown top-level key(s) ${quotedList(unknown)}; expected exactly ['Dial']` +
            hintAbout(unknown),
        );
      }
      if (!("Dial" in data)) {
        throw new ConfigError(`missing required top-level key(s) ['Dial']; e.g. ${EXAMPLE}`);
      }
      return new ConfigFile(DialConfig.fromTomlDict(data["Dial"] as Record<string, unknown>));
    });
  }
}

function unreadable(cause: unknown): string {
  const { code } = cause as { readonly code?: unknown };
  if (code === "ENOENT") return `file not found; it needs two lines: ${TABLE} and ${ADDRESS}`;
  if (code === "EACCES") return "the file cannot be read: permission denied (EACCES)";
  if (code === "EISDIR") return "that is a directory, not a file (EISDIR)";
  return `the file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
}

function parseToml(toml: string): Record<string, unknown> {
  try {
    // Editors on Windows often start a file with a byte order mark.
    const data = parse(toml.replace(/^\uFEFF/, ""), { integersAsBigInt: "asNeeded" });
    return isTable(data) ? data : {};
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Only the first line, and no `cause`: the rest quotes the file, which may contain a token.
    const what = error.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw new ConfigError(`TOML parse error: ${what} (line ${error.line}, column ${error.column})`);
  }
}

// Advice about keys of a daemon's own file, and of files for older clients.
function hintAbout(unknown: readonly string[]): string {
  if (unknown.some((key) => ofTheDaemon.has(key))) {
    return (
      "; this is the configuration of the daemon itself: a client needs another file, " +
      `thinclient.toml, which says where the daemon listens, e.g. ${EXAMPLE}`
    );
  }
  if (unknown.some((key) => key.endsWith("Geometry"))) {
    return "; delete the geometry: the daemon sends it";
  }
  if (unknown.some((key) => key === "Network" || key === "Address")) {
    return `; the address belongs in a table: ${EXAMPLE}`;
  }
  return "";
}
