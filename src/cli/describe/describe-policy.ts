import type { Template } from '../../fleet/expressions/template.ts';
import type { Policy } from '../../fleet/fleet.ts';
import { policyOverviews } from '../../sync/resync/sync-overview.ts';
import { pauseText } from '../policies/pause-text.ts';
import type { Cli } from '../shell/cli.ts';
import { bold } from '../shell/colors.ts';
import { knownPolicy } from '../shell/known.ts';
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
import { sayFacts, sayTitle, shortJson } from './facts.ts';

interface PolicyOptions {
  readonly name: string;
  readonly json: boolean;
}

/** `berth describe policy` */
export async function describePolicyCommand(
  { terminal, env, now: clock }: Cli,
  { name: given, json }: PolicyOptions,
): Promise<number> {
  const now = clock();
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const name = knownPolicy(
    given,
    fleet.twins.policies.map((each) => each.name),
    'The fleet file in force',
  );
  const index = fleet.twins.policies.findIndex((each) => each.name === name);
  const policy = fleet.twins.policies[index];
  const control = await state.control.read();
  const counted = await state.twinCounts.read(fleet.hubs.map(({ host }) => host));
  const overview = policyOverviews(fleet, control, counted, now)[index];
  if (policy === undefined || overview === undefined) return 1;
  const hubs = [...counted].map(([host, twins]) => ({ host, twins: twins.policies[policy.id] ?? {} }));
  tell(terminal, `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`);
  if (json) {
    sayJson(terminal, {
      ...overview,
      place: index + 1,
      target: policy.module ?? null,
      when: policy.when?.source ?? null,
      desired: wantedOf(policy),
      hubs,
    });
    return 0;
  }
  say(terminal, bold(terminal, `Policy ${name}`));
  sayFacts(terminal, [
    ['place', `${index + 1} of ${fleet.twins.policies.length}: earlier policies own their properties first`],
    ['mode', policy.mode],
    ['target', policy.module === undefined ? 'devices' : `module ${policy.module}`],
    ['when', policy.when?.source ?? 'always'],
    ['since', overview.since === undefined ? 'not seen yet' : `${span(now - overview.since)} ago`],
    ['rollout', percent(overview.rollout)],
    ['paused', overview.pause === undefined ? '' : pauseText(overview.pause, now)],
  ]);
  sayTitle(terminal, 'Wanted values');
  sayFacts(
    terminal,
    Object.entries(wantedOf(policy)).map(([key, value]) => [key, shortJson(value, 200)] as const),
  );
  sayTitle(terminal, 'Twins');
  sayTable(
    terminal,
    ['hub', ...COUNTS.map((status) => right(status))],
    [
      ...hubs.map(({ host, twins }) => [host, ...COUNTS.map((status) => count(twins[status] ?? 0))]),
      [
        'all',
        ...COUNTS.map((status) => count(hubs.reduce((sum, { twins }) => sum + (twins[status] ?? 0), 0))),
      ],
    ],
  );
  return 0;
}

const COUNTS = ['inSync', 'pending', 'drifted', 'held', 'rejected', 'contested', 'unreached'] as const;

/** What it wants, by dotted path: a value, or an expression with its "=". */
function wantedOf({ leaves }: Policy): Readonly<Record<string, unknown>> {
  return Object.fromEntries(leaves.map(({ key, value }) => [key, sourceOf(value)]));
}

function sourceOf(template: Template): unknown {
  switch (template.kind) {
    case 'literal':
      return template.value;
    case 'expression':
      return `=${template.expression.source}`;
    case 'array':
      return template.items.map(sourceOf);
    case 'object':
      return Object.fromEntries(template.members.map(([key, member]) => [key, sourceOf(member)]));
  }
}
