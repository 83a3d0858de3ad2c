/** `katz watch`: prints the daemon's events as they arrive. */
import type { ClientEvent, ThinClient } from "katzenpost-thinclient";
import { type ClientFlags, withClient } from "../../connect.js";
import { messageOf } from "../../failure.js";
import type { JsonRecord } from "../../output.js";
import { RECONNECT } from "../../reconnects.js";

/** Flags of the command. */
export interface WatchFlags extends ClientFlags {
  /** Ends after this many events. */
  readonly count?: number;
}

/** Prints events until the count is reached or Ctrl-C; reconnects if the daemon goes away. */
export function watch(flags: WatchFlags): Promise<void> {
  let events: ReturnType<ThinClient["events"]> | null = null;
  return withClient(
    flags,
    async ({ output, signal }) => {
      let seen = 0;
      for await (const event of events!) {
        const { text, fields } = describe(event);
        const time = new Date();
        const clock = time.toTimeString().slice(0, 8);
        output.result(
          `${output.style("dim", clock)}  ${event.type.padEnd(18)}  ${text}`.trimEnd(),
          {
            type: "event",
            event: event.type,
            time,
            ...fields,
          },
        );
        if (++seen === flags.count) return;
      }
      signal.throwIfAborted();
    },
    {
      online: false,
      revealsNothing: true,
      reconnect: RECONNECT,
      prepare: (client, signal) => {
        events = client.events({ signal });
      },
    },
  );
}

type Fields = Omit<JsonRecord, "type">;

/** An event as text and as fields: the length of a message, never its contents. */
function describe(event: ClientEvent): { text: string; fields: Fields } {
  switch (event.type) {
    case "connectionStatus": {
      const { isConnected, err, instanceToken } = event;
      const text = isConnected ? "connected to the mixnet" : `not connected: ${err || "no reason"}`;
      return { text, fields: { isConnected, err, instanceToken } };
    }
    case "newPkiDocument": {
      const epoch = event.document?.epoch ?? null;
      return { text: epoch === null ? "none yet" : `epoch ${epoch}`, fields: { epoch } };
    }
    case "messageSent": {
      const { surbId, sentAt, replyEtaMs, err } = event;
      const text = err || `reply expected in ${replyEtaMs} ms`;
      return { text, fields: { surbId, sentAt, replyEtaMs, err } };
    }
    case "messageReply": {
      const { surbId, payload, errorCode } = event;
      const fields = { surbId, payloadLength: payload.length, errorCode };
      return { text: `${payload.length} bytes, code ${errorCode}`, fields };
    }
    case "messageIdGarbageCollected":
      return { text: "a reply was given up", fields: { messageId: event.messageId } };
    case "daemonDisconnected": {
      const { isGraceful } = event;
      const error = event.error && messageOf(event.error);
      const text = isGraceful ? "the daemon said goodbye" : (error ?? "connection lost");
      return { text, fields: { isGraceful, error } };
    }
    case "reconnected": {
      const { resumed, newInstance } = event;
      const text = `${resumed ? "session resumed" : "new session"}, ${newInstance ? "another" : "the same"} daemon process`;
      return { text, fields: { resumed, newInstance } };
    }
    case "handlerError":
      return { text: messageOf(event.error), fields: { error: messageOf(event.error) } };
    case "closed": {
      const { reason } = event;
      const error = event.error && messageOf(event.error);
      return { text: error ?? reason, fields: { reason, error } };
    }
    case "shutdown":
      return { text: "the daemon is about to exit", fields: {} };
  }
}
