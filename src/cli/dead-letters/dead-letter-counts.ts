import { timeBack } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { printableStart } from '../shell/printable.ts';
import { openState } from '../shell/state.ts';
import { count, say, sayJson, sayTable, tell } from '../shell/terminal.ts';

export interface CountsOptions {
  readonly since?: string | undefined;
  readonly json: boolean;
}

const DEFAULT_SINCE = '7d';
const TEXT_WIDTH = 60;

/** `berth dead-letters counts`: events of which only the number is kept. */
export async function showCounts(
  { terminal, env, now }: Cli,
  { since = DEFAULT_SINCE, json }: CountsOptions,
): Promise<number> {
  const { letterHours, unknownSources, strangers, place } = openState(env);
  const from = timeBack('--since', since, now()) ?? 0;
  const [onlyCounted, sources, hubs] = await Promise.all([
    letterHours.beyond(from),
    unknownSources.list(),
    strangers.list(),
  ]);
  if (json) sayJson(terminal, { onlyCounted, unknownSources: sources, unknownHubs: hubs });
  else {
    sayCounts(
      terminal,
      `Beyond the cap of dead letters, since ${since}`,
      ['hub', 'source', 'code'],
      onlyCounted,
    );
    sayCounts(terminal, 'Of sources that this package does not know', ['hub', 'source'], sources);
    sayCounts(terminal, 'Of hubs that are not in the fleet file', ['hubName'], hubs);
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
    [
      { name: 'events', align: 'right' },
      ...names.map((name) => ({ name: name === 'hubName' ? 'hub' : name })),
      { name: 'last' },
    ],
    counts.map((each) => [
      count(each.events),
      ...names.map((name) => printableStart(each[name], TEXT_WIDTH)),
      each.lastAt,
    ]),
  );
}
