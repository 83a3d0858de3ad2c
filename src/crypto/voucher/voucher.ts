/**
 * Contact vouchers: 32 bytes with which a newcomer joins (spec/pigeonhole §10).
 *
 * The newcomer mints a voucher, publishes its payload in the first box of the voucher's stream, and
 * hands the 32 bytes to a member. The member checks the payload and seals a reply, which goes into
 * the second box. The newcomer opens it. Both then use the newcomer's message stream, mutated by
 * the salt in the reply. This file only computes; the caller reads and writes the boxes.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { ed25519Verify } from "#platform";
import {
  type Bytes,
  type RandomSource,
  checkBytes,
  copyBytes,
  equalBytes,
  randomBytes,
} from "../../bytes/bytes.js";
import type { ReadCap, WriteCap } from "../../bytes/opaque.js";
import {
  ProtocolError,
  VoucherHashMismatchError,
  VoucherSealOpenFailedError,
  VoucherSignatureInvalidError,
} from "../../errors/errors.js";
import {
  type Keypair,
  generateKeypair,
  mutateCap,
  parseReadCap,
  parseWriteCap,
  readCapOf,
  rootPrivateKeyOf,
  rootPublicKeyOf,
} from "../../bacap/capabilities.js";
import { hash256 } from "../../bytes/hash.js";
import { decodeMkemCiphertext, encodeMkemCiphertext } from "../mkem/cbor.js";
import { mkemDecapsulate, mkemEncapsulate } from "../mkem/mkem.js";
import type { NikeScheme } from "../nike/scheme.js";
import { shake256Random } from "../../bacap/seeded-random.js";
import {
  VOUCHER_SALT_LENGTH,
  type PleaseAdd,
  decodePleaseAdd,
  decodeSignedPleaseAdd,
  decodeVoucherPayload,
  decodeVoucherReply,
  encodePleaseAdd,
  encodeSignedPleaseAdd,
  encodeVoucherPayload,
  encodeVoucherReply,
  pleaseAddReadCap,
} from "./voucher-messages.js";

/** Length of a voucher in bytes. */
const VOUCHER_LENGTH = 32;

/** The result of minting. */
export interface MintedVoucher {
  /** 32 bytes to hand to a member. Anyone who has them can read and write the voucher's stream. */
  readonly voucher: Bytes;
  /** Publish it in the first box of the voucher's stream. */
  readonly voucherPayload: Bytes;
  /** Keys of the voucher's stream. */
  readonly stream: Keypair;
  /** NIKE private key that opens the reply. Secret; keep it. */
  readonly voucherSecretKey: Bytes;
  /** NIKE public key in the payload. */
  readonly voucherPublicKey: Bytes;
}

/** The result of an induction. */
export interface Induction {
  /** The newcomer's name. Text from a stranger. */
  readonly displayName: string;
  /** Reads the newcomer's messages: already mutated by the salt. */
  readonly messageReadCap: ReadCap;
  /** Write it into the second box of the voucher's stream. */
  readonly sealedReply: Bytes;
  /** Keys of the voucher's stream. */
  readonly stream: Keypair;
  /** The salt that mutated the message stream: 32 bytes. */
  readonly salt: Bytes;
}

/** The opened reply. */
export interface OpenedVoucherReply {
  /** The member application's message about the group; opaque here. */
  readonly whoReply: Bytes;
  /** Writes messages from now on: the message WriteCap mutated by the salt. */
  readonly messageWriteCap: WriteCap;
  /** The salt: 32 bytes. */
  readonly salt: Bytes;
}

/**
 * Derives the keys of a voucher's stream. It is fast and does not need CTIDH.
 * @throws TypeError, RangeError unless `voucher` is 32 bytes.
 */
export function voucherStream(voucher: Uint8Array): Keypair {
  checkBytes("voucher", voucher, VOUCHER_LENGTH);
  return generateKeypair(shake256Random(voucher));
}

/**
 * Makes a voucher for the newcomer who owns `messageWriteCap`.
 * @param request.scheme the hybrid CTIDH1024-X25519.
 * @param request.random draws the reply key pair.
 * @throws (rejects) TypeError, RangeError for a malformed capability or name.
 */
export async function mintVoucher(request: {
  readonly scheme: NikeScheme;
  readonly messageWriteCap: WriteCap;
  readonly displayName: string;
  readonly random?: RandomSource | undefined;
}): Promise<MintedVoucher> {
  const { scheme, displayName, random = randomBytes } = request;
  if (typeof displayName !== "string") throw new TypeError("`displayName` must be a string");
  const writeCap = parseWriteCap(request.messageWriteCap);
  const { publicKey, privateKey } = await scheme.generate(random);
  const pleaseAdd = encodePleaseAdd({ displayName, messageReadCap: readCapOf(writeCap) });
  const rootSeed = rootPrivateKeyOf(writeCap).subarray(0, 32);
  const signature = ed25519.sign(pleaseAdd, rootSeed) as Bytes;
  const voucherPayload = encodeVoucherPayload({
    voucherPublicKey: publicKey,
    signedPleaseAdd: encodeSignedPleaseAdd({ pleaseAdd, signature }),
  });
  const voucher = hash256(voucherPayload);
  return {
    voucher,
    voucherPayload,
    stream: voucherStream(voucher),
    voucherSecretKey: privateKey,
    voucherPublicKey: publicKey,
  };
}

