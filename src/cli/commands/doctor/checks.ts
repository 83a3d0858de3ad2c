/** The checks of `katz doctor`, in the order in which things must work. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type CallOptions,
  DEFAULT_EPOCH_MS,
  type ThinClient,
  type Transport,
  epochAt,
  epochLengthOf,
  equalBytes,
  randomBytes,
} from "katzenpost-thinclient";
import { verifyPkiDocumentWith } from "katzenpost-thinclient/join";
import { setImmediate } from "node:timers/promises";
import { type ClientFlags, connect, firstThatAnswers } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { type DaemonPlace, daemonPlaces } from "../../find-daemon.js";
import { SKEW_WARNING_MS, linkText, readLinkState } from "../../link-state.js";
import { currentDocument } from "../../network-view.js";
import { duration } from "../../terminal.js";
import { counted } from "../../text.js";

/** Flags of the command. */
export interface DoctorFlags extends ClientFlags {
  /** Length of an epoch in milliseconds; detected by default. */
  readonly epoch?: number;
  /** The data directory of an embedded network, to report its damage. */
  readonly data?: string;
}

/**
 * The default time limit of a handshake, in milliseconds. A daemon without a document holds each
 * connection for up to 30 s, one after the other (spec/thin-protocol §3.1). This allows for two
 * other clients and us.
 */
const HANDSHAKE_TIMEOUT_MS = 100_000;

/** What the checks find out and pass on. */
export interface Findings {
  readonly flags: DoctorFlags;
  readonly call: CallOptions & { readonly signal: AbortSignal };
  places: readonly DaemonPlace[];
  /** The connection that showed that somebody listens, until the client takes it. */
  transport: Transport | null;
  client: ThinClient | null;
  /** Identifies the daemon's process. */
  instanceToken: Uint8Array | null;
}

/** The result of a check; `warning` if it works but looks wrong. */
export interface Finding {
  readonly detail: string;
  readonly warning?: string;
}

/** One thing that must work; later checks depend on it. */
export interface Check {
  readonly name: string;
  /** @throws the problem. */
  run(findings: Findings): Promise<Finding>;
  /** What to do if it failed. */
  readonly advice: string;
  /** Shown while it runs: why it may take long. */
  readonly patience?: string;
}

const clientOf = ({ client }: Findings): ThinClient => client!;

const configuration: Check = {
  name: "configuration",
  async run(findings) {
    findings.places = await daemonPlaces(findings.flags, findings.call.signal);
    const [first] = findings.places;
    if (first!.isTold) return { detail: `${first!.address}, from ${first!.source}` };
    const tried = findings.places.map((place) => place.address).join(", ");
    return { detail: `no address was given or configured; trying the usual places: ${tried}` };
  },
  advice: "correct the file or the flag, or leave it out to try the usual places",
};

const socket: Check = {
  name: "socket",
  async run(findings) {
    const found = await firstThatAnswers(findings.places, findings.call);
    const { place, ms, owner } = found;
    findings.places = [place];
    findings.transport = found.transport;
    const detail = `${place.address} answers in ${duration(ms)}`;
    if (owner?.kind !== "unknown") return { detail };
    return {
      detail,
      warning:
        `its owner is unknown: ${owner.why}. Commands that send capabilities or ` +
        `contents need --address ${place.address}`,
    };
  },
  advice:
    "start the daemon: your kpclientd, or `katz daemon` for an embedded network; " +
    "then compare its address with the one above",
};

const handshake: Check = {
  name: "handshake",
  async run(findings) {
    const { flags, transport, places } = findings;
    const handshakeTimeoutMs = flags.timeout ?? HANDSHAKE_TIMEOUT_MS;
    const call = { signal: findings.call.signal, timeoutMs: handshakeTimeoutMs };
    const options = { revealsNothing: true, transport: transport ?? undefined, handshakeTimeoutMs };
    findings.transport = null;
    const prepare = (one: ThinClient): void => {
      one.on("connectionStatus", ({ instanceToken }) => {
        findings.instanceToken = instanceToken;
      });
    };
    const { client } = await connect(places, call, { ...options, prepare });
    findings.client = client;
    const { geometry, pigeonholeGeometry } = client;
    const detail =
      `packets of ${geometry.packetLength} bytes (${geometry.nikeName}), ` +
      `boxes of ${pigeonholeGeometry.maxPlaintextPayloadLength} (${pigeonholeGeometry.nikeName})`;
    if (client.pkiDocument() !== null) return { detail };
    return {
      detail,
      warning:
        "the daemon has no PKI document: it may have just started, or it cannot reach the " +
        "authorities; see its log",
    };
  },
  patience: " (a daemon without a PKI document serves its clients one after the other, 30 s each)",
  advice:
    "either something listens there that is not a daemon with this protocol (0.0.99 or newer), or " +
    "the daemon has no PKI document and other clients wait before this one: see its log",
};

const mixnet: Check = {
  name: "mixnet",
  async run(findings) {
    await clientOf(findings).waitUntilOnline(findings.call);
    return { detail: "the daemon is connected to a gateway" };
  },
  advice:
    "the daemon cannot reach the mixnet: check its log, and this machine's connection and clock",
};

