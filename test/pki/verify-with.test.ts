/** Documents under the signature schemes that the synchronous `verifyPkiDocument` does not know. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCertificate } from "../../src/pki/certificate.js";
import { verifyPkiDocument } from "../../src/pki/verify.js";
import { verifyPkiDocumentWith } from "../../src/pki/verify-with.js";
import { startTestNetwork } from "../../src/testing/index.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const sphincs = loadVectors("mixnet-cert-ed25519-sphincs-2");

test("a document is verified as by verifyPkiDocument, and other work continues meanwhile", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const { payload, epoch } = await client.getPkiDocumentRaw();
  const authorities = await client.getDirectoryAuthorities();
  let pauses = 0;
  const found = await verifyPkiDocumentWith(payload, authorities, { epoch }, async () => {
    pauses++;
  });
  const { document, signers } = verifyPkiDocument(payload, authorities, { epoch });
  assert.deepEqual(found.document.raw, document.raw);
  assert.deepEqual(found.signers, signers);
  assert.equal(pauses, 3);
});

test("a good signature under Ed25519 Sphincs+ leads to the document, and a bad one does not", async () => {
  const raw = hex(sphincs.certificate);
  const keys = [{ publicKey: hex(sphincs.publicKey), scheme: "Ed25519 Sphincs+" }];
  let pauses = 0;
  const pause = async (): Promise<void> => void pauses++;
  // The reference signed random bytes; only after the signature verifies do they turn out not to be
  // a document.
  await assert.rejects(verifyPkiDocumentWith(raw, keys, {}, pause), { code: "ERR_PROTOCOL" });
  assert.ok(pauses > 1, String(pauses));
  const { certified } = decodeCertificate(raw);
  const altered = raw.slice();
  const at = Buffer.from(raw).indexOf(certified);
  assert.ok(at > 0);
  altered[at]! ^= 1;
  await assert.rejects(verifyPkiDocumentWith(altered, keys, {}, pause), {
    code: "ERR_PKI_VERIFICATION",
    message: /bad signature/,
  });
  // The synchronous function does not support the scheme, and its error says so.
  assert.throws(() => verifyPkiDocument(raw, keys), {
    message: /unsupported scheme Ed25519 Sphincs\+/,
  });
});
