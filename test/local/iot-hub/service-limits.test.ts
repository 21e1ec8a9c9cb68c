import { runInThisContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DEVELOPMENT_SERVICE_KEY } from '../../../local/iot-hub/index.ts';
import { type LocalHubs, serviceToken, startLocalHubs, WEU } from './local-hubs.ts';

describe('limits of the service API', () => {
  let local: LocalHubs;
  beforeAll(async () => {
    // The hub's clock stands still, so that a slow machine does not refill the burst.
    const start = Date.now();
    local = await startLocalHubs({
      hubs: [{ host: WEU, tier: 'F1', units: 1 }],
      shaping: { burstMs: 40, backlogMs: 40 },
      now: () => start,
    });
    await local.registry(WEU).create({ deviceId: 'dev-1' });
  });
  afterAll(() => local.close());

  test('too many writes are first delayed, then refused with 429001', async () => {
    const registry = local.registry(WEU);
    const writes = Array.from({ length: 40 }, (_, index) =>
      registry.updateTwin('dev-1', { tags: { index } }, '*').then(
        () => 'accepted',
        (error: Error & { response: { statusCode: number } }) => `${error.name} ${error.response.statusCode}`,
      ),
    );

    const results = await Promise.all(writes);

    const accepted = results.filter((result) => result === 'accepted').length;
    expect(accepted).toBe(4); // two at once, two from the line
    expect(new Set(results)).toEqual(new Set(['accepted', 'ThrottlingError 429']));
    expect(local.hubs.view(WEU)?.counters).toMatchObject({ twinWrites: accepted, throttled: 40 - accepted });
  });
});

test('many waiting calls cause no warning about a listener leak', async () => {
  const warnings: string[] = [];
  const note = ({ name }: Error) => warnings.push(name);
  const node = runInThisContext('process') as NodeJS.Process; // Jest's own `process` hears of no warnings
  node.on('warning', note);
  const local = await startLocalHubs({ shaping: { burstMs: 0, backlogMs: 1_000 } });
  await local.registry(WEU).create({ deviceId: 'dev-1' });

  const answers = await Promise.all(Array.from({ length: 30 }, () => local.call('GET', '/twins/dev-1')));
  await local.close();
  node.off('warning', note);

  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(warnings).toEqual([]);
});

test('after the daily quota is used up, calls are refused with 403002 until midnight UTC', async () => {
  const F1_MESSAGES = 8_000;
  let time = Date.parse('2024-03-01T23:00:00Z');
  const local = await startLocalHubs({ hubs: [{ host: WEU, tier: 'F1', units: 1 }], now: () => time });
  const view = local.hubs.view(WEU);
  const call = (method: string, path: string, body?: object) => {
    const authorization = serviceToken(WEU, DEVELOPMENT_SERVICE_KEY, Math.ceil(time / 1000) + 60);
    return local.call(method, path, { headers: { authorization }, body });
  };
  await call('PUT', '/devices/dev-1', {});
  const filler = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}`, 'x'.repeat(4000)]));
  view?.edit('dev-1', { properties: { desired: filler } }, 'service');
  while ((view?.messagesToday ?? 0) < F1_MESSAGES) {
    time += 100; // slower than the throttle
    expect((await call('GET', '/twins/dev-1')).status).toBe(200);
  }

  const refused = await call('GET', '/twins/dev-1');
  time = Date.parse('2024-03-02T00:00:01Z');
  const nextDay = await call('GET', '/twins/dev-1');

  expect(refused.status).toBe(403);
  expect(refused.headers['iothub-errorcode']).toBe('IotHubQuotaExceeded');
  expect(view?.counters.quotaRefused).toBe(1);
  expect(nextDay.status).toBe(200);
  await local.close();
});
