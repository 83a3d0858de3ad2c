/** A daemon that is wrong on purpose: messages of a correct one are changed in transit. */
import { memoryPair } from "../../src/transport/memory.js";
import type { Transport } from "../../src/transport/transport.js";
import { FrameDecoder, encodeFrame } from "../../src/wire/framing.js";
import { type DaemonRequest, decodeRequest } from "../../src/wire/requests.js";
import { type DaemonResponse, decodeResponse, encodeResponse } from "../../src/wire/responses.js";

/** The changes to the messages of one connection. */
export interface Tampering {
  /** The responses that the client receives in place of one: any number of them, or a hang-up. */
  toClient?(response: DaemonResponse): readonly DaemonResponse[] | "hang up";
  /** What happens to a request: it is passed on, swallowed, or answered with a hang-up. */
  toDaemon?(request: DaemonRequest | null): "pass" | "swallow" | "hang up";
}

/** Dials the daemon of `dial` through a tampering that is created anew for each connection. */
export function tampered(
  dial: () => Promise<Transport>,
  make: () => Tampering,
): () => Promise<Transport> {
  return async () => {
    const [ours, theirs] = memoryPair();
    const inner = await dial();
    const tampering = make();
    const fromDaemon = new FrameDecoder();
    const fromClient = new FrameDecoder();
    inner.open({
      onData: (chunk) =>
        fromDaemon.push(chunk, (body) => {
          const response = decodeResponse(body) as DaemonResponse;
          const told = tampering.toClient?.(response) ?? [response];
          if (told === "hang up") ours.end();
          else for (const one of told) ours.write(encodeFrame(encodeResponse(one)));
        }),
      onClose: () => ours.end(),
    });
    ours.open({
      onData: (chunk) => {
        if (!tampering.toDaemon) {
          inner.write(chunk.slice());
          return;
        }
        const raw = chunk.slice();
        let verdict: ReturnType<NonNullable<Tampering["toDaemon"]>> = "pass";
        try {
          fromClient.push(chunk, (body) => {
            const decided = tampering.toDaemon!(decodeRequest(body));
            if (decided !== "pass") verdict = decided;
          });
        } catch {
          verdict = tampering.toDaemon(null);
        }
        if (verdict === "pass") inner.write(raw);
        else if (verdict === "hang up") ours.end();
      },
      onClose: () => inner.destroy(),
    });
    return theirs;
  };
}
