/** `katz pki`: shows the network's document and checks the authorities' signatures. */
import {
  type Certificate,
  PkiDocument,
  type RawPkiDocument,
  type VerifiedDocument,
  decodeCertificate,
} from "katzenpost-thinclient";
import { verifyPkiDocumentWith } from "katzenpost-thinclient/join";
import { setImmediate } from "node:timers/promises";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { type NetworkView, viewOf } from "../../network-view.js";
import { standardOutput } from "../../standard-output.js";
import { counted, table } from "../../text.js";

/** Flags of the command. */
export interface PkiFlags extends ClientFlags {
  /** Which document; the current one by default. */
  readonly epoch?: number;
  readonly verify: boolean;
  readonly raw: boolean;
}

/**
 * Shows a document. With `--raw` it writes the signed bytes; with `--verify` it fails unless the
 * document is genuine.
 */
export function pki(flags: PkiFlags): Promise<void> {
  return withClient(
    flags,
    async (run) => {
      const { client, call, output } = run;
      if (flags.raw && !flags.json && output.terminal.isTerminal) {
        throw new UsageError(
          "--raw writes bytes, not text: redirect them to a file, or add --json",
        );
      }
      const raw = await client.getPkiDocumentRaw(flags.epoch ?? 0, call);
      const verified = flags.verify ? await verify(run, raw) : null;
      if (flags.raw) {
        const certificateBase64 = raw.payload;
        output.record({ type: "pkiRaw", epoch: raw.epoch, certificateBase64 });
        if (!flags.json) standardOutput.write(raw.payload);
        return;
      }
      const certificate = verified?.certificate ?? decodeCertificate(raw.payload);
      const document = verified?.document ?? PkiDocument.decode(certificate.certified);
      show(run, document, certificate, verified);
    },
    { online: false, revealsNothing: true },
  );
}

async function verify({ client, call }: ClientRun, raw: RawPkiDocument): Promise<VerifiedDocument> {
  const authorities = await client.getDirectoryAuthorities(call);
  if (authorities.length === 0) {
    throw new UsageError("--verify: the daemon lists no directory authorities to verify with");
  }
  const { geometry } = client;
  const checks = { epoch: raw.epoch, geometry };
  return verifyPkiDocumentWith(raw.payload, authorities, checks, setImmediate);
}

function show(
  { output }: ClientRun,
  document: PkiDocument,
  certificate: Certificate,
  verified: VerifiedDocument | null,
): void {
  const view = viewOf(document);
  const { epoch, genesisEpoch, version, pkiSignatureScheme } = document;
  const { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR, sphinxGeometryHash } = document;
  const rates = { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR };
  output.record({
    type: "pki",
    epoch,
    genesisEpoch,
    version,
    pkiSignatureScheme,
    ...rates,
    sphinxGeometryHash,
    gateways: view.gateways,
    layers: view.layers,
    serviceNodes: view.serviceNodes,
    replicas: view.replicas,
    configuredReplicaIds: document.configuredReplicaIds,
    signatures: certificate.signatures.length,
    expiration: certificate.expiration,
    verified: verified !== null,
    threshold: verified?.threshold ?? null,
    signers: verified?.signers.map(({ identifier }) => identifier) ?? null,
    rejected:
      verified?.rejected.map(({ authority, reason }) => ({
        identifier: authority.identifier,
        reason,
      })) ?? null,
  });
  const perSecond = Object.entries(rates).map(
    ([name, rate]) => `${name} ${Number((rate * 1000).toPrecision(6))}`,
  );
  const rows = [
    ["epoch", `${epoch}, the network's first epoch was ${genesisEpoch}`],
    ["signatures", signatureText(certificate, verified)],
    ...(verified?.rejected ?? []).map(({ authority, reason }, i) => [
      i === 0 ? "rejected" : "",
      `${authority.identifier}: ${reason}`,
    ]),
    ["scheme", `${pkiSignatureScheme}, document version ${version}`],
    ["rates/s", perSecond.slice(0, 3).join(", ")],
    ["", perSecond.slice(3).join(", ")],
    ...nodeRows(view),
  ];
  for (const line of table(rows)) output.line(line);
}

function signatureText(certificate: Certificate, verified: VerifiedDocument | null): string {
  if (verified === null) {
    return `${certificate.signatures.length}, not verified (--verify does)`;
  }
  const names = verified.signers.map(({ identifier }) => identifier).join(" ");
  return `verified: ${names} (${verified.threshold} needed)`;
}

function nodeRows(view: NetworkView): string[][] {
  const names = (nodes: readonly { readonly name: string }[]): string =>
    nodes.map(({ name }) => name).join(" ");
  return [
    ["gateways", names(view.gateways)],
    ...view.layers.map((layer, i) => [`layer ${i + 1}`, names(layer)]),
    ["services", names(view.serviceNodes)],
    ["replicas", `${counted(view.replicas.length, "replica")} up: ${names(view.replicas)}`],
  ];
}
