import { distance } from 'fastest-levenshtein';

/** Of more wrong letters than this, no word is recognized. */
const MOST_WRONG = 3;
/** The part of the letters that must be right. */
const LEAST_RIGHT = 0.4;

/**
 * The known word that a mistyped one most likely means, whatever the case; undefined where none is near.
 *
 * @example nearest('wieght', ['host', 'weight']) // 'weight'
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: { readonly word: string; readonly wrong: number } | undefined;
  for (const candidate of known) {
    const length = Math.max(word.length, candidate.length);
    const wrong = distance(word.toLowerCase(), candidate.toLowerCase());
    const isNear = wrong <= MOST_WRONG && (length - wrong) / length > LEAST_RIGHT;
    if (isNear && (best === undefined || wrong < best.wrong)) best = { word: candidate, wrong };
  }
  return best?.word;
}
