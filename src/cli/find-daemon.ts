/** Where the daemon is: told on the command line, in the environment, in a file, or found. */
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

/** The flags that say where the daemon is. */
export interface DaemonPlaceFlags {
  readonly config?: string | undefined;
  readonly address?: string | undefined;
}

/** A place where a daemon may be. */
export interface DaemonPlace {
  /** Who says so, e.g. `--address` or `the usual place`. */
  readonly source: string;
  readonly dial: DialConfig;
  /** The address, as `--address` takes it. */
  readonly address: string;
  /** Whether somebody said so: then no other place is tried. */
  readonly isTold: boolean;
}

/** The environment variable that names a configuration file, or an address. */
const ENVIRONMENT_VARIABLE = "KATZENPOST_THINCLIENT";

/** The port where `katz daemon` listens, and clients look, when nobody says anything else. */
export const USUAL_TCP_ADDRESS = "tcp:127.0.0.1:64331";

/** No configuration is nearly as long. */
const MAX_CONFIG_BYTES = 65_536;

/** Where `katz` looks for a configuration file, under the user's folder for configuration. */
function userConfigPath(env: Environment): string {
  return join(configFolder(env), "katzenpost", "thinclient.toml");
}

/** The socket where `katz daemon` listens when nobody says anything else. */
export function usualSocket(env: Environment): string {
  return join(runtimeFolder(env), "katzenpost", "katz.sock");
}

/**
 * The places to try, in order: one when somebody said where the daemon is, else the usual ones.
 * @throws UsageError, ConfigError when what was said cannot be used.
 */
export async function daemonPlaces(
  flags: DaemonPlaceFlags,
  signal: AbortSignal,
  env: Environment = process.env,
): Promise<readonly DaemonPlace[]> {
  if (flags.address !== undefined && flags.config !== undefined) {
    throw new UsageError("--address and --config both say where the daemon is; give one of them");
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

/** A place where none answered, or none that may be used unasked, and why. */
export interface PlaceFailure {
  readonly place: DaemonPlace;
  readonly error: ConnectError;
}

/** Somebody listens in a usual place who may be anybody. */
export class StrangerError extends ConnectError {
  /** @param what about whom, as a phrase. */
  constructor({ address }: DaemonPlace, what: string) {
    super(`${address} ${what}, and is not used unasked`);
  }
}

/**
 * Looks at who listens in a usual place, which is this user's or root's program, or may be
 * anybody's. A place that somebody told is not looked at.
 * @param revealsNothing whether the work tells a stranger nothing that matters: then one whose
 * owner cannot be found out will do.
 * @returns the owner; null for a place that somebody told.
 * @throws StrangerError.
 */
export function checkOwner(place: DaemonPlace, revealsNothing: boolean): Owner | null {
  if (place.isTold) return null;
  const owner = ownerOf(place.dial);
  if (owner.kind === "other") throw new StrangerError(place, owner.who);
  if (owner.kind === "unknown" && !revealsNothing) {
    throw new StrangerError(place, `may be anybody's, for ${owner.why}`);
  }
  return owner;
}

/** Nobody said where the daemon is, and none was found. */
export class NoDaemonError extends ConnectError {
  /** What to do about it, a line each. */
  readonly advice: readonly string[];

  /** @param failures what came of each place; the last one's error is the cause. */
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
        : [`If you know that it is your daemon, say so: --address ${stranger.address}`]),
      `Start a network for development with: ${commandName()} daemon`,
      `or say where your daemon is: --address ADDR, --config FILE, or ${ENVIRONMENT_VARIABLE}=FILE`,
    ];
  }
}

/** Whether an address is fine and no daemon is there; anything else is worth a word. */
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

/** What a file says; the library tells best what is wrong with one that is missing or a folder. */
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
 * Sockets that exist, in the user's runtime folder first, and the port that daemons listen on
 * unless told otherwise.
 */
function usualAddresses(env: Environment): string[] {
  const sockets = [runtimeFolder(env), "/run", "/var/run"]
    .flatMap((folder) =>
      ["kpclientd.sock", "thinclient.sock", "katz.sock"].map((name) =>
        join(folder, "katzenpost", name),
      ),
    )
    .filter((path) => existsSync(path))
    // What is looked at is what is connected to: no symbolic link may be turned in between.
    .map((path) => `unix:${realpathSync(path)}`);
  const abstract = process.platform === "linux" ? ["unix:@katzenpost"] : [];
  return [...new Set(sockets), ...abstract, USUAL_TCP_ADDRESS];
}
