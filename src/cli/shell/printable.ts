/** What would move a terminal's cursor, recolour or reorder its text, or is no character. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** A text of somebody else, for a terminal: `\u001b[2J` clears nothing. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** The same for JSON text, which means the same afterwards. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) => (character === '\n' ? character : escaped(character)));
}

/** The beginning of a text, printable, with a mark where something is left out. */
export function printableStart(text: string, length: number): string {
  return text.length <= length ? printable(text) : `${printable(text.slice(0, length - 1))}…`;
}

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}
