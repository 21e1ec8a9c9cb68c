import { describe, expect, test } from '@jest/globals';
import type { DisabledDevice } from '../../src/silent-devices/disabled-device.ts';
import {
  type DisableResult,
  type DrainStep,
  losesTooMany,
  nextDrainStep,
  type SeenDevice,
} from '../../src/silent-devices/next-step.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import {
  DISABLED_AT,
  disabledDevice,
  identity,
  NEW,
  OLD,
  REGISTERED,
  REGISTERED_AGAIN,
  seenDevice,
  WAIT_MS,
} from './disabled-devices.ts';

const END = plus(DISABLED_AT, WAIT_MS);
const ENABLED_AT = plus(DISABLED_AT, 600_000);
const assigned = (host = NEW, updatedAt = REGISTERED_AGAIN) => ({ status: 'assigned', host, updatedAt });
const settle = (result: DisableResult): DrainStep => ({ kind: 'settle', result });
const READ: DrainStep = { kind: 'readIdentity' };
const enable = (etag: string): DrainStep => ({ kind: 'enable', etag });
const enabled = { phase: 'enabled', enabledAt: ENABLED_AT } as const;

type Row = readonly [
  name: string,
  device: Partial<DisabledDevice>,
  seen: Partial<SeenDevice>,
  step: DrainStep,
];

const TABLE: readonly Row[] = [
  // The command ended between the intent and the answer of the hub.
  ['reads an identity whose disabling has no answer', { phase: 'disabling', etag: null }, {}, READ],
  [
    'notes that the hub has disabled a device although the answer was lost',
    { phase: 'disabling', etag: null },
    { identity: identity() },
    { kind: 'note', change: { phase: 'disabled', etag: 'after', enabledAt: null } },
  ],
  [
    'drops a device that the hub has not disabled',
    { phase: 'disabling', etag: null },
    { identity: identity({ status: 'enabled', statusReason: null }) },
    settle('notDisabled'),
  ],
  [
    'drops a device that another writer has disabled, and so never enables it',
    { phase: 'disabling', etag: null },
    { identity: identity({ statusReason: 'stolen' }) },
    settle('notDisabled'),
  ],
  [
    'asks the new hub about a device that moved before the answer came',
    { phase: 'disabling', etag: null },
    { identity: 'missing', registration: assigned() },
    { kind: 'readThere', host: NEW },
  ],
  // Disabled.
  ['waits for a registration', {}, {}, { kind: 'wait', until: END }],
  [
    'waits while DPS has no record, because the device may register for the first time',
    {},
    { registration: undefined },
    { kind: 'wait', until: END },
  ],
  [
    'waits while DPS is assigning a hub',
    {},
    { registration: { status: 'assigning', host: undefined, updatedAt: REGISTERED_AGAIN } },
    { kind: 'wait', until: END },
  ],
  [
    'asks the new hub about a device that has moved',
    {},
    { registration: assigned() },
    { kind: 'readThere', host: NEW },
  ],
  [
    'looks for the old identity of a device that works in the new hub',
    {},
    { registration: assigned(), there: 'enabled' },
    READ,
  ],
  [
    'settles a device that has moved and left the old hub',
    {},
    { registration: assigned(), there: 'enabled', identity: 'missing' },
    settle('moved'),
  ],
  [
    'settles a device whose new hub cannot be asked',
    {},
    { registration: assigned(), there: 'unknown', identity: 'missing' },
    settle('moved'),
  ],
  [
    'keeps a note of an old identity that stays disabled after the move',
    {},
    { registration: assigned(), there: 'enabled', identity: identity() },
    settle('leftDisabled'),
  ],
  [
    'counts a device as not working if its identity in the new hub is disabled',
    {},
    { registration: assigned(), there: 'disabled' },
    settle('disabledThere'),
  ],
  [
    'reads the identity at once if the device registered and stayed on this hub',
    {},
    { registration: assigned(OLD) },
    READ,
  ],
  [
    'enables a device that registered and stayed, although DPS has changed its identity',
    {},
    { registration: assigned(OLD), identity: identity({ etag: 'of DPS' }) },
    enable('of DPS'),
  ],
  [
    'enables a device at once whose registration failed',
    {},
    {
      registration: { status: 'failed', host: undefined, updatedAt: REGISTERED_AGAIN },
      identity: identity(),
    },
    enable('after'),
  ],
  ['reads the identity when the wait is over', {}, { now: END }, READ],
  [
    'enables what has not registered within the wait',
    {},
    { now: END, identity: identity() },
    enable('after'),
  ],
  [
    'enables a device at once when the run ends',
    {},
    { isEnding: true, identity: identity() },
    enable('after'),
  ],
  [
    'leaves an identity alone that another writer has changed',
    {},
    { now: END, identity: identity({ etag: 'of another writer' }) },
    settle('changed'),
  ],
  [
    'leaves an identity alone whose status reason another writer has changed',
    {},
    { now: END, identity: identity({ statusReason: 'stolen' }) },
    settle('changed'),
  ],
  [
    'follows a device that another writer has enabled',
    {},
    { now: END, identity: identity({ status: 'enabled', etag: 'x' }) },
    { kind: 'note', change: { phase: 'enabled', etag: 'x', enabledAt: END } },
  ],
  [
    'waits a minute for a move of DPS if the identity is gone',
    {},
    { now: END, identity: 'missing' },
    { kind: 'wait', until: plus(END, 60_000) },
  ],
  [
    'counts a device as lost whose identity is gone from every hub',
    {},
    { now: plus(END, 60_000), identity: 'missing' },
    settle('lost'),
  ],
  // The command ended while it enabled the device.
  ['reads an identity whose enabling has no answer', { phase: 'enabling' }, {}, READ],
  ['enables again what is still disabled', { phase: 'enabling' }, { identity: identity() }, enable('after')],
  [
    'notes that the hub has enabled a device although the answer was lost',
    { phase: 'enabling' },
    { identity: identity({ status: 'enabled', statusReason: null, etag: 'x' }), now: ENABLED_AT },
    { kind: 'note', change: { phase: 'enabled', etag: 'x', enabledAt: ENABLED_AT } },
  ],
  // Enabled again.
  [
    'waits until an enabled device connects',
    enabled,
    { now: ENABLED_AT, identity: identity({ status: 'enabled' }) },
    { kind: 'wait', until: plus(ENABLED_AT, WAIT_MS) },
  ],
  [
    'settles a device that has connected since',
    enabled,
    {
      now: plus(ENABLED_AT, 5_000),
      identity: identity({
        status: 'enabled',
        isConnected: true,
        connectionChangedAt: instantOf(plus(ENABLED_AT, 4_000)),
      }),
    },
    settle('cameBack'),
  ],
  [
    'settles a device over HTTPS, which is never connected, by its activity',
    enabled,
    {
      now: plus(ENABLED_AT, 5_000),
      identity: identity({ status: 'enabled', lastActivityAt: instantOf(plus(ENABLED_AT, 4_000)) }),
    },
    settle('cameBack'),
  ],
  [
    'does not believe a connection from before the device was disabled',
    enabled,
    {
      now: plus(ENABLED_AT, 5_000),
      identity: identity({
        status: 'enabled',
        isConnected: true,
        connectionChangedAt: instantOf(plus(DISABLED_AT, -86_400_000)),
      }),
    },
    { kind: 'wait', until: plus(ENABLED_AT, WAIT_MS) },
  ],
  [
    'does not take the end of a connection for a sign of life',
    { ...enabled, enabledAt: plus(DISABLED_AT, 10_000) },
    {
      now: plus(DISABLED_AT, 11_000),
      identity: identity({
        status: 'enabled',
        connectionChangedAt: instantOf(plus(DISABLED_AT, 2_000)),
        lastActivityAt: instantOf(plus(DISABLED_AT, 3_000)),
      }),
    },
    { kind: 'wait', until: plus(DISABLED_AT, 10_000 + WAIT_MS) },
  ],
  [
    'counts a device as lost that has not connected within the wait',
    enabled,
    { now: plus(ENABLED_AT, WAIT_MS), identity: identity({ status: 'enabled' }) },
    settle('lost'),
  ],
  [
    'sees that a device moved after it was enabled',
    enabled,
    { registration: assigned(), there: 'enabled', identity: 'missing' },
    settle('moved'),
  ],
  [
    'leaves a device alone that another writer has disabled after it was enabled',
    enabled,
    { now: ENABLED_AT, identity: identity({ statusReason: null }) },
    settle('changed'),
  ],
];

