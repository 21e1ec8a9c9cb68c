import { describe, expect, test } from '@jest/globals';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import type { DrainOfDevice } from '../../src/twin/plan/move-request.ts';
import { type Plan, plan } from '../../src/twin/plan/plan.ts';
import { NO_HISTORY, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { at, ID, snapshotOf, T0 } from './twins.ts';

/*
 * What Berth does about the property that asks a device to move, on a twin of the hub weu. All rows are planned at the same
 * moment. Times are in seconds before (negative) and after it.
 */

const OWN = 'weu.azure-devices.net';
const OTHER = 'eus.azure-devices.net';
const DAY = 24 * 3_600;
const FILE = {
  hubs: [
    { host: OWN, region: 'westeurope', tier: 'S1' },
    { host: 'hub.contoso.example', region: 'eastus', tier: 'S1' },
  ],
  allocation: { moves: { ask: { property: 'berth.leaveHub' } } },
};

interface Given {
  readonly drain?: DrainOfDevice;
  /** The present value of the property. */
  readonly value?: JsonValue;
  /** When Berth set it. */
  readonly asked?: number;
  readonly lifeAt?: number;
  readonly askedHubAt?: number;
  readonly twins?: JsonObject;
  readonly module?: string;
  readonly device?: string;
  readonly reported?: JsonObject;
  readonly paused?: true;
}

interface Expected {
  /** The value that is written. `null`: it is removed. Absent: nothing is written. */
  readonly write?: string | null;
  /** The status of the request. Absent: none. */
  readonly status?: string;
  readonly twin?: string;
  readonly next?: number;
  readonly ask?: number;
}

const IN_FORCE: DrainOfDevice = { kind: 'draining', askAt: plus(T0, -1_000) };
const LATER: DrainOfDevice = { kind: 'draining', askAt: plus(T0, 60_000) };
const ENDED: DrainOfDevice = { kind: 'ended', until: T0 };
const JUST_ENDED: DrainOfDevice = { kind: 'ended', until: plus(T0, 30_000) };
const NONE: DrainOfDevice = { kind: 'none' };

const onDrainingHub: readonly (readonly [string, Given, Expected])[] = [
  [
    'a device whose time has come is asked',
    { drain: IN_FORCE },
    { write: OWN, status: 'drifted', twin: 'drifted' },
  ],
  [
    'a device whose time has not come is asked then, and its twin is in sync until then',
    { drain: LATER },
    { status: 'unreached', next: 60 },
  ],
  [
    'a device that was asked and has shown life since is in sync',
    { drain: IN_FORCE, value: OWN, asked: -100, lifeAt: -50 },
    { status: 'inSync' },
  ],
  [
    'a device that was asked and has shown no life is pending, and the hub is asked after a day',
    { drain: IN_FORCE, value: OWN, asked: -100, lifeAt: -200 },
    { status: 'pending', ask: DAY - 100 },
  ],
  [
    'a device without life for a day stays pending until the hub has answered or an hour is over',
    { drain: IN_FORCE, value: OWN, asked: -DAY },
    { status: 'pending', ask: 0, next: 3_600 },
  ],
  [
    'a device without life for a day is silent after the answer of the hub',
    { drain: IN_FORCE, value: OWN, asked: -DAY - 10, askedHubAt: -5 },
    { status: 'silent' },
  ],
  [
    'a device is silent an hour after the day if the hub does not answer',
    { drain: IN_FORCE, value: OWN, asked: -DAY - 3_600 },
    { status: 'silent' },
  ],
  [
    'a device that was asked before its time in a new drain stays asked',
    { drain: LATER, value: OWN, asked: -100, lifeAt: -50 },
    { status: 'inSync' },
  ],
  [
    'a device that came from another hub with its request is asked to leave this one',
    { drain: IN_FORCE, value: OTHER },
    { write: OWN, status: 'drifted', twin: 'drifted' },
  ],
  [
    'a device that came with its request before its time loses it first',
    { drain: LATER, value: OTHER },
    { write: null, status: 'drifted', twin: 'drifted', next: 60 },
  ],
  [
    "a value that is no hub is replaced, because the property is Berth's",
    { drain: IN_FORCE, value: { by: 'hand' } },
    { write: OWN, status: 'drifted', twin: 'drifted' },
  ],
  [
    'a report of the property is no answer, so the value is not written again',
    { drain: IN_FORCE, value: OWN, asked: -100, lifeAt: -50, reported: { berth: { leaveHub: 'no' } } },
    { status: 'inSync' },
  ],
  ['a module is not asked', { drain: IN_FORCE, module: 'filter' }, {}],
  ['the identity of the heartbeat is not asked', { drain: IN_FORCE, device: 'berth-heartbeat' }, {}],
  [
    'a device outside of twins.scope is not asked',
    { drain: IN_FORCE, twins: { scope: "tags.site == 'x'" } },
    {},
  ],
  [
    'a pause holds the request and does not change its status to asked',
    { drain: IN_FORCE, paused: true },
    { status: 'held', twin: 'drifted' },
  ],
];

const elsewhere: readonly (readonly [string, Given, Expected])[] = [
  ['a device without the property is left alone', { drain: NONE }, {}],
  [
    'the request of another hub is removed',
    { drain: NONE, value: OTHER },
    { write: null, status: 'drifted', twin: 'drifted' },
  ],
  [
    'the request of another hub under its device name is removed',
    { drain: NONE, value: 'EUS.device.azure-devices.net' },
    { write: null, status: 'drifted', twin: 'drifted' },
  ],
  [
    'the request of a hub of the fleet file outside the clouds of Azure is removed',
    { drain: NONE, value: 'hub.contoso.example' },
    { write: null, status: 'drifted', twin: 'drifted' },
  ],
  [
    'the request of the hub itself is removed if the hub does not drain',
    { drain: NONE, value: OWN },
    { write: null, status: 'drifted', twin: 'drifted' },
  ],
  [
    'the request is removed when the drain has ended',
    { drain: ENDED, value: OWN },
    { write: null, status: 'drifted', twin: 'drifted' },
  ],
  [
    'the request stays for the time in which other instances may still know of the drain',
    { drain: JUST_ENDED, value: OWN },
    { next: 30 },
  ],
  ['a text that is no hub stays', { drain: NONE, value: 'please' }, {}],
  ['a host name that is no hub stays', { drain: NONE, value: 'www.contoso.com' }, {}],
  ['a number stays', { drain: NONE, value: 5 }, {}],
  ['an object stays', { drain: NONE, value: { host: OTHER } }, {}],
  ['nothing changes while the drain is not known', { value: OTHER }, {}],
];

describe.each([
  ['on a hub that drains', onDrainingHub],
  ['on a hub that does not drain', elsewhere],
])('%s', (_, rows) => {
  test.each(rows)('%s', (_name, given, expected) => {
    const planned = look(given);
    const { moveRequest } = fleetWith(given.twins).twins;

    expect({
      write: planned.writes[0]?.value,
      status: planned.policies[moveRequest?.policy.id ?? ''],
      twin: planned.status,
      next: planned.nextAt === undefined ? undefined : (planned.nextAt - T0) / 1_000,
      ask: planned.askAt === undefined ? undefined : (planned.askAt - T0) / 1_000,
    }).toEqual({ twin: 'inSync', ...expected });
  });
});

test('the request is one property next to the others of its object, and the patch holds nothing else', () => {
  const planned = look({
    drain: IN_FORCE,
    twins: { policies: [{ name: 'p', desired: { berth: { a: 1 } } }] },
  });

  expect(planned.patch).toEqual({ berth: { a: 1, leaveHub: OWN } });
});

test('a property that another writer keeps changing is contested like that of a policy', () => {
  const planned = look({ drain: IN_FORCE, value: OTHER }, { foreign: [at(-1), at(-2), at(-3), at(-4)] });

  expect(planned.leaves).toEqual([expect.objectContaining({ path: 'berth.leaveHub', status: 'contested' })]);
});

test('a twin without room for the request keeps a stated reason', () => {
  const planned = look({ drain: IN_FORCE }, {}, { full: 'x'.repeat(4_095) });

  expect(planned.status).toBe('rejected');
  expect(planned.why).toMatch(/berth\.leaveHub cannot be written: desired takes \d+ bytes/);
});

function fleetWith(twins: JsonObject = {}) {
  const parsed = parseFleet(JSON.stringify({ ...FILE, twins }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}

function look(
  { drain, value, asked, lifeAt, askedHubAt, twins, module, device, reported, paused }: Given,
  history: Partial<Snapshot['paths'][string]> = {},
  { full }: { readonly full?: string } = {},
): Plan {
  const fleet = fleetWith(twins);
  const hub = fleet.hubByHost.get(hostName(OWN));
  if (hub === undefined) throw new Error('no hub');
  const filling =
    full === undefined
      ? {}
      : Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => [key, full]));
  return plan({
    snapshot: snapshotOf({
      id: { ...ID, moduleId: module, deviceId: device ?? ID.deviceId },
      desired: { ...filling, ...(value === undefined ? {} : { berth: { leaveHub: value } }) },
      reported: reported ?? {},
      paths: {
        'berth.leaveHub': { ...NO_HISTORY, oursAt: asked === undefined ? undefined : at(asked), ...history },
      },
      lifeAt: lifeAt === undefined ? undefined : at(lifeAt),
      activity:
        askedHubAt === undefined
          ? undefined
          : { askedAt: plus(T0, askedHubAt * 1_000), asks: 1, isConnected: false },
    }),
    hub,
    twins: fleet.twins,
    holdOf: () => (paused ? { why: 'paused', until: undefined } : undefined),
    drain,
    now: T0,
  });
}
