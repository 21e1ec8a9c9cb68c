import type { HostName } from '../iot-hub/host-name.ts';
import { type EpochMs, plus } from '../time/epoch-ms.ts';
import { type Instant, instantOf, millisecondsOf } from '../time/instant.ts';
import type { DisabledDevice, DisabledPhase } from './disabled-device.ts';

/** The identity of a device in its hub, without its keys. */
export interface SeenIdentity {
  readonly status: 'enabled' | 'disabled';
  readonly statusReason: string | null;
  readonly etag: string;
  readonly isConnected: boolean;
  /** When `isConnected` last changed. */
  readonly connectionChangedAt: Instant;
  /** The device connected, disconnected or sent a message. */
  readonly lastActivityAt: Instant;
}

/** The registration record of a device in DPS. */
export interface SeenRegistration {
  /** `assigned`, `assigning`, `failed`, `disabled` or `unassigned`. */
  readonly status: string;
  /** The assigned hub, under any of its names. Undefined: the record names none. */
  readonly host: HostName | undefined;
  /** `lastUpdatedDateTimeUtc`, as DPS writes it. */
  readonly updatedAt: string;
}

/** What is known of a disabled device now. */
export interface SeenDevice {
  readonly now: EpochMs;
  /** How long Berth waits for a registration, and again how long for a connection. */
  readonly waitMs: number;
  /** The operator ends the run: every device is enabled again at once. */
  readonly isEnding: boolean;
  /** Undefined: DPS has no record of the device any more. */
  readonly registration: SeenRegistration | undefined;
  /** `unread`: not asked yet in this round. */
  readonly identity: SeenIdentity | 'missing' | 'unread';
  /** The identity in the hub to which the device has moved. `unknown`: this hub cannot be asked. */
  readonly there: 'enabled' | 'disabled' | 'missing' | 'unknown' | 'unread';
}

/** The result of one device that was disabled. `notDisabled`: the call had no effect. */
export type DisableResult =
  | 'moved'
  | 'notDisabled'
  | Extract<DisabledPhase, 'cameBack' | 'lost' | 'leftDisabled' | 'disabledThere' | 'changed'>;

/** What to do next with a device that was disabled. */
export type DrainStep =
  | { readonly kind: 'wait'; readonly until: EpochMs }
  /** Ask the hub of the drain. */
  | { readonly kind: 'readIdentity' }
  /** Ask the hub to which it has moved. */
  | { readonly kind: 'readThere'; readonly host: HostName }
  /** Store what the hub has answered, without a call. */
  | { readonly kind: 'note'; readonly change: Pick<DisabledDevice, 'phase' | 'etag' | 'enabledAt'> }
  /** Enable the identity if it still has this ETag. */
  | { readonly kind: 'enable'; readonly etag: string }
  | { readonly kind: 'settle'; readonly result: DisableResult };

/** DPS creates the device in the new hub, deletes it in the old one, and then updates the record. That takes seconds. */
const MOVE_MS = 60_000;

/**
 * The next step of a device that Berth has disabled, or was about to disable when it stopped. Pure: the same facts give the same
 * step, also in the next run of the command.
 *
 * Berth enables only what it has disabled itself: the identity is still disabled, its status reason is still Berth's, and no other
 * writer has changed it since. DPS itself changes the identity of a device that registers again and stays.
 */
export function nextDrainStep(device: DisabledDevice, seen: SeenDevice): DrainStep {
  const movedTo = hostElsewhere(device, seen);
  if (movedTo !== undefined && device.phase !== 'disabling') return movedStep(device, seen, movedTo);
  switch (device.phase) {
    case 'disabling':
      return afterIntent(device, seen);
    case 'disabled':
      return waitsForRegistration(device, seen)
        ? { kind: 'wait', until: plus(device.disabledAt, seen.waitMs) }
        : enableStep(device, seen, device.disabledAt);
    case 'enabling':
      return enableStep(device, seen, device.disabledAt);
    case 'enabled':
      return afterEnabling(seen, device.enabledAt ?? seen.now);
    default:
      return { kind: 'settle', result: device.phase };
  }
}

/** The answer of the call that disables is not known: the hub says what happened. */
function afterIntent(device: DisabledDevice, { identity, ...seen }: SeenDevice): DrainStep {
  if (identity === 'unread') return { kind: 'readIdentity' };
  if (identity !== 'missing' && isMarked(device, identity)) {
    return { kind: 'note', change: { phase: 'disabled', etag: identity.etag, enabledAt: null } };
  }
  const movedTo = hostElsewhere(device, seen);
  return movedTo === undefined
    ? { kind: 'settle', result: 'notDisabled' }
    : movedStep(device, { ...seen, identity }, movedTo);
}

