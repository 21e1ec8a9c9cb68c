import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Series } from '../../src/api/contract.ts';
import { series } from '../../src/functions/series.ts';
import { FunctionApp } from '../support/function-app.ts';
import { call } from '../support/http-call.ts';

let app: FunctionApp;
beforeAll(async () => {
  app = await FunctionApp.open();
});
afterAll(() => app.close());

test('resyncFleet records what sync has done and how the twins stand, once a minute', async () => {
  const instance = app.instance();
  for (const id of ['one', 'two', 'three']) app.create(id);
  await app.resync(instance);
  app.pass(1_500);
  await app.deliver(instance);
  // The echoes of the corrections.
  await app.deliver(instance);
  await instance.storeCounts();
  app.pass(60_000);

  await app.resync(instance);

  const { body } = await call(series(instance));
  const { at, hubs } = body as unknown as Series;
  expect(at).toHaveLength(2);
  const [hub] = hubs;
  expect(hub?.writes).toEqual([0, 3]);
  expect(hub?.events[1]).toBeGreaterThanOrEqual(3);
  expect(Object.values(hub?.twins ?? {}).reduce((sum, numbers) => sum + (numbers[1] ?? 0), 0)).toBe(3);
});
