/** `katz daemon --join`: runs a daemon on a real network in the foreground. */
import { hasCode } from "katzenpost-thinclient";
import { DaemonConfig, JoinedDaemon } from "katzenpost-thinclient/join";
import { UsageError } from "../../failure.js";
import { linkText, removeLinkStates, writeLinkState } from "../../link-state.js";
import type { Output } from "../../output.js";
import type { DaemonFlags } from "./daemon.js";
import { pageAccess, refusalsTold } from "./page-access.js";
import { writeConfigFile } from "./write-config.js";

/** How often the link's state is checked and written for `katz doctor`, in milliseconds. */
const WATCH_MS = 500;
const STATE_MS = 5000;

/** Flags that only apply to an embedded network. */
const embeddedOnly = [
  "data",
  "gateway",
  "writeClientConfig",
  "writeAuthority",
  "couriers",
  "replicas",
  "seed",
  "nike",
] as const;

/** Runs until `stopped`. */
export async function joinNetwork(
  flags: DaemonFlags & { readonly join: string },
  output: Output,
  stopped: Promise<void>,
): Promise<void> {
  checkFlags(flags);
  const config = await DaemonConfig.load(flags.join);
  for (const what of config.ignored) output.remark(`${flags.join}: ${what} has no effect here`);
  const listen = flags.listen ?? [config.settings.listen];
  const pages = await pageAccess(flags, listen);
  await using running = await JoinedDaemon.start({
    config,
    listen,
    epochMs: flags.epoch,
    allowRemote: flags.allowRemote,
    ...(pages === null ? {} : { allowedOrigins: pages.origins, token: pages.token }),
    onRefusal: refusalsTold(output),
    onFault: ({ message }) => {
      output.warning(message);
      output.record({ type: "fault", time: new Date(), message });
    },
  }).catch((error: unknown) => {
    const api = "allowRemote (katz daemon: --allow-remote)";
    if (!hasCode(error, "ERR_CONFIG") || !error.message.includes(api)) throw error;
    throw new UsageError(error.message.replace(api, "--allow-remote"), { cause: error });
  });
  if (flags.writeConfig !== undefined) {
    await writeConfigFile(flags.writeConfig, running.config().dial);
    output.remark(`wrote ${flags.writeConfig}`);
  }
  output.result(
    `listening on ${running.addresses.join(" ")} (joining the network of ${flags.join})`,
    {
      type: "listening",
      time: new Date(),
      addresses: running.addresses,
      joined: flags.join,
      pid: process.pid,
    },
  );
  const watch = watchLink(output, running);
  const token = running.daemon.instanceToken;
  const note = setInterval(() => void tellState(), STATE_MS);
  const tellState = (): Promise<void> =>
    writeLinkState(token, running.describe()).catch(() => {
      // Only `katz doctor` misses the file.
    });
  try {
    await tellState();
    await stopped;
  } finally {
    clearInterval(watch);
    clearInterval(note);
    output.clearStatus();
    await removeLinkStates(token).catch(() => {});
  }
  output.record({ type: "stopping", time: new Date() });
}

function checkFlags(flags: DaemonFlags): void {
  const given = embeddedOnly.find((name) => flags[name] !== undefined);
  const wrong = given ?? (flags.realistic ? "realistic" : undefined);
  if (wrong === undefined) return;
  const flag = `--${wrong.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new UsageError(
    `${flag} is for an embedded network; with --join, client.toml describes the network`,
  );
}

/**
 * Logs each change of the link and each epoch, and on a terminal keeps the status line up to date.
 */
function watchLink(output: Output, running: JoinedDaemon): NodeJS.Timeout {
  let told = "";
  return setInterval(() => {
    const state = running.describe();
    const { phase, gateway, address, lastError, clockSkewMs, epoch, documents, documentProblem } =
      state.link;
    const known = documents.find((document) => document.epoch === epoch);
    const isUp = phase === "connected";
    const news = [isUp, lastError, epoch, known !== undefined, documentProblem].join(" ");
    if (news !== told && (isUp || lastError !== null)) {
      told = news;
      const signers = known?.signers ?? [];
      output.remark(
        linkText(state)
          .slice(0, isUp ? 3 : 4)
          .join("; "),
      );
      output.record({
        type: "link",
        time: new Date(),
        phase,
        gateway,
        address,
        lastError,
        clockSkewMs,
        epoch,
        signers,
        documentProblem,
      });
    }
    output.status(linkText(state).join(" · "));
  }, WATCH_MS);
}
