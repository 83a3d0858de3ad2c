/** Verifies certificates and their documents (spec/mixnet §3.3 and §3.4). */
import { ed25519Verify } from "#platform";
import { type Bytes, describeType, equalBytes, toHex } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { PkiVerificationError } from "../errors/errors.js";
import {
  type AuthorityInput,
  type AuthorityKey,
  isEd25519,
  readAuthorities,
} from "./authority-keys.js";
import { type Certificate, certificateMessage, decodeCertificate } from "./certificate.js";
import { PkiDocument } from "./document.js";
import type { Geometry } from "./geometry.js";
import { signatureSchemeNames } from "./scheme-names.js";
import { wellFormednessProblems } from "./well-formed.js";

/** An authority whose signature does not count, with the reason. */
export interface RejectedSigner {
  /** One of the trusted authorities. */
  readonly authority: AuthorityKey;
  /**
   * `no signature`, `bad signature` or `unsupported scheme NAME`, with the function that can verify
   * the scheme, if there is one.
   */
  readonly reason: string;
}

/** Who signed a certificate. */
export interface CertificateSigners {
  /** The authorities with valid signatures. */
  readonly signers: readonly AuthorityKey[];
  /** The other trusted authorities, each with its reason. */
  readonly rejected: readonly RejectedSigner[];
  /** How many signatures are required. */
  readonly threshold: number;
}

/** The checks for a certificate. */
export interface CertificateChecks {
  /** The current epoch: the certificate must not have expired. */
  readonly currentEpoch: number;
  /** How many authorities must have signed; by default more than half of them. */
  readonly threshold?: number | undefined;
}

/** The checks for a document. */
export interface DocumentChecks {
  /** The epoch that the document must be for; any by default. */
  readonly epoch?: number | undefined;
  /**
   * The current epoch, for the certificate's expiration. By default it is `epoch`, or without that
   * the document's own epoch, because the wire does not say how long an epoch is.
   */
  readonly currentEpoch?: number | undefined;
  /** How many authorities must have signed; by default more than half of them. */
  readonly threshold?: number | undefined;
  /** The geometry whose hash the document must contain; any by default. */
  readonly geometry?: Geometry | undefined;
  /**
   * Whether the document must follow the rules of spec/mixnet §3.4. True by default: otherwise a
   * majority of authorities could issue a document that breaks its readers.
   */
  readonly wellFormed?: boolean | undefined;
}

/** A document that was verified. */
export interface VerifiedDocument extends CertificateSigners {
  /** Decoded from exactly the bytes that were signed. */
  readonly document: PkiDocument;
  /** The certificate as it arrived, including bad signatures. */
  readonly certificate: Certificate;
}

/**
 * Verifies a certificate. Extra and bad signatures do no harm as long as there are enough good
 * ones. Ed25519 only: `katzenpost-thinclient/join` verifies every scheme.
 * @throws PkiVerificationError with all reasons when it is not genuine; TypeError or RangeError for
 * wrong arguments, including a threshold above the number of authorities.
 */
export function verifyCertificate(
  certificate: Certificate,
  authorities: readonly AuthorityInput[],
  checks: CertificateChecks,
): CertificateSigners {
  checkCertificateChecks(checks);
  return verifySigners(certificate, authorities, checks);
}

/**
 * The checks for a certificate. @internal `currentEpoch` is null while the current epoch is
 * unknown.
 */
export interface KnownChecks {
  readonly currentEpoch: number | null;
  readonly threshold?: number | undefined;
}

function verifySigners(
  certificate: Certificate,
  authorities: readonly AuthorityInput[],
  checks: KnownChecks,
): CertificateSigners {
  const { claims, message, threshold } = readClaims(certificate, authorities, checks);
  const reasons = claims.map(({ authority, signature }) => {
    if (signature === null) return "no signature";
    if (!isEd25519(authority.scheme)) return unsupported(authority.scheme);
    return ed25519Verify(signature, message, authority.publicKey) ? null : "bad signature";
  });
  return countSigners(claims, reasons, threshold);
}

/** The reason why a scheme is not verified here, and the function that verifies it, if any. */
function unsupported(scheme: string): string {
  const reason = `unsupported scheme ${scheme}`;
  const isElsewhere = signatureSchemeNames.some(
    (name) => name.toLowerCase() === scheme.toLowerCase(),
  );
  if (!isElsewhere) return reason;
  return `${reason}: verify with verifyPkiDocumentWith of katzenpost-thinclient/join`;
}

/** A signature that an authority may have made. */
interface Claim {
  readonly authority: AuthorityKey;
  /** Null if the certificate does not contain one. */
  readonly signature: Bytes | null;
}

/**
 * The signatures to verify; everything else is already checked.
 * @internal For `verifyCertificateWith`.
 */
export function readClaims(
  certificate: Certificate,
  authorities: readonly AuthorityInput[],
  checks: KnownChecks,
): { readonly claims: readonly Claim[]; readonly message: Bytes; readonly threshold: number } {
  const keys = readAuthorities(authorities);
  const threshold = checks.threshold ?? Math.floor(keys.length / 2) + 1;
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > authorities.length) {
    throw new RangeError(
      `\`threshold\` must be 1 to ${authorities.length} authorities, got ${threshold}`,
    );
  }
  const problems = certificateProblems(certificate, checks.currentEpoch);
  if (problems.length > 0) throw new PkiVerificationError(problems);
  const bySigner = new Map<string, Bytes>();
  for (const { publicKeySum256, payload } of certificate.signatures) {
    const signer = toHex(publicKeySum256);
    if (!bySigner.has(signer)) bySigner.set(signer, payload);
  }
  const claims = keys.map((authority) => ({
    authority,
    signature: bySigner.get(toHex(authority.hash)) ?? null,
  }));
  return { claims, message: certificateMessage(certificate), threshold };
}

