import type { HostName } from '../../iot-hub/host-name.ts';
import { epochMs } from '../../time/epoch-ms.ts';
import { millisecondsOf } from '../../time/instant.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import type { KnownParent } from '../parent/known-parent.ts';
import type { Receipt } from './receipt.ts';

/** What is stored of the twin of a device on one hub. */
export interface StoredTwin {
  readonly host: HostName;
  readonly known: Known;
}

const NOT_EDGE = 'it is not an IoT Edge device';

/**
 * The hub that the newest registration of a device chose; undefined if no receipt says so. The device id of a
 * registration is its registration id, unless the enrollment gives another one.
 *
 * @param receipts of the registration id, the newest first
 */
export function registeredHub(deviceId: string, receipts: readonly Receipt[]): Receipt | undefined {
  return receipts.find(({ result, inputs }) => {
    const own = inputs.currentDeviceId ?? inputs.deviceId ?? inputs.registrationId;
    // Registration ids are not case-sensitive.
    return result.kind === 'assigned' && own.toLowerCase() === deviceId.toLowerCase();
  });
}

/**
 * The hub of a parent by its newest registration; undefined if the device was deleted there afterwards.
 *
 * @param twin what is stored of its twin on the hub of the registration
 */
export function parentOfReceipt(
  deviceId: string,
  { at, result, inputs }: Receipt,
  { known }: StoredTwin,
): KnownParent | undefined {
  if (result.kind !== 'assigned') return undefined;
  const registeredAt = epochMs(Date.parse(at));
  if (known.kind === 'deleted' && millisecondsOf(known.at) >= registeredAt) return undefined;
  const isEdge = known.kind === 'snapshot' ? known.snapshot.isEdge : undefined;
  return (isEdge ?? inputs.enrollment.iotEdge) ? { deviceId, hub: result.host } : { deviceId, why: NOT_EDGE };
}

/**
 * The hub of a parent by the stored twins of all hubs. The newest twin counts, because the twin on an earlier hub
 * may not be known to be deleted yet.
 */
export function parentOfTwins(deviceId: string, twins: readonly StoredTwin[]): KnownParent {
  const found = twins.flatMap(({ host, known }) =>
    known.kind === 'snapshot' ? [{ host, isEdge: known.snapshot.isEdge, bornAt: known.snapshot.bornAt }] : [],
  );
  if (found.length === 0) {
    return { deviceId, why: 'it has not registered, and no twin of it is stored' };
  }
  const newest = found
    .filter(({ isEdge }) => isEdge !== false)
    .sort((left, right) => (left.bornAt < right.bornAt ? 1 : left.bornAt > right.bornAt ? -1 : 0))[0];
  return newest === undefined ? { deviceId, why: NOT_EDGE } : { deviceId, hub: newest.host };
}
