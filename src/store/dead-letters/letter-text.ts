import type { KeptLetter } from './dead-letter-store.ts';

/** The body of a dead letter as text; undefined where it is not UTF-8. */
export function letterText({ body, cut }: Pick<KeptLetter, 'body' | 'cut'>): string | undefined {
  try {
    // What was cut may end inside of a character.
    const stream = cut.includes('body');
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body, { stream });
  } catch {
    return undefined;
  }
}
