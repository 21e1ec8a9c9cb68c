import type { Receipt } from '../allocation/receipt/receipt.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { JsonValue } from '../json/json.ts';
import { isoTime } from '../time/iso-time.ts';
import type { Snapshot, TwinStatus } from '../twin/snapshot/snapshot.ts';

interface OfTwin {
  readonly hub: HostName;
  readonly moduleId: string | null;
  /** ISO 8601 in UTC. */
  readonly at: string;
}

/**
 * One thing that is known of a device's past:
 *
 * - `decision`: a registration and its result; `hub` is null where it was refused.
 * - `seen`: the time from which this twin is known to exist.
 * - `write`: Berth wrote a value; `count` is how often in a row.
 * - `change`: another writer changed the property.
 * - `report`: the last report of the property by the device.
 * - `status`: since when the twin has its status.
 */
export type DeviceMoment =
  | {
      readonly kind: 'decision';
      readonly at: string;
      readonly hub: string | null;
      readonly how: string;
      readonly why: string;
    }
  | (OfTwin & { readonly kind: 'seen' })
  | (OfTwin & {
      readonly kind: 'write';
      readonly path: string;
      readonly policy: string;
      readonly value: JsonValue;
      readonly count: number;
    })
  | (OfTwin & { readonly kind: 'change' | 'report'; readonly path: string })
  | (OfTwin & { readonly kind: 'status'; readonly status: TwinStatus; readonly why: string });

/** What snapshots and receipts say of the past, the newest first. */
export function momentsOf(
  snapshots: readonly Snapshot[],
  receipts: readonly Receipt[],
): readonly DeviceMoment[] {
  return [...receipts.map(decision), ...snapshots.flatMap(momentsOfTwin)].sort(
    (one, other) => Date.parse(other.at) - Date.parse(one.at),
  );
}

function decision({ at, result }: Receipt): DeviceMoment {
  return result.kind === 'assigned'
    ? { kind: 'decision', at, hub: result.host, how: result.how, why: result.why }
    : { kind: 'decision', at, hub: null, how: result.code, why: result.message };
}

function momentsOfTwin({ id, bornAt, lastReconcile, paths }: Snapshot): readonly DeviceMoment[] {
  const twin = { hub: id.host, moduleId: id.moduleId ?? null };
  const { status, since, why } = lastReconcile;
  const of = Object.entries(paths).flatMap(([path, { writes, foreign, reportedAt }]): DeviceMoment[] => [
    ...writes.map(({ by, value, at, count }) => ({
      kind: 'write' as const,
      ...twin,
      at,
      path,
      policy: by,
      value,
      count,
    })),
    ...foreign.map((at) => ({ kind: 'change' as const, ...twin, at, path })),
    ...(reportedAt === undefined ? [] : [{ kind: 'report' as const, ...twin, at: reportedAt, path }]),
  ]);
  return [
    { kind: 'seen', ...twin, at: bornAt },
    { kind: 'status', ...twin, at: isoTime(since) ?? bornAt, status, why },
    ...of,
  ].filter(({ at }) => Date.parse(at) > 0) as DeviceMoment[];
}
