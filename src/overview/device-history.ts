import type { Receipt } from '../allocation/receipt/receipt.ts';
import type { DeviceMoment } from '../api/contract.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { EPOCH } from '../time/epoch-ms.ts';
import { NEVER } from '../time/instant.ts';
import { isoTime } from '../time/iso-time.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';
import type { StoredDevice } from './stored-device.ts';

/** What is known of the past of a device, the newest first. */
export function historyOfDevice({ twins, receipts }: StoredDevice): readonly DeviceMoment[] {
  return [
    ...receipts.map(decisionOf),
    ...twins.flatMap(({ hub, snapshot }) => momentsOf(hub.host, snapshot)),
  ].sort(newestFirst);
}

function decisionOf({ at, result }: Receipt): DeviceMoment {
  return result.kind === 'assigned'
    ? { kind: 'decision', at, hub: result.host, how: result.how, why: result.why }
    : { kind: 'decision', at, hub: null, how: 'refused', why: result.message };
}

/** What a snapshot remembers, with the hub's times; the status has the time of the instance that found it. */
function momentsOf(hub: HostName, snapshot: Snapshot): readonly DeviceMoment[] {
  const moduleId = snapshot.id.moduleId ?? null;
  const { bornAt, lastReconcile } = snapshot;
  const since = isoTime(lastReconcile.since === EPOCH ? undefined : lastReconcile.since);
  return [
    ...(bornAt === NEVER ? [] : [{ kind: 'seen', hub, moduleId, at: bornAt } as const]),
    ...(since === null
      ? []
      : [
          {
            kind: 'status',
            hub,
            moduleId,
            at: since,
            status: lastReconcile.status,
            why: lastReconcile.why,
          } as const,
        ]),
    ...Object.entries(snapshot.paths).flatMap(([path, { writes, foreign, reportedAt }]): DeviceMoment[] => [
      ...writes.map(({ by, value, at, count }) => {
        return { kind: 'write', hub, moduleId, at, path, policy: by, value, count } as const;
      }),
      ...foreign.map((at) => ({ kind: 'change', hub, moduleId, at, path }) as const),
      ...(reportedAt === undefined ? [] : [{ kind: 'report', hub, moduleId, at: reportedAt, path } as const]),
    ]),
  ];
}

/** Times have different numbers of digits: those of hubs seven, of instances three. */
function newestFirst(one: DeviceMoment, other: DeviceMoment): number {
  const [left, right] = [one.at, other.at].map((at) => at.replace(/Z$/, '').padEnd(27, '0'));
  if (left === right) return 0;
  return (left ?? '') < (right ?? '') ? 1 : -1;
}