/**
 * The signers, once the reason to reject each claim (null for none) is known.
 * @internal For `verifyCertificateWith`.
 * @throws PkiVerificationError when there are too few.
 */
export function countSigners(
  claims: readonly Claim[],
  reasons: readonly (string | null)[],
  threshold: number,
): CertificateSigners {
  const signers: AuthorityKey[] = [];
  const rejected: RejectedSigner[] = [];
  for (const [i, { authority }] of claims.entries()) {
    const reason = reasons[i]!;
    if (reason === null) signers.push(authority);
    else rejected.push({ authority, reason });
  }
  if (signers.length < threshold) {
    throw new PkiVerificationError([
      `${signers.length} of ${claims.length} authorities signed, ${threshold} are needed`,
      ...rejected.map(({ authority, reason }) => `${authority.identifier}: ${reason}`),
    ]);
  }
  return { signers, rejected, threshold };
}

/**
 * Checks the options of `verifyCertificate`.
 * @internal For `verifyCertificateWith`.
 * @throws TypeError, RangeError naming what is wrong.
 */
export function checkCertificateChecks(checks: CertificateChecks): void {
  checkOptions("checks", checks, ["currentEpoch", "threshold"]);
  checkEpoch("checks.currentEpoch", checks.currentEpoch);
}

/**
 * @throws TypeError, RangeError when `value` is not an epoch, because a check against it would
 * never fail.
 */
function checkEpoch(name: string, value: unknown): void {
  if (typeof value !== "number") {
    throw new TypeError(`\`${name}\` must be an epoch's number, got ${describeType(value)}`);
  }
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new RangeError(`\`${name}\` must be an integer of at least 0, got ${value}`);
}

function checkDocumentChecks(checks: DocumentChecks): void {
  const known = ["epoch", "currentEpoch", "threshold", "geometry", "wellFormed"];
  checkOptions("checks", checks, known);
  const { epoch, currentEpoch, geometry, wellFormed } = checks;
  if (epoch !== undefined) checkEpoch("checks.epoch", epoch);
  if (currentEpoch !== undefined) checkEpoch("checks.currentEpoch", currentEpoch);
  if (geometry !== undefined && typeof (geometry as Geometry | null)?.hash !== "function") {
    throw new TypeError(`\`checks.geometry\` must be a Geometry, got ${describeType(geometry)}`);
  }
  if (wellFormed !== undefined && typeof wellFormed !== "boolean") {
    const got = describeType(wellFormed);
    throw new TypeError(`\`checks.wellFormed\` must be true or false, got ${got}`);
  }
}

function certificateProblems(certificate: Certificate, currentEpoch: number | null): string[] {
  const problems: string[] = [];
  if (certificate.version !== 0) problems.push(`certificate version ${certificate.version}`);
  if (currentEpoch !== null && currentEpoch >= certificate.expiration) {
    problems.push(
      `expired in epoch ${certificate.expiration}, the current epoch is ${currentEpoch}`,
    );
  }
  if (certificate.keyType === "") problems.push("certificate without a key type");
  if (certificate.certified.length === 0) problems.push("certificate without a document");
  return problems;
}

/**
 * Verifies a signed consensus from `getPkiDocumentRaw`, and decodes its document. It uses exactly
 * the signed bytes and never encodes them again. Ed25519 only: `verifyPkiDocumentWith` of
 * `katzenpost-thinclient/join` verifies every scheme.
 * @throws PkiVerificationError when it is not genuine, for another epoch, expired, for another
 * geometry, or not well-formed; ProtocolError when it cannot be decoded; TypeError or RangeError
 * for wrong arguments.
 */
export function verifyPkiDocument(
  raw: Uint8Array,
  authorities: readonly AuthorityInput[],
  checks: DocumentChecks = {},
): VerifiedDocument {
  const known = certificateChecks(checks);
  const certificate = decodeCertificate(raw);
  const signed = verifySigners(certificate, authorities, known);
  return readVerified(certificate, signed, checks);
}

/**
 * The checks for a document's certificate.
 * @internal For `verifyPkiDocumentWith`.
 * @throws TypeError, RangeError for invalid options.
 */
export function certificateChecks(checks: DocumentChecks): KnownChecks {
  checkDocumentChecks(checks);
  // If the current epoch is unknown, expiration is checked once the document is decoded.
  const currentEpoch = checks.currentEpoch ?? checks.epoch ?? null;
  return { currentEpoch, threshold: checks.threshold };
}

/**
 * Returns the document of a certificate whose signatures are good.
 * @internal For `verifyPkiDocumentWith`.
 * @throws PkiVerificationError when it does not pass `checks`; ProtocolError when it cannot be
 * decoded.
 */
export function readVerified(
  certificate: Certificate,
  signed: CertificateSigners,
  checks: DocumentChecks,
): VerifiedDocument {
  const document = PkiDocument.decode(certificate.certified);
  const problems: string[] = [];
  // If the current epoch is unknown, the document's own epoch is used, after its signatures were
  // checked.
  if (checks.currentEpoch === undefined && checks.epoch === undefined) {
    problems.push(...certificateProblems(certificate, document.epoch));
  }
  if (checks.epoch !== undefined && document.epoch !== checks.epoch) {
    problems.push(`document of epoch ${document.epoch}, wanted ${checks.epoch}`);
  }
  if (checks.geometry && !equalBytes(document.sphinxGeometryHash, checks.geometry.hash())) {
    problems.push("document of another Sphinx geometry");
  }
  if (checks.wellFormed ?? true) problems.push(...wellFormednessProblems(document));
  if (problems.length > 0) throw new PkiVerificationError(problems);
  return { document, certificate, ...signed };
}
