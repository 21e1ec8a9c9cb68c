import { percentText, table, within } from './text.ts';

/** One policy, as Berth tells how it stands. */
export interface PolicyLine {
  readonly name: string;
  readonly mode: string;
  /** How far its rollout has come, from 0 to 1. */
  readonly rollout: number;
  /** Twins that it has reached, and how they stand; those that it is kept from are not among them. */
  readonly reached: number;
  readonly held: number;
  readonly rejected: number;
  readonly contested: number;
  readonly pausedBy: string | undefined;
}

const LONGEST_NAME = 22;

/** The policies of which there is something to say: on a rollout, paused, held, refused or fought over. */
export function policyLines(policies: readonly PolicyLine[]): readonly string[] {
  const notable = policies.filter(isNotable);
  if (notable.length === 0) return [];
  const lines = table([
    ['policy', 'rollout', 'reached', 'held', 'rejected', 'contested'],
    ...notable.map((policy) => [
      nameOf(policy),
      // A rollout that is nearly over is not over.
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
