/** A scripted network on its own port, and the client.toml for it. */
import { realClock } from "../../src/clock/real.js";
import { DEFAULT_EPOCH_MS, epochAt } from "../../src/pki/epoch.js";
import { encodePublicKeyPem } from "../../src/pki/pem.js";
import { listenTcp } from "../../src/platform/node-listen.js";
import {
  ScriptedNetwork,
  authorities,
  geometry,
  pinnedGateway,
} from "../gateway/scripted-network.js";

/** The client.toml of a scripted network whose gateway listens at `url`. */
export function clientToml(url: string, change: (toml: string) => string = (toml) => toml): string {
  const { nikeName, kemName } = geometry;
  const lengths = Object.entries(geometry.toWire()).filter(
    ([, value]) => typeof value === "number",
  );
  const pem = (scheme: string, key: Uint8Array): string =>
    JSON.stringify(encodePublicKeyPem(scheme, key));
  return change(`WireKEMScheme = "xwing"
[Listen.Tcp]
Address = "127.0.0.1:0"
[UpstreamProxy]
Type = "none"
[SphinxGeometry]
${lengths.map(([key, value]) => `${key} = ${value}`).join("\n")}
NIKEName = "${nikeName}"
KEMName = "${kemName}"
[[PinnedGateways.Gateways]]
Name = "gateway1"
WireKEMScheme = "xwing"
PKISignatureScheme = "Ed25519"
IdentityKey = ${pem("Ed25519", pinnedGateway.identityKey)}
LinkKey = ${pem("XWING", pinnedGateway.linkKey)}
Addresses = ["${url}"]
${authorities
  .map(
    ({ publicKey }, i) => `[[VotingAuthority.Peers]]
Identifier = "auth${i + 1}"
PKISignatureScheme = "Ed25519"
WireKEMScheme = "xwing"
IdentityPublicKey = ${pem("Ed25519", publicKey)}
Addresses = ["tcp://127.0.0.1:1"]
`,
  )
  .join("")}`);
}

/** A gateway on its own port; `url` is its address for a client.toml. */
export async function gateway() {
  const period = (): number => epochAt(realClock.now(), DEFAULT_EPOCH_MS).epoch;
  const network = new ScriptedNetwork(realClock, period);
  const listener = await listenTcp("127.0.0.1", 0);
  listener.open((transport) => void network.accept(transport));
  const url = listener.address.replace("tcp:", "tcp://");
  return { network, url, close: () => listener.close() };
}
