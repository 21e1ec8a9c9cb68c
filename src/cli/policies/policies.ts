import { type PolicyOverview, policyOverviews } from '../../sync/resync/sync-overview.ts';
import { type EpochMs, earlierOf, epochMs } from '../../time/epoch-ms.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT } from '../shell/inputs.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import {
  count,
  percent,
  right,
  say,
  sayJson,
  sayTable,
  shortRevision,
  span,
  tell,
} from '../shell/terminal.ts';
import { pauseLines, pauseText } from './pause-text.ts';

/**
 * `berth policies`: shows every policy of the fleet file in force, its rollout and its results on devices.
 */
export function registerPolicies(berth: CommandGroup): void {
  berth.command({
    name: 'policies',
    description: 'show every policy: its rollout, its results on devices, and pauses',
    inputs: JSON_OUTPUT,
    run: policies,
  });
}

async function policies({ terminal, env, now }: Cli, { json }: Given<typeof JSON_OUTPUT>): Promise<number> {
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const control = await state.control.read();
  const counted = new Map(
    await Promise.all(fleet.hubs.map(async ({ host }) => [host, await state.twins.counts(host)] as const)),
  );
  const overviews = policyOverviews(fleet, control, counted, now());
  const countedAt = oldest([...counted.values()].map((twins) => twins.countedAt));
  const age = countedAt === undefined ? 'not all counted yet' : `counted ${span(now() - countedAt)} ago`;
  tell(
    terminal,
    `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}. Twins: ${age}.`,
  );
  if (json) {
    const pauses = { fleet: control.fleet, hubs: control.hubs, policies: control.policies };
    sayJson(terminal, { revision: fleet.revision, countedAt, policies: overviews, pauses });
    return 0;
  }
  if (overviews.length === 0) say(terminal, 'The fleet file has no policies.');
  else sayRows(terminal, overviews, now());
  for (const line of pauseLines(control, ['fleet', 'hub'], now())) say(terminal, line);
  const left = { ...control, policies: without(control.policies, overviews) };
  for (const line of pauseLines(left, ['policy'], now())) {
    say(terminal, `${line} The fleet file no longer defines this policy.`);
  }
  return 0;
}

function sayRows(terminal: Cli['terminal'], overviews: readonly PolicyOverview[], now: EpochMs): void {
  sayTable(
    terminal,
    [
      'policy',
      'mode',
      right('since'),
      right('rollout'),
      right('reached'),
      right('rejected'),
      right('held'),
      right('contested'),
      'paused',
    ],
    overviews.map(({ name, mode, since, rollout, reached, rejected, held, contested, pause }) => [
      name,
      mode,
      since === undefined ? 'not yet' : `${span(now - since)} ago`,
      percent(rollout),
      count(reached),
      count(rejected),
      count(held),
      count(contested),
      pause === undefined ? '' : pauseText(pause, now),
    ]),
  );
}

function without<Value>(
  paused: Readonly<Record<string, Value>>,
  overviews: readonly PolicyOverview[],
): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(paused).filter(([name]) => !overviews.some((policy) => policy.name === name)),
  );
}

/** The earliest time; undefined if one of them is undefined. */
function oldest(times: readonly (EpochMs | undefined)[]): EpochMs | undefined {
  return times.reduce<EpochMs | undefined>(
    (first, time) => (first === undefined || time === undefined ? undefined : earlierOf(first, time)),
    epochMs(Number.POSITIVE_INFINITY),
  );
}
