/**
 * Verifies certificates and documents under every signature scheme of this package; some take long.
 * The synchronous functions of `verify.ts` only know Ed25519, so that a page's bundle does not
 * include the others.
 */
import type { AuthorityInput } from "./authority-keys.js";
import { type Certificate, decodeCertificate } from "./certificate.js";
import type { Pause } from "./signature-scheme.js";
import { findSignatureScheme } from "./signature-schemes.js";
import {
  type CertificateChecks,
  type CertificateSigners,
  type DocumentChecks,
  type KnownChecks,
  type VerifiedDocument,
  certificateChecks,
  checkCertificateChecks,
  countSigners,
  readClaims,
  readVerified,
} from "./verify.js";

/**
 * Verifies a certificate under the scheme of each authority.
 * @param pause called between pieces of long work, so that other work can run.
 * @throws As `verifyCertificate`, as rejections.
 */
export async function verifyCertificateWith(
  certificate: Certificate,
  authorities: readonly AuthorityInput[],
  checks: CertificateChecks,
  pause: Pause,
): Promise<CertificateSigners> {
  checkCertificateChecks(checks);
  return verifySignersWith(certificate, authorities, checks, pause);
}

async function verifySignersWith(
  certificate: Certificate,
  authorities: readonly AuthorityInput[],
  checks: KnownChecks,
  pause: Pause,
): Promise<CertificateSigners> {
  const { claims, message, threshold } = readClaims(certificate, authorities, checks);
  const reasons: (string | null)[] = [];
  for (const { authority, signature } of claims) {
    const scheme = findSignatureScheme(authority.scheme);
    if (signature === null) reasons.push("no signature");
    else if (scheme === undefined) reasons.push(`unsupported scheme ${authority.scheme}`);
    else {
      const good = await scheme.verify(signature, message, authority.publicKey, pause);
      reasons.push(good ? null : "bad signature");
      await pause();
    }
  }
  return countSigners(claims, reasons, threshold);
}

/**
 * Verifies a signed consensus under the scheme of each authority, and decodes its document.
 * @param pause called between pieces of long work, so that other work can run.
 * @throws As `verifyPkiDocument`, as rejections.
 */
export async function verifyPkiDocumentWith(
  raw: Uint8Array,
  authorities: readonly AuthorityInput[],
  checks: DocumentChecks,
  pause: Pause,
): Promise<VerifiedDocument> {
  const known = certificateChecks(checks);
  const certificate = decodeCertificate(raw);
  const signed = await verifySignersWith(certificate, authorities, known, pause);
  return readVerified(certificate, signed, checks);
}
