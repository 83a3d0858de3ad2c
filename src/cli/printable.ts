/** Text from strangers, made harmless for terminals. */

/**
 * Characters that steer a terminal, or that hide or turn around what is shown. Those that show
 * nothing are among them, fillers and tags too: two names that look alike must not pass for one.
 * What emoji are joined from stays: the zero-width joiner and the selectors of text and picture.
 */
export const STEERING =
  /(?!\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

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
