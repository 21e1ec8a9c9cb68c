import { valueText } from './format.ts';

/** A reported value, and the answer of the device in it. */
export interface ReportedWords {
  readonly value: unknown;
  /** As in `answer 200: ok`; undefined: the device reports the plain value. */
  readonly answer: string | undefined;
}

/**
 * Takes a Plug and Play acknowledgement apart (`{ value, ac, av, ad }`), for reading only; what counts as an answer is decided
 * by Berth and said in `why`.
 */
export function reportedWords(reported: unknown): ReportedWords {
  if (typeof reported !== 'object' || reported === null || Array.isArray(reported)) {
    return { value: reported, answer: undefined };
  }
  const { value, ac, av, ad } = reported as Readonly<Record<string, unknown>>;
  if (typeof ac !== 'number') return { value: reported, answer: undefined };
  const version = typeof av === 'number' ? ` to version ${av}` : '';
  const text = typeof ad === 'string' && ad !== '' ? `: ${ad}` : ad === undefined ? '' : `: ${valueText(ad)}`;
  return { value, answer: `answered ${ac}${version}${text}` };
}
