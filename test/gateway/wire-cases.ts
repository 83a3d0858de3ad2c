/** Wire commands in the form of the vector files. */
import type { WireCommand } from "../../src/gateway/commands.js";
import { hex } from "../reference/load-vectors.js";

/** A command in a vector file; bytes are in hex. */
export interface WireCommandVector {
  readonly type: WireCommand["type"];
  readonly [field: string]: string | number;
}

/** The command that a vector describes. */
export function commandFrom(v: WireCommandVector): WireCommand {
  const bytes = (field: string) => hex(v[field] as string);
  const number = (field: string) => v[field] as number;
  switch (v.type) {
    case "NoOp":
    case "Disconnect":
      return { type: v.type };
    case "SendPacket":
    case "SendRetrievePacket":
      return { type: v.type, sphinxPacket: bytes("sphinxPacket") };
    case "SendRetrievePacketReply":
      return { type: v.type, surbId: bytes("surbID"), payload: bytes("payload") };
    case "MessageDelivered":
    case "RetrieveMessage":
      return { type: v.type, sequence: number("sequence") };
    case "Message":
      return {
        type: v.type,
        sequence: number("sequence"),
        surbId: bytes("surbID"),
        ciphertext: bytes("payload"),
      };
    case "GetConsensus":
    case "GetConsensus2":
      // The number stays exact: one of the epochs is larger than 2^53.
      return { type: v.type, epoch: BigInt(v["epoch"] as number) };
    case "Consensus":
      return { type: v.type, errorCode: number("errorCode"), payload: bytes("payload") };
    case "Consensus2":
      return {
        type: v.type,
        errorCode: number("errorCode"),
        chunkNumber: number("chunkNum"),
        chunkTotal: number("chunkTotal"),
        chunk: bytes("payload"),
      };
  }
}
