/** Makes text from strangers safe for terminals. */

/**
 * Characters that control a terminal, or that hide or reverse the text. They include invisible
 * ones, such as fillers and tags, so that two names that look alike cannot be mistaken for one
 * another. Characters that join emoji are allowed: the zero-width joiner and the text and picture
 * selectors.
 */
export const STEERING =
  /(?!\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

const everySteering = new RegExp(STEERING.source, "gu");

/** Returns `text` with characters that control a terminal replaced; those in `keep` stay. */
export function replaceSteering(
  text: string,
  replacement: (code: number) => string,
  keep = "",
): string {
  return text.replace(everySteering, (character) =>
    keep.includes(character) ? character : replacement(character.codePointAt(0)!),
  );
}

/**
 * Returns `text` with characters that control a terminal written as `\u{…}`; those in `keep` stay.
 */
export function printable(text: string, keep = ""): string {
  return replaceSteering(text, (code) => `\\u{${code.toString(16)}}`, keep);
}
