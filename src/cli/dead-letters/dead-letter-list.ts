import type { LetterSummary } from '../../store/dead-letters/dead-letter-store.ts';
import type { LetterHours } from '../../store/dead-letters/letter-hours.ts';
import { DAY_MS } from '../../time/day.ts';
import { wholeNumber } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { printableStart } from '../shell/printable.ts';
import { showCount } from '../shell/progress.ts';
import { openState } from '../shell/state.ts';
import { count, sayJson, sayTable, tell } from '../shell/terminal.ts';
import { readSelection, type SelectionOptions } from './dead-letter-selection.ts';

export interface ListOptions extends SelectionOptions {
  readonly limit?: string | undefined;
  readonly json: boolean;
}

const DEFAULT_LIMIT = 50;
const DEFAULT_SINCE = '7d';
/** Of a column; ids of IoT Hub have up to 128 characters. */
const NAME_WIDTH = 40;
const REASON_WIDTH = 100;

/** `berth dead-letters list`: the newest first. */
export async function listDeadLetters({ terminal, env, now }: Cli, options: ListOptions): Promise<number> {
  const time = now();
  const {
    since = 0,
    until = Number.POSITIVE_INFINITY,
    ...filter
  } = readSelection({ ...options, since: options.since ?? DEFAULT_SINCE }, time);
  const limit = wholeNumber('--limit', options.limit, 1) ?? DEFAULT_LIMIT;
  const { deadLetters, letterHours, place } = openState(env);
  const progress = showCount(terminal, 'dead letters');
  // The clock of Event Hubs may be ahead of this one.
  const range = { since, until: Math.min(until, time + DAY_MS) };
  const { letters, more, isCounted } = await deadLetters
    .newest({ ...filter, ...range }, limit, progress.show)
    .finally(progress.end);
  const onlyCounted = await countBeyond(letterHours, since, time);
  if (options.json)
    sayJson(terminal, {
      letters: letters.map(describe),
      more,
      isCounted,
      ...(onlyCounted === 0 ? {} : { onlyCounted }),
    });
  else if (letters.length > 0) sayRows(terminal, letters);
  if (onlyCounted > 0) {
    tell(
      terminal,
      `${count(onlyCounted)} events more, of any hub and code, were too many to be kept: berth dead-letters counts.`,
    );
  }
  tell(terminal, `${countText(letters.length, more, isCounted)} State: ${place}.`);
  return 0;
}

/** They are kept as long as letters are. */
async function countBeyond(hours: LetterHours, since: number, now: number): Promise<number> {
  const counts = await hours.beyond(Math.max(since, now - 30 * DAY_MS));
  return counts.reduce((sum, { events }) => sum + events, 0);
}

function sayRows(terminal: Cli['terminal'], letters: readonly LetterSummary[]): void {
  sayTable(
    terminal,
    ['id', 'time', 'code', 'hub', 'device', 'reason'].map((name) => ({ name })),
    letters.map((letter) => [
      letter.id,
      printableStart(letter.enqueuedAt, NAME_WIDTH),
      letter.code,
      printableStart(letter.hubName ?? '-', NAME_WIDTH),
      printableStart(deviceText(letter), NAME_WIDTH),
      printableStart(letter.reason, REASON_WIDTH),
    ]),
  );
}

function describe({ id, enqueuedAt, code, hubName, deviceId, moduleId, reason }: LetterSummary) {
  return {
    id,
    enqueuedAt,
    code,
    hub: hubName ?? null,
    deviceId: deviceId ?? null,
    moduleId: moduleId ?? null,
    reason,
  };
}

function deviceText({ deviceId, moduleId }: LetterSummary): string {
  return moduleId === undefined ? (deviceId ?? '-') : `${deviceId ?? '-'}/${moduleId}`;
}

function countText(shown: number, more: number, isCounted: boolean): string {
  if (shown === 0) return 'No dead letters.';
  if (more === 0) return `${count(shown)} in all.`;
  return `${count(shown)} shown, ${isCounted ? '' : 'more than '}${count(more)} older ones not: --limit, --since, --code or --hub.`;
}
