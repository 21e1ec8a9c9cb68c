import { describe, expect, test } from '@jest/globals';
import { type Control, controlSchema } from '../../src/control/control.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import type { Known } from '../../src/twin/events/apply-event.ts';
import { NO_HISTORY, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { type TwinId, twinKey } from '../../src/twin/snapshot/twin.ts';
import { type TwinTrial, tryTwin } from '../../src/what-if/try-twin.ts';
import { type TwinReport, twinReportOf } from '../../src/what-if/twin-report.ts';
import { TwinTally } from '../../src/what-if/twin-tally.ts';
import { fc } from '../support/properties.ts';
import { at, fleetOf, ID, snapshotOf, T0 } from '../twin/twins.ts';

interface Stored {
  readonly id: TwinId;
  readonly known: Known;
}
const twin = (deviceId: string, parts: Partial<Snapshot> = {}, id: Partial<TwinId> = {}): Stored => {
  const full = { ...ID, ...id, deviceId };
  return { id: full, known: { kind: 'snapshot', snapshot: snapshotOf({ ...parts, id: full }) } };
};
const resynced = (state: Snapshot['lastReconcile']['status']): Partial<Snapshot> => ({
  lastReconcile: { ...snapshotOf().lastReconcile, status: state },
});

interface Asked {
  readonly against?: Fleet;
  readonly control?: Partial<Control>;
  readonly first?: number;
  readonly hosts?: TwinTrial['hosts'];
}
function ask(twins: object | Fleet, stored: readonly Stored[], asked: Asked = {}): TwinReport {
  const fleet = 'revision' in twins ? (twins as Fleet) : fleetOf(twins);
  const control = { ...controlSchema.parse({}), ...asked.control };
  const trial: TwinTrial = {
    fleet,
    against: asked.against,
    hosts: asked.hosts ?? new Set(fleet.hubs.map(({ host }) => host)),
    untrusted: new Set(Object.keys(control.untrusted)),
    now: T0,
  };
  const tally = new TwinTally(asked.first ?? 5);
  for (const { id, known } of stored) tally.add(id, tryTwin(id, known, trial));
  return twinReportOf(tally, trial, control);
}
const policies = (...list: readonly object[]) => ({ policies: list });
const BASE = { name: 'base', desired: { interval: 5 } };
const SAVER = { name: 'saver', when: 'reported.battery < 20', desired: { interval: 60 } };
const hashOf = (fleet: Fleet, name: string) =>
  fleet.twins.policies.find((policy) => policy.name === name)?.hash ?? '';

describe('the estimate of twin writes for a fleet file', () => {
  test('gives messages and hours for each hub', () => {
    const { twins, writes, hubs, statuses } = ask(policies(SAVER, BASE), [
      twin('a', { ...resynced('inSync'), desired: { interval: 1 }, reported: { battery: 10 } }),
      twin('b', { ...resynced('inSync'), etag: undefined }),
      twin('c', { ...resynced('inSync'), desired: { interval: 5 }, reported: { interval: 5 } }),
      twin('c', { ...resynced('inSync') }, { moduleId: 'collector' }),
    ]);

    expect(twins).toEqual({
      planned: 4,
      apart: { deleted: 0, elsewhere: 0, suspended: 0, unread: 0, writing: 0 },
    });
    expect(writes).toMatchObject({ count: 2, properties: 2, messages: 7, slowest: ID.host });
    expect(hubs).toMatchObject([
      { host: ID.host, planned: 4, writes: 2, properties: 2, reads: 1, cost: { bottleneck: 'rate' } },
    ]);
    expect(statuses).toEqual({ unchanged: 2, changed: [{ from: 'inSync', to: 'drifted', count: 2 }] });
  });

  test('counts one write for a twin with any number of policies and properties', () => {
    const { writes, policies: found } = ask(policies({ name: 'a', desired: { x: 1, y: 2 } }, BASE), [
      twin('t'),
    ]);

    expect(writes).toMatchObject({ count: 1, properties: 3 });
    expect(found.map(({ name, written }) => [name, written])).toEqual([
      ['a', 1],
      ['base', 1],
    ]);
  });

  test.each([
    ['draining', { asked: undefined, elsewhere: 'eus.azure-devices.net' }, 2],
    ['active', { asked: undefined, elsewhere: 'eus.azure-devices.net' }, 1],
    ['active', { asked: ID.host, elsewhere: undefined }, 1],
  ])('counts the move requests of a hub that is %s, given %j', (state, values, count) => {
    const parsed = parseFleet(
      JSON.stringify({
        hubs: [{ host: ID.host, region: 'westeurope', tier: 'S1', state }],
        allocation: { moves: { ask: { property: 'berth.leaveHub' } } },
      }),
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const stored = Object.entries(values).map(([name, value]) =>
      twin(name, {
        ...resynced('inSync'),
        desired: value === undefined ? {} : { berth: { leaveHub: value } },
      }),
    );

    const { writes, policies: found } = ask(parsed.fleet, stored);

    expect(writes.count).toBe(count);
    expect(found.map(({ name, written }) => [name, written])).toEqual([['move request', count]]);
  });

  test('leaves out twins that cannot be estimated and counts them', () => {
    const gone: Stored = { id: { ...ID, deviceId: 'gone' }, known: { kind: 'deleted', at: at(0) } };
    const unread = { since: at(0), why: 'a gap' };

    const { twins, writes, warnings } = ask(policies(BASE), [
      gone,
      twin('unread', { unread }),
      twin('disabled', { unread, suspended: { why: 'the device is disabled' } }),
      twin('busy', { writing: [] }),
      twin('far', {}, { host: hostName('gone.azure-devices.net') }),
      twin('here'),
    ]);

    expect(twins).toEqual({
      planned: 1,
      apart: { deleted: 1, elsewhere: 1, suspended: 1, unread: 1, writing: 1 },
    });
    expect(writes.count).toBe(1);
    expect(warnings).toContainEqual(expect.stringContaining('Berth writes nothing to 1 of the twins'));
  });

  test('is empty for hubs of another stamp', () => {
    expect(ask(policies(BASE), [twin('a')], { hosts: new Set() })).toMatchObject({
      twins: { planned: 0, apart: { elsewhere: 1 } },
      hubs: [{ host: ID.host, cost: undefined }],
      writes: { count: 0 },
    });
  });

  test('adds a read before every write on a hub whose events are not trusted', () => {
    const control = { untrusted: { [ID.host]: { since: T0, why: 'mismatches' } } };

    expect(ask(policies(BASE), [twin('a'), twin('b')], { control }).writes.messages).toBe(8);
  });

  test('has the same sum for any order of the twins', () => {
    const twins = fleetOf(policies(SAVER, BASE));
    const stored = Array.from({ length: 30 }, (_, index) =>
      twin(`d${index}`, {
        reported: { battery: (index * 7) % 40 },
        ...resynced(index % 2 ? 'pending' : 'inSync'),
      }),
    );
    const expected = ask(twins, stored);

    fc.assert(
      fc.property(fc.shuffledSubarray(stored, { minLength: 30 }), (shuffled) => {
        expect(ask(twins, shuffled)).toEqual(expected);
      }),
    );
  });
});

describe('the policies in an estimate', () => {
  const POLICIES = policies(
    { name: 'watch', mode: 'observe', when: "'watched' in tags", desired: { level: 1 } },
    { name: 'cool', cooldown: '1h', desired: { cool: 1 } },
    { name: 'large', when: "'large' in tags", desired: { text: '=tags.large' } },
    { name: 'contested', when: "'contested' in tags", desired: { port: 1 } },
    { name: 'nobody', when: "'nobody' in tags", desired: { nothing: 1 } },
  );
  const fleet = fleetOf(POLICIES);
  const COOL = { desired: { cool: 1 }, reported: { cool: 1 } };
  const written = {
    policy: hashOf(fleet, 'cool'),
    by: 'cool',
    value: 1,
    at: at(-60),
    count: 1,
  };

  test('show what they own, write, hold, wait for, and what is rejected and contested', () => {
    const { policies: found, warnings } = ask(fleet, [
      twin('watched', { ...COOL, tags: { watched: true } }),
      twin('cooling', { desired: { cool: 2 }, paths: { cool: { ...NO_HISTORY, writes: [written] } } }),
      twin('large', { ...COOL, tags: { large: 'x'.repeat(5_000) } }),
      twin('contested', {
        ...COOL,
        tags: { contested: true },
        paths: { port: { ...NO_HISTORY, configuration: 'ports' } },
      }),
      twin('new'),
    ]);

    const numbers = found.map(({ name, owned, written: writes, held, waiting, rejected, contested }) => [
      name,
      owned,
      writes,
      held,
      waiting,
      rejected,
      contested,
    ]);
    expect(numbers).toEqual([
      ['watch', 1, 0, 1, 0, 0, 0],
      ['cool', 5, 1, 0, 1, 0, 0],
      ['large', 1, 0, 0, 0, 1, 0],
      ['contested', 1, 0, 0, 0, 0, 1],
      ['nobody', 0, 0, 0, 0, 0, 0],
    ]);
    expect(found[2]?.problems).toEqual([
      {
        hub: ID.host,
        deviceId: 'large',
        path: 'text',
        status: 'rejected',
        why: expect.stringContaining('is a string over 4 KB'),
      },
    ]);
    expect(found[3]?.problems).toMatchObject([
      { deviceId: 'contested', why: expect.stringContaining('the hub configuration "ports" sets it') },
    ]);
    expect(warnings).toEqual(['these policies would own nothing in any twin: nobody']);
  });

  const before = fleetOf(policies(BASE, SAVER, { name: 'old', desired: { o: 1 } }));
  const after = policies(BASE, { ...SAVER, cooldown: '9m' }, { name: 'new', desired: { n: 1 } });
  const COMPARED = [
    ['base', 'unchanged'],
    ['saver', 'changed'],
    ['new', 'new'],
    ['old', 'removed'],
  ];
  const seen = (fleet: Fleet, since: EpochMs): Control['seen'] =>
    Object.fromEntries(fleet.twins.policies.map(({ name, hash }) => [hash, { name, since }]));

  test('are compared with another file by their content', () => {
    const { policies: found } = ask(after, [], { against: before });

    expect(found.map(({ name, change }) => [name, change])).toEqual(COMPARED);
  });

  test('are compared with the content that the deployment has stored', () => {
    const noted = {
      ...seen(before, T0),
      ...seen(fleetOf(policies({ name: 'left', desired: { l: 1 } })), T0),
    };
    const left = Object.entries(noted).map(([hash, entry]) => [
      hash,
      entry.name === 'left' ? { ...entry, leftAt: T0 } : entry,
    ]);

    const { policies: found } = ask(after, [], { control: { seen: Object.fromEntries(left) } });

    expect(found.map(({ name, change }) => [name, change])).toEqual(COMPARED);
  });

  test('show how they reach the fleet', () => {
    const rollout = { over: '2h' };
    const file = fleetOf({ ...policies(BASE, SAVER, { name: 'new', desired: { n: 1 } }), rollout });
    const control = {
      seen: {
        [hashOf(file, 'base')]: { name: 'base', since: plus(T0, -3 * 3_600_000) },
        [hashOf(file, 'saver')]: { name: 'saver', since: plus(T0, -3_600_000) },
      },
    };

    expect(ask(file, [], { control }).policies.map(({ rollout }) => rollout)).toEqual([
      { kind: 'over' },
      { kind: 'runs', overHours: 2, reached: 0.5 },
      { kind: 'begins', overHours: 2 },
    ]);
    expect(ask(policies(BASE), [], { control }).policies[0]?.rollout).toEqual({ kind: 'none' });
  });

  test('are marked as paused and counted as if they were not paused', () => {
    const pause = { author: 'ann', reason: 'freeze', at: plus(T0, -60_000) };
    const {
      writes,
      policies: found,
      hubs,
      warnings,
    } = ask(policies(BASE), [twin('a')], {
      control: { policies: { base: pause }, hubs: { [ID.host]: pause }, fleet: pause },
    });

    expect(writes.count).toBe(1);
    expect(found[0]?.paused).toEqual(pause);
    expect(hubs[0]?.paused).toEqual(pause);
    expect(warnings).toEqual([
      'all writes are paused now, by ann: freeze',
      'weu.azure-devices.net is paused now, by ann: freeze',
    ]);
  });

  test('are named when their rollout ends before the budget allows all their writes', () => {
    const file = fleetOf({ ...policies(BASE), rollout: { over: '1h' } });
    const stored = Array.from({ length: 8_001 }, (_, index) => twin(`d${index}`));

    expect(ask(file, stored).warnings).toEqual([
      'twins.rollout.over is 1 h, but the budget of weu.azure-devices.net needs 24 h: the rollout takes that long',
    ]);
  });
});

describe('the statuses in an estimate', () => {
  test('are the stored statuses of the twins, or the statuses under the other file', () => {
    const stored = [
      twin('a', { ...resynced('rejected'), desired: { interval: 5 }, reported: { interval: 5 } }),
    ];

    expect(ask(policies(BASE), stored).statuses.changed).toEqual([
      { from: 'rejected', to: 'inSync', count: 1 },
    ]);
    expect(ask(policies(BASE), stored, { against: fleetOf(policies(BASE)) }).statuses).toEqual({
      unchanged: 1,
      changed: [],
    });
  });

  test('are ordered by their numbers', () => {
    const stored = [
      twin('a', resynced('pending')),
      twin('b', resynced('inSync')),
      twin('c', resynced('inSync')),
      twin('d', resynced('drifted')),
    ];

    expect(ask(policies(BASE), stored).statuses).toEqual({
      unchanged: 1,
      changed: [
        { from: 'inSync', to: 'drifted', count: 2 },
        { from: 'pending', to: 'drifted', count: 1 },
      ],
    });
  });
});

describe('the example patches in an estimate', () => {
  test('are the first ones by hub, device and module, with the current and the new values', () => {
    const file = policies({ name: 'p', desired: { a: { b: [1] }, gone: null } });
    const stored = ['d3', 'd1', 'd2'].map((id) => twin(id, { desired: { a: { b: [id] }, gone: 'x' } }));

    expect(ask(file, [...stored, twin('d0')], { first: 3 }).policies[0]?.patches).toEqual([
      { hub: ID.host, deviceId: 'd0', changes: [{ path: 'a.b', after: [1] }] },
      ...['d1', 'd2'].map((deviceId) => ({
        hub: ID.host,
        deviceId,
        changes: [
          { path: 'a.b', before: [deviceId], after: [1] },
          { path: 'gone', before: 'x', after: null },
        ],
      })),
    ]);
    expect(ask(file, stored, { first: 0 }).policies[0]).toMatchObject({ written: 3, patches: [] });
  });

  test.each<[string, Partial<Snapshot>]>([
    ['a hash', { reported: { wifi: { psk: 'redacted:0123456789abcdef' } } }],
    ['a value that is redacted now', { reported: { wifi: { psk: 's3cret-s3cret' } } }],
  ])('never show a redacted value: %s', (_, parts) => {
    const file = {
      redact: ['wifi.psk'],
      ...policies({ name: 'p', desired: { copy: '=reported.wifi.psk', over: 'x' } }),
    };

    const report = ask(file, [twin('a', { ...parts, desired: { over: 'redacted:ffff' } })]);

    expect(report.policies[0]?.patches[0]?.changes).toEqual([
      { path: 'over', before: '(redacted)', after: 'x' },
    ]);
    expect(JSON.stringify(report)).not.toMatch(/s3cret|012345/);
  });
});

describe('an estimate of several threads', () => {
  const file = fleetOf({
    policies: [
      BASE,
      SAVER,
      { name: 'large', when: "'note' in tags", desired: { note: '=tags.note' } },
      {
        name: 'staged',
        desired: { p: 1 },
        rollout: {
          stages: [
            { name: 'low', where: 'reported.battery < 50' },
            { name: 'all', share: 1, approve: true },
          ],
        },
      },
    ],
  });
  const oneTwin = fc
    .record({
      device: fc.integer({ min: 0, max: 60 }),
      host: fc.constantFrom(ID.host, hostName('eus.azure-devices.net'), hostName('aus.azure-devices.net')),
      isDeleted: fc.boolean(),
      status: fc.constantFrom('inSync' as const, 'drifted' as const, 'rejected' as const),
      parts: fc.constantFrom<Partial<Snapshot>>(
        {},
        { desired: { interval: 5 } },
        { unread: { since: at(0), why: 'a gap' } },
        { suspended: { why: 'the quota is spent' } },
        { etag: undefined },
        { tags: { note: 'x'.repeat(5_000) } },
      ),
      battery: fc.integer({ min: 0, max: 100 }),
    })
    .map(({ device, host, isDeleted, status, parts, battery }): Stored => {
      const stored = twin(`d${device}`, { ...resynced(status), ...parts, reported: { battery } }, { host });
      return isDeleted ? { id: stored.id, known: { kind: 'deleted', at: at(0) } } : stored;
    });

  test('is the same text as that of one thread, however the twins are divided', () => {
    const divided = fc.array(fc.tuple(oneTwin, fc.integer({ min: 0, max: 3 })), { maxLength: 60 });
    fc.assert(
      fc.property(divided, fc.integer({ min: 0, max: 4 }), fc.boolean(), (all, first, isReversed) => {
        const stored = [...new Map(all.map((each) => [twinKey(each[0].id), each])).values()];
        const tallyOf = (twins: readonly Stored[]) => {
          const tally = new TwinTally(first);
          for (const { id, known } of twins) tally.add(id, tryTwin(id, known, trial));
          return tally;
        };
        const control = controlSchema.parse({});
        const trial = {
          fleet: file,
          against: undefined,
          hosts: new Set([ID.host]),
          untrusted: new Set<string>(),
          control,
          now: T0,
        };
        const one = twinReportOf(tallyOf(stored.map(([each]) => each)), trial, control);

        const parts = [0, 1, 2, 3].map((part) =>
          tallyOf(stored.flatMap(([each, of]) => (of === part ? [each] : []))),
        );
        const merged = new TwinTally(first);
        for (const part of isReversed ? parts.reverse() : parts) merged.merge(structuredClone(part.counts()));

        expect(JSON.stringify(twinReportOf(merged, trial, control))).toBe(JSON.stringify(one));
        expect(merged.twins).toBe(stored.length);
      }),
    );
  });
});

test('a fleet without any stored data gets a warning and not a clean result', () => {
  expect(ask(policies(BASE), []).warnings).toEqual([
    'the state tables contain no twins, so nothing was tried',
  ]);
});
