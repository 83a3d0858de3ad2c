/** Reading the messages of a channel in tests. */
import { utf8ToText } from "../../src/bytes/bytes.js";
import type { Message, Reader } from "../../src/channels/index.js";

/** The next `count` messages, or those from an id on; acknowledges the last one. */
export async function take(reader: Reader, count: number, from?: bigint): Promise<Message[]> {
  const messages: Message[] = [];
  if (count === 0) return messages;
  for await (const message of reader.messages({ from })) {
    messages.push(message);
    if (messages.length === count) {
      await message.ack();
      break;
    }
  }
  return messages;
}

/** The messages as text. */
export const texts = (messages: readonly Message[]): string[] =>
  messages.map(({ bytes }) => utf8ToText(bytes));
