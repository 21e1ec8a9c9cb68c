import type { LetterSummary } from '../../store/dead-letters/dead-letter-store.ts';
import type { LetterHours } from '../../store/dead-letters/letter-hours.ts';
import { DAY_MS } from '../../time/day.ts';
import { EPOCH, type EpochMs, earlierOf, laterOf, plus } from '../../time/epoch-ms.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, timeBackOr, wholeNumber } from '../shell/inputs.ts';
import { printableStart } from '../shell/printable.ts';
import { showCount } from '../shell/progress.ts';
import { openState } from '../shell/state.ts';
import { count, sayJson, sayTable, tell } from '../shell/terminal.ts';
import { filterOf, selectionInputs } from './dead-letter-selection.ts';

const DEFAULT_LIMIT = 50;
/** Width of a column. Ids of IoT Hub have up to 128 characters. */
const NAME_WIDTH = 40;
const REASON_WIDTH = 100;

const INPUTS = {
  ...selectionInputs('', 'BERTH_EVENT_NOT_JSON'),
  '--since <time>': timeBackOr('7d', 'only events since then: a duration before now, or a time'),
  '--limit <n>': wholeNumber(1, `how many to show at most (default: ${DEFAULT_LIMIT})`),
  ...JSON_OUTPUT,
};

/** `berth dead-letters list`: lists dead letters, the newest first. */
export function registerList(deadLetters: CommandGroup): void {
  deadLetters.command({
    name: 'list',
    description: 'list dead letters, one a line, the newest first',
    inputs: INPUTS,
    example: 'berth dead-letters list --since 2h --code BERTH_EVENT_NOT_JSON',
    changes: false,
    run: listDeadLetters,
  });
}

async function listDeadLetters({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const time = now();
  const latest = plus(time, DAY_MS);
  const { since = EPOCH, until = latest, ...filter } = filterOf(options);
  const { limit = DEFAULT_LIMIT } = options;
  const { deadLetters, letterHours, place } = openState(env);
  const progress = showCount(terminal, 'dead letters');
  // The clock of Event Hubs may be ahead of this one.
  const range = { since, until: earlierOf(until, latest) };
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
      `Above the cap, ${count(onlyCounted)} more events of any hub and code were only counted. Run "berth dead-letters counts" to see them.`,
    );
  }
  tell(terminal, `${countText(letters.length, more, isCounted)} State: ${place}.`);
  return 0;
}

/** Counts are stored for 30 days, like dead letters. */
async function countBeyond(hours: LetterHours, since: EpochMs, now: EpochMs): Promise<number> {
  const counts = await hours.beyond(laterOf(since, plus(now, -30 * DAY_MS)));
  return counts.reduce((sum, { events }) => sum + events, 0);
}

function sayRows(terminal: Cli['terminal'], letters: readonly LetterSummary[]): void {
  sayTable(
    terminal,
    ['id', 'time', 'code', 'hub', 'device', 'reason'],
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
  return `${count(shown)} shown, ${isCounted ? '' : 'more than '}${count(more)} older ones not shown. Use --limit, --since, --code or --hub to see them.`;
}
