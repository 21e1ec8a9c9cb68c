import { beforeEach, describe, expect, test } from '@jest/globals';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { HubError, type HubErrorCode } from '../../src/hub/port.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { ID, T0 } from '../twin/twins.ts';

const { host: HOST } = ID;

let pauses: HubPauses;
beforeEach(() => {
  pauses = new HubPauses(() => 0);
});
const fail = (code: HubErrorCode, now = T0, retryAfterMs?: number) =>
  pauses.failed(HOST, new HubError(code, `${HOST} failed`, { host: HOST, retryAfterMs }), now);
/** How long the hub is left alone from then on, ms; undefined: it is not. */
const waitAt = (now: EpochMs) => {
  const pause = pauses.of(HOST, now);
  return pause === undefined ? undefined : pause.until - now;
};

describe('a pause of a hub', () => {
  test.each<[string, HubErrorCode, string]>([
    ['throttles', 'BERTH_HUB_THROTTLED', 'the hub throttles'],
    ['misses a deadline, which counts as throttling', 'BERTH_HUB_TIMEOUT', 'the hub does not answer in time'],
  ])('starts at once when the hub %s', (_, code, why) => {
    fail(code);

    expect(pauses.of(HOST, T0)).toEqual({ until: plus(T0, 2_000), why, isQuota: false });
    expect(pauses.of(HOST, plus(T0, 2_000))).toBeUndefined();
  });

  test('lasts a quarter of an hour when the daily messages are used up, even if another pause is active', () => {
    fail('BERTH_HUB_THROTTLED');
    fail('BERTH_HUB_QUOTA_EXCEEDED');

    expect(pauses.of(HOST, T0)).toMatchObject({ until: plus(T0, 15 * 60_000), isQuota: true });
  });

  test.each<[HubErrorCode, string]>([
    ['BERTH_HUB_UNAVAILABLE', 'the hub is down'],
    ['BERTH_HUB_UNAUTHORIZED', 'the hub refuses the credentials of Berth'],
  ])('starts only after three failures in a row with %s', (code, why) => {
    fail(code);
    fail(code);
    expect(pauses.of(HOST, T0)).toBeUndefined();

    fail(code);
    expect(pauses.of(HOST, T0)).toMatchObject({ why });
  });

  test('affects no other hub', () => {
    fail('BERTH_HUB_THROTTLED');

    expect(pauses.of(`other-${HOST}` as typeof HOST, T0)).toBeUndefined();
  });
});

describe('a series of failures', () => {
  test.each<HubErrorCode>(['BERTH_HUB_NOT_FOUND', 'BERTH_HUB_PRECONDITION_FAILED', 'BERTH_HUB_REFUSED'])(
    'does not count %s, which is an answer about one device',
    (code) => {
      for (let times = 0; times < 5; times += 1) fail(code);
      fail('BERTH_HUB_UNAVAILABLE');

      expect(pauses.of(HOST, T0)).toBeUndefined();
    },
  );

  test.each<[string, () => void]>([
    ['a call that succeeds', () => pauses.succeeded(HOST, T0)],
    ['an answer about one device', () => fail('BERTH_HUB_NOT_FOUND')],
  ])('ends after %s', (_, between) => {
    fail('BERTH_HUB_UNAVAILABLE');
    fail('BERTH_HUB_UNAVAILABLE');
    between();
    fail('BERTH_HUB_UNAVAILABLE');

    expect(pauses.of(HOST, T0)).toBeUndefined();
  });
});

describe('the length of a pause', () => {
  test('doubles each time, up to five minutes', () => {
    let now = T0;
    const waits: (number | undefined)[] = [];
    for (let times = 0; times < 10; times += 1) {
      fail('BERTH_HUB_THROTTLED', now);
      waits.push(waitAt(now));
      now = plus(now, waitAt(now) ?? 0);
    }

    expect(waits.map((ms) => (ms ?? 0) / 1_000)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  test.each([true, false])(
    'starts small again after a quiet time as long as the last pause (a call has succeeded in it: %s)',
    (hasSucceeded) => {
      fail('BERTH_HUB_THROTTLED');
      fail('BERTH_HUB_THROTTLED', plus(T0, 2_000));
      // Until the sixth second, then four quiet seconds.
      if (hasSucceeded) pauses.succeeded(HOST, plus(T0, 10_000));
      fail('BERTH_HUB_THROTTLED', plus(T0, 10_000));

      expect(waitAt(plus(T0, 10_000))).toBe(2_000);
    },
  );

  test.each([
    [1, 4_000],
    [9, 4_000],
    [10, 2_000],
  ])('after %i answered calls since the last pause is %i ms', (answered, ms) => {
    fail('BERTH_HUB_THROTTLED');
    for (let calls = 0; calls < answered; calls += 1) pauses.succeeded(HOST, plus(T0, 3_000));
    fail('BERTH_HUB_THROTTLED', plus(T0, 3_900));

    expect(waitAt(plus(T0, 3_900))).toBe(ms);
  });

  test('does not count the answers to calls that began before the pause', () => {
    fail('BERTH_HUB_THROTTLED');
    for (let calls = 0; calls < 20; calls += 1) pauses.succeeded(HOST, plus(T0, 1_000));
    fail('BERTH_HUB_THROTTLED', plus(T0, 3_900));

    expect(waitAt(plus(T0, 3_900))).toBe(4_000);
  });

  test.each([
    ['the time that the hub asks for', 60_000, 60_000],
    ['five minutes at most, for any time that the hub asks for', 1e12, 300_000],
  ])('is %s', (_, wish, wait) => {
    fail('BERTH_HUB_THROTTLED', T0, wish);

    expect(waitAt(T0)).toBe(wait);
  });

  test('varies by up to a quarter, so that instances do not return at the same time', () => {
    pauses = new HubPauses(() => 0.5);
    fail('BERTH_HUB_THROTTLED');

    expect(waitAt(T0)).toBe(2_250);
  });
});

test.each<[string, () => void]>([
  ['fails does not extend the pause', () => fail('BERTH_HUB_THROTTLED', plus(T0, 1_000))],
  ['succeeds does not end the pause', () => pauses.succeeded(HOST, plus(T0, 1_000))],
])('a call that started before a pause and %s', (_, end) => {
  fail('BERTH_HUB_THROTTLED');
  end();

  expect(waitAt(plus(T0, 1_000))).toBe(1_000);
});
