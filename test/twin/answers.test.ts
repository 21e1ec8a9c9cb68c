import { describe, expect, test } from '@jest/globals';
import { fillTemplate } from '../../src/fleet/expressions/template.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { type Plan, plan } from '../../src/twin/plan/plan.ts';
import { NO_HISTORY } from '../../src/twin/snapshot/snapshot.ts';
import { at, fleetOf, snapshotOf, T0 } from './twins.ts';

/*
 * Answers of devices and the status that they lead to. Berth wrote the policy's value 90 seconds ago as version 4, and
 * the device reported 10 seconds ago. Some rows say that this was the last of three writes.
 */

interface Answered {
  /** One policy or more; a single one is named `p`. */
  readonly policy: JsonObject | readonly JsonObject[];
  readonly desired: JsonObject;
  readonly reported: JsonObject;
  /** How often Berth wrote the value; 1 unless said otherwise. */
  readonly told?: number;
  /** When the device reported, in seconds; -10 unless said otherwise. */
  readonly reportedAt?: number;
  /** When the value was written, in seconds; -90 unless said otherwise. */
  readonly writtenAt?: number;
  /** What the device reported before the write. */
  readonly before?: JsonValue;
}

function look({
  policy,
  desired,
  reported,
  told = 1,
  reportedAt = -10,
  writtenAt = -90,
  before,
}: Answered): Plan {
  const policies = Array.isArray(policy) ? policy : [{ name: 'p', ...policy }];
  const fleet = fleetOf({ policies });
  const [hub] = fleet.hubs;
  if (hub === undefined) throw new Error('no hub');
  const paths = fleet.twins.policies.flatMap(({ name, hash, mode, leaves }) =>
    leaves.map(({ key, value }) => {
      const wanted = fillTemplate(value, {}, []) ?? null;
      const write = { policy: hash, by: name, value: wanted, at: at(writtenAt), count: told };
      const writes = mode === 'adopt' ? [] : [write];
      return [
        key,
        { ...NO_HISTORY, ours: 4, oursAt: at(writtenAt), reportedAt: at(reportedAt), before, writes },
      ];
    }),
  );
  return plan({
    snapshot: snapshotOf({ desired, reported, desiredVersion: 4, paths: Object.fromEntries(paths) }),
    hub,
    twins: fleet.twins,
    holdOf: () => undefined,
    now: T0,
  });
}

/** What was found about a single property `interval`, of which 5 is wanted. */
function answer(report: JsonValue, more: JsonObject = {}, told = 1, wanted: JsonValue = 5): string {
  const planned = look({
    policy: { desired: { interval: wanted }, ...more },
    desired: { interval: wanted },
    reported: { interval: report },
    told,
  });
  const [leaf] = planned.leaves;
  return `${leaf?.status}${planned.writes.length > 0 ? ', written' : ''}: ${leaf?.why}`;
}

function statuses(given: Answered): Record<string, string> {
  return Object.fromEntries(look(given).leaves.map(({ path, status }) => [path, status]));
}