function waitsForRegistration({ disabledAt, registeredAt }: DisabledDevice, seen: SeenDevice): boolean {
  const { registration, now, waitMs, isEnding } = seen;
  return !isEnding && now < plus(disabledAt, waitMs) && !hasEnded(registration, registeredAt);
}

/** Whether the device has registered since, and DPS has neither moved it nor is still about to. */
function hasEnded(registration: SeenRegistration | undefined, registeredAt: string): boolean {
  if (registration === undefined || registration.updatedAt === registeredAt) return false;
  return registration.status !== 'assigning' && registration.status !== 'unassigned';
}

function enableStep(device: DisabledDevice, seen: SeenDevice, since: EpochMs): DrainStep {
  const { identity, registration, now } = seen;
  if (identity === 'unread') return { kind: 'readIdentity' };
  if (identity === 'missing') return missingStep(plus(since, seen.waitMs), seen);
  // Another writer has enabled it, or the answer of Berth's own call was lost.
  if (identity.status === 'enabled') {
    return { kind: 'note', change: { phase: 'enabled', etag: identity.etag, enabledAt: now } };
  }
  const isSame = identity.etag === device.etag || hasEnded(registration, device.registeredAt);
  return isMarked(device, identity) && isSame
    ? { kind: 'enable', etag: identity.etag }
    : { kind: 'settle', result: 'changed' };
}

function afterEnabling(seen: SeenDevice, enabledAt: EpochMs): DrainStep {
  const { identity, now, waitMs } = seen;
  const until = plus(enabledAt, waitMs);
  if (identity === 'unread') return { kind: 'readIdentity' };
  if (identity === 'missing') return missingStep(until, seen);
  if (identity.status === 'disabled') return { kind: 'settle', result: 'changed' };
  if (isBack(identity, enabledAt)) return { kind: 'settle', result: 'cameBack' };
  return now < until ? { kind: 'wait', until } : { kind: 'settle', result: 'lost' };
}

/** The clocks of the hub and of this machine differ a little. The device could not connect while it was disabled. */
const CLOCKS_MS = 30_000;
/** The end of a connection counts as activity, and may be noted a little later. */
const DISCONNECT_MS = 5_000;

/** Whether a device has connected, or called over HTTPS, since it was enabled. */
function isBack({ isConnected, connectionChangedAt, lastActivityAt }: SeenIdentity, enabledAt: EpochMs) {
  const since = instantOf(plus(enabledAt, -CLOCKS_MS));
  if (isConnected) return connectionChangedAt >= since;
  const isDisconnect = lastActivityAt <= instantOf(plus(millisecondsOf(connectionChangedAt), DISCONNECT_MS));
  return lastActivityAt >= since && !isDisconnect;
}

/** The identity is gone, and DPS does not name another hub: DPS is about to move it, or another writer has deleted it. */
function missingStep(deadline: EpochMs, { now }: SeenDevice): DrainStep {
  const until = plus(deadline, MOVE_MS);
  return now < until ? { kind: 'wait', until } : { kind: 'settle', result: 'lost' };
}

function movedStep(device: DisabledDevice, { identity, there }: SeenDevice, host: HostName): DrainStep {
  if (there === 'unread') return { kind: 'readThere', host };
  if (there === 'disabled') return { kind: 'settle', result: 'disabledThere' };
  if (identity === 'unread') return { kind: 'readIdentity' };
  const isLeft = identity !== 'missing' && isMarked(device, identity);
  return { kind: 'settle', result: isLeft ? 'leftDisabled' : 'moved' };
}

function isMarked({ mark }: DisabledDevice, { status, statusReason }: SeenIdentity): boolean {
  return status === 'disabled' && statusReason === mark;
}

/** The other hub to which DPS has assigned the device. */
function hostElsewhere(
  { host }: DisabledDevice,
  { registration }: Pick<SeenDevice, 'registration'>,
): HostName | undefined {
  if (registration?.status !== 'assigned' || registration.host === undefined) return undefined;
  return registration.host === host ? undefined : registration.host;
}

/** The results of devices that are neither on another hub nor connected again. */
const LOST: ReadonlySet<DisableResult> = new Set(['lost', 'disabledThere', 'changed']);

/** Whether a device of this result counts as lost. */
export function isLost(result: DisableResult): boolean {
  return LOST.has(result);
}

/** Whether the run must stop after a wave. @param most the greatest accepted share of lost devices, from 0 to 1. */
export function losesTooMany(results: readonly DisableResult[], most: number): boolean {
  return results.filter(isLost).length > most * results.length;
}
