import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createIotHubs, type HubEvent, type HubView, type IotHubs } from '../../../local/iot-hub/index.ts';
import { testKey, WEU } from './local-hubs.ts';

const START = Date.parse('2024-03-01T10:00:00.000Z');

describe('an edit by an automatic device configuration', () => {
  let hubs: IotHubs;
  let hub: HubView;
  let events: HubEvent[];

  beforeEach(() => {
    events = [];
    hubs = createIotHubs({
      hubs: [{ host: WEU, tier: 'S1', units: 1 }],
      sink: () => (event) => events.push(event),
      now: () => START,
    });
    hubs.provisioning(WEU)?.create('pump', {
      authentication: { type: 'sas', symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) } },
      capabilities: { iotEdge: false },
      tags: {},
      desired: { interval: 5, hvac: { mode: 'eco', fan: 1 } },
      reported: {},
    });
    const view = hubs.view(WEU);
    if (view === undefined) throw new Error('there is no hub');
    hub = view;
  });
  afterEach(() => hubs.close());

  const edit = (desired: object, as: Parameters<HubView['edit']>[2] = { configuration: 'hvac-west' }) =>
    hub.edit('pump', { properties: { desired: { ...desired } } }, as);
  // biome-ignore lint/suspicious/noExplicitAny: twins of every shape
  const metadata = (): any => (hub.twin('pump') as any).properties.desired.$metadata;
  const MARK = { $lastUpdatedBy: 'hvac-west', $lastUpdatedByDigest: expect.stringMatching(/^6384\d{14}$/) };

  test('marks the values it writes, and nothing else', () => {
    edit({ hvac: { setpoint: 21 } });

    const { interval, hvac, ...stamp } = metadata();
    expect(Object.keys(stamp)).toEqual(['$lastUpdated', '$lastUpdatedVersion']);
    expect(interval).toEqual({ $lastUpdated: expect.any(String), $lastUpdatedVersion: 1 });
    expect(hvac).toEqual({
      $lastUpdated: expect.any(String),
      $lastUpdatedVersion: 2,
      mode: { $lastUpdated: expect.any(String), $lastUpdatedVersion: 1 },
      fan: { $lastUpdated: expect.any(String), $lastUpdatedVersion: 1 },
      setpoint: { $lastUpdated: expect.any(String), $lastUpdatedVersion: 2, ...MARK },
    });
  });

  test('sends an event with all desired properties, and with metadata only for what changed', () => {
    edit({ hvac: { setpoint: 21, fan: null } });

    const { desired } = JSON.parse(events.at(-1)?.body.toString() ?? '').properties;
    expect(desired).toMatchObject({
      interval: 5,
      hvac: { mode: 'eco', fan: null, setpoint: 21 },
      $version: 2,
    });
    expect(Object.keys(desired.$metadata)).toEqual(['$lastUpdated', '$lastUpdatedVersion', 'hvac']);
    expect(Object.keys(desired.$metadata.hvac)).toEqual(['$lastUpdated', '$lastUpdatedVersion', 'setpoint']);
    expect(desired.$metadata.hvac.setpoint).toMatchObject(MARK);
  });

  test.each<[string, object, 'service' | 'portal']>([
    ['a service that writes another value', { hvac: { setpoint: 22 } }, 'service'],
    ['a service that writes the same value', { hvac: { setpoint: 21 } }, 'service'],
    ['a service that writes an object', { hvac: { setpoint: { low: 1 } } }, 'service'],
    ['the portal that edits another value', { interval: 6 }, 'portal'],
  ])('loses the mark of a value with the next write by %s', (_what, desired, as) => {
    edit({ hvac: { setpoint: 21 } });
    edit(desired, as);
    expect(JSON.stringify(metadata())).not.toContain('$lastUpdatedBy');
  });

  test('keeps the mark of a value when another value is written', () => {
    edit({ hvac: { setpoint: 21 } });
    edit({ hvac: { fan: 2 }, interval: 7 }, 'service');

    expect(metadata().hvac.setpoint).toMatchObject(MARK);
    expect(metadata().hvac.fan).not.toHaveProperty('$lastUpdatedBy');
    edit({ interval: 1 }, { configuration: 'other' });
    expect(metadata().interval).toMatchObject({ $lastUpdatedBy: 'other' });
    expect(metadata().hvac.setpoint).toMatchObject(MARK);
  });

  test('works on a module as on a device, and does not change the device', () => {
    hub.createModule('pump', 'camera', {});
    hub.edit('pump', { properties: { desired: { fps: 5, mode: 'day' } } }, 'service', 'camera');
    const before = hub.twin('pump');
    hub.edit('pump', { properties: { desired: { fps: 9 } } }, { configuration: 'hvac-west' }, 'camera');

    expect(hub.twin('pump', 'camera')?.properties).toMatchObject({
      desired: { fps: 9, mode: 'day', $metadata: { fps: MARK } },
    });
    expect(hub.twin('pump')).toEqual(before);
    const event = events.at(-1);
    expect(event?.properties).toMatchObject({ deviceId: 'pump', moduleId: 'camera', opType: 'updateTwin' });
    const { desired } = JSON.parse(event?.body.toString() ?? '').properties;
    expect(desired).toMatchObject({ fps: 9, mode: 'day', $version: 3 });
    expect(Object.keys(desired.$metadata)).toEqual(['$lastUpdated', '$lastUpdatedVersion', 'fps']);
  });

  test('writes desired properties only', () => {
    expect(() => hub.edit('pump', { tags: { a: 1 } }, { configuration: 'x' })).toThrow(/desired properties/);
  });
});