describe('an acknowledgement in the Plug and Play convention', () => {
  test.each<[string, JsonObject]>([
    ['with a description', { ac: 400, ad: 'too fast' }],
    ['with a version too', { ac: 400, av: 4, ad: 'too fast' }],
    ['with a null that the hub has kept', { value: null, ac: 400, av: 4, ad: 'too fast' }],
  ])('that refuses without a value counts as a refusal: %s', (_, report) => {
    expect(answer(report)).toBe('rejected: the device answered 400: too fast');
  });

  test.each<[string, JsonObject, string]>([
    ['with only a version', { ac: 422, av: 4 }, 'rejected: the device answered 422'],
    ['with no other field', { ac: 400 }, 'rejected: the device answered 400'],
    [
      'with an empty description',
      { ac: 500, ad: '' },
      'pending, written: the device answered 500; Berth writes it again',
    ],
    [
      'with an earlier version',
      { ac: 400, av: 3 },
      'pending: the device has answered version 3, and not yet version 4',
    ],
  ])('that refuses without a value is read correctly: %s', (_, report, expected) => {
    expect(answer(report)).toBe(expected);
  });

  test.each([200, 201, 203, 204, 206])('with code %s and the value is a success', (ac) => {
    expect(answer({ value: 5, ac, av: 4 })).toBe('inSync: is reported as wanted');
  });

  test.each([200, 201, 203, 204])(
    'with code %s and another value at the written version is the answer to that version',
    (ac) => {
      expect(answer({ value: 9, ac, av: 4 })).toBe(`rejected: the device answered ${ac} with another value`);
    },
  );

  test.each([200, 201, 204])('with code %s and no value accepts the written value and no later one', (ac) => {
    expect(answer({ ac, av: 4 })).toBe('inSync: is reported as wanted');
    expect(answer({ ac, av: 3 })).toMatch(/^pending: the device has answered version 3/);
    expect(answer({ ac, av: 9 })).toMatch(/^pending: the device answered version 9/);
  });

  test('of success without a value and a version does not answer a later write', () => {
    const given = {
      policy: { desired: { a: 5 } },
      desired: { a: 5 },
      reported: { a: { ac: 200, ad: 'done' } },
    };

    expect(look(given).status).toBe('inSync');
    expect(look({ ...given, reportedAt: -120 }).why).toBe('a the device has not answered yet');
  });

  test('with code 203 and no version is the device’s own value, so Berth writes again and finally rejects', () => {
    const report = { value: 9, ac: 203, ad: 'default' };

    expect(answer(report)).toBe('pending, written: the device reports another value; Berth writes it again');
    expect(answer(report, {}, 3)).toBe('rejected: the device reports another value; Berth wrote it 3 times');
  });

  test('that refuses an object without its value refuses the properties in the object', () => {
    const given = { policy: { desired: { wifi: { ssid: 'a' } } }, desired: { wifi: { ssid: 'a' } } };

    expect(look({ ...given, reported: { wifi: { ac: 400, av: 4, ad: 'no such network' } } }).why).toBe(
      'wifi.ssid the device answered 400: no such network',
    );
    // What it echoed before is still there, because the hub merges reports.
    expect(look({ ...given, reported: { wifi: { ssid: 'b', ac: 400, ad: 'no such network' } } }).why).toBe(
      'wifi.ssid the device answered 400: no such network',
    );
  });

  test('of an earlier version did not accept the properties that it leaves out', () => {
    const wifi = { ssid: 'a', channel: 6 };

    expect(
      statuses({
        policy: { desired: { wifi } },
        desired: { wifi },
        reported: { wifi: { value: { ssid: 'a' }, ac: 200, av: 3 } },
      }),
    ).toEqual({ 'wifi.ssid': 'inSync', 'wifi.channel': 'pending' });
  });

  test('of an object makes an older echo next to it meaningless', () => {
    const wifi = { ssid: 'a', channel: 6 };

    expect(
      statuses({
        policy: { desired: { wifi } },
        desired: { wifi },
        reported: { wifi: { channel: 1, value: { ssid: 'a' }, ac: 200, av: 4 } },
      }),
    ).toEqual({ 'wifi.ssid': 'inSync', 'wifi.channel': 'inSync' });
  });
});

