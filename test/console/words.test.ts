import { describe, expect, test } from '@jest/globals';
import { deviceHref, listHref, routeOf } from '../../console/address/route.ts';
import type { DeviceMoment, FleetStatus } from '../../console/api/contract.ts';
import { parsedJson, patchAt } from '../../console/pages/device/edit.ts';
import { feedWords, type ShownEvent, withNews } from '../../console/pages/local/feed.ts';
import { enrollmentRows } from '../../console/pages/local/registrations.ts';
import { timelineEntry } from '../../console/words/history.ts';
import { lastChange } from '../../console/words/last-change.ts';

const HUB = 'contoso-weu.azure-devices.net';
const AT = '2026-11-28T20:31:21.182Z';

describe('page addresses', () => {
  test.each([
    ['', { page: 'fleet' }],
    ['#/', { page: 'fleet' }],
    ['#/policies', { page: 'policies' }],
    ['#/rollouts', { page: 'rollouts' }],
    ['#/devices', { page: 'devices', filter: {} }],
    ['#/devices?status=rejected&hub=a', { page: 'devices', filter: { status: 'rejected', hub: 'a' } }],
    ['#/devices/sim-0001', { page: 'devices', id: 'sim-0001', filter: {} }],
    ['#/devices/a%2Fb', { page: 'devices', id: 'a/b', filter: {} }],
    ['#/devices/%E0%A4%A', { page: 'not-found', address: '#/devices/%E0%A4%A' }],
    ['#/queue/more', { page: 'not-found', address: '#/queue/more' }],
    ['#/secrets', { page: 'not-found', address: '#/secrets' }],
  ])('the fragment %p is a page', (fragment, expected) => {
    expect(routeOf(fragment)).toEqual(expected);
  });

  test.each(['sim-0001', 'a/b', 'Gerät 1', "it's#50%?"])(
    'the device id %p comes back from its address',
    (id) => {
      expect(routeOf(deviceHref(id))).toMatchObject({ page: 'devices', id });
    },
  );

  test('empty filters are left out of an address', () => {
    expect(listHref('devices', { hub: '', status: 'drifted', policy: undefined })).toBe(
      '#/devices?status=drifted',
    );
    expect(listHref('attention', {})).toBe('#/attention');
  });
});

describe('the time line of a device', () => {
  const moments: readonly (readonly [moment: DeviceMoment, title: string, detail: RegExp])[] = [
    [
      { kind: 'decision', at: AT, hub: HUB, how: 'placed', why: 'it registers for the first time' },
      'Hub: contoso-weu (placed)',
      /first time/,
    ],
    [
      { kind: 'decision', at: AT, hub: null, how: 'refused', why: 'denied' },
      'Registration refused',
      /denied/,
    ],
    [
      {
        kind: 'write',
        at: AT,
        hub: HUB,
        moduleId: null,
        path: 'a.b',
        policy: 'interval',
        value: 5,
        count: 2,
      },
      'Berth wrote a.b = 5',
      /2 times in a row; policy interval/,
    ],
    [
      { kind: 'change', at: AT, hub: HUB, moduleId: 'camera', path: 'fps' },
      'Another writer changed fps',
      /module camera/,
    ],
    [
      { kind: 'report', at: AT, hub: HUB, moduleId: null, path: 'fps' },
      'The device reported fps',
      /last report/,
    ],
    [{ kind: 'seen', at: AT, hub: HUB, moduleId: null }, 'Twin created on contoso-weu', /twin of the device/],
    [
      { kind: 'status', at: AT, hub: HUB, moduleId: null, status: 'inSync', why: '' },
      'Twin status: in sync',
      /wanted value/,
    ],
  ];

  test.each(moments)('the moment %j is told in words', (moment, title, detail) => {
    expect(timelineEntry(moment)).toMatchObject({ at: AT, title, detail: expect.stringMatching(detail) });
  });
});

