/** What `katz doctor` looks at, in the order in which things must work. */
import {
  type CallOptions,
  DEFAULT_EPOCH_MS,
  type ThinClient,
  epochAt,
  equalBytes,
  randomBytes,
  verifyPkiDocument,
} from "katzenpost-thinclient";
import { connect, firstThatAnswers } from "./connect.js";
import { type DaemonPlace, type DaemonPlaceFlags, daemonPlaces } from "./find-daemon.js";
import { currentDocument } from "./network-view.js";
import { duration } from "./terminal.js";
import { counted } from "./text.js";

/** What the checks find out and hand on. */
export interface Findings {
  readonly flags: DaemonPlaceFlags;
  readonly call: CallOptions & { readonly signal: AbortSignal };
  places: readonly DaemonPlace[];
  client: ThinClient | null;
}

/** What a check found; `warning` when it works but looks wrong. */
export interface Finding {
  readonly detail: string;
  readonly warning?: string;
}

/** One thing that must work; those after it need it. */
export interface Check {
  readonly name: string;
  /** @throws what is wrong. */
  run(findings: Findings): Promise<Finding>;
  /** What to do when it failed. */
  readonly advice: string;
}

const clientOf = ({ client }: Findings): ThinClient => client!;

const configuration: Check = {
  name: "configuration",
  async run(findings) {
    findings.places = await daemonPlaces(findings.flags, findings.call.signal);
    const [first] = findings.places;
    if (first!.isTold) return { detail: `${first!.address}, from ${first!.source}` };
    const tried = findings.places.map((place) => place.address).join(", ");
    return { detail: `none is given or found; trying the usual places: ${tried}` };
  },
  advice: "correct the file or the flag, or leave it out to try the usual places",
};

const socket: Check = {
  name: "socket",
  async run(findings) {
    const { place, ms, owner } = await firstThatAnswers(findings.places, findings.call);
    findings.places = [place];
    const detail = `${place.address} answers in ${duration(ms)}`;
    if (owner?.kind !== "unknown") return { detail };
    return {
      detail,
      warning:
        `whose it is cannot be said: ${owner.why}. Commands that hand over capabilities or ` +
        `contents want --address ${place.address}`,
    };
  },
  advice:
    "start the daemon: your kpclientd, or `katz daemon` for an embedded network; " +
    "then compare its address with the one above",
};

const handshake: Check = {
  name: "handshake",
  async run(findings) {
    const { client } = await connect(findings.places, findings.call, { revealsNothing: true });
    findings.client = client;
    const { geometry, pigeonholeGeometry } = client;
    return {
      detail:
        `packets of ${geometry.packetLength} bytes (${geometry.nikeName}), ` +
        `boxes of ${pigeonholeGeometry.maxPlaintextPayloadLength} (${pigeonholeGeometry.nikeName})`,
    };
  },
  advice:
    "something listens there that is no daemon of this protocol, or one that has no PKI " +
    "document yet and waits for it: look at its log, and whether it is 0.0.99 or newer",
};

const mixnet: Check = {
  name: "mixnet",
  async run(findings) {
    await clientOf(findings).waitUntilOnline(findings.call);
    return { detail: "the daemon is connected to a gateway" };
  },
  advice:
    "the daemon cannot reach the mixnet: look at its log, at this machine's connection and clock",
};

const document: Check = {
  name: "document",
  async run(findings) {
    const { epoch } = currentDocument(clientOf(findings));
    const now = epochAt(Date.now());
    const behind = now.epoch - epoch;
    if (behind === 0) {
      return { detail: `epoch ${epoch}, begun ${duration(now.elapsedMs)} ago, is the current one` };
    }
    if (Math.abs(behind) === 1) {
      return { detail: `epoch ${epoch}, next to the current one (${now.epoch})` };
    }
    const minutes = DEFAULT_EPOCH_MS / 60_000;
    return {
      detail: `epoch ${epoch}`,
      warning:
        `by epochs of ${minutes} minutes it is ${now.epoch}: either this network's epochs have ` +
        "another length, or the daemon's document is old, or this machine's clock is wrong",
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
      return { detail: "not verified", warning: "the daemon names no directory authorities" };
    }
    const raw = await client.getPkiDocumentRaw(0, call);
    const { geometry } = client;
    const { signers, threshold, rejected } = verifyPkiDocument(raw.payload, authorities, {
      epoch: raw.epoch,
      geometry,
    });
    const detail = `${signers.length} of ${authorities.length} authorities signed, ${threshold} must`;
    if (rejected.length === 0) return { detail };
    const who = rejected.map(({ authority, reason }) => `${authority.identifier}: ${reason}`);
    return { detail, warning: who.join("; ") };
  },
  advice:
    "do not trust this network: the daemon's document is not what its authorities signed. " +
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
      throw new Error(`${service.mixDescriptor.name} answered with something else than an echo`);
    }
    return { detail: `${service.mixDescriptor.name} answered in ${taken}` };
  },
  advice: "messages get lost on the way: try again, then `katz ping`, which shows how many",
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

/** All checks. */
export const checks: readonly Check[] = [
  configuration,
  socket,
  handshake,
  mixnet,
  document,
  signatures,
  echo,
  box,
];
