/** The configuration of a client. */
import { isMarked, markOf } from "../errors/marks.js";
import { describeType } from "../bytes/bytes.js";
import { checkFields } from "../errors/config-checks.js";
import { ConfigError } from "../errors/errors.js";
import type { Geometry } from "../pki/geometry.js";
import { DialConfig, type DialInit } from "../transport/dial-config.js";
import { ConfigFile } from "./config-file.js";
import { type ConfigHandler, type EventHandlers, configHandlers } from "./handlers.js";

/** The fields of a {@link Config}. */
export interface ConfigInit extends EventHandlers {
  /** Where the daemon is: `{ tcp: { address: "localhost:64331" } }`, or `"tcp:localhost:64331"`. */
  readonly dial: DialConfig | DialInit | string;
}

const handlerNames = Object.keys(configHandlers) as (keyof EventHandlers)[];

const configMark: unique symbol = markOf("Config") as typeof configMark;

/**
 * Where the daemon is, and the handlers of events. Handlers may also be assigned later.
 *
 * ```ts
 * const config = await Config.load("thinclient.toml");
 * config.onMessageReply = (event) => console.log(event.payload);
 * ```
 */
export class Config implements EventHandlers {
  /** @internal */
  get [configMark](): true {
    return true;
  }
  /** Where the daemon is. */
  readonly dial: DialConfig;
  /** Sizes of mixnet packets. The daemon sends them, so they are null until the first handshake. */
  geometry: Geometry | null = null;
  onConnectionStatus: ConfigHandler<"connectionStatus"> | null | undefined;
  onNewPkiDocument: ConfigHandler<"newPkiDocument"> | null | undefined;
  onMessageSent: ConfigHandler<"messageSent"> | null | undefined;
  onMessageReply: ConfigHandler<"messageReply"> | null | undefined;
  onDaemonDisconnected: ConfigHandler<"daemonDisconnected"> | null | undefined;

  /**
   * @throws ConfigError for an unknown option, a handler that is not a function, or a `dial` that
   * does not name exactly one transport.
   */
  constructor(init: ConfigInit) {
    checkFields("Config", init, ["dial", ...handlerNames], hintAtDial);
    if (init.dial === undefined) throw new ConfigError("Config: `dial` is missing");
    this.dial = DialConfig.from(init.dial);
    this.dial.resolve();
    checkHandlers(init);
    this.onConnectionStatus = init.onConnectionStatus;
    this.onNewPkiDocument = init.onNewPkiDocument;
    this.onMessageSent = init.onMessageSent;
    this.onMessageReply = init.onMessageReply;
    this.onDaemonDisconnected = init.onDaemonDisconnected;
  }

  /** Reads a file. @throws ConfigError as {@link ConfigFile.load}, and for invalid `handlers`. */
  static async load(filepath: string, handlers: EventHandlers = {}): Promise<Config> {
    checkFields("Config.load: handlers", handlers, handlerNames);
    const { dial } = await ConfigFile.load(filepath);
    return new Config({ ...handlers, dial });
  }

  /** Reads a file's text. @throws ConfigError as {@link ConfigFile.parse}, and for `handlers`. */
  static parse(toml: string, handlers: EventHandlers = {}): Config {
    checkFields("Config.parse: handlers", handlers, handlerNames);
    const { dial } = ConfigFile.parse(toml);
    return new Config({ ...handlers, dial });
  }

  /**
   * Returns `init` if it is already a Config, otherwise makes one from it. A text is the daemon's
   * address: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT` or `ws://HOST:PORT`.
   * @throws ConfigError
   */
  static from(init: Config | ConfigInit | string): Config {
    if (typeof init === "string") return new Config({ dial: init });
    return isMarked(init, configMark) ? (init as Config) : new Config(init);
  }

  /** The kind of network. */
  get network(): "tcp" | "tcp4" | "tcp6" | "unix" | "ws" {
    return this.dial.resolve().network;
  }

  /** The daemon's address: `HOST:PORT`, a path, `@name`, or a URL. */
  get address(): string {
    return this.dial.resolve().address;
  }
}

/** The kinds of address belong inside `dial`. */
function hintAtDial(unknown: readonly string[]): string {
  const kind = unknown.find((key) => key === "tcp" || key === "unix" || key === "ws");
  return kind === undefined ? "" : ` (meant: { dial: { ${kind}: … } }?)`;
}

function checkHandlers(init: EventHandlers): void {
  for (const name of handlerNames) {
    const handler: unknown = init[name];
    if (handler !== undefined && handler !== null && typeof handler !== "function") {
      throw new ConfigError(`Config: ${name} must be a function, got ${describeType(handler)}`);
    }
  }
}