describe('an object that only looks like an acknowledgement', () => {
  test.each<[string, JsonObject]>([
    ['an `ac` that is not a status', { ac: 1, value: 21 }],
    ['an `ac` that could be a status', { ac: 230, value: 21 }],
    ['all fields of an acknowledgement', { ac: 200, value: 21, av: 4, ad: 'cool' }],
    ['a value that is an object', { ac: 200, av: 4, value: { low: 18, high: 24 } }],
    ['the fields without a value', { ac: 400, ad: 'on' }],
    ['the older fields', { status: 'completed', desiredVersion: 4, value: 21 }],
  ])('is an echo when the policy itself wants it: %s', (_, hvac) => {
    for (const acknowledgement of ['pnp', 'central', 'echo']) {
      const planned = look({
        policy: { desired: { hvac }, acknowledgement },
        desired: { hvac },
        reported: { hvac },
      });

      expect([planned.status, planned.patch]).toEqual(['inSync', {}]);
    }
  });

  test('is corrected with the smallest patch', () => {
    const planned = look({
      policy: { desired: { hvac: { ac: 200, value: 21 } } },
      desired: { hvac: { ac: 200, value: 20, mode: 'eco' } },
      reported: { hvac: { ac: 200, value: 20, mode: 'eco' } },
    });

    expect(planned.patch).toEqual({ hvac: { value: 21 } });
  });

  test('can have a real acknowledgement of the device', () => {
    const hvac = { ac: 1, value: 21 };

    expect(
      look({
        policy: { desired: { hvac } },
        desired: { hvac },
        reported: { hvac: { value: hvac, ac: 400, av: 4, ad: 'too cold' } },
      }).why,
    ).toBe('hvac.ac the device answered 400: too cold');
  });

  test('can have properties that belong to two policies', () => {
    expect(
      statuses({
        policy: [
          { name: 'a', desired: { hvac: { value: 21 } } },
          { name: 'b', desired: { hvac: { ac: 200 } } },
        ],
        desired: { hvac: { ac: 200, value: 21 } },
        reported: { hvac: { ac: 200, value: 21 } },
      }),
    ).toEqual({ 'hvac.ac': 'inSync', 'hvac.value': 'inSync' });
  });

  test('is not wanted by a policy that does not match', () => {
    expect(
      statuses({
        policy: [
          { name: 'a', when: 'false', desired: { wifi: { ac: 1 } } },
          { name: 'b', desired: { wifi: { ssid: 'a' } } },
        ],
        desired: { wifi: { ssid: 'a' } },
        reported: { wifi: { value: { ssid: 'a' }, ac: 400, av: 4 } },
      }),
    ).toEqual({ 'wifi.ssid': 'rejected' });
  });

  test('is an echo when other writers wrote it to desired', () => {
    expect(
      statuses({
        policy: { desired: { hvac: { value: 21 } } },
        desired: { hvac: { ac: 400, ad: 'on', value: 21 } },
        reported: { hvac: { ac: 400, ad: 'on', value: 21 } },
      }),
    ).toEqual({ 'hvac.value': 'inSync' });
  });

  test.each<[string, JsonObject, string]>([
    ['with another property next to it', { ac: 230, value: 3, limit: 10 }, 'inSync'],
    ['with another property next to it and another value', { ac: 230, value: 3, limit: 9 }, 'pending'],
    ['without such a property', { ac: 230, value: 3 }, 'pending'],
    ['with only the word', { ac: 400 }, 'pending'],
    ['with a fraction', { ac: 230.5, ad: 'mains', limit: 10 }, 'inSync'],
    ['with a number below all statuses', { ac: 99, ad: 'mains', limit: 10 }, 'inSync'],
    ['with a number above all statuses', { ac: 600, ad: 'mains', limit: 10 }, 'inSync'],
  ])('acknowledges nothing when a meter reports volts as `ac`: %s', (_, power, expected) => {
    expect(
      statuses({
        policy: { desired: { power: { limit: 10 } } },
        desired: { power: { limit: 10 } },
        reported: { power },
      }),
    ).toEqual({ 'power.limit': expected });
  });

  test('is not an acknowledgement when it is a component', () => {
    const desired = { hvac: { __t: 'c', limit: 10 } };

    expect(
      statuses({
        policy: { desired: { hvac: { limit: 10 } } },
        desired,
        reported: { hvac: { __t: 'c', ac: 400, ad: 'off', value: 3, limit: { value: 10, ac: 200, av: 4 } } },
      }),
    ).toEqual({ 'hvac.limit': 'inSync' });
  });

  test('counts less than an acknowledgement of the property itself', () => {
    expect(
      statuses({
        policy: { desired: { hvac: { limit: 10 } } },
        desired: { hvac: { limit: 10 } },
        reported: { hvac: { ac: 400, ad: 'off', limit: { value: 10, ac: 200, av: 4 } } },
      }),
    ).toEqual({ 'hvac.limit': 'inSync' });
  });

  test('with a property named `value` is acknowledged next to the property or inside it', () => {
    const given = { policy: { desired: { hvac: { value: 21 } } }, desired: { hvac: { value: 21 } } };
    const statusOn = (hvac: JsonObject) => statuses({ ...given, reported: { hvac } })['hvac.value'];

    expect(statusOn({ value: 21 })).toBe('inSync');
    expect(statusOn({ value: 21, ac: 1 })).toBe('inSync');
    expect(statusOn({ value: { value: 21 }, ac: 200, av: 4 })).toBe('inSync');
    expect(statusOn({ value: { value: 21, ac: 200, av: 4 } })).toBe('inSync');
    expect(statusOn({ value: 5, ac: 400, av: 4, ad: 'too low' })).toBe('rejected');
  });

  test('is copied as reported by a policy in the mode adopt', () => {
    const planned = look({
      policy: { mode: 'adopt', desired: { hvac: { ac: null, value: null } } },
      desired: {},
      reported: { hvac: { ac: 200, value: 21 } },
    });

    expect(planned.patch).toEqual({ hvac: { ac: 200, value: 21 } });
  });
});

