/**
 * Verifies the network's document with keys that do not come from the daemon, under the signature
 * scheme that the authorities have. Takes a client.toml and the address of a daemon; without them
 * it embeds a network.
 */
import { type AuthorityInput, ThinClient } from "katzenpost-thinclient";
import { DaemonConfig, verifyPkiDocumentWith } from "katzenpost-thinclient/join";
import { DevDaemon } from "katzenpost-thinclient/testing";

// #region keys
/** The authorities' keys, from the file that the network's operator supplies. */
async function keysFrom(clientToml: string): Promise<AuthorityInput[]> {
  const { settings } = await DaemonConfig.load(clientToml);
  return settings.authorities.map(({ identifier, identityKey, pkiSignatureScheme }) => ({
    identifier,
    publicKey: identityKey,
    scheme: pkiSignatureScheme, // "Ed25519 Sphincs+", "Falcon-padded-512-Ed25519" …
  }));
}
// #endregion

// #region verify
async function verifyCurrent(client: ThinClient, keys: readonly AuthorityInput[]): Promise<void> {
  const { payload, epoch } = await client.getPkiDocumentRaw();
  // A SPHINCS+ signature takes about 18,000 hashes: other work gets its turn between pieces.
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
  const { document, signers, rejected } = await verifyPkiDocumentWith(
    payload,
    keys,
    { epoch },
    pause,
  );
  for (const { authority, reason } of rejected) console.log(authority.identifier, reason);
  console.log(`epoch ${document.epoch}: ${signers.length} of ${keys.length} authorities signed`);
}
// #endregion

const [, , clientToml, address] = process.argv;
if (clientToml !== undefined && address !== undefined) {
  await using client = await ThinClient.connect(address);
  await verifyCurrent(client, await keysFrom(clientToml));
} else {
  await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
  await using client = await ThinClient.connect(daemon.config());
  await verifyCurrent(client, daemon.network.authorities);
}
