import type { Hub, MoveRequest, Twins } from '../../fleet/fleet.ts';
import { isReservedDeviceId } from '../../iot-hub/heartbeat-device.ts';
import { type HostName, parseHubName } from '../../iot-hub/host-name.ts';
import type { JsonValue } from '../../json/json.ts';
import { type EpochMs, laterOf, plus } from '../../time/epoch-ms.ts';
import { type Instant, millisecondsOf } from '../../time/instant.ts';
import { valueAt } from '../snapshot/merge.ts';
import { historyAt, type PathHistory, type PolicyStatus, type Snapshot } from '../snapshot/snapshot.ts';
import type { OwnedLeaf } from './ownership.ts';

/** What the drain of its hub means for one device. */
export type DrainOfDevice =
  /** The hub does not drain. */
  | { readonly kind: 'none' }
  /** The drain has ended. Until this time, other instances may still set the property. */
  | { readonly kind: 'ended'; readonly until: EpochMs }
  /** The hub drains. If the device registers from then on, it moves. */
  | { readonly kind: 'draining'; readonly askAt: EpochMs };

/** What the plan does about the move request of a twin. */
export interface PlannedMoveRequest {
  /** The property, if it must be set, stay or be removed now. */
  readonly leaf?: OwnedLeaf;
  /** The status of the policy if nothing is to be written. Undefined: the status of the property. */
  readonly status?: PolicyStatus;
  readonly nextAt?: EpochMs;
  /** When the hub is asked whether the device is alive. */
  readonly askAt?: EpochMs;
}

/** A move request by which a plan does nothing. */
export const NO_MOVE_REQUEST: PlannedMoveRequest = {};

/**
 * What to do about the property that asks a device to register again. On a hub that drains, its value is the identity of
 * the hub, from the time at which the device would move. Everywhere else, Berth removes a value that names a hub: DPS may
 * have brought it along with the twin, or the drain is over. Other values on such a hub are not Berth's, and stay. Modules
 * do not register, so they are not asked.
 */
export function planMoveRequest(
  snapshot: Snapshot,
  { host }: Pick<Hub, 'host'>,
  { moveRequest }: Pick<Twins, 'moveRequest'>,
  drain: DrainOfDevice | undefined,
  now: EpochMs,
): PlannedMoveRequest {
  const { deviceId, moduleId } = snapshot.id;
  if (moveRequest === undefined || drain === undefined || moduleId !== undefined) return NO_MOVE_REQUEST;
  if (isReservedDeviceId(deviceId)) return NO_MOVE_REQUEST;
  const present = valueAt(snapshot.desired, moveRequest.leaf.path);
  const named = namedHub(present, moveRequest);
  const removal = named === undefined ? {} : { leaf: leafOf(moveRequest, null) };
  switch (drain.kind) {
    case 'none':
      return removal;
    case 'ended':
      return named === host && now < drain.until ? { nextAt: drain.until } : removal;
    case 'draining': {
      if (present === host) {
        return { leaf: leafOf(moveRequest, host), ...lifeAfterRequest(snapshot, moveRequest, now) };
      }
      if (now >= drain.askAt) return { leaf: leafOf(moveRequest, host) };
      return { ...removal, status: 'unreached', nextAt: drain.askAt };
    }
  }
}

/** The hub that a value names, under any of its names. Undefined: it names none, so Berth has not written it. */
function namedHub(value: JsonValue | undefined, { hosts }: MoveRequest): HostName | undefined {
  const name = typeof value === 'string' ? parseHubName(value) : undefined;
  return name !== undefined && (name.kind !== 'other' || hosts.has(name.host)) ? name.host : undefined;
}

function leafOf({ policy, leaf: { path, key, compare } }: MoveRequest, wanted: HostName | null): OwnedLeaf {
  return { policy, path, key, compare, wanted, report: undefined, isLeaving: wanted === null };
}

/** How long Berth waits after the deadline for the hub's answer whether the device is alive. */
const LAST_QUESTION_MS = 60 * 60_000;

/**
 * The status of the request after it was set: `inSync` if the device has shown life since, `silent` if it shows none until
 * the deadline, and `pending` until then. The hub is asked once before a device is `silent`.
 */
function lifeAfterRequest(
  { paths, lifeAt, activity }: Snapshot,
  { leaf, silentAfterMs }: MoveRequest,
  now: EpochMs,
): Pick<PlannedMoveRequest, 'status' | 'askAt' | 'nextAt'> {
  const askedAt = requestedAt(historyAt(paths, leaf.key));
  if (askedAt === undefined || (lifeAt !== undefined && lifeAt > askedAt)) return { status: 'inSync' };
  const deadline = plus(millisecondsOf(askedAt), silentAfterMs);
  if (now < deadline) return { status: 'pending', askAt: deadline };
  const giveUp = plus(deadline, LAST_QUESTION_MS);
  const isAsked = activity !== undefined && activity.askedAt >= deadline;
  if (isAsked || now >= giveUp) return { status: 'silent' };
  return { status: 'pending', askAt: laterOf(now, deadline), nextAt: giveUp };
}

/** The hub's time at which the present request was set. Undefined: Berth has not seen it. */
export function requestedAt({ oursAt }: PathHistory): Instant | undefined {
  return oursAt;
}
