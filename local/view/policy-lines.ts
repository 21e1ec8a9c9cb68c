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

const LONGEST_NAME = 24;

/** The policies of which there is something to say: on a ramp, paused, held, refused or fought over. */
export function policyLines(policies: readonly PolicyLine[]): readonly string[] {
  const notable = policies.filter(isNotable);
  if (notable.length === 0) return [];
  const notes = ['', ...notable.map(note)];
  const lines = table([
    ['policy', 'ramp', 'reached', 'held', 'rejected', 'fighting'],
    ...notable.map(({ name, ramp, reached, held, rejected, fighting }) => [
      name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name,
      // A ramp that is nearly over is not over.
      percent(Math.floor(ramp * 100) / 100),
      ...[reached, held, rejected, fighting].map(String),
    ]),
  ]);
  return lines.map((line, index) => within(`${line}  ${notes[index]}`.trimEnd()));
}

function isNotable({ ramp, held, rejected, fighting, pausedBy }: PolicyLine): boolean {
  return ramp < 1 || held > 0 || rejected > 0 || fighting > 0 || pausedBy !== undefined;
}

function note({ mode, pausedBy }: PolicyLine): string {
  if (pausedBy !== undefined) return `paused by ${pausedBy}`;
  return mode === 'observe' ? 'observes' : '';
}