describe('values with the same meaning', () => {
  const REWRITTEN: readonly (readonly [compare: string, wanted: JsonValue, other: JsonValue])[] = [
    ['number', 5000, '5000'],
    ['number', 21.1, Math.fround(21.1)],
    ['text', true, 'true'],
    ['ignoreCase', 'eco', 'ECO'],
    ['instant', '2026-06-01T22:00:00+02:00', '2026-06-01T20:00:00Z'],
    ['set', ['a', 'b'], ['b', 'a']],
  ];

  test.each(REWRITTEN)('by %s are in sync when a device reports %j as %j', (compare, wanted, other) => {
    for (const report of [other, { value: other, ac: 200, av: 4 }]) {
      expect(answer(report, { compare }, 1, wanted)).toBe('inSync: is reported as wanted');
    }
  });

  test.each(REWRITTEN)('by %s cause no drift when a portal rewrites %j as %j', (compare, wanted, other) => {
    const given = { desired: { a: other }, reported: { a: wanted } };

    expect(look({ ...given, policy: { desired: { a: wanted }, compare } }).status).toBe('inSync');
    expect(look({ ...given, policy: { desired: { a: wanted } } }).patch).toEqual({ a: wanted });
  });

  test.each(REWRITTEN)(
    'without the comparison %s are rejected with a hint to it when a device reports %j as %j',
    (...row) => {
      const [compare, wanted, other] = row;
      const option = `set "compare": "${compare}" on the policy`;

      expect(answer(other, {}, 1, wanted)).toMatch(
        /^pending, written: the device reports .*; Berth writes it again; set /,
      );
      expect(answer(other, {}, 3, wanted)).toMatch(/^rejected: .*; Berth wrote it 3 times; set /);
      expect(answer(other, {}, 3, wanted)).toContain(`${JSON.stringify(other)}`);
      expect(answer(other, {}, 3, wanted)).toContain(option);
      expect(answer({ value: other, ac: 200, av: 4 }, {}, 1, wanted)).toContain(option);
    },
  );

  test('are shown with their kinds in the reason of a rejection', () => {
    expect(answer('5000', {}, 3, 5000)).toBe(
      'rejected: the device reports "5000" (text) where 5000 (number) is wanted; Berth wrote it 3 times; set "compare": "number" on the policy',
    );
    expect(answer({ value: '5000', ac: 200, av: 4 }, {}, 1, 5000)).toBe(
      'rejected: the device answered 200 with another value: it reports "5000" (text) where 5000 (number) is wanted; set "compare": "number" on the policy',
    );
  });

  test('are not shown in the reason when they are redacted', () => {
    const hash = `redacted:${'0123456789ab'.repeat(2)}`;

    for (const report of [{ value: hash, status: 'completed', desiredVersion: 4 }, [hash, '5']]) {
      expect(answer(report, {}, 3, ['5', 'x'])).toBe(
        'rejected: the device reports another value; Berth wrote it 3 times',
      );
    }
  });

  test('are shortened in the reason when they are long', () => {
    expect(answer('X'.repeat(500), {}, 3, 'x'.repeat(500)).length).toBeLessThan(300);
  });

  test('may use another comparison for one property', () => {
    const desired = { since: '2026-06-01T22:00:00+02:00', net: { list: ['a', 'b'] }, level: 5 };

    expect(
      statuses({
        policy: { desired, compare: { since: 'instant', 'net.list': 'set' } },
        desired,
        reported: { since: '2026-06-01T20:00:00.000Z', net: { list: ['b', 'a'] }, level: '5' },
      }),
    ).toEqual({ since: 'inSync', 'net.list': 'inSync', level: 'pending' });
  });

  test('use the tolerance for reported numbers, also when these are texts', () => {
    expect(answer('5.4', { compare: 'number', tolerance: 0.5 })).toBe('inSync: is reported as wanted');
    expect(answer('5.6', { compare: 'number', tolerance: 0.5 })).toMatch(/^pending, written/);
    expect(
      look({
        policy: { desired: { a: 5 }, compare: 'number', tolerance: 0.5 },
        desired: { a: '5.4' },
        reported: {},
      }).patch,
    ).toEqual({ a: 5 });
  });

  test('clear a rejection when the device reports the value in another form', () => {
    const fleet = fleetOf({ policies: [{ name: 'p', desired: { a: 5 }, compare: 'number' }] });
    const [hub] = fleet.hubs;
    const [policy] = fleet.twins.policies;
    if (hub === undefined || policy === undefined) throw new Error('no fleet');
    const rejected = [{ policy: policy.hash, value: 5, why: 'no' }];
    const planned = plan({
      snapshot: snapshotOf({
        desired: { a: 5 },
        reported: { a: '5' },
        paths: { a: { ...NO_HISTORY, rejected } },
      }),
      hub,
      twins: fleet.twins,
      holdOf: () => undefined,
      now: T0,
    });

    expect([planned.status, planned.paths.a?.rejected]).toEqual(['inSync', []]);
  });

  test('let onLeave remove a value that the portal has rewritten in another form', () => {
    const planned = look({
      policy: {
        when: 'false',
        onLeave: 'remove',
        compare: 'instant',
        desired: { since: '2026-06-01T22:00:00+02:00' },
      },
      desired: { since: '2026-06-01T20:00:00Z' },
      reported: {},
    });

    expect(planned.patch).toEqual({ since: null });
  });

  test('let adopt keep desired when it means the same as the reported value', () => {
    const given = { desired: { volume: 7 }, reported: { volume: '7' } };
    const adopt = { mode: 'adopt', desired: { volume: null } };

    expect(look({ ...given, policy: { ...adopt, compare: 'number' } }).patch).toEqual({});
    expect(look({ ...given, policy: adopt }).patch).toEqual({ volume: '7' });
  });
});

