/** Text from strangers, made harmless for terminals. */

/** Characters that steer a terminal, or that hide or turn around what is shown. */
export const STEERING =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

const everySteering = new RegExp(STEERING.source, "gu");

/** `text` with characters that steer a terminal replaced; those in `keep` stay. */
export function replaceSteering(
  text: string,
  replacement: (code: number) => string,
  keep = "",
): string {
  return text.replace(everySteering, (character) =>
    keep.includes(character) ? character : replacement(character.codePointAt(0)!),
  );
}

/** `text` with characters that steer a terminal written as `\u{…}`; those in `keep` stay. */
export function printable(text: string, keep = ""): string {
  return replaceSteering(text, (code) => `\\u{${code.toString(16)}}`, keep);
}
