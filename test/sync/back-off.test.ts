import { expect, test } from '@jest/globals';
import { HubError } from '../../src/hub/port.ts';
import { backOff } from '../../src/sync/reconcile/back-off.ts';
import { ID } from '../twin/twins.ts';

const HOUR_MS = 60 * 60_000;
const throttled = (retryAfterMs: number) =>
  new HubError('BERTH_HUB_THROTTLED', 'slow', { host: ID.host, retryAfterMs });

test('a twin waits for the time that its hub asks for and a little longer', () => {
  const wait = backOff(throttled(60_000), 'pump-1', 0);

  expect(wait).toBeGreaterThanOrEqual(60_000);
  expect(wait).toBeLessThanOrEqual(120_000);
});

test('a twin waits at most two hours when its hub asks for years', () => {
  expect(backOff(throttled(1e12), 'pump-1', 0)).toBeLessThanOrEqual(2 * HOUR_MS);
});
