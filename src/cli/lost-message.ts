/** The text for a channel's message that has no content. */
import type { Message } from "katzenpost-thinclient/channels";

/** A sentence that says why a message has no content; null if it has content. */
export function lossOf({ id, kind }: Pick<Message, "id" | "kind">): string | null {
  switch (kind) {
    case "deleted":
      return `message ${id} was deleted by its writer`;
    case "tooLong":
      return `message ${id} is too long, and was skipped`;
    case "sideStream":
      return `message ${id} was lost: its boxes are gone`;
    case "message":
    case "other":
      return null;
  }
}
