import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, timeBackOr } from '../shell/inputs.ts';
import { printableStart } from '../shell/printable.ts';
import { openState } from '../shell/state.ts';
import { count, right, say, sayJson, sayTable, tell } from '../shell/terminal.ts';

const INPUTS = {
  '--since <time>': timeBackOr(
    '7d',
    'count events above the cap since then: a duration before now, or a time',
  ),
  ...JSON_OUTPUT,
};

const TEXT_WIDTH = 60;

/** `berth dead-letters counts`: shows events of which Berth stores only the count. */
export function registerCounts(deadLetters: CommandGroup): void {
  deadLetters.command({
    name: 'counts',
    description: 'show events that are only counted: above the cap, of unknown sources, of unknown hubs',
    inputs: INPUTS,
    example: 'berth dead-letters counts --since 2h',
    changes: false,
    run: showCounts,
  });
}

async function showCounts({ terminal, env }: Cli, { since, json }: Given<typeof INPUTS>): Promise<number> {
  const { letterHours, unknownSources, unknownHubs, place } = openState(env);
  const [onlyCounted, sources, hubs] = await Promise.all([
    letterHours.beyond(since.at),
    unknownSources.list(),
    unknownHubs.list(),
  ]);
  if (json) sayJson(terminal, { onlyCounted, unknownSources: sources, unknownHubs: hubs });
  else {
    sayCounts(
      terminal,
      `Above the cap of dead letters, since ${since.text}`,
      ['hub', 'source', 'code'],
      onlyCounted,
    );
    sayCounts(terminal, 'From sources that this package does not know', ['hub', 'source'], sources);
    sayCounts(terminal, 'From unknown hubs (not in the fleet file)', ['hubName'], hubs);
  }
  tell(terminal, `State: ${place}.`);
  return 0;
}

function sayCounts<Name extends string>(
  terminal: Cli['terminal'],
  title: string,
  names: readonly Name[],
  counts: readonly (Readonly<Record<Name | 'lastAt', string>> & { readonly events: number })[],
): void {
  const sum = counts.reduce((total, { events }) => total + events, 0);
  say(terminal, `${title}: ${sum === 0 ? 'none' : `${count(sum)} events`}.`);
  if (sum === 0) return;
  sayTable(
    terminal,
    [right('events'), ...names.map((name) => (name === 'hubName' ? 'hub' : name)), 'last'],
    counts.map((each) => [
      count(each.events),
      ...names.map((name) => printableStart(each[name], TEXT_WIDTH)),
      each.lastAt,
    ]),
  );
}
