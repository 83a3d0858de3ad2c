/** `katz channel send`: sends one message. */
import { type StoreFlags, withChannels, writerNamed } from "../../channel-store.js";
import type { ClientFlags } from "../../connect.js";
import { LastingWait } from "../../lasting-wait.js";
import { readPayload } from "../../payload.js";
import { prepare } from "../../prepare.js";
import { counted } from "../../text.js";

/** Flags of the command. */
export interface SendFlags extends ClientFlags, StoreFlags {
  /** Whether to exit when the message is on disk. */
  readonly queue: boolean;
}

/** The default limit of a channel's messages: 16 MiB. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Sends a message, and waits until the replicas have it. */
export async function send(flags: SendFlags, name: string, file = "-"): Promise<void> {
  const job = await prepare(flags, async ({ signal, output }) => {
    if (file === "-" && process.stdin.isTTY) output.remark("message, then Ctrl-D:");
    return { message: await readPayload(file, MAX_MESSAGE_BYTES, signal) };
  });
  if (!job) return;
  const { message } = job;
  await withChannels(flags, async ({ output, signal }, channels) => {
    using wait = new LastingWait(signal, flags.timeout);
    wait.begin(
      `the contact ${JSON.stringify(name)} is not ready: the voucher was not answered in time`,
    );
    const writer = await writerNamed(channels, name, wait.signal);
    const delivery = await writer.send(new Uint8Array(message));
    const { id } = delivery;
    if (!flags.queue) {
      output.status("waiting until the message is stored …");
      wait.begin(
        "the message was not stored in time; it stays in the outbox and will be sent later",
      );
      try {
        await wait.of(delivery.stored);
      } finally {
        output.clearStatus();
        if (delivery.state !== "stored" && delivery.state !== "failed") {
          output.remark("the message is in the outbox: the next command on this store sends it");
        }
      }
    }
    output.record({ type: "delivery", id, bytes: message.length, state: delivery.state });
    output.remark(
      `${flags.queue ? "queued" : "sent"} ${counted(message.length, "byte")} as message ${id}`,
    );
  });
}