describe('the last change of the fleet', () => {
  const policy: FleetStatus['policies'][number] = {
    name: 'interval',
    id: 'abc',
    mode: 'enforce',
    since: '2026-11-28T10:00:00Z',
    rollout: 0.5,
    pause: null,
    reached: 8,
    rejected: 1,
    held: 2,
    contested: 0,
    drifted: 0,
    pending: 3,
    inSync: 4,
  };
  const pause = { author: 'ana', reason: 'portal import', at: '2026-11-28T12:00:00Z' };
  const fleet = { policies: [policy], pause: null, hubs: [], moves: [] } as unknown as FleetStatus;

  test('a policy with new content says how many twins it reached and how they stand', () => {
    expect(lastChange(fleet)).toEqual({
      at: Date.parse('2026-11-28T10:00:00Z'),
      what: 'Policy interval has new content',
      effect: [
        'Its rollout has reached 50 % of the fleet.',
        'It applies to 8 twins. Of these: 4 in sync, 3 pending, 1 rejected.',
        'Corrections of 2 twins are held.',
      ],
      policy: 'interval',
    });
  });

  test('the newest of policies, pauses and drains is shown', () => {
    const drain = { cause: `drain:${HUB}`, since: '2026-11-28T11:00:00Z', progress: 0.2 };

    expect(lastChange({ ...fleet, moves: [drain] })?.what).toBe('contoso-weu is draining');
    expect(lastChange({ ...fleet, moves: [drain], pause })).toMatchObject({
      what: 'Writes to the whole fleet were paused',
      effect: expect.arrayContaining(['By ana: portal import.']),
    });
    expect(lastChange({ ...fleet, policies: [] })).toBeUndefined();
  });
});

describe('the local pages', () => {
  const twin: ShownEvent = {
    n: 2,
    at: AT,
    kind: 'twin',
    hub: HUB,
    deviceId: 'sim-0001',
    moduleId: null,
    what: 'updateTwin',
    version: 7,
    change: { reported: { battery: 5 } },
  };

  test('events are told in words', () => {
    expect(feedWords(twin)).toEqual({
      deviceId: 'sim-0001',
      title: 'twin changed',
      detail: 'contoso-weu; version 7; {"reported":{"battery":5}}',
    });
    expect(feedWords({ n: 1, at: AT, kind: 'faults', hub: null, settings: null })).toMatchObject({
      title: 'Faults ended',
      detail: 'all hubs',
    });
    expect(
      feedWords({
        n: 1,
        at: AT,
        kind: 'registration',
        registrationId: 'x',
        status: 'failed',
        hub: null,
        deviceId: null,
        why: 'model x0 is retired',
      }),
    ).toEqual({ deviceId: 'x', title: 'registration failed', detail: 'model x0 is retired' });
  });

  test('new events stand in front, and old ones leave', () => {
    const many = Array.from({ length: 500 }, (_, n) => ({ ...twin, n }));

    const shown = withNews([{ ...twin, n: -1 }], many);

    expect(shown[0]?.n).toBe(499);
    expect(shown.length).toBeLessThan(500);
  });

  test('an enrollment counts its registrations', () => {
    const registrations = [
      { registrationId: 'a', enrollmentId: 'fleet', status: 'assigned', lastUpdatedDateTimeUtc: AT },
      { registrationId: 'b', enrollmentId: 'fleet', status: 'failed', lastUpdatedDateTimeUtc: AT },
      { registrationId: 'c', enrollmentId: 'other', status: 'assigned', lastUpdatedDateTimeUtc: AT },
    ];

    const rows = enrollmentRows([{ registrationId: 'one' }, { enrollmentGroupId: 'fleet' }], registrations);

    expect(rows).toMatchObject([
      { id: 'fleet', kind: 'group', registrations: 2, assigned: 1, lastAt: Date.parse(AT) },
      { id: 'one', kind: 'individual', registrations: 0, lastAt: undefined },
    ]);
  });

  test('an edit is a patch of one property', () => {
    expect(patchAt('thermostat.target', 21)).toEqual({ thermostat: { target: 21 } });
    expect(parsedJson('5')).toEqual({ json: 5 });
    expect(parsedJson('null')).toEqual({ json: null });
    expect(parsedJson('five')).toBeUndefined();
  });
});
