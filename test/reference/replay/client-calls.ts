/** The public call of our client for a recorded request. */
import type { ThinClient } from "../../../src/client/thin-client.js";
import type { CborMap, CborValue } from "../../../src/cbor/cbor.js";

/** Fields of a recorded request under our names; null and absent ones are omitted. */
type Fields = Readonly<Record<string, never>>;

function camel(key: string): string {
  const name = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return name === "surbid" ? "surbId" : name;
}

/** A map from the wire as an object with our names; null counts as absent. */
export function camelFields(map: CborMap): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of map) {
    if (value !== null && value !== undefined) result[camel(String(key))] = ours(value);
  }
  return result;
}

function ours(value: CborValue): unknown {
  if (Array.isArray(value)) return value.map(ours);
  return value instanceof Map ? camelFields(value) : value;
}

/** The one of the two flags that belongs to the capability; the type does not allow the other. */
function resendRequest(fields: Fields): never {
  const { noRetryOnBoxIdNotFound, noIdempotentBoxAlreadyExists, queryId: _, ...rest } = fields;
  const flags = {
    ...("readCap" in fields ? { noRetryOnBoxIdNotFound } : {}),
    ...("writeCap" in fields ? { noIdempotentBoxAlreadyExists } : {}),
  };
  return { ...rest, ...flags } as never;
}

function without(fields: Fields): never {
  const { queryId: _, ...rest } = fields;
  return rest as never;
}

type Call = (client: ThinClient, fields: Fields) => Promise<unknown>;

const calls: Readonly<Record<string, Call>> = {
  send_message: (client, f) =>
    f["withSurb"]
      ? client.sendMessage(
          f["surbId"]!,
          f["payload"]!,
          f["destinationIdHash"]!,
          f["recipientQueueId"]!,
        )
      : client.sendMessageWithoutReply(
          f["payload"]!,
          f["destinationIdHash"]!,
          f["recipientQueueId"]!,
        ),
  new_keypair: (client, f) => client.newKeypair(f["seed"]!),
  encrypt_read: (client, f) => client.encryptRead(f["readCap"]!, f["messageBoxIndex"]!),
  encrypt_write: (client, f) =>
    client.encryptWrite(f["plaintext"]!, f["writeCap"]!, f["messageBoxIndex"]!),
  start_resending_encrypted_message: (client, f) =>
    client.startResendingEncryptedMessage(resendRequest(f)),
  cancel_resending_encrypted_message: (client, f) =>
    client.cancelResendingEncryptedMessage(f["envelopeHash"]!),
  cancel_resending_copy_command: (client, f) =>
    client.cancelResendingCopyCommand(f["writeCapHash"]!),
  next_message_box_index: async (client, f) => ({
    nextMessageBoxIndex: await client.nextMessageBoxIndex(f["messageBoxIndex"]!),
  }),
  get_message_box_index_counter: async (client, f) => ({
    counter: await client.getMessageBoxIndexCounter(f["messageBoxIndex"]!),
  }),
  start_resending_copy_command: (client, f) => client.startResendingCopyCommand(f["writeCap"]!),
  create_courier_envelopes_from_payload: (client, f) =>
    client.createCourierEnvelopesFromPayload(without(f)),
  create_courier_envelopes_from_multi_payload: (client, f) =>
    client.createCourierEnvelopesFromMultiPayload(without(f)),
  create_courier_envelopes_from_tombstone_range: (client, f) =>
    client.createCourierEnvelopesFromTombstoneRange(without(f)),
  get_pki_document: (client, f) => client.getPkiDocumentRaw(f["epoch"]),
  get_directory_authorities: async (client) => ({
    authorities: await client.getDirectoryAuthorities(),
  }),
  voucher_mint: (client, f) => client.voucherMint(f["messageWriteCap"]!, f["displayName"]!),
  voucher_induct: (client, f) =>
    client.voucherInduct(f["voucher"]!, f["voucherPayload"]!, f["whoReply"]!),
  voucher_open: (client, f) =>
    client.voucherOpen(f["voucherSecretKey"]!, f["sealedReply"]!, f["messageWriteCap"]!),
  voucher_derive_stream: (client, f) => client.voucherDeriveStream(f["voucher"]!),
  thin_close: (client) => client.stop(),
};

/** Makes the call. */
export function callFor(client: ThinClient, kind: string, request: CborMap): Promise<unknown> {
  const call = calls[kind];
  if (!call) throw new Error(`no call for ${kind}`);
  return call(client, camelFields(request) as Fields);
}
