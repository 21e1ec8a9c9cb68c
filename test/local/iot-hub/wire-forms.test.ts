import { describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { parseDeviceUserName } from '../../../local/iot-hub/device-api/device-authentication.ts';
import { isDeviceFilter, parseDeviceTopic } from '../../../local/iot-hub/device-api/device-topics.ts';
import { ifMatchAllows } from '../../../local/iot-hub/model/entity-tag.ts';
import {
  createClock,
  formatInstant,
  formatOperationTimestamp,
  toMilliseconds,
} from '../../../local/iot-hub/model/instant.ts';
import {
  isSignedBy,
  parseSharedAccessSignature,
  resourceOf,
} from '../../../local/iot-hub/service-api/shared-access-signature.ts';
import { testKey } from './local-hubs.ts';

describe('times on the wire', () => {
  const instant = (text: string, ticks: bigint) => BigInt(Date.parse(text)) * 10_000n + ticks;

  test.each([
    ['2020-10-21T14:13:39.364Z', 9100n, '2020-10-21T14:13:39.36491Z', '2020-10-21T14:13:39.3649100Z'],
    ['2020-10-21T14:13:39.000Z', 0n, '2020-10-21T14:13:39Z', '2020-10-21T14:13:39.0000000Z'],
    ['2020-10-21T14:13:39.000Z', 1n, '2020-10-21T14:13:39.0000001Z', '2020-10-21T14:13:39.0000001Z'],
  ])('%s and %s ticks are written in both formats of Azure', (text, ticks, updated, operation) => {
    expect(formatInstant(instant(text, ticks))).toBe(updated);
    expect(formatOperationTimestamp(instant(text, ticks))).toBe(operation);
    expect(toMilliseconds(instant(text, ticks))).toBe(Date.parse(text));
  });

  test('the clock always increases, even if the system clock goes back', () => {
    const readings = [1000, 1000, 999, 5000, 4000];
    const tick = createClock(() => readings.shift() ?? 0);
    const read = [tick(), tick(), tick(), tick(), tick()];
    expect(read).toEqual([10_000_000n, 10_000_001n, 10_000_002n, 50_000_000n, 50_000_001n]);
  });
});

describe('user names of devices', () => {
  test.each([
    ['hub.azure-devices.net/dev-1/?api-version=2021-04-12&DeviceClientType=x%2Fy', 'dev-1', undefined],
    ['HUB.azure-devices.net/dev-1/api-version=2018-06-30', 'dev-1', undefined],
    ['hub.azure-devices.net/dev-1', 'dev-1', undefined],
    ['hub.azure-devices.net/a?b#c%d/?api-version=1&model-id=dtmi:com:x;1&z=1', 'a?b#c%d', 'dtmi:com:x;1'],
    ['hub.azure-devices.net/d/?api-version=1&model-id=dtmi%3Acom%3Ax%3B1', 'd', 'dtmi:com:x;1'],
    ['hub.azure-devices.net/d/?api-version=1&model-id=%zz', 'd', '%zz'],
    ['hub.azure-devices.net/?x/?api-version=1', '?x', undefined],
    ['hub.azure-devices.net/dev-1/?api-version=1&DeviceClientType=a/b=c', 'dev-1', undefined],
  ])('the user name %s names a device', (userName, deviceId, modelId) => {
    const address = { deviceId };
    expect(parseDeviceUserName(userName)).toMatchObject({ host: 'hub.azure-devices.net', address, modelId });
  });

  test.each([
    ['hub.azure-devices.net/dev/mod/?api-version=2021-04-12&DeviceClientType=x', 'mod', undefined],
    ['HUB.azure-devices.net/dev/mod/api-version=2018-06-30', 'mod', undefined],
    ['hub.azure-devices.net/dev/mod', 'mod', undefined],
    ['hub.azure-devices.net/dev/mod/', 'mod', undefined],
    ['hub.azure-devices.net/dev/a=b/?api-version=1&model-id=dtmi:com:x;1', 'a=b', 'dtmi:com:x;1'],
    ['hub.azure-devices.net/dev/$edgeAgent/?api-version=1', '$edgeAgent', undefined],
  ])('the user name %s names a module', (userName, moduleId, modelId) => {
    const address = { deviceId: 'dev', moduleId };
    expect(parseDeviceUserName(userName)).toMatchObject({ host: 'hub.azure-devices.net', address, modelId });
  });

  test.each([
    '',
    'hub',
    'hub/',
    '/dev',
    'hub.azure-devices.net/dev//?api-version=1',
    'hub.azure-devices.net/dev/mod/more/?api-version=1',
  ])('the user name %s is refused', (text) => {
    expect(parseDeviceUserName(text)).toBeUndefined();
  });
});

describe('the topics of devices', () => {
  test.each([
    ['$iothub/twin/GET/?$rid=abc', { kind: 'getTwin', requestId: 'abc' }],
    [
      '$iothub/twin/PATCH/properties/reported/?$rid=1&$version=3',
      { kind: 'reportProperties', requestId: '1', baseVersion: '3' },
    ],
    ['$iothub/twin/GET/', { kind: 'getTwin', requestId: '' }],
    ['$iothub/methods/res/200/?$rid=1', { kind: 'methodResponse', requestId: '1', status: 200 }],
    ['$iothub/methods/res/x/?$rid=a', undefined],
    ['$iothub/twin/GET/more?$rid=a', undefined],
    ['devices/d/messages/events', { kind: 'telemetry', properties: new Map() }],
    ['devices/d/messages/events/', { kind: 'telemetry', properties: new Map() }],
    [
      'devices/d/messages/events/%24.ct=application%2Fjson&k%20k=v%2F1+2&flag&%zz=1',
      {
        kind: 'telemetry',
        properties: new Map([
          ['$.ct', 'application/json'],
          ['k k', 'v/1+2'],
          ['flag', ''],
          ['%zz', '1'],
        ]),
      },
    ],
    ['devices/other/messages/events/', undefined],
    ['devices/d/messages/eventsX', undefined],
    ['$iothub/twin/PATCH/properties/desired/?$rid=1', undefined],
    ['', undefined],
  ])('the topic %s of a device is parsed', (topic, expected) => {
    expect(parseDeviceTopic(topic, { deviceId: 'd' })).toEqual(expected);
  });

  test.each([
    ['devices/d/modules/m/messages/events/k=v', { kind: 'telemetry', properties: new Map([['k', 'v']]) }],
    ['devices/d/messages/events/', undefined],
    ['devices/d/modules/other/messages/events/', undefined],
    ['devices/d/modules/mm/messages/events/', undefined],
  ])('the topic %s of a module is parsed', (topic, expected) => {
    expect(parseDeviceTopic(topic, { deviceId: 'd', moduleId: 'm' })).toEqual(expected);
  });

  test('a device cannot send for its modules', () => {
    expect(parseDeviceTopic('devices/d/modules/m/messages/events/', { deviceId: 'd' })).toBeUndefined();
  });

  test('only known topic filters can be subscribed to', () => {
    expect(isDeviceFilter('devices/d/messages/devicebound/#', { deviceId: 'd' })).toBe(true);
    expect(isDeviceFilter('devices/d/modules/m/inputs/#', { deviceId: 'd', moduleId: 'm' })).toBe(true);
    expect(isDeviceFilter('devices/d/messages/devicebound/#', { deviceId: 'd', moduleId: 'm' })).toBe(false);
    for (const filter of ['devices/+/messages/devicebound/#', '$iothub/methods/POST/#']) {
      expect(isDeviceFilter(filter, { deviceId: 'd' })).toBe(true);
    }
    for (const filter of ['devices/d/modules/m/#', 'devices/+/modules/+/#', 'devices/+/modules/m/inputs/#']) {
      expect(isDeviceFilter(filter, { deviceId: 'd', moduleId: 'm' })).toBe(true);
      expect(isDeviceFilter(filter, { deviceId: 'd' })).toBe(false);
    }
    expect(isDeviceFilter('devices/d/modules/other/#', { deviceId: 'd', moduleId: 'm' })).toBe(false);
    for (const filter of [
      '#',
      '+/+',
      'devices/+/#',
      'devices/d/#',
      '$iothub/#',
      'devices/other/messages/devicebound/#',
    ]) {
      expect(isDeviceFilter(filter, { deviceId: 'd' })).toBe(false);
    }
  });
});

describe('shared access signatures', () => {
  const NOW = Date.parse('2024-03-01T10:00:00Z');
  const signed = (resource: string) =>
    SharedAccessSignature.create(resource, '', testKey(1), NOW / 1000 + 60).toString();

  test.each(['host%2Fdevices%2Fd', 'scope/registrations/id'])(
    'a token for %s is valid for exactly the signed resource',
    (sr) => {
      const token = parseSharedAccessSignature(signed(sr));
      if (token === undefined) throw new Error('not read');

      expect(resourceOf(token)).toBe(decodeURIComponent(sr));
      expect(isSignedBy(token, [testKey(1)], NOW)).toBe(true);
      expect(isSignedBy(token, [testKey(2), testKey(1)], NOW)).toBe(true);
      expect(isSignedBy(token, [testKey(2)], NOW)).toBe(false);
      expect(isSignedBy(token, [testKey(1)], NOW + 60_000)).toBe(false);
      expect(isSignedBy({ ...token, sr: `${sr}2` }, [testKey(1)], NOW)).toBe(false);
    },
  );

  test('the fields of a token can have any order', () => {
    const [, fields = ''] = signed('a').split(' ');
    const turned = `SharedAccessSignature ${fields.split('&').reverse().join('&')}`;
    expect(parseSharedAccessSignature(turned)).toEqual(parseSharedAccessSignature(signed('a')));
  });

  test.each([
    '',
    'Bearer x',
    'SharedAccessSignature',
    'SharedAccessSignature sr=a&sig=%zz&se=1',
    'SharedAccessSignature sr=a&sig=b&se=-1',
  ])('the token %s is refused', (text) => expect(parseSharedAccessSignature(text)).toBeUndefined());
});

describe('the header If-Match', () => {
  test.each([
    [undefined, true],
    ['"*"', true],
    ['*', true],
    ['"AAAAAAAAAAE="', true],
    ['"other"', false],
    ['other', true],
    ['""', false],
    ['W/"other"', true],
  ])('the If-Match value %s allows a write: %s', (header, allowed) => {
    expect(ifMatchAllows(header, 'AAAAAAAAAAE=')).toBe(allowed);
  });
});
