/** `katz channel send`: one message. */
import { type StoreFlags, withChannels, writerNamed } from "../../channel-store.js";
import type { ClientFlags } from "../../connect.js";
import { LastingWait } from "../../lasting-wait.js";
import { readPayload } from "../../payload.js";
import { prepare } from "../../prepare.js";
import { counted } from "../../text.js";

/** Flags of the command. */
export interface SendFlags extends ClientFlags, StoreFlags {
  /** Whether the disk is enough. */
  readonly queue: boolean;
}

/** The longest message that channels take, unless they are opened otherwise: 16 MiB. */
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
    wait.begin(`no contact ${JSON.stringify(name)} yet: the voucher was not answered in time`);
    const writer = await writerNamed(channels, name, wait.signal);
    const delivery = await writer.send(new Uint8Array(message));
    const { id } = delivery;
    if (!flags.queue) {
      output.status("waiting until the message is stored …");
      wait.begin("the message was not stored in time; it stays in the outbox and is sent later");
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
