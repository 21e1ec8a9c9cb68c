// A named import: in the bundle of the command, the default import of an ES module is the module itself.
import { limitFunction } from 'p-limit';
import { hostsOf } from '../../fleet/fleet.ts';
import { stamp } from '../../settings/settings.ts';
import type { LetterSummary } from '../../store/dead-letters/dead-letter-store.ts';
import { eventContext } from '../../sync/events/batch.ts';
import { type Replayed, replay } from '../../sync/events/replay.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { DEPLOYED_FLEET, type Given, list, toggle } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { showCount } from '../shell/progress.ts';
import { deployedFleet, openState } from '../shell/state.ts';
import { count, plural, say, tell } from '../shell/terminal.ts';
import { filterOf, namedLetters, refuseBoth, selectionInputs } from './dead-letter-selection.ts';

const INPUTS = {
  '[ids...]': list(),
  '--all': toggle('replay all, or all that the other options select'),
  ...selectionInputs('with --all: ', 'BERTH_DEFECT'),
  ...DEPLOYED_FLEET,
};

/** Letters that are replayed at the same time. */
const CONCURRENCY = 16;
/** The most letters that are named because they stay. Further ones are only counted. */
const MOST_NAMED = 50;

type Counts = Record<Replayed['kind'], number>;

/**
 * `berth dead-letters replay`: decodes letters again with this package and marks their twins for a read. The
 * exit code is 1 if any letter stays.
 */
export function registerReplay(deadLetters: CommandGroup): void {
  deadLetters.command({
    name: 'replay',
    description:
      'decode dead letters again, mark their twins for a read, and delete those that could be decoded',
    inputs: INPUTS,
    example: 'berth dead-letters replay --all --code BERTH_DEFECT',
    changes: true,
    run: replayDeadLetters,
  });
}

async function replayDeadLetters(
  { terminal, env, now }: Cli,
  options: Given<typeof INPUTS>,
): Promise<number> {
  const { ids, all, code, hub, since, until } = options;
  refuseBoth(ids, { '--all': all, '--code': code, '--hub': hub, '--since': since, '--until': until });
  if (ids.length === 0 && !all) throw invalid('Nothing to replay: give ids or --all.');
  const filter = filterOf(options);
  const state = openState(env);
  const { fleet } = await deployedFleet(state, options.fleet);
  const context = eventContext({ fleet, hosts: hostsOf(fleet, stamp(env)) });

  const pages = all ? state.deadLetters.summaries(filter) : [await namedLetters(state, ids)];

  const counts: Counts = { marked: 0, deleted: 0, ignored: 0, stays: 0 };
  const progress = showCount(terminal, 'dead letters');
  const take = async ({ key }: LetterSummary): Promise<void> => {
    const letter = await state.deadLetters.read(key);
    if (letter === undefined) return;
    const replayed = await replay(letter, { context, store: state.twins, now: now() });
    if (replayed.kind !== 'stays') await state.deadLetters.delete([key]);
    else if (counts.stays < MOST_NAMED) say(terminal, `${letter.id} stays: it ${printable(replayed.why)}`);
    counts[replayed.kind] += 1;
    progress.show(sum(counts));
  };
  const takeLimited = limitFunction(take, { concurrency: CONCURRENCY });
  try {
    for await (const page of pages) {
      await Promise.all(page.map((letter) => takeLimited(letter)));
    }
  } finally {
    progress.end();
    // A replay that fails midway shows this too, because the letters so far are replayed.
    for (const line of summaryOf(counts)) tell(terminal, line);
  }
  tell(terminal, `State: ${state.place}.`);
  return counts.stays === 0 ? 0 : 1;
}

function summaryOf({ marked, deleted, ignored, stays }: Counts): readonly string[] {
  const lines = [
    [marked, 'marked: resyncFleet reads their twins within two minutes'],
    [deleted, 'of twins that have been deleted since'],
    [ignored, 'of a kind that Berth does not need'],
    [stays, 'not decoded: they stay dead letters'],
  ] as const;
  const total = marked + deleted + ignored + stays;
  return [
    `${plural(total, 'dead letter')} decoded again.`,
    ...lines.filter(([number]) => number > 0).map(([number, what]) => `  ${count(number)} ${what}`),
  ];
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, number) => total + number, 0);
}
