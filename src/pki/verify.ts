/** Verifying certificates and the documents in them. spec/mixnet §3.3 and §3.4. */
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

/** An authority whose signature does not count, and why. */
export interface RejectedSigner {
  /** One of those that were to be trusted. */
  readonly authority: AuthorityKey;
  /**
   * `no signature`, `bad signature` or `unsupported scheme NAME`, with the function that verifies
   * the scheme if there is one.
   */
  readonly reason: string;
}

/** Who signed a certificate. */
export interface CertificateSigners {
  /** The authorities whose signatures verify. */
  readonly signers: readonly AuthorityKey[];
  /** The others that were given, each with its reason. */
  readonly rejected: readonly RejectedSigner[];
  /** How many signatures were asked for. */
  readonly threshold: number;
}

/** What a certificate is verified against. */
export interface CertificateChecks {
  /** The epoch that it is now: the certificate must not have expired by then. */
  readonly currentEpoch: number;
  /** How many authorities must have signed; more than half of them unless given. */
  readonly threshold?: number | undefined;
}

/** What a document is verified against. */
export interface DocumentChecks {
  /** The epoch that the document must be for; left out, any. */
  readonly epoch?: number | undefined;
  /**
   * The epoch that it is now, for the certificate's expiration; `epoch` unless given, and without
   * that the document's own: nothing on the wire tells how long an epoch is.
   */
  readonly currentEpoch?: number | undefined;
  /** How many authorities must have signed; more than half of them unless given. */
  readonly threshold?: number | undefined;
  /** The geometry whose hash the document must name; left out, any. */
  readonly geometry?: Geometry | undefined;
  /**
   * Whether the document must keep the rules of spec/mixnet §3.4. True unless given: a majority of
   * authorities could otherwise hand out a document that breaks its readers.
   */
  readonly wellFormed?: boolean | undefined;
}

/** A document that was found to be genuine. */
export interface VerifiedDocument extends CertificateSigners {
  /** Decoded from the very bytes that were signed. */
  readonly document: PkiDocument;
  /** The certificate as it came, bad signatures included. */
  readonly certificate: Certificate;
}

/**
 * Verifies a certificate. Extra and bad signatures do no harm as long as enough good ones are
 * there. Ed25519 only: `katzenpost-thinclient/join` has verification under every scheme.
 * @throws PkiVerificationError listing every reason when it is not genuine; TypeError or RangeError
 * on wrong arguments, a threshold above the number of authorities among them.
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
 * What a certificate is checked against. @internal `currentEpoch` is null when it is not known yet
 * which epoch it is.
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

/** Why a scheme is not verified here, and where it is, if anywhere. */
function unsupported(scheme: string): string {
  const reason = `unsupported scheme ${scheme}`;
  const isElsewhere = signatureSchemeNames.some(
    (name) => name.toLowerCase() === scheme.toLowerCase(),
  );
  if (!isElsewhere) return reason;
  return `${reason}: verify with verifyPkiDocumentWith of katzenpost-thinclient/join`;
}

/** What an authority is said to have signed. */
interface Claim {
  readonly authority: AuthorityKey;
  /** Null when the certificate has none of it. */
  readonly signature: Bytes | null;
}

/**
 * What there is to verify: everything is checked but the signatures themselves.
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
 * Who signed, when each claim's reason to be rejected (null for none) is known.
 * @internal For `verifyCertificateWith`.
 * @throws PkiVerificationError when they are too few.
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
      `${signers.length} of ${claims.length} authorities signed, ${threshold} must`,
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

/** @throws TypeError, RangeError when `value` is not an epoch: a check against it would never fail. */
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
    problems.push(`expired in epoch ${certificate.expiration}, it is ${currentEpoch}`);
  }
  if (certificate.keyType === "") problems.push("certificate without a key type");
  if (certificate.certified.length === 0) problems.push("certificate of nothing");
  return problems;
}

/**
 * Verifies a signed consensus, as `getPkiDocumentRaw` returns it, and decodes the document in it.
 * The bytes that were signed are taken as they are, never encoded again. Ed25519 only:
 * `verifyPkiDocumentWith` of `katzenpost-thinclient/join` verifies under every scheme.
 * @throws PkiVerificationError when it is not genuine, not for the epoch asked, expired, of another
 * geometry, or not well-formed; ProtocolError when it cannot be decoded; TypeError or RangeError on
 * wrong arguments.
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
 * What a certificate is checked against when its document is.
 * @internal For `verifyPkiDocumentWith`.
 * @throws TypeError, RangeError for invalid options.
 */
export function certificateChecks(checks: DocumentChecks): KnownChecks {
  checkDocumentChecks(checks);
  // Without a clock to go by, expiration is looked at when the document is known.
  const currentEpoch = checks.currentEpoch ?? checks.epoch ?? null;
  return { currentEpoch, threshold: checks.threshold };
}

/**
 * The document in a certificate whose signatures are good.
 * @internal For `verifyPkiDocumentWith`.
 * @throws PkiVerificationError when it is not what `checks` ask for; ProtocolError when it cannot
 * be decoded.
 */
export function readVerified(
  certificate: Certificate,
  signed: CertificateSigners,
  checks: DocumentChecks,
): VerifiedDocument {
  const document = PkiDocument.decode(certificate.certified);
  const problems: string[] = [];
  // Without a clock to go by, the document's own epoch is asked for once its signatures are good.
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
