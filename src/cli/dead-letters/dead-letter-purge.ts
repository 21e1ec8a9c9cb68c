import type { LetterSummary } from '../../store/dead-letters/dead-letter-store.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, list, timeBack, toggle } from '../shell/inputs.ts';
import { showCount } from '../shell/progress.ts';
import { openState } from '../shell/state.ts';
import { plural, tell } from '../shell/terminal.ts';
import { namedLetters, refuseBoth } from './dead-letter-selection.ts';

const INPUTS = {
  '[ids...]': list(),
  '--before <time>': timeBack('delete dead letters older than a duration (30d) or a time'),
  '--all': toggle('delete all dead letters'),
  '--yes': toggle('confirm that more than one is deleted'),
};

/** `berth dead-letters purge`: deletes dead letters permanently. More than one needs --yes. */
export function registerPurge(deadLetters: CommandGroup): void {
  deadLetters.command({
    name: 'purge',
    description: 'delete dead letters permanently',
    inputs: INPUTS,
    example: 'berth dead-letters purge --before 7d --yes',
    changes: true,
    run: purgeDeadLetters,
  });
}

async function purgeDeadLetters(
  { terminal, env }: Cli,
  { ids, before, all, yes }: Given<typeof INPUTS>,
): Promise<number> {
  refuseBoth(ids, { '--all': all, '--before': before });
  if (all && before !== undefined) throw invalid('Give --all or --before, not both.');
  if (ids.length === 0 && !all && before === undefined) {
    throw invalid('Nothing to delete: give ids, --before or --all.');
  }
  const state = openState(env);
  const named = ids.length > 0 ? await namedLetters(state, ids) : undefined;
  const chosen = () => (named === undefined ? state.deadLetters.summaries({ until: before?.at }) : [named]);

  const first = await firstOf(chosen());
  if (first.length > 1 && !yes) {
    throw invalid(
      `This deletes more than one dead letter in ${state.place}, such as ${first[0]?.id}. Add --yes to delete them permanently.`,
    );
  }
  const progress = showCount(terminal, 'dead letters');
  let deleted = 0;
  try {
    for await (const page of yes ? chosen() : [first]) {
      await state.deadLetters.delete(page.map(({ key }) => key));
      deleted += page.length;
      progress.show(deleted);
    }
  } finally {
    progress.end();
    // A purge that fails midway shows this too, because the letters so far are deleted.
    tell(terminal, `${plural(deleted, 'dead letter')} deleted. State: ${state.place}.`);
  }
  return 0;
}

/** Reads until it has two letters, enough to distinguish none, one and several. */
async function firstOf(
  pages: AsyncIterable<readonly LetterSummary[]> | Iterable<readonly LetterSummary[]>,
): Promise<readonly LetterSummary[]> {
  const found: LetterSummary[] = [];
  for await (const page of pages) {
    found.push(...page.slice(0, 2));
    if (found.length > 1) break;
  }
  return found;
}
