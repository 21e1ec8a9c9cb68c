import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SimulatedDevice } from '../../../local/devices/device.ts';
import { deviceProfiles } from '../../../local/devices/device-profiles.ts';
import { deriveDeviceKey } from '../../../local/dps/index.ts';
import {
  customGroup,
  GROUP_KEY,
  ID_SCOPE,
  type LocalDps,
  startLocalDps,
  startWebhook,
  type Webhook,
} from '../dps/local-dps.ts';

describe('a simulated device', () => {
  let webhook: Webhook;
  let local: LocalDps;
  beforeEach(async () => {
    webhook = await startWebhook();
    local = await startLocalDps([customGroup(webhook)]);
  });
  afterEach(async () => {
    await local.close();
    await webhook.close();
  });

  test('ends when its run ends while it registers', async () => {
    const ending = new AbortController();
    const news: string[] = [];
    const [profile] = deviceProfiles(1);
    if (profile === undefined) throw new Error('no profile');

    await new SimulatedDevice({
      profile,
      proof: { kind: 'key', key: deriveDeviceKey(GROUP_KEY, profile.deviceId) },
      stack: {
        idScope: ID_SCOPE,
        ca: local.authority.root,
        httpsPort: local.ports.https,
        mqttPort: local.ports.mqtt,
        controlUrl: '',
        batteries: '',
        lively: false,
      },
      batteries: { get: () => undefined, set: () => {}, close: () => {} },
      publish({ type }) {
        news.push(type);
        if (type === 'registered') ending.abort();
      },
      signal: ending.signal,
    }).run();

    expect(news).toContain('registered');
  });
});
