import { beforeEach, describe, expect, test } from '@jest/globals';
import { BudgetShare, type HubBudget, type NoPermit, type Permit } from '../../src/hub/budget.ts';
import type { DailyCounts } from '../../src/hub/daily-budget.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { outlastPauses } from '../../src/hub/outlast-pauses.ts';
import { HubError, type HubErrorCode } from '../../src/hub/port.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';

const [HUB] = fleetOf({}).hubs;
const END = plus(T0, 58_000);

let time: EpochMs;
let pauses: HubPauses;
let budget: HubBudget;
/** Called after each wait. */
let meanwhile: () => void;
beforeEach(() => {
  time = T0;
  pauses = new HubPauses(() => 0);
  meanwhile = () => {};
  const clock = {
    now: () => time,
    wait: async (ms: number) => {
      time = plus(time, ms);
      meanwhile();
    },
  };
  const counts: DailyCounts = { reserve: async (_, messages) => messages };
  budget = outlastPauses(new BudgetShare({ share: 'resync', part: 1, counts, pauses, ...clock }), clock);
});

const fails = (code: HubErrorCode, retryAfterMs?: number) => {
  pauses.failed(ID.host, new HubError(code, 'no', { host: ID.host, retryAfterMs }), time);
};
const permit = (): Promise<Permit | NoPermit> => {
  if (HUB === undefined) throw new Error('no hub');
  return budget.permit(HUB, 'read', END);
};

describe.each<[string, () => Promise<Permit | NoPermit>]>([
  ['a permit', permit],
  [
    'a permit to apply',
    () => {
      if (HUB === undefined) throw new Error('no hub');
      return budget.permitApply(HUB, 6, END);
    },
  ],
])('%s', (_, ask) => {
  test('comes after the pause of the hub', async () => {
    fails('BERTH_HUB_THROTTLED', 5_000);

    expect(await ask()).toEqual({ kind: 'granted' });
    expect(time - T0).toBeGreaterThanOrEqual(5_000);
    expect(time - T0).toBeLessThan(6_000);
  });

  test('comes after a second pause that began during the first wait', async () => {
    fails('BERTH_HUB_THROTTLED', 5_000);
    meanwhile = () => {
      meanwhile = () => {};
      fails('BERTH_HUB_THROTTLED', 20_000);
    };

    expect(await ask()).toEqual({ kind: 'granted' });
    expect(time - T0).toBeGreaterThanOrEqual(25_000);
  });

  test('is refused at once if the pause ends too late', async () => {
    fails('BERTH_HUB_THROTTLED', 58_000);

    expect(await ask()).toMatchObject({ kind: 'noPermit', why: 'the hub throttles', at: END });
    expect(time).toBe(T0);
  });

  test('is refused at once if the messages of the day are used up', async () => {
    fails('BERTH_HUB_QUOTA_EXCEEDED');

    expect(await ask()).toMatchObject({ kind: 'noPermit', isQuota: true });
    expect(time).toBe(T0);
  });
});

test('a permit is refused at once if its time is over, also without a pause', async () => {
  time = END;

  expect(await permit()).toMatchObject({ kind: 'noPermit', why: expect.stringContaining('used up') });
});
