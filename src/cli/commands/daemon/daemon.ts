/** `katz daemon`: runs the embedded network in the foreground. */
import { realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasCode } from "katzenpost-thinclient";
import { DevDaemon, padsAbstractNames } from "katzenpost-thinclient/testing";
import { UsageError } from "../../failure.js";
import { USUAL_TCP_ADDRESS, usualSocket } from "../../find-daemon.js";
import { aborted } from "../../interrupt.js";
import { problemOfPlace } from "../../listener-owner.js";
import type { Output, OutputFlags } from "../../output.js";
import { fileProblem, makeFolder } from "../../private-file.js";
import { runCommand } from "../../run.js";
import { duration } from "../../terminal.js";
import { counted } from "../../text.js";
import { joinNetwork } from "./join.js";
import { type PageAccess, pageAccess, refusalsTold } from "./page-access.js";
import type { Environment } from "../../user-folders.js";
import {
  type ClientConfig,
  checkWritable,
  epochVariable,
  writeAuthorityFile,
  writeClientConfigFile,
  writeConfigFile,
} from "./write-config.js";

/** Flags of the command. */
export interface DaemonFlags extends OutputFlags {
  readonly listen?: readonly string[];
  /** Where boxes and keys are kept so that they survive the process. */
  readonly data?: string;
  readonly writeConfig?: string;
  /** The address where other daemons join the network. */
  readonly gateway?: string;
  /** A client.toml to write for a daemon that joins. */
  readonly writeClientConfig?: string;
  /** An authority.toml to write; the authorities then open their own ports. */
  readonly writeAuthority?: string;
  /** Whether other machines may connect. */
  readonly allowRemote: boolean;
  /** Origins of web pages that may connect. */
  readonly allowOrigin?: readonly string[];
  /** A file with the token that pages must send. */
  readonly tokenFile?: string;
  /** Length of an epoch in milliseconds. */
  readonly epoch?: number;
  readonly realistic: boolean;
  readonly couriers?: number;
  readonly replicas?: number;
  readonly seed?: string;
  readonly nike?: "x25519" | "CTIDH1024-X25519";
  /** The client.toml of a real network to join in place of an embedded one. */
  readonly join?: string;
}

/**
 * Rates per millisecond of a network with a gateway, unless `--realistic` is given: delays of 50 ms
 * per hop, ten packets a second from each client, and LambdaR to match.
 */
const QUICK_RATES = { mu: 0.02, lambdaP: 0.01, lambdaR: 0.05 };

/** The gateway's address if only `--write-client-config` is given. */
const FREE_PORT = "tcp:127.0.0.1:0";
/** Where a daemon that joins serves its clients if the usual address is taken. */
const SECOND_TCP_ADDRESS = "127.0.0.1:64341";

/** How often the status line and the epoch are checked, in milliseconds. */
const WATCH_MS = 500;

/** Runs until SIGINT or SIGTERM. */
export function daemon(flags: DaemonFlags): Promise<void> {
  return runCommand(flags, async ({ output, signal }) => {
    const stopped = aborted(signal);
    if (flags.join !== undefined) {
      await joinNetwork({ ...flags, join: flags.join }, output, stopped);
      return;
    }
    const { listen = [], epoch: epochMs, couriers, replicas, seed } = flags;
    const pages = await pageAccess(flags, listen);
    const { writeConfig, writeClientConfig, writeAuthority } = flags;
    for (const file of [writeConfig, writeClientConfig, writeAuthority]) {
      if (file !== undefined) await checkWritable(file, flags.data);
    }
    const gateway = flags.gateway ?? (writeClientConfig === undefined ? undefined : FREE_PORT);
    const mixing = gateway === undefined ? "instant" : "sphinx";
    await using running = await DevDaemon.start({
      listen: listen.length > 0 ? listen : await usualAddresses((text) => output.remark(text)),
      mixing: flags.realistic && gateway === undefined ? "realistic" : mixing,
      ...(gateway === undefined ? {} : { gateway, ...(flags.realistic ? {} : QUICK_RATES) }),
      // Daemons of real networks use only this scheme to seal envelopes, and no configuration can
      // change it.
      nike: flags.nike ?? (gateway === undefined ? undefined : "CTIDH1024-X25519"),
      epochMs,
      couriers,
      replicas,
      seed,
      dataDirectory: flags.data,
      ...(writeAuthority === undefined ? {} : { authorityPort: 0 }),
      allowRemote: flags.allowRemote,
      ...(pages === null ? {} : { allowedOrigins: pages.origins, token: pages.token }),
      onRefusal: refusalsTold(output),
      onFault: (error) => log(output, { type: "fault", message: error.message }),
    }).catch((error: unknown) => {
      throw inFlags(error);
    });
    const { data = null } = flags;
    const config = writeConfig ?? (data === null ? null : join(data, "thinclient.toml"));
    if (config !== null) await writeConfigFile(config, running.config().dial);
    if (writeAuthority !== undefined) {
      const { authorities, topology, rates, geometry } = running.network;
      const network = { authorities, topology, rates, geometry: geometry.toWire() };
      await writeAuthorityFile(writeAuthority, network);
    }
    const joining = writeClientConfig === undefined ? null : clientConfigOf(running);
    if (joining !== null) await writeClientConfigFile(writeClientConfig!, joining);
    announce(output, running, { data, config, clientConfig: writeClientConfig ?? null });
    if (joining !== null) tellJoining(output, writeClientConfig!, joining);
    if (pages !== null) tellPages(output, running.addresses, pages);
    const watch = watchNetwork(output, running);
    try {
      await stopped;
    } finally {
      clearInterval(watch);
      output.clearStatus();
    }
    log(output, { type: "stopping" });
  });
}