describe('an acknowledgement in another convention', () => {
  const CENTRAL = { acknowledgement: 'central' };
  test.each<[string, JsonObject, string]>([
    ['with a word', { value: 5, status: 'completed', desiredVersion: 4 }, 'inSync'],
    [
      'with a code and a word',
      { value: 5, statusCode: 200, status: 'completed', desiredVersion: 4 },
      'inSync',
    ],
    ['with a code as text', { value: 5, ac: '200', av: '4' }, 'inSync'],
    ['with a status that is a code', { value: 5, status: 200 }, 'inSync'],
    ['in the Plug and Play form', { value: 5, ac: 200, av: 4, ad: 'ok' }, 'inSync'],
    ['with only the value', { value: 5 }, 'inSync'],
    ['with the plain value', 5 as unknown as JsonObject, 'inSync'],
    ['with "in progress" as a word', { value: 9, status: 'pending', desiredVersion: 4 }, 'pending'],
    ['with "in progress" as a code', { value: 9, statusCode: 202 }, 'pending'],
    ['with an earlier version', { value: 9, status: 'completed', desiredVersion: 3 }, 'pending'],
    ['with a version and no status', { value: 5, desiredVersion: 4 }, 'inSync'],
    ['with another value', { value: 9, status: 'completed', desiredVersion: 4 }, 'rejected'],
    ['with a refusal', { value: 9, statusCode: 401, status: 'unauthorized', desiredVersion: 4 }, 'rejected'],
    ['with a refusal as text', { value: 9, ac: '400', ad: 'too fast' }, 'rejected'],
    ['with a refusal and no value', { statusCode: 400, message: 'too fast' }, 'rejected'],
  ])('is read by the convention central: %s', (_, report, expected) => {
    expect(answer(report, CENTRAL).split(':')[0]).toBe(expected);
  });

  test('has the device’s reason for a refusal with the convention central', () => {
    expect(answer({ value: 9, statusCode: 401, status: 'unauthorized' }, CENTRAL)).toBe(
      'rejected: the device answered 401: unauthorized',
    );
    expect(answer({ value: 9, status: 'failed', message: 'no disk', desiredVersion: 4 }, CENTRAL)).toBe(
      'pending, written: the device answered 500: no disk; Berth writes it again',
    );
  });

  test('may have its status next to the property with the convention central, as in the article on device twins', () => {
    const desired = { telemetryConfig: { sendFrequency: '5m' } };
    const statusOn = (telemetryConfig: JsonObject) =>
      statuses({ policy: { desired, ...CENTRAL }, desired, reported: { telemetryConfig } });

    expect(statusOn({ sendFrequency: '5m', status: 'success' })).toEqual({
      'telemetryConfig.sendFrequency': 'inSync',
    });
    expect(statusOn({ sendFrequency: '5m', status: 'Pending' })).toEqual({
      'telemetryConfig.sendFrequency': 'pending',
    });
    expect(statusOn({ sendFrequency: '1m', status: 'rejected' })).toEqual({
      'telemetryConfig.sendFrequency': 'rejected',
    });
  });

  test('may answer an object with `value` that a policy wants, with the convention central', () => {
    const desired = { fanSpeed: { value: 50 } };
    const statusOn = (fanSpeed: JsonObject) =>
      statuses({ policy: { desired, ...CENTRAL }, desired, reported: { fanSpeed } })['fanSpeed.value'];

    expect(statusOn({ value: 50, statusCode: 200, status: 'completed', desiredVersion: 4 })).toBe('inSync');
    expect(statusOn({ value: 20, statusCode: 400, status: 'failed', desiredVersion: 4 })).toBe('rejected');
  });

  test('from before the write that is repeated within a minute is not an answer with the convention central', () => {
    const report = { value: 9, status: 'completed' };
    const given = { policy: { desired: { a: 5 }, ...CENTRAL }, desired: { a: 5 }, reported: { a: report } };
    const soon = { writtenAt: -20, reportedAt: -10 };

    expect(look({ ...given, ...soon, before: report }).why).toBe('a the device has not answered yet');
    expect(look({ ...given, ...soon, before: { value: 8, status: 'completed' } }).why).toBe(
      'a the device reports another value; Berth writes it again',
    );
  });

  test('is a plain object with the convention echo', () => {
    expect(answer(5, { acknowledgement: 'echo' })).toBe('inSync: is reported as wanted');
    expect(answer({ value: 5, ac: 200, av: 4 }, { acknowledgement: 'echo' }, 3)).toBe(
      'rejected: the device reports {"value":5,"ac":200,"av":4} (object) where 5 (number) is wanted; Berth wrote it 3 times; set "acknowledgement": "pnp" on the policy',
    );
  });

  test.each<[string, JsonObject]>([
    ['with a word', { value: 5, status: 'completed', desiredVersion: 4 }],
    ['with a code in another field', { value: 5, statusCode: 200, desiredVersion: 4 }],
    ['with a code as text', { value: 5, ac: '200', av: 4 }],
    ['with a refusal', { value: 9, status: 'rejected', desiredVersion: 4 }],
  ])('is rejected with a hint to the option when the option is not set: %s', (_, report) => {
    expect(answer(report)).toContain('Berth writes it again; set "acknowledgement": "central" on the policy');
    expect(answer(report, {}, 3)).toMatch(
      /^rejected: the device reports .* where 5 \(number\) is wanted; Berth wrote it 3 times; set "acknowledgement": "central" on the policy$/,
    );
  });
});
