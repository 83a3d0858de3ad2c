/** What to set, and what to check, before others rely on it. */
import assert from "node:assert/strict";
import { ThinClient, isThinClientError, verifyPkiDocument } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
const config = daemon.config();

// #region options
await using client = await ThinClient.connect(config, {
  logger: console, // or your own; silent by default
  maxInFlight: 1_000, // more calls wait here, in order
  stopOnExit: true, // exit, SIGINT, SIGTERM and SIGHUP release what the daemon holds
  defaultTimeoutMs: 60_000, // of calls that need neither network nor key exchange
});
client.closed.then(
  ({ reason, error }) => console.log("closed:", reason, isThinClientError(error) ? error.code : ""),
  () => {}, // never rejects
);
// #endregion

// #region verify
// The daemon verifies documents for you. You can also verify them yourself; in that case, get
// the authorities' keys from another source than the daemon.
const authorities = await client.getDirectoryAuthorities();
const { payload, epoch } = await client.getPkiDocumentRaw();
const { document, signers } = verifyPkiDocument(payload, authorities, { epoch });
console.log(`epoch ${document.epoch}, signed by ${signers.length} of ${authorities.length}`);
// #endregion
assert.equal(document.epoch, epoch);
assert.ok(signers.length * 2 > authorities.length);
