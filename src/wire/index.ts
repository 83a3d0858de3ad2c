/** The wire protocol, for programs that implement a daemon, a proxy, or their own client. */
export {
  type CborKey,
  type CborMap,
  type CborValue,
  type Encodable,
  CborBudget,
  MAX_CBOR_CONTAINER,
  MAX_CBOR_DEPTH,
  MAX_CBOR_ITEMS,
  decodeCbor,
  encodeCbor,
} from "../cbor/cbor.js";
export { FrameDecoder, LENGTH_PREFIX_SIZE, MAX_MESSAGE_SIZE, encodeFrame } from "./framing.js";
export {
  type DaemonRequest,
  type RequestFields,
  type RequestKind,
  decodeRequest,
  encodeRequest,
} from "./requests.js";
export {
  type AuthorityRecord,
  type DaemonResponse,
  type MalformedReply,
  type ResponseFields,
  type ResponseKind,
  decodeResponse,
  encodeResponse,
} from "./responses.js";
