import { percent, table, within } from './text.ts';

/** One policy, as Berth tells how it stands. */
export interface PolicyLine {
  readonly name: string;
  readonly mode: string;
  /** How far its ramp has come, from 0 to 1. */
  readonly ramp: number;
  /** Twins that it has reached, and how they stand; those that it is kept from are not among them. */
  readonly reached: number;
  readonly held: number;
  readonly rejected: number;
  readonly fighting: number;
  readonly pausedBy: string | undefined;
}

const LONGEST_NAME = 22;

/** The policies of which there is something to say: on a ramp, paused, held, refused or fought over. */
export function policyLines(policies: readonly PolicyLine[]): readonly string[] {
  const notable = policies.filter(isNotable);
  if (notable.length === 0) return [];
  const lines = table([
    ['policy', 'ramp', 'reached', 'held', 'rejected', 'fighting'],
    ...notable.map((policy) => [
      nameOf(policy),
      // A ramp that is nearly over is not over.
      percent(Math.floor(policy.ramp * 100) / 100),
      ...[policy.reached, policy.held, policy.rejected, policy.fighting].map(String),
    ]),
  ]);
  const pausedBy = [
    notable.every((policy) => policy.pausedBy === undefined) ? '' : 'paused by',
    ...notable.map((policy) => policy.pausedBy ?? ''),
  ];
  return lines.map((line, index) => within(`${line}  ${pausedBy[index]}`.trimEnd()));
}

function isNotable({ ramp, held, rejected, fighting, pausedBy }: PolicyLine): boolean {
  return ramp < 1 || held > 0 || rejected > 0 || fighting > 0 || pausedBy !== undefined;
}

function nameOf({ name, mode }: PolicyLine): string {
  const room = LONGEST_NAME - (mode === 'observe' ? OBSERVES.length : 0);
  const short = name.length > room ? `${name.slice(0, room - 1)}…` : name;
  return mode === 'observe' ? `${short}${OBSERVES}` : short;
}

const OBSERVES = ' (observes)';
