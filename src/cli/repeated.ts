/** What a person gave, repeated in a message: never a secret, and never much. */

/** Tickets and capabilities: no other word of theirs is as long. */
const SECRET = /[A-Za-z0-9+/_=-]{120,}/;

/** Most characters of anything that is shown. */
const SHOWN = 40;

/** Whether a text holds what may be a ticket or a capability, perhaps broken into pieces. */
export function holdsSecret(text: string): boolean {
  return SECRET.test(text.replace(/\s+/g, ""));
}

/** `text` in quotes, at most 40 characters of it; what may be a secret is only described. */
export function quoted(text: string): string {
  return holdsSecret(text) ? described(text) : JSON.stringify(shortened(text));
}

/** `text` as it is, at most 40 characters of it; what may be a secret is only described. */
export function repeated(text: string): string {
  return holdsSecret(text) ? described(text) : shortened(text);
}

function described(text: string): string {
  return `[${text.length} characters that may be a ticket or a capability and are not repeated]`;
}

function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length > SHOWN ? `${characters.slice(0, SHOWN).join("")}…` : text;
}

/** What is a secret for certain, inside a text: a path is not, long as it may be. */
const CERTAIN = /katz1[\w-]{20,}|(?<![\w/])(?:[0-9A-Fa-f]{200,}|[\w+=-]{160,})/g;

/** `text` without what is a ticket or a capability in it: the last look at every error. */
export function withoutSecrets(text: string): string {
  return text.replace(CERTAIN, (secret) => described(secret));
}
