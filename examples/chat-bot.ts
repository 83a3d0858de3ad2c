/** A bot that reads a stream of boxes and answers each line into a stream of its own. */
import {
  type MessageBoxIndex,
  type ReadCap,
  type ThinClient,
  type WriteCap,
  isExpectedOutcome,
  utf8ToText,
} from "katzenpost-thinclient";

// #region bot
/** What the bot reads from and writes to. */
export interface Conversation {
  readonly inbox: { readonly readCap: ReadCap; readonly index: MessageBoxIndex };
  readonly outbox: { readonly writeCap: WriteCap; readonly index: MessageBoxIndex };
}

/** Answers lines until one says "bye" or `signal` is aborted; gives how many it answered. */
export async function runBot(
  client: ThinClient,
  { inbox, outbox }: Conversation,
  signal?: AbortSignal,
): Promise<number> {
  let from = inbox.index;
  let to = outbox.index;
  let answered = 0;
  for (;;) {
    let line: string;
    try {
      const box = await client.read(inbox.readCap, from, { signal });
      from = box.nextMessageBoxIndex;
      line = utf8ToText(box.plaintext);
    } catch (error) {
      // A line that was deleted is nothing to answer; anything else is not ours to hide.
      if (!isExpectedOutcome(error)) throw error;
      from = await client.nextMessageBoxIndex(from);
      continue;
    }
    const answer = line === "bye" ? "goodbye" : `you said: ${line}`;
    const written = await client.write(outbox.writeCap, to, answer, { signal });
    to = written.nextMessageBoxIndex;
    answered++;
    if (line === "bye") return answered;
  }
}
// #endregion
