import { resourceName } from '../../arm/resource-id.ts';
import { type DpsPlan, dpsChangeText, isDifference } from '../../connect/dps-plan.ts';
import { type HubPlan, hubChangeText } from '../../connect/hub-plan.ts';
import type { WantedDps, WantedHub, WantedHubs } from '../../connect/wanted.ts';
import { printable } from '../shell/printable.ts';
import { plural, say, type Terminal } from '../shell/terminal.ts';

/** What the plan says of one resource. */
export interface PlanItem {
  readonly name: string;
  readonly kind: 'managed hub' | 'existing hub' | 'DPS';
  readonly changes: readonly { readonly kind: string; readonly text: string }[];
  readonly notes: readonly string[];
  readonly problems: readonly string[];
}

export function hubItem(hub: WantedHub, { changes, notes, problems }: HubPlan): PlanItem {
  return {
    name: hub.host,
    kind: kindOf(hub),
    changes: changes.map((change) => ({ kind: change.kind, text: hubChangeText(change) })),
    notes,
    problems,
  };
}

/** A hub that is not there yet. The templates create managed hubs. */
export function missingHubItem(hub: WantedHub): PlanItem {
  const [notes, problems] = hub.isManaged
    ? [['The hub does not exist yet. The deployment creates it; then it is connected and linked.'], []]
    : [[], [`${hub.id} does not exist: correct hubs[].azure, or check that this sign-in may read it.`]];
  return { name: hub.host, kind: kindOf(hub), changes: [], notes, problems };
}

/** A hub of a stamp that is not there yet. */
export function notDeployedItem({ host, why }: WantedHubs['notDeployed'][number]): PlanItem {
  return { name: host, kind: 'managed hub', changes: [], notes: [`The hub ${why}.`], problems: [] };
}

export function dpsItem({ id }: WantedDps, plan: DpsPlan | undefined): PlanItem {
  const name = resourceName(id);
  if (plan === undefined) {
    return {
      name,
      kind: 'DPS',
      changes: [],
      notes: [],
      problems: [`${id} does not exist: deploy the infrastructure, or check that this sign-in may read it.`],
    };
  }
  const { changes, notes, problems } = plan;
  return {
    name,
    kind: 'DPS',
    changes: changes.map((change) => ({ kind: change.kind, text: dpsChangeText(change) })),
    notes,
    problems,
  };
}

function kindOf({ isManaged }: WantedHub): PlanItem['kind'] {
  return isManaged ? 'managed hub' : 'existing hub';
}

/** Writes what the plan says of one resource: changes with `+ ~ - =`, notes with `!`, problems with `x`. */
export function sayItem(terminal: Terminal, { name, kind, changes, notes, problems }: PlanItem): void {
  say(terminal, `${printable(name)} (${kind})`);
  for (const { text } of changes) say(terminal, `  ${printable(text)}`);
  for (const note of notes) say(terminal, `  ! ${printable(note)}`);
  for (const problem of problems) say(terminal, `  x ${printable(problem)}`);
  if (changes.length + notes.length + problems.length === 0) say(terminal, '  unchanged');
}

/** `3 changes, 2 keys of links to write again, 1 problem` */
export function changeCounts(items: readonly PlanItem[]): string {
  const all = items.flatMap(({ changes }) => changes);
  const changes = all.filter(isDifference).length;
  const keys = all.length - changes;
  const problems = items.reduce((sum, item) => sum + item.problems.length, 0);
  return [
    changes === 0 ? 'No changes' : plural(changes, 'change'),
    ...(keys === 0 ? [] : [`${plural(keys, 'key of a link', 'keys of links')} to write again`]),
    ...(problems === 0 ? [] : [plural(problems, 'problem')]),
  ].join(', ');
}