/**
 * The default addresses: a socket of this user where clients look first, and the TCP port for
 * clients that know only TCP.
 */
export async function usualAddresses(
  remark: (text: string) => void,
  env: Environment = process.env,
): Promise<string[]> {
  if (process.getuid === undefined) return [USUAL_TCP_ADDRESS];
  const socket = usualSocket(env);
  const folder = dirname(socket);
  try {
    // The login session creates the runtime folder; if it is missing, there is no session.
    if (env["XDG_RUNTIME_DIR"]) statSync(dirname(folder));
    await makeFolder(folder, 0o700);
    const { uid, mode } = statSync(folder);
    const isOwn = uid === process.getuid() && (mode & 0o022) === 0;
    const problem = isOwn
      ? problemOfPlace(realpathSync(folder))
      : "can be written to by other users";
    if (problem === null) return [`unix:${socket}`, USUAL_TCP_ADDRESS];
    remark(`not listening in ${folder}: it ${problem}`);
  } catch (error) {
    remark(`not listening in ${folder}: ${fileProblem(error)}`);
  }
  return [USUAL_TCP_ADDRESS];
}

/** Adds the flag's name to the error about remote addresses; returns other errors unchanged. */
function inFlags(error: unknown): unknown {
  const api = "allowRemote (katz daemon: --allow-remote)";
  if (!hasCode(error, "ERR_CONFIG") || !error.message.includes(api)) return error;
  return new UsageError(error.message.replace(api, "--allow-remote"), { cause: error });
}

/** Prints the line that says that clients may connect; programs read it. */
function announce(
  output: Output,
  running: DevDaemon,
  files: {
    readonly data: string | null;
    readonly config: string | null;
    readonly clientConfig: string | null;
  },
): void {
  const { addresses, network } = running;
  const { periodMs } = network.epoch();
  output.result(`listening on ${addresses.join(" ")} (no anonymity: embedded network)`, {
    type: "listening",
    time: new Date(),
    addresses,
    anonymity: false,
    mixing: network.describe().mixing,
    epochMs: periodMs,
    couriers: running.storage.couriers.length,
    replicas: running.storage.replicas.length,
    gateway: running.gateway?.addresses[0] ?? null,
    ...files,
    pid: process.pid,
  });
  const { gateway } = running;
  if (gateway !== null)
    output.remark(`${gateway.name} serves other daemons at ${gateway.addresses[0]}`);
  if (files.config !== null) output.remark(`wrote ${files.config}`);
  const abstract = addresses.find((address) => address.startsWith("unix:@"));
  if (padsAbstractNames && abstract !== undefined) {
    output.remark(
      `this Node (${process.version}) pads the names of abstract sockets, so only programs on a ` +
        `similar Node reach ${abstract}. For others listen on a path or on TCP, or use Node 22 or newer`,
    );
  }
}

/** What a daemon needs to join the network. */
export function clientConfigOf(running: DevDaemon): ClientConfig {
  const { network, addresses } = running;
  return {
    geometry: network.geometry.toWire(),
    gateway: running.gateway!,
    authorities: network.authorities,
    listen: addresses.includes(USUAL_TCP_ADDRESS)
      ? SECOND_TCP_ADDRESS
      : USUAL_TCP_ADDRESS.replace("tcp:", ""),
    epochMs: network.epoch().periodMs,
  };
}

/** Prints how to start upstream's daemon with the file. */
function tellJoining(output: Output, file: string, { listen, epochMs }: ClientConfig): void {
  output.remark(`wrote ${file}`);
  const variable = epochVariable(epochMs);
  const command = [...(variable === null ? [] : [variable]), "kpclientd", "-c", file].join(" ");
  output.remark(`${command} joins the network, and serves clients at tcp:${listen}`);
}

/**
 * Prints the line of code that a page needs. It shows a token that was made here, because the user
 * cannot learn it otherwise.
 */
function tellPages(
  output: Output,
  addresses: readonly string[],
  { origins, token, file }: PageAccess,
): void {
  for (const address of addresses.filter((one) => one.startsWith("ws:"))) {
    output.record({
      type: "pages",
      address,
      origins,
      tokenFile: file,
      token: file === null ? token : null,
    });
    const who = origins.length === 0 ? "programs" : `pages from ${origins.join(", ")}`;
    const shown = file === null ? token : `the text of ${file}`;
    output.heading(`${who} connect with this (the token is a secret):`);
    output.line(
      `  ThinClient.connect({ dial: { ws: { address: "${address}", token: "${shown}" } } })`,
    );
  }
}

/** Logs each epoch, and on a terminal keeps the status line up to date. */
function watchNetwork(output: Output, running: DevDaemon): NodeJS.Timeout {
  let known = -1;
  return setInterval(() => {
    const { epoch, traffic, online } = running.network.describe();
    if (epoch.current !== known) {
      known = epoch.current;
      log(output, { type: "epoch", epoch: known, leftMs: epoch.leftMs });
    }
    const { connections, operations } = running.daemon.load;
    const parts = [
      `epoch ${epoch.current}, ${duration(epoch.leftMs)} left`,
      counted(connections, "client"),
      counted(operations, "operation"),
      `${counted(traffic.sent, "packet")}, ${traffic.lost} lost`,
    ];
    if (!online) parts.push("network offline");
    output.status(parts.join(" · "));
  }, WATCH_MS);
}

function log(output: Output, event: { readonly type: string } & Record<string, unknown>): void {
  const { type, ...rest } = event;
  if (type === "fault") output.warning(String(event["message"]));
  output.record({ type, time: new Date(), ...rest });
}
