import { hostName } from '../../src/iot-hub/host-name.ts';
import { type DisabledDevice, markOf } from '../../src/silent-devices/disabled-device.ts';
import type { SeenDevice, SeenIdentity } from '../../src/silent-devices/next-step.ts';
import { epochMs, plus } from '../../src/time/epoch-ms.ts';
import { instantOf, NEVER } from '../../src/time/instant.ts';

export const OLD = hostName('hub-0.azure-devices.net');
export const NEW = hostName('hub-1.azure-devices.net');
export const WAIT_MS = 900_000;
/** When the device of these tests was disabled. */
export const DISABLED_AT = epochMs(Date.UTC(2026, 10, 25, 12));
export const REGISTERED = '2026-11-01T08:00:00.1234567Z';
export const REGISTERED_AGAIN = '2026-11-25T12:03:00.7654321Z';

/** A disabled device. Default: its hub has disabled it, and nothing has happened since. */
export function disabledDevice(change: Partial<DisabledDevice> = {}): DisabledDevice {
  return {
    host: OLD,
    deviceId: 'pump',
    registrationId: 'serial-7',
    phase: 'disabled',
    mark: markOf('r1'),
    reasonBefore: null,
    etag: 'after',
    registeredAt: REGISTERED,
    disabledAt: DISABLED_AT,
    enabledAt: null,
    author: 'ada@contoso.com',
    reason: 'moving out',
    ...change,
  };
}

/** An identity as Berth has disabled it. */
export function identity(change: Partial<SeenIdentity> = {}): SeenIdentity {
  return {
    status: 'disabled',
    statusReason: markOf('r1'),
    etag: 'after',
    isConnected: false,
    connectionChangedAt: instantOf(plus(DISABLED_AT, 1_000)),
    lastActivityAt: NEVER,
    ...change,
  };
}

/** What is known a minute after the device was disabled. */
export function seenDevice(change: Partial<SeenDevice> = {}): SeenDevice {
  return {
    now: plus(DISABLED_AT, 60_000),
    waitMs: WAIT_MS,
    isEnding: false,
    registration: { status: 'assigned', host: OLD, updatedAt: REGISTERED },
    identity: 'unread',
    there: 'unread',
    ...change,
  };
}
