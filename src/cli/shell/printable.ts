/**
 * Characters that move the cursor, change colors or reorder text, and code points that are not characters.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Escapes a text from outside for a terminal, so that `\u001b[2J` does not clear it. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** Escapes JSON text in the same way. Its meaning does not change. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) => (character === '\n' ? character : escaped(character)));
}

/** The beginning of a text, escaped, with an ellipsis if it is cut. */
export function printableStart(text: string, length: number): string {
  return text.length <= length ? printable(text) : `${printable(text.slice(0, length - 1))}…`;
}

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}
