import type { FleetStatus, PauseStatus, PolicyStatusRow } from '../api/contract.ts';
import { countedText, countText, hubName, shareText, timeOf } from './format.ts';
import { listText } from './place.ts';

/** The newest change of the fleet that Berth knows of, and what it did. */
export interface LastChange {
  readonly at: number;
  readonly what: string;
  /** What it did so far, in sentences. */
  readonly effect: readonly string[];
  /** The policy whose twins show it. */
  readonly policy: string | undefined;
}

/** The last of: a policy with new content, a pause, the start of a gradual move. Undefined: nothing is known. */
export function lastChange(fleet: FleetStatus): LastChange | undefined {
  const changes = [
    ...policyChanges(fleet.policies),
    ...pauseChange('the whole fleet', fleet.pause),
    ...fleet.hubs.flatMap(({ host, pause }) => pauseChange(hubName(host), pause)),
    ...fleet.moves.flatMap(({ cause, since, progress }) => {
      const at = timeOf(since);
      const reached = `It has reached ${shareText(progress)} of the devices. They move when they register again.`;
      return at === undefined || !cause.startsWith('drain:')
        ? []
        : [
            {
              at,
              what: `${hubName(cause.slice('drain:'.length))} is draining`,
              effect: [reached],
              policy: undefined,
            },
          ];
    }),
  ];
  return changes.sort((one, other) => other.at - one.at)[0];
}

/** Policies of one package begin at the same time, so they are one change. */
function policyChanges(policies: FleetStatus['policies']): readonly LastChange[] {
  const byTime = new Map<number, PolicyStatusRow[]>();
  for (const policy of policies) {
    const at = timeOf(policy.since);
    if (at !== undefined) byTime.set(at, [...(byTime.get(at) ?? []), policy]);
  }
  return [...byTime].map(([at, changed]) => {
    const [only, ...others] = changed;
    return only !== undefined && others.length === 0
      ? { at, what: `Policy ${only.name} has new content`, effect: policyEffect(only), policy: only.name }
      : {
          at,
          // A new deployment begins so. A later change of every policy at once looks the same.
          what:
            changed.length === policies.length
              ? `All policies are new: ${listText(changed.map(({ name }) => name))}`
              : `Policies ${listText(changed.map(({ name }) => name))} have new content`,
          effect: changed.map((policy) => `${policy.name}: ${policyEffect(policy).join(' ')}`),
          policy: undefined,
        };
  });
}

/** What a policy did so far: how many twins it reached, and how they stand. */
export function policyEffect(policy: FleetStatus['policies'][number]): readonly string[] {
  const { rollout, reached, inSync, pending, rejected, contested, drifted, held, pause } = policy;
  const standings = [
    [inSync, 'in sync'],
    [pending, 'pending'],
    [rejected, 'rejected'],
    [contested, 'contested'],
    [drifted, 'drifted'],
  ] as const;
  const found = standings
    .filter(([count]) => count > 0)
    .map(([count, status]) => `${countText(count)} ${status}`);
  const stands =
    reached > 0 && inSync === reached
      ? inSync === 1
        ? 'It is in sync.'
        : 'All of them are in sync.'
      : `Of these: ${found.join(', ')}.`;
  return [
    ...(rollout < 1 ? [`Its rollout has reached ${shareText(rollout)} of the fleet.`] : []),
    reached === 0 ? 'It applies to no twin now.' : `It applies to ${countedText(reached, 'twin')}. ${stands}`,
    ...(held === 0 ? [] : [`Corrections of ${countedText(held, 'twin')} are held.`]),
    ...(pause === null ? [] : ['It is paused.']),
  ];
}

function pauseChange(scope: string, pause: PauseStatus | null): readonly LastChange[] {
  const at = timeOf(pause?.at);
  if (pause === null || at === undefined) return [];
  return [
    {
      at,
      what: `Writes to ${scope} were paused`,
      effect: [`By ${pause.author}: ${pause.reason}.`, 'Corrections wait until you resume.'],
      policy: undefined,
    },
  ];
}