describe('the next step of a disabled device', () => {
  test.each(TABLE)('%s', (_, device, seen, step) => {
    expect(nextDrainStep(disabledDevice(device), seenDevice(seen))).toEqual(step);
  });

  test('is a wait that ends in the future, or a call, for every device that is still out', () => {
    for (const phase of ['disabling', 'disabled', 'enabling', 'enabled'] as const) {
      for (const at of [0, 1, WAIT_MS - 1]) {
        const seen = seenDevice({ now: plus(DISABLED_AT, at), registration: assigned(OLD, REGISTERED) });
        const step = nextDrainStep(disabledDevice({ phase, enabledAt: DISABLED_AT }), seen);
        if (step.kind === 'wait') expect(step.until).toBeGreaterThan(seen.now);
        else expect(step).toEqual(READ);
      }
    }
  });
});

describe('a wave', () => {
  test.each<readonly [lost: number, of: number, most: number, stops: boolean]>([
    [0, 0, 0, false],
    [0, 20, 0, false],
    [1, 20, 0, true],
    [1, 20, 0.05, false],
    [2, 20, 0.05, true],
    [1, 5, 0.05, true],
    [20, 20, 1, false],
  ])('with %i lost of %i, where %d may be lost: the run stops %j', (lost, of, most, stops) => {
    const results: DisableResult[] = Array.from({ length: of }, (_, index) =>
      index < lost ? 'lost' : index % 2 === 0 ? 'moved' : 'cameBack',
    );

    expect(losesTooMany(results, most)).toBe(stops);
  });

  test.each<readonly [DisableResult, boolean]>([
    ['moved', false],
    ['leftDisabled', false],
    ['cameBack', false],
    ['notDisabled', false],
    ['lost', true],
    ['disabledThere', true],
    ['changed', true],
  ])('with one device that is "%s" stops the run where none may be lost: %j', (result, stops) => {
    expect(losesTooMany([result], 0)).toBe(stops);
  });
});
