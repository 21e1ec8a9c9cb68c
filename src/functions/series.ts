import type { Series } from '../api/contract.ts';
import { readQuery, seriesQuery } from '../api/queries.ts';
import { BerthError } from '../errors.ts';
import type { Instance } from '../instance/instance.ts';
import { beginningOf, SERIES_KEPT, type SeriesHub, type SeriesStep, STEP_MS } from '../metrics/series.ts';
import type { HubCounts } from '../metrics/sync-counters.ts';
import { type EpochMs, earlierOf, laterOf, plus } from '../time/epoch-ms.ts';
import type { EdgeDeviceStatus } from '../twin/snapshot/edge-device-status.ts';
import type { TwinStatus } from '../twin/snapshot/snapshot.ts';
import { listedHubs } from './cursor.ts';
import { answeringErrors, type HttpHandler, taggedAnswer } from './http-answer.ts';

/** Where no `from` is given. */
const DEFAULT_STEPS: Readonly<Record<SeriesStep, number>> = { minute: 60, hour: 7 * 24 };

/** Counts over time. */
export function series(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const { hub, step, ...query } = readQuery(seriesQuery, request.query);
    const { from, to } = rangeOf(step, query, instance.now());
    const fleet = instance.fleet.current();
    const hubs = listedHubs(fleet, hub);
    const points = await instance.stores.series.list(step, from, to);
    return taggedAnswer<Series>(request, {
      step,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      at: points.map(({ at }) => new Date(at).toISOString()),
      hubs: hubs.map(({ host }) => ({
        host,
        ...columnsOf(points.map(({ hubs: recorded }) => recorded[host])),
      })),
    });
  });
}

/**
 * The minutes or hours that are asked for, as far as they are kept. Both ends begin one, so that the answer stays the same
 * within a minute.
 *
 * @throws BerthError `BERTH_REQUEST_INVALID`
 */
function rangeOf(
  step: SeriesStep,
  { from, to }: { readonly from?: EpochMs | undefined; readonly to?: EpochMs | undefined },
  now: EpochMs,
): { readonly from: EpochMs; readonly to: EpochMs } {
  const stepMs = STEP_MS[step];
  const present = plus(beginningOf(now, step), stepMs);
  const end = to === undefined ? present : plus(beginningOf(plus(to, -1), step), stepMs);
  const begin = from === undefined ? plus(end, -DEFAULT_STEPS[step] * stepMs) : beginningOf(from, step);
  if (begin >= end) {
    throw new BerthError(
      'BERTH_REQUEST_INVALID',
      `from is ${new Date(begin).toISOString()}, which is not before to (${new Date(end).toISOString()}).`,
    );
  }
  const oldest = plus(present, -(SERIES_KEPT[step] + 1) * stepMs);
  return { from: earlierOf(laterOf(begin, oldest), present), to: laterOf(earlierOf(end, present), oldest) };
}

function columnsOf(points: readonly (SeriesHub | undefined)[]): Omit<Series['hubs'][number], 'host'> {
  const column = (numberOf: (counts: HubCounts) => number | null) =>
    points.map((point) => (point === undefined ? null : numberOf(point.counts)));
  const twins = (status: TwinStatus) => points.map((point) => point?.twins[status] ?? null);
  return {
    twins: {
      inSync: twins('inSync'),
      pending: twins('pending'),
      drifted: twins('drifted'),
      rejected: twins('rejected'),
      contested: twins('contested'),
      suspended: twins('suspended'),
      unknown: twins('unknown'),
    },
    edge: edgeColumns(points),
    events: column(eventsIn),
    gaps: column(({ gaps }) => gaps),
    reads: column(({ reads }) => reads),
    writes: column(({ writes }) => writes),
    failed: column(({ failed }) => failed),
    lagMs: column((counts) => (eventsIn(counts) === 0 ? null : Math.round(counts.lagMs / eventsIn(counts)))),
  };
}

/** A status that no device has is not stored. */
function edgeColumns(points: readonly (SeriesHub | undefined)[]): Series['hubs'][number]['edge'] {
  if (points.every((point) => point?.edge === undefined)) return null;
  const column = (status: EdgeDeviceStatus) =>
    points.map((point) => (point?.edge === undefined ? null : (point.edge[status] ?? 0)));
  return {
    running: column('running'),
    applied: column('applied'),
    pending: column('pending'),
    backingOff: column('backingOff'),
    unhealthy: column('unhealthy'),
    failed: column('failed'),
    offline: column('offline'),
    contested: column('contested'),
    notMatched: column('notMatched'),
  };
}

function eventsIn({ merged, replayed, gaps }: HubCounts): number {
  return merged + replayed + gaps;
}