/** Returns the payload's contents after checking its hash and its signature. */
function checkPayload(
  scheme: NikeScheme,
  voucher: Uint8Array,
  voucherPayload: Uint8Array,
): { voucherPublicKey: Bytes; pleaseAdd: PleaseAdd } {
  if (!equalBytes(hash256(voucherPayload), voucher)) throw new VoucherHashMismatchError();
  const payload = decodeVoucherPayload(voucherPayload, scheme.publicKeyLength);
  const signed = decodeSignedPleaseAdd(payload.signedPleaseAdd);
  const signer = rootPublicKeyOf(pleaseAddReadCap(signed.pleaseAdd));
  if (!ed25519Verify(signed.signature, signed.pleaseAdd, signer)) {
    throw new VoucherSignatureInvalidError();
  }
  const pleaseAdd = decodePleaseAdd(signed.pleaseAdd);
  return { voucherPublicKey: payload.voucherPublicKey, pleaseAdd };
}

/**
 * Checks the payload of a voucher and makes the reply.
 * @param request.whoReply the application's message to the newcomer, opaque here.
 * @param request.salt 32 bytes; by default the first that are drawn from `random`.
 * @param request.random then draws what sealing needs.
 * @throws (rejects) VoucherHashMismatchError, VoucherSignatureInvalidError; ProtocolError when the
 * payload is malformed, or a key in it is; TypeError, RangeError for wrong lengths.
 */
export async function inductVoucher(request: {
  readonly scheme: NikeScheme;
  readonly voucher: Uint8Array;
  readonly voucherPayload: Uint8Array;
  readonly whoReply: Uint8Array;
  readonly salt?: Uint8Array | undefined;
  readonly random?: RandomSource | undefined;
}): Promise<Induction> {
  const { scheme, voucher, voucherPayload, whoReply, random = randomBytes } = request;
  checkBytes("voucher", voucher, VOUCHER_LENGTH);
  checkBytes("voucherPayload", voucherPayload);
  checkBytes("whoReply", whoReply);
  const salt = copySalt(request.salt ?? random(VOUCHER_SALT_LENGTH));
  const { voucherPublicKey, pleaseAdd } = checkPayload(scheme, voucher, voucherPayload);
  const reply = encodeVoucherReply({ whoReply: copyBytes(whoReply), voucherSalt: salt });
  const [messageReadCap, sealed] = await fromStranger(async () => {
    return [
      mutateCap(parseReadCap(pleaseAdd.messageReadCap), salt),
      await mkemEncapsulate(scheme, [voucherPublicKey], reply, random),
    ] as const;
  });
  return {
    displayName: pleaseAdd.displayName,
    messageReadCap,
    sealedReply: encodeMkemCiphertext(sealed),
    stream: voucherStream(voucher),
    salt,
  };
}

function copySalt(salt: Uint8Array): Bytes {
  checkBytes("salt", salt, VOUCHER_SALT_LENGTH);
  return copyBytes(salt);
}

/** Turns errors about keys, which come from a stranger here, into ProtocolErrors. */
async function fromStranger<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProtocolError(`voucher payload: ${error.message}`, { cause: error });
  }
}

/**
 * Opens the reply to a voucher.
 * @param request.voucherSecretKey from {@link mintVoucher}.
 * @param request.messageWriteCap the capability that the voucher was minted for.
 * @throws (rejects) VoucherSealOpenFailedError when the reply is malformed or not for this key;
 * TypeError, RangeError for a malformed key or capability.
 */
export async function openVoucherReply(request: {
  readonly scheme: NikeScheme;
  readonly voucherSecretKey: Uint8Array;
  readonly sealedReply: Uint8Array;
  readonly messageWriteCap: WriteCap;
}): Promise<OpenedVoucherReply> {
  const { scheme, voucherSecretKey, sealedReply } = request;
  checkBytes("voucherSecretKey", voucherSecretKey, scheme.privateKeyLength);
  checkBytes("sealedReply", sealedReply);
  const writeCap = parseWriteCap(request.messageWriteCap);
  try {
    const sealed = decodeMkemCiphertext(scheme, sealedReply);
    const { payload } = await mkemDecapsulate(scheme, voucherSecretKey, sealed);
    const { whoReply, voucherSalt } = decodeVoucherReply(payload);
    return { whoReply, messageWriteCap: mutateCap(writeCap, voucherSalt), salt: voucherSalt };
  } catch (cause) {
    throw new VoucherSealOpenFailedError(undefined, { cause });
  }
}
