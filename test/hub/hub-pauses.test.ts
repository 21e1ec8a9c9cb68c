import { beforeEach, describe, expect, test } from '@jest/globals';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { HubError, type HubErrorCode } from '../../src/hub/port.ts';
import { ID, T0 } from '../twin/twins.ts';

const { host: HOST } = ID;
const DAY_MS = 24 * 60 * 60_000;

let pauses: HubPauses;
beforeEach(() => {
  pauses = new HubPauses(() => 0);
});
const fail = (code: HubErrorCode, now = T0, retryAfterMs?: number) =>
  pauses.failed(HOST, new HubError(code, `${HOST} failed`, { host: HOST, retryAfterMs }), now);
/** How long the hub is left alone from then on, ms; undefined: it is not. */
const waitAt = (now: number) => {
  const pause = pauses.of(HOST, now);
  return pause === undefined ? undefined : pause.until - now;
};

describe('a hub is left alone', () => {
  test.each<[string, HubErrorCode, string]>([
    ['throttles', 'BERTH_HUB_THROTTLED', 'the hub throttles'],
    ['misses a deadline, which counts as throttling', 'BERTH_HUB_TIMEOUT', 'the hub does not answer in time'],
  ])('at once where it %s', (_, code, why) => {
    fail(code);

    expect(pauses.of(HOST, T0)).toEqual({ until: T0 + 2_000, why, isQuota: false });
    expect(pauses.of(HOST, T0 + 2_000)).toBeUndefined();
  });

  test('until the next day begins where its messages are used up, whatever pause it is in', () => {
    fail('BERTH_HUB_THROTTLED');
    fail('BERTH_HUB_QUOTA_EXCEEDED');

    expect(pauses.of(HOST, T0)).toMatchObject({ until: T0 + DAY_MS / 2, isQuota: true });
  });

  test.each<[HubErrorCode, string]>([
    ['BERTH_HUB_UNAVAILABLE', 'the hub is down'],
    ['BERTH_HUB_UNAUTHORIZED', 'the hub refuses Berth'],
  ])('only after three failures in a row: %s', (code, why) => {
    fail(code);
    fail(code);
    expect(pauses.of(HOST, T0)).toBeUndefined();

    fail(code);
    expect(pauses.of(HOST, T0)).toMatchObject({ why });
  });

  test('and no other hub with it', () => {
    fail('BERTH_HUB_THROTTLED');

    expect(pauses.of(`other-${HOST}` as typeof HOST, T0)).toBeUndefined();
  });
});

describe('failures in a row', () => {
  test.each<HubErrorCode>(['BERTH_HUB_NOT_FOUND', 'BERTH_HUB_PRECONDITION_FAILED', 'BERTH_HUB_REFUSED'])(
    '%s is an answer about one device and not one of them',
    (code) => {
      for (let times = 0; times < 5; times += 1) fail(code);
      fail('BERTH_HUB_UNAVAILABLE');

      expect(pauses.of(HOST, T0)).toBeUndefined();
    },
  );

  test.each<[string, () => void]>([
    ['a call that succeeds', () => pauses.succeeded(HOST, T0)],
    ['an answer about one device', () => fail('BERTH_HUB_NOT_FOUND')],
  ])('%s ends them', (_, between) => {
    fail('BERTH_HUB_UNAVAILABLE');
    fail('BERTH_HUB_UNAVAILABLE');
    between();
    fail('BERTH_HUB_UNAVAILABLE');

    expect(pauses.of(HOST, T0)).toBeUndefined();
  });
});

describe('how long', () => {
  test('twice as long each time, and five minutes at most', () => {
    let now = T0;
    const waits: (number | undefined)[] = [];
    for (let times = 0; times < 10; times += 1) {
      fail('BERTH_HUB_THROTTLED', now);
      waits.push(waitAt(now));
      now += waitAt(now) ?? 0;
    }

    expect(waits.map((ms) => (ms ?? 0) / 1_000)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  test('from the beginning again once a call has succeeded', () => {
    fail('BERTH_HUB_THROTTLED');
    fail('BERTH_HUB_THROTTLED', T0 + 2_000);
    pauses.succeeded(HOST, T0 + 6_000);
    fail('BERTH_HUB_THROTTLED', T0 + 6_000);

    expect(waitAt(T0 + 6_000)).toBe(2_000);
  });

  test.each([
    ['what it asks for', 60_000, 60_000],
    ['no longer than five minutes, whatever it asks for', 1e12, 300_000],
  ])('%s', (_, wish, wait) => {
    fail('BERTH_HUB_THROTTLED', T0, wish);

    expect(waitAt(T0)).toBe(wait);
  });

  test('spread by up to a quarter, so that instances do not come back together', () => {
    pauses = new HubPauses(() => 0.5);
    fail('BERTH_HUB_THROTTLED');

    expect(waitAt(T0)).toBe(2_250);
  });
});

test.each<[string, () => void]>([
  ['fails, makes it no longer', () => fail('BERTH_HUB_THROTTLED', T0 + 1_000)],
  ['succeeds, does not end it', () => pauses.succeeded(HOST, T0 + 1_000)],
])('a call that was under way when a pause began, and %s', (_, end) => {
  fail('BERTH_HUB_THROTTLED');
  end();

  expect(waitAt(T0 + 1_000)).toBe(1_000);
});
