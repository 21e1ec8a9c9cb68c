import { gradualMoveOf, isReached, reachedAt } from '../allocation/moves/gradual-move.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { type EpochMs, laterOf, plus } from '../time/epoch-ms.ts';
import { type Instant, instantOf, parseInstant } from '../time/instant.ts';
import type { DisabledDevice } from './disabled-device.ts';
import type { SeenRegistration } from './next-step.ts';

/** A device as the query of its hub lists it. The result of a query may be some minutes old. */
export interface ListedDevice {
  readonly deviceId: string;
  readonly status: 'enabled' | 'disabled';
  readonly isConnected: boolean;
  readonly lastActivityAt: Instant;
  /** The scope of an IoT Edge device, which its children name. */
  readonly ownScope: string | undefined;
  /** The scope of its parent. Undefined: it has no parent. */
  readonly parentScope: string | undefined;
}

/** What decides whether a registration through an enrollment can move a device. */
export interface ListedEnrollment {
  readonly isEnabled: boolean;
  /** Whether a webhook chooses the hub. */
  readonly isCustom: boolean;
  readonly reprovisions: boolean;
  /** The hubs that the enrollment selects. Empty: all linked hubs. */
  readonly hubs: readonly HostName[];
}

/** The registration record of a device, with its enrollment. */
export interface ListedRegistration extends SeenRegistration {
  /** It may differ from the device id. */
  readonly registrationId: string;
  readonly enrollment: ListedEnrollment;
}

/** The drain of a hub, as it decides about its devices. */
export interface HubDrain {
  readonly host: HostName;
  readonly cause: string;
  /** Undefined: `resyncFleet` has not seen it yet. */
  readonly since: EpochMs | undefined;
  readonly overMs: number;
  /** How long a device has to follow its move request. 0: the fleet file asks no device. */
  readonly silentAfterMs: number;
}

/** Why a device is left alone. */
export type LeaveReason =
  | 'keptOut'
  | 'disabled'
  | 'noRecord'
  | 'assignedElsewhere'
  | 'notAssigned'
  | 'enrollmentDisabled'
  | 'notCustom'
  | 'neverReprovisions'
  | 'noOtherHub'
  | 'notReached'
  | 'asked'
  | 'stayed'
  | 'triedBefore'
  | 'offline'
  | 'parentHere';

export type DrainChoice =
  | { readonly kind: 'disable'; readonly registration: ListedRegistration }
  | { readonly kind: 'leave'; readonly why: LeaveReason };

export interface DrainFacts {
  readonly device: ListedDevice;
  /** Undefined: DPS has none. */
  readonly registration: ListedRegistration | undefined;
  readonly drain: HubDrain;
  readonly isKeptOut: boolean;
  /** When Berth last set the move request in its twin. Undefined: never, or nothing is asked. */
  readonly askedAt: EpochMs | undefined;
  /** What an earlier run did with the device. */
  readonly before: DisabledDevice | undefined;
  /** Whether devices that came back without moving are disabled again. */
  readonly triesAgain: boolean;
  /** The scopes of the IoT Edge devices that are still in this hub. */
  readonly scopesHere: ReadonlySet<string>;
  readonly now: EpochMs;
  /** When the hub listed the device. */
  readonly listedAt: EpochMs;
  /** Only a device that shows life within this time can register within it. */
  readonly waitMs: number;
}

/** Every instance reads the conditions every 20 s, and `resyncFleet` runs once a minute. */
const SETTLED_MS = 2 * 60_000;

/**
 * Whether a device of a draining hub is disabled, so that it loses its connection and registers again. Only a device that can come
 * back is: DPS has a record of it on this hub, and its enrollment lets it move.
 */
export function choiceOf(facts: DrainFacts): DrainChoice {
  const { device, registration, drain, before, now, waitMs } = facts;
  const leave = (why: LeaveReason): DrainChoice => ({ kind: 'leave', why });
  if (facts.isKeptOut) return leave('keptOut');
  // Another writer has disabled it. Berth neither counts on it nor enables it.
  if (device.status === 'disabled') return leave('disabled');
  if (registration === undefined) return leave('noRecord');
  const fixed = whyItCannotMove(registration, drain.host);
  if (fixed !== undefined) return leave(fixed);
  const move = gradualMoveOf(drain.cause, device.deviceId, drain.since, drain.overMs, now);
  if (drain.since === undefined || !isReached(move)) return leave('notReached');
  const reached = reachedAt(move, drain.since, drain.overMs);
  const registeredAt = parseInstant(registration.updatedAt);
  if (registeredAt !== undefined && registeredAt >= instantOf(plus(reached, SETTLED_MS)))
    return leave('stayed');
  // A request may also be missing: Berth is paused, or may not write to the twin. Such a device has the same time.
  if (now < plus(laterOf(facts.askedAt ?? reached, reached), drain.silentAfterMs)) return leave('asked');
  if (before !== undefined && before.disabledAt >= drain.since && !facts.triesAgain)
    return leave('triedBefore');
  if (isOffline(device, facts.listedAt, waitMs)) return leave('offline');
  if (device.parentScope !== undefined && facts.scopesHere.has(device.parentScope))
    return leave('parentHere');
  return { kind: 'disable', registration };
}

/**
 * Whether a device shows no life: it is not connected, and it was not active within the wait. A device that calls over HTTPS is never
 * "connected". To disable an offline device has no effect until it connects, and by then Berth would have enabled it again.
 */
export function isOffline(
  { isConnected, lastActivityAt }: Pick<ListedDevice, 'isConnected' | 'lastActivityAt'>,
  now: EpochMs,
  waitMs: number,
): boolean {
  return !isConnected && lastActivityAt < instantOf(plus(now, -waitMs));
}

function whyItCannotMove(
  { status, host, enrollment }: ListedRegistration,
  drained: HostName,
): LeaveReason | undefined {
  if (status !== 'assigned' || host === undefined) return 'notAssigned';
  if (host !== drained) return 'assignedElsewhere';
  if (!enrollment.isEnabled) return 'enrollmentDisabled';
  if (!enrollment.isCustom) return 'notCustom';
  if (!enrollment.reprovisions) return 'neverReprovisions';
  const { hubs } = enrollment;
  return hubs.length > 0 && hubs.every((each) => each === drained) ? 'noOtherHub' : undefined;
}