/** The link state that a `katz daemon --join` publishes; other daemons do not. */
const link: Check = {
  name: "link",
  async run({ instanceToken }) {
    const state = instanceToken === null ? null : await readLinkState(instanceToken);
    if (state === null) return { detail: "this daemon does not report the state of its link" };
    const detail = linkText(state).join("; ");
    const { clockSkewMs } = state.link;
    if (clockSkewMs === null || Math.abs(clockSkewMs) < SKEW_WARNING_MS) return { detail };
    return {
      detail,
      warning:
        `this machine's clock is ${duration(Math.abs(clockSkewMs))} ` +
        `${clockSkewMs > 0 ? "ahead of" : "behind"} the gateway's: set it, otherwise packets do not ` +
        "arrive in the epoch of their keys",
    };
  },
  advice: "check the daemon's own output",
};

const document: Check = {
  name: "document",
  async run(findings) {
    const { epoch } = currentDocument(clientOf(findings));
    const lengthMs = findings.flags.epoch ?? epochLengthOf(epoch, Date.now()) ?? DEFAULT_EPOCH_MS;
    const now = epochAt(Date.now(), lengthMs);
    const behind = now.epoch - epoch;
    const length = lengthMs === DEFAULT_EPOCH_MS ? "" : ` of ${duration(lengthMs)}`;
    if (behind === 0) {
      return {
        detail: `epoch ${epoch}${length}, which began ${duration(now.elapsedMs)} ago, is the current one`,
      };
    }
    if (Math.abs(behind) === 1) {
      return { detail: `epoch ${epoch}${length}, next to the current one (${now.epoch})` };
    }
    return {
      detail: `epoch ${epoch}`,
      warning:
        `with epochs of ${duration(lengthMs)} the epoch should be ${now.epoch}: either the daemon's ` +
        "document is old, or this machine's clock is wrong, or this network's epochs have another " +
        "length (--epoch TIME)",
    };
  },
  advice: "wait for the next epoch; if none comes, the daemon cannot reach the authorities",
};

const signatures: Check = {
  name: "signatures",
  async run(findings) {
    const { call } = findings;
    const client = clientOf(findings);
    const authorities = await client.getDirectoryAuthorities(call);
    if (authorities.length === 0) {
      return { detail: "not verified", warning: "the daemon lists no directory authorities" };
    }
    const raw = await client.getPkiDocumentRaw(0, call);
    const { geometry } = client;
    const { signers, threshold, rejected } = await verifyPkiDocumentWith(
      raw.payload,
      authorities,
      { epoch: raw.epoch, geometry },
      setImmediate,
    );
    const detail = `${signers.length} of ${authorities.length} authorities signed, ${threshold} are needed`;
    if (rejected.length === 0) return { detail };
    const who = rejected.map(({ authority, reason }) => `${authority.identifier}: ${reason}`);
    return { detail, warning: who.join("; ") };
  },
  advice:
    "do not trust this network: its authorities did not sign the daemon's document. " +
    "Compare the daemon's list of authorities with the network's own",
};

const echo: Check = {
  name: "echo",
  async run(findings) {
    const client = clientOf(findings);
    const payload = randomBytes(32);
    const service = client.getService("echo");
    const start = performance.now();
    const reply = await client.blockingSendMessage(
      payload,
      ...service.toDestination(),
      findings.call,
    );
    const taken = duration(performance.now() - start);
    if (!equalBytes(reply.subarray(0, payload.length), payload)) {
      throw new Error(`${service.mixDescriptor.name} did not answer with an echo`);
    }
    return { detail: `${service.mixDescriptor.name} answered in ${taken}` };
  },
  advice: "messages get lost on the way: try again, then run `katz ping`, which shows how many",
};

const box: Check = {
  name: "box",
  async run(findings) {
    const { call } = findings;
    const client = clientOf(findings);
    const plaintext = randomBytes(32);
    const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32), call);
    const start = performance.now();
    await client.write(writeCap, firstMessageIndex, plaintext, call);
    const written = performance.now();
    const read = await client.read(readCap, firstMessageIndex, call);
    const taken = performance.now();
    if (!equalBytes(read.plaintext, plaintext)) throw new Error("the box holds something else");
    const couriers = counted(client.getAllCouriers().length, "courier");
    return {
      detail: `written in ${duration(written - start)}, read in ${duration(taken - written)}, ${couriers}`,
    };
  },
  advice:
    "couriers or storage replicas do not answer: `katz couriers` lists them; " +
    "with CTIDH a box takes seconds, so try a longer --timeout too",
};

/** Damage of a data directory, found when it was opened or later. */
const data: Check = {
  name: "data",
  run: async ({ flags }) => {
    const folder = flags.data!;
    await stat(join(folder, "seed")).catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
      throw new UsageError(`the data directory ${folder} does not exist`, { cause });
    });
    const text = await readFile(join(folder, "damage.txt"), "utf8").catch(() => "");
    const lines = text.split("\n").filter((line) => line !== "");
    if (lines.length === 0) return { detail: "no damage was found" };
    return {
      detail: lines.slice(-5).join("; "),
      warning:
        "Bytes on this disk changed. Check the disk. The recovered data is in use. When you do not " +
        "need them any more, delete the file damage.txt and the folders damaged-…",
    };
  },
  advice: "Pass the directory that katz daemon was started with (--data DIR).",
};

/** All checks of a daemon. */
const checks: readonly Check[] = [
  configuration,
  socket,
  handshake,
  link,
  mixnet,
  document,
  signatures,
  echo,
  box,
];

/** The checks in order, including the data directory if one is given. */
export function checksFor({ data: folder }: DoctorFlags): readonly Check[] {
  return folder === undefined ? checks : [data, ...checks];
}
