/** The tour's picture of the network. */
import { type PkiDocument, type ThinClient, verifyPkiDocument } from "katzenpost-thinclient";
import type { Output } from "../../output.js";
import { duration } from "../../terminal.js";
import type { Interruptible } from "./tour.js";

/** Shows the nodes of the network, and that the authorities signed its document. */
export async function showNetwork(
  output: Output,
  client: ThinClient,
  epochLeftMs: number,
  call: Interruptible,
): Promise<void> {
  const document = client.pkiDocument();
  if (!document) throw new Error("the embedded network has no PKI document");
  const authorities = await client.getDirectoryAuthorities(call);
  const raw = await client.getPkiDocumentRaw(0, call);
  const { signers } = verifyPkiDocument(raw.payload, authorities, { epoch: raw.epoch });
  const { geometry, pigeonholeGeometry } = client;
  output.record({
    type: "step",
    step: "network",
    epoch: document.epoch,
    leftMs: epochLeftMs,
    authorities: authorities.map((authority) => authority.identifier),
    signers: signers.map((signer) => signer.identifier),
    couriers: client.getAllCouriers().length,
    replicas: document.storageReplicas.length,
    packetBytes: geometry.packetLength,
    boxBytes: pigeonholeGeometry.maxPlaintextPayloadLength,
  });
  const row = (name: string, text: string): void => {
    output.line(`  ${output.style("cyan", name.padEnd(14))}${text}`);
  };
  output.heading();
  output.heading(output.style("bold", "The network"));
  row("epoch", `${document.epoch}, ${duration(epochLeftMs)} left`);
  row(
    "authorities",
    `${authorities.map((authority) => authority.identifier).join(" ")}: document signed by ` +
      `${signers.length} of ${authorities.length}, verified`,
  );
  row("way", way(document));
  for (const node of document.serviceNodes) {
    row(node.name, [...(node.kaetzchen?.keys() ?? [])].join(" "));
  }
  row("couriers", `${client.getAllCouriers().length}, on the service nodes`);
  row("replicas", document.storageReplicas.map((replica) => replica.name).join(" "));
  row(
    "packets",
    `${geometry.packetLength} bytes, ${geometry.nrHops} hops, ` +
      `${geometry.userForwardPayloadLength} for the payload (Sphinx, ${geometry.nikeName})`,
  );
  row(
    "boxes",
    `${pigeonholeGeometry.maxPlaintextPayloadLength} bytes of plaintext each ` +
      `(Pigeonhole, ${pigeonholeGeometry.nikeName})`,
  );
}

function way(document: PkiDocument): string {
  const layers = document.topology.map((layer) => layer.map((mix) => mix.name).join("|"));
  const gateways = document.gatewayNodes.map((gateway) => gateway.name).join("|");
  return [gateways, ...layers, "service"].join(" > ");
}
