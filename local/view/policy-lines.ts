import { percentText, table, within } from './text.ts';

/** One policy with its status from Berth. */
export interface PolicyLine {
  readonly name: string;
  readonly mode: string;
  /** Share of the devices that its rollout has reached, from 0 to 1. */
  readonly rollout: number;
  /** Twins that the policy has reached. Held twins are not included. */
  readonly reached: number;
  readonly held: number;
  readonly rejected: number;
  readonly contested: number;
  readonly pausedBy: string | undefined;
}

const LONGEST_NAME = 22;

/** A table of the policies that are in a rollout or paused, or have held, rejected or contested twins. */
export function policyLines(policies: readonly PolicyLine[]): readonly string[] {
  const notable = policies.filter(isNotable);
  if (notable.length === 0) return [];
  const lines = table([
    ['policy', 'rollout', 'reached', 'held', 'rejected', 'contested'],
    ...notable.map((policy) => [
      nameOf(policy),
      // Rounded down: 99.9 % must not show as 100 %.
      percentText(Math.floor(policy.rollout * 100) / 100),
      ...[policy.reached, policy.held, policy.rejected, policy.contested].map(String),
    ]),
  ]);
  const pausedBy = [
    notable.every((policy) => policy.pausedBy === undefined) ? '' : 'paused by',
    ...notable.map((policy) => policy.pausedBy ?? ''),
  ];
  return lines.map((line, index) => within(`${line}  ${pausedBy[index]}`.trimEnd()));
}

function isNotable({ rollout, held, rejected, contested, pausedBy }: PolicyLine): boolean {
  return rollout < 1 || held > 0 || rejected > 0 || contested > 0 || pausedBy !== undefined;
}

function nameOf({ name, mode }: PolicyLine): string {
  const room = LONGEST_NAME - (mode === 'observe' ? OBSERVES.length : 0);
  const short = name.length > room ? `${name.slice(0, room - 1)}…` : name;
  return mode === 'observe' ? `${short}${OBSERVES}` : short;
}

const OBSERVES = ' (observes)';
