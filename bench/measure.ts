import { cpus, loadavg } from 'node:os';

/**
 * Two pieces of work that are measured in turn in one run. Only their ratio is a figure: times differ by a factor of two from one
 * machine to the next, and with other work on the same machine.
 */
export interface Comparison {
  /** Selects it: `--only NAME`. */
  readonly name: string;
  /** What the ratio means, for the table. */
  readonly what: string;
  readonly subject: () => unknown;
  readonly baseline: () => unknown;
  /** The largest ratio that is wanted. Undefined: the figure is only shown. */
  readonly goal?: number;
  /** Also show the subject's operations a second. */
  readonly showsRate?: boolean;
}

/** How long and how often a comparison is measured. */
export interface Effort {
  readonly rounds: number;
  /** CPU time of one side in one round, in milliseconds. */
  readonly roundMs: number;
  /** CPU time of each side before the first round, in milliseconds: V8 optimizes what runs often. */
  readonly warmUpMs: number;
}

export const FULL: Effort = { rounds: 15, roundMs: 40, warmUpMs: 500 };

/** The ratios of the rounds in order, and what they say. */
export interface Figure {
  readonly name: string;
  readonly what: string;
  /** The median of the ratios. */
  readonly ratio: number;
  /** The distance of the quartiles, as a part of the median. */
  readonly spread: number;
  readonly goal: number | null;
  readonly reached: 'met' | 'missed' | 'too spread' | 'no goal';
  /** Operations of the subject in a second of CPU, from its fastest round. Null: not shown. */
  readonly perSecond: number | null;
}

/** With a larger spread, a comparison with the goal would be a matter of luck. */
const WIDEST_SPREAD = 0.2;

/** Measures a comparison: warms up both sides, then runs them in turn. The time is CPU time, so that other processes matter less. */
export function measure({ subject, baseline, ...comparison }: Comparison, effort: Effort): Figure {
  for (const side of [subject, baseline]) warmUp(side, effort.warmUpMs);
  const subjectRuns = runsFor(subject, effort.roundMs);
  const baselineRuns = runsFor(baseline, effort.roundMs);
  const ratios: number[] = [];
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < effort.rounds; round += 1) {
    const base = cpuMs(baseline, baselineRuns) / baselineRuns;
    const own = cpuMs(subject, subjectRuns) / subjectRuns;
    ratios.push(own / base);
    fastest = Math.min(fastest, own);
  }
  return figureOf(comparison, ratios, 1_000 / fastest);
}

/** The figure of the ratios of several rounds. */
export function figureOf(
  { name, what, goal, showsRate = false }: Omit<Comparison, 'subject' | 'baseline'>,
  ratios: readonly number[],
  perSecond: number,
): Figure {
  const sorted = [...ratios].sort((left, right) => left - right);
  const ratio = quantile(sorted, 0.5);
  const spread = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / ratio;
  return {
    name,
    what,
    ratio,
    spread,
    goal: goal ?? null,
    reached:
      goal === undefined
        ? 'no goal'
        : spread > WIDEST_SPREAD
          ? 'too spread'
          : ratio <= goal
            ? 'met'
            : 'missed',
    perSecond: showsRate ? perSecond : null,
  };
}

/** The load of the machine: runnable processes of the last minute for each core. Above 1, others take part of the time. */
export function machineLoad(): { readonly cores: number; readonly perCore: number; readonly model: string } {
  const cores = cpus();
  return {
    cores: cores.length,
    perCore: (loadavg()[0] ?? 0) / cores.length,
    model: cores[0]?.model ?? 'unknown',
  };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN;
}

function warmUp(work: () => unknown, ms: number): void {
  for (let taken = 0; taken < ms; ) taken += Math.max(0.001, cpuMs(work, 100));
}

/** How many runs take about this time, found with doubling. */
function runsFor(work: () => unknown, ms: number): number {
  let runs = 1;
  let taken = cpuMs(work, runs);
  while (taken < ms) {
    runs *= 2;
    taken = cpuMs(work, runs);
  }
  return Math.max(1, Math.round((runs * ms) / taken));
}

function cpuMs(work: () => unknown, runs: number): number {
  const before = process.cpuUsage();
  for (let run = 0; run < runs; run += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
