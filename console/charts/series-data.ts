import type { Series } from '../api/contract.ts';
import { STATUSES, type Status } from '../words/statuses.ts';

type Numbers = readonly (number | null)[];
type HubSeries = Series['hubs'][number];

/** Columns over time as charts take them: one entry for each minute or hour, `null` where nothing was recorded. */
export interface TimeColumns {
  /** The beginning of each minute or hour, ms since the epoch. */
  readonly at: readonly number[];
  readonly twins: Readonly<Record<Status, Numbers>>;
  /** Corrections in each minute or hour; `null` while it is not over. */
  readonly corrections: Numbers;
  /** Reads of twins for each event that was applied. */
  readonly readsPerEvent: Numbers;
  /** How long events waited, on average, in seconds. */
  readonly lagSeconds: Numbers;
}

const STEP_MS = { minute: 60_000, hour: 3_600_000 } as const;

/**
 * The sum over some hubs, on an even grid of time from the first to the last moment that was asked for.
 *
 * @param now milliseconds since the epoch
 */
export function timeColumns({ step, from, to, at, hubs }: Series, now: number): TimeColumns {
  const stepMs = STEP_MS[step];
  const first = Math.ceil(Date.parse(from) / stepMs) * stepMs;
  const slots = Math.max(1, Math.ceil((Date.parse(to) - first) / stepMs));
  const grid = Array.from({ length: slots }, (_, slot) => first + slot * stepMs);
  const slotOf = at.map((time) => Math.round((Date.parse(time) - first) / stepMs));
  const onGrid = (numbers: Numbers): Numbers => {
    const column: (number | null)[] = grid.map(() => null);
    for (const [index, slot] of slotOf.entries()) {
      if (slot >= 0 && slot < slots) column[slot] = numbers[index] ?? null;
    }
    return column;
  };
  // A minute that is not over has counted a part only.
  const isOver = grid.map((time) => time + stepMs <= now);
  const complete = (numbers: Numbers): Numbers => numbers.map((value, slot) => (isOver[slot] ? value : null));
  const total = (pick: (hub: HubSeries) => Numbers): Numbers => onGrid(sum(hubs.map(pick), at.length));
  const events = total(({ events: each }) => each);
  const reads = total(({ reads: each }) => each);
  const waited = total((hub) =>
    hub.lagMs.map((lag, index) => (lag === null ? null : lag * (hub.events[index] ?? 0))),
  );
  const twins = STATUSES.map((status) => [status, total((hub) => hub.twins[status])] as const);
  return {
    at: grid,
    twins: Object.fromEntries(twins) as Record<Status, Numbers>,
    corrections: complete(total(({ writes }) => writes)),
    readsPerEvent: complete(quotient(reads, events)),
    lagSeconds: quotient(waited, events).map((ms) => (ms === null ? null : ms / 1_000)),
  };
}

function sum(columns: readonly Numbers[], length: number): Numbers {
  return Array.from({ length }, (_, index) =>
    columns.reduce<number | null>((total, column) => {
      const value = column[index] ?? null;
      return value === null ? total : (total ?? 0) + value;
    }, null),
  );
}

function quotient(above: Numbers, below: Numbers): Numbers {
  return above.map((value, index) => {
    const by = below[index] ?? null;
    return value === null || by === null || by === 0 ? null : value / by;
  });
}

/** Columns on top of each other, the first one lowest; `null` where none of them has a number. */
export function stacked(columns: readonly Numbers[]): readonly Numbers[] {
  let below: Numbers | undefined;
  return columns.map((column) => {
    const sums: Numbers = column.map((value, index) => {
      const under = below?.[index] ?? null;
      return value === null && under === null ? null : (value ?? 0) + (under ?? 0);
    });
    below = sums;
    return sums;
  });
}

/** The last number of a column and where it is; undefined where it has none. */
export function lastNumber(column: Numbers): { readonly value: number; readonly index: number } | undefined {
  for (let index = column.length - 1; index >= 0; index -= 1) {
    const value = column[index] ?? null;
    if (value !== null) return { value, index };
  }
  return undefined;
}
