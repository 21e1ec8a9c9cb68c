import type { JsonValue } from '../../json/json.ts';
import type { DeadLetter, DeadLetterStore } from '../../store/dead-letters/dead-letter-store.ts';
import type { LetterCount, LetterHours } from '../../store/dead-letters/letter-hours.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { identityIn, sourceOf } from '../../twin/events/event.ts';

export interface DeadLetterKeeperOptions {
  readonly letters: Pick<DeadLetterStore, 'keepAll'>;
  readonly hours: Pick<LetterHours, 'reserve' | 'addBeyond'>;
  /** The partition of the Event Hub. */
  readonly partition: string;
  readonly now: () => EpochMs;
  /** Logs that letters were only counted. */
  readonly warn: (facts: Readonly<Record<string, JsonValue>>) => void;
}

/**
 * Stores the dead letters of a batch up to the limit of the hour, and counts the rest by hub, source and code. Without this
 * limit, a sender of bad events could fill the tables and delay healthy twins.
 *
 * @returns how many were only counted.
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`: the batch must be delivered again.
 */
export async function keepDeadLetters(
  letters: readonly DeadLetter[],
  { letters: store, hours, partition, now, warn }: DeadLetterKeeperOptions,
): Promise<number> {
  if (letters.length === 0) return 0;
  const kept = await hours.reserve(letters.length, partition, now());
  const beyond = countsOf(letters.slice(kept));
  await Promise.all([
    kept === 0 ? undefined : store.keepAll(letters.slice(0, kept)),
    beyond.length === 0 ? undefined : hours.addBeyond(beyond, partition, now()),
  ]);
  if (beyond.length > 0) {
    warn({
      code: 'BERTH_DEAD_LETTERS_CAPPED',
      onlyCounted: letters.length - kept,
      counts: beyond.slice(0, MOST_LOGGED),
    });
  }
  return letters.length - kept;
}

/** The most counts in one log line. A batch seldom has more than one. */
const MOST_LOGGED = 20;
/** Replaces a text that an event does not have. */
const NONE = '(none)';

function countsOf(letters: readonly DeadLetter[]): readonly LetterCount[] {
  const counts = new Map<string, LetterCount>();
  for (const letter of letters) {
    const hub = (identityIn(letter).hubName ?? NONE).slice(0, MAX_TEXT);
    const source = (sourceOf(letter) ?? NONE).slice(0, MAX_TEXT);
    const { code } = letter;
    const key = JSON.stringify([hub, source, code]);
    counts.set(key, { hub, source, code, events: (counts.get(key)?.events ?? 0) + 1 });
  }
  return [...counts.values()];
}

const MAX_TEXT = 60;
