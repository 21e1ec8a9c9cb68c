import { describe, expect, test } from '@jest/globals';
import { drainCause } from '../../src/allocation/moves/moves.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import {
  choiceOf,
  type DrainFacts,
  type LeaveReason,
  type ListedDevice,
  type ListedEnrollment,
  type ListedRegistration,
} from '../../src/silent-devices/drain-choice.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { instantOf, NEVER } from '../../src/time/instant.ts';
import { DISABLED_AT, disabledDevice, NEW, OLD, REGISTERED, WAIT_MS } from './disabled-devices.ts';

const HOUR_MS = 3_600_000;
const SINCE = plus(DISABLED_AT, -HOUR_MS);

/** A drain that asks devices, and gives them an hour. */
const ASKING = { host: OLD, cause: drainCause(OLD), since: SINCE, overMs: 0, silentAfterMs: HOUR_MS };

interface Change {
  readonly device?: Partial<ListedDevice>;
  readonly registration?: Partial<ListedRegistration>;
  readonly enrollment?: Partial<ListedEnrollment>;
  readonly facts?: Partial<DrainFacts>;
}

/** A connected device whose registration would move it. */
function facts({ device, registration, enrollment, facts: others }: Change): DrainFacts {
  return {
    device: {
      deviceId: 'pump',
      status: 'enabled',
      isConnected: true,
      lastActivityAt: NEVER,
      ownScope: undefined,
      parentScope: undefined,
      ...device,
    },
    registration: {
      registrationId: 'serial-7',
      status: 'assigned',
      host: OLD,
      updatedAt: REGISTERED,
      enrollment: { isEnabled: true, isCustom: true, reprovisions: true, hubs: [], ...enrollment },
      ...registration,
    },
    drain: { host: OLD, cause: drainCause(OLD), since: SINCE, overMs: 0, silentAfterMs: 0 },
    isKeptOut: false,
    askedAt: undefined,
    before: undefined,
    triesAgain: false,
    scopesHere: new Set(['gateway']),
    now: DISABLED_AT,
    listedAt: DISABLED_AT,
    waitMs: WAIT_MS,
    ...others,
  };
}

const DISABLED: readonly (readonly [string, Change])[] = [
  ['is connected, and its registration would move it', {}],
  ['selects this hub and another one', { enrollment: { hubs: [OLD, NEW] } }],
  [
    'calls over HTTPS, and was active a minute ago',
    { device: { isConnected: false, lastActivityAt: instantOf(plus(DISABLED_AT, -60_000)) } },
  ],
  ['has a parent that has left the hub', { device: { parentScope: 'gone' } }],
  ['is an IoT Edge gateway', { device: { ownScope: 'gateway' } }],
  ['registered before the move reached it', { registration: { updatedAt: instantOf(plus(SINCE, -1)) } }],
  ['was asked an hour ago, and had an hour', { facts: { drain: ASKING, askedAt: SINCE } }],
  [
    'could not be asked, and the move reached it an hour ago',
    { facts: { drain: ASKING, askedAt: undefined } },
  ],
  [
    'did not move in an earlier drain',
    { facts: { before: disabledDevice({ phase: 'lost', disabledAt: plus(SINCE, -1) }) } },
  ],
  [
    'did not move in this drain, and the operator tries again',
    { facts: { before: disabledDevice({ phase: 'cameBack' }), triesAgain: true } },
  ],
];

const LEFT: readonly (readonly [LeaveReason, string, Change])[] = [
  ['keptOut', 'Berth may store nothing about it', { facts: { isKeptOut: true } }],
  ['disabled', 'another writer has disabled it', { device: { status: 'disabled' } }],
  ['noRecord', 'DPS does not know it', { facts: { registration: undefined } }],
  ['assignedElsewhere', 'DPS has assigned it to another hub', { registration: { host: NEW } }],
  ['notAssigned', 'its registration failed', { registration: { status: 'failed', host: undefined } }],
  ['notAssigned', 'DPS is assigning it', { registration: { status: 'assigning' } }],
  ['enrollmentDisabled', 'its enrollment is disabled', { enrollment: { isEnabled: false } }],
  ['notCustom', 'DPS chooses its hub', { enrollment: { isCustom: false } }],
  ['neverReprovisions', 'it would keep its hub', { enrollment: { reprovisions: false } }],
  ['noOtherHub', 'its enrollment selects only this hub', { enrollment: { hubs: [OLD] } }],
  [
    'noOtherHub',
    'its enrollment selects this hub under two names',
    { enrollment: { hubs: [OLD, hostName('hub-0.device.azure-devices.net')] } },
  ],
  [
    'notReached',
    'resyncFleet has not seen the drain yet',
    {
      facts: { drain: { host: OLD, cause: drainCause(OLD), since: undefined, overMs: 0, silentAfterMs: 0 } },
    },
  ],
  [
    'notReached',
    'the move reaches it later',
    {
      facts: {
        drain: { host: OLD, cause: drainCause(OLD), since: SINCE, overMs: 1_000 * HOUR_MS, silentAfterMs: 0 },
      },
    },
  ],
  [
    'asked',
    'it was asked half an hour ago, and has an hour',
    { facts: { drain: ASKING, askedAt: plus(DISABLED_AT, -HOUR_MS / 2) } },
  ],
  [
    'asked',
    'it was not asked yet, and the move has just reached it',
    { facts: { drain: { ...ASKING, since: plus(DISABLED_AT, -HOUR_MS / 2) } } },
  ],
  [
    'asked',
    'it was asked in an earlier drain, and the move has just reached it',
    { facts: { drain: { ...ASKING, since: plus(DISABLED_AT, -1) }, askedAt: plus(SINCE, -HOUR_MS) } },
  ],
  [
    'stayed',
    'it registered after the move reached it',
    { registration: { updatedAt: instantOf(plus(SINCE, 600_000)) } },
  ],
  [
    'triedBefore',
    'it did not move in this drain',
    { facts: { before: disabledDevice({ phase: 'cameBack' }) } },
  ],
  ['offline', 'it has never connected', { device: { isConnected: false } }],
  [
    'offline',
    'it was active an hour ago',
    { device: { isConnected: false, lastActivityAt: instantOf(plus(DISABLED_AT, -HOUR_MS)) } },
  ],
  ['parentHere', 'its parent is still here', { device: { parentScope: 'gateway' } }],
];

describe('a device of a draining hub is disabled', () => {
  test.each(DISABLED)('if it %s', (_, change) => {
    expect(choiceOf(facts(change))).toMatchObject({
      kind: 'disable',
      registration: { registrationId: 'serial-7' },
    });
  });
});

describe('a device of a draining hub is left alone', () => {
  test.each(LEFT)('with the reason %s, because %s', (why, _, change) => {
    expect(choiceOf(facts(change))).toEqual({ kind: 'leave', why });
  });
});
