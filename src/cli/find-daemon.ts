/**
 * Finds the daemon: named on the command line, in the environment or in a file, or found in a usual
 * place.
 */
import { existsSync, realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import {
  ConfigError,
  ConfigFile,
  ConnectError,
  DialConfig,
  looksLikeAddress,
} from "katzenpost-thinclient";
import { commandName } from "./command-name.js";
import { UsageError, messageOf } from "./failure.js";
import { readWhole } from "./input-file.js";
import { type Owner, ownerOf } from "./listener-owner.js";
import { type Environment, configFolder, runtimeFolder } from "./user-folders.js";

/** The flags that name the daemon's place. */
export interface DaemonPlaceFlags {
  readonly config?: string | undefined;
  readonly address?: string | undefined;
}

/** A place where a daemon may be. */
export interface DaemonPlace {
  /** What named it, e.g. `--address` or `the usual place`. */
  readonly source: string;
  readonly dial: DialConfig;
  /** The address, as `--address` takes it. */
  readonly address: string;
  /** Whether the user named it; then no other place is tried. */
  readonly isTold: boolean;
}

/** The environment variable that names a configuration file, or an address. */
const ENVIRONMENT_VARIABLE = "KATZENPOST_THINCLIENT";

/** The default port of `katz daemon`, where clients look. */
export const USUAL_TCP_ADDRESS = "tcp:127.0.0.1:64331";

/** Configuration files are much shorter. */
const MAX_CONFIG_BYTES = 65_536;

/** Where `katz` looks for a configuration file in the user's configuration folder. */
function userConfigPath(env: Environment): string {
  return join(configFolder(env), "katzenpost", "thinclient.toml");
}

/** The default socket of `katz daemon`. */
export function usualSocket(env: Environment): string {
  return join(runtimeFolder(env), "katzenpost", "katz.sock");
}

/**
 * The places to try, in order: the one that the user named, or else the usual ones.
 * @throws UsageError, ConfigError when the user's setting cannot be used.
 */
export async function daemonPlaces(
  flags: DaemonPlaceFlags,
  signal: AbortSignal,
  env: Environment = process.env,
): Promise<readonly DaemonPlace[]> {
  if (flags.address !== undefined && flags.config !== undefined) {
    throw new UsageError("--address and --config both name the daemon; give only one of them");
  }
  if (flags.address !== undefined) return [told("--address", DialConfig.parse(flags.address))];
  if (flags.config !== undefined) return [await fromFile("--config", flags.config, signal)];
  const variable = env[ENVIRONMENT_VARIABLE];
  if (variable) {
    if (looksLikeAddress(variable)) {
      return [told(ENVIRONMENT_VARIABLE, DialConfig.parse(variable))];
    }
    return [await fromFile(ENVIRONMENT_VARIABLE, variable, signal)];
  }
  const path = userConfigPath(env);
  if (existsSync(path)) return [await fromFile("the user's configuration", path, signal)];
  return usualAddresses(env).map((address) => ({
    source: "the usual place",
    dial: DialConfig.parse(address),
    address,
    isTold: false,
  }));
}

/** A place where no daemon answered, or that must not be used without being named, and why. */
export interface PlaceFailure {
  readonly place: DaemonPlace;
  readonly error: ConnectError;
}

/** A program of another user, or of an unknown one, listens in a usual place. */
export class StrangerError extends ConnectError {
  override name = "StrangerError";
  /** @param what describes the listener, as a phrase. */
  constructor({ address }: DaemonPlace, what: string) {
    super(`${address} ${what}, and is not used unless you name it`);
  }
}

/**
 * Checks that the listener in a usual place is this user's or root's program. A place that the user
 * named is not checked.
 * @param revealsNothing whether the work reveals nothing to a stranger: then an unknown owner is
 * allowed.
 * @returns the owner; null for a place that the user named.
 * @throws StrangerError.
 */
export function checkOwner(place: DaemonPlace, revealsNothing: boolean): Owner | null {
  if (place.isTold) return null;
  const owner = ownerOf(place.dial);
  if (owner.kind === "other") throw new StrangerError(place, owner.who);
  if (owner.kind === "unknown" && !revealsNothing) {
    throw new StrangerError(place, `may belong to anybody: ${owner.why}`);
  }
  return owner;
}

/** The user did not name a daemon, and none was found. */
export class NoDaemonError extends ConnectError {
  override name = "NoDaemonError";
  /** What to do about it, one line each. */
  readonly advice: readonly string[];

  /** @param failures the error of each place; the last one's error is the cause. */
  constructor(failures: readonly PlaceFailure[]) {
    const silent = failures.filter(({ error }) => isNobodyThere(error));
    const others = failures.filter(({ error }) => !isNobodyThere(error));
    const where = silent.map(({ place }) => place.address).join(", ");
    const what = [
      `there is no ${userConfigPath(process.env)}`,
      ...(silent.length > 0 ? [`nothing answers at ${where}`] : []),
      ...others.map(({ error }) => messageOf(error)),
    ];
    const said = `${what.slice(0, -1).join(", ")}, and ${what.at(-1)}`;
    super(`no daemon found: ${said}`, { cause: failures.at(-1)?.error });
    const stranger = others.find(({ error }) => error instanceof StrangerError)?.place;
    this.advice = [
      ...(stranger === undefined
        ? []
        : [`If it is your daemon, name it: --address ${stranger.address}`]),
      `Start a network for development with: ${commandName()} daemon`,
      `or name your daemon: --address ADDR, --config FILE, or ${ENVIRONMENT_VARIABLE}=FILE`,
    ];
  }
}

/** Whether the address is valid and no daemon listens there; any other error is worth reporting. */
function isNobodyThere({ cause }: ConnectError): boolean {
  const code = (cause as { readonly code?: unknown } | null | undefined)?.code;
  return code === "ENOENT" || code === "ECONNREFUSED";
}

function told(source: string, dial: DialConfig): DaemonPlace {
  return { source, dial, address: addressOf(dial), isTold: true };
}

async function fromFile(source: string, path: string, signal: AbortSignal): Promise<DaemonPlace> {
  try {
    return told(`${source} (${path})`, (await readConfig(path, signal)).dial);
  } catch (error) {
    if (error instanceof UsageError) {
      throw new UsageError(`${source}: ${error.message}`, { cause: error, advice: error.advice });
    }
    if (!(error instanceof ConfigError)) throw error;
    const what = error.message.replace(/^config: /, "");
    throw new ConfigError(`${source}: ${what}`, { cause: error });
  }
}

/** Reads a file; if it is missing or a folder, the library has the best error. */
async function readConfig(path: string, signal: AbortSignal): Promise<ConfigFile> {
  const stats = await stat(path).catch(() => null);
  if (stats === null || stats.isFile() || stats.isDirectory()) return ConfigFile.load(path);
  const { bytes } = await readWhole(path, MAX_CONFIG_BYTES, signal);
  return ConfigFile.parse(Buffer.from(bytes).toString("utf8"), path);
}

function addressOf(dial: DialConfig): string {
  return dial.resolve().toString();
}

/**
 * Existing sockets, first those in the user's runtime folder; on Linux an abstract name; and the
 * default port of daemons.
 */
function usualAddresses(env: Environment): string[] {
  const sockets = [runtimeFolder(env), "/run", "/var/run"]
    .flatMap((folder) =>
      ["kpclientd.sock", "thinclient.sock", "katz.sock"].map((name) =>
        join(folder, "katzenpost", name),
      ),
    )
    .filter((path) => existsSync(path))
    // Resolve symbolic links first, so that the checked path is the one that is dialled.
    .map((path) => `unix:${realpathSync(path)}`);
  const abstract = process.platform === "linux" ? ["unix:@katzenpost"] : [];
  return [...new Set(sockets), ...abstract, USUAL_TCP_ADDRESS];
}
