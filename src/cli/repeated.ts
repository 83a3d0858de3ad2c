/** Repeats the user's input in a message: never a secret, and never much of it. */

/** Tickets and capabilities: no other word is as long. */
const SECRET = /[A-Za-z0-9+/_=-]{120,}/;

/** The most characters that are shown. */
const SHOWN = 40;

/** Whether a text contains what may be a ticket or a capability, perhaps in pieces. */
export function holdsSecret(text: string): boolean {
  return SECRET.test(text.replace(/\s+/g, ""));
}

/** Returns `text` in quotes, at most 40 characters; a possible secret is only described. */
export function quoted(text: string): string {
  return holdsSecret(text) ? described(text) : JSON.stringify(shortened(text));
}

/** Returns at most 40 characters of `text`; a possible secret is only described. */
export function repeated(text: string): string {
  return holdsSecret(text) ? described(text) : shortened(text);
}

function described(text: string): string {
  return `[${text.length} characters that may be a ticket or a capability and are not shown]`;
}

function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length > SHOWN ? `${characters.slice(0, SHOWN).join("")}…` : text;
}

/** Certain secrets inside a text; a path is not one, however long it is. */
const CERTAIN = /katz1[\w-]{20,}|(?<![\w/])(?:[0-9A-Fa-f]{200,}|[\w+=-]{160,})/g;

/** Removes tickets and capabilities from `text`: the last check of every error. */
export function withoutSecrets(text: string): string {
  return text.replace(CERTAIN, (secret) => described(secret));
}
