import type { JsonValue } from '../../json/json.ts';

const LONGEST = 60;

/** A value for a message, in ASCII, so that letters and spaces that look like others become visible. */
export function asciiJson(value: JsonValue): string {
  const text = JSON.stringify(value).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
