import { describe, expect, test } from '@jest/globals';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { instantOf, millisecondsOf, parseInstant } from '../../src/time/instant.ts';
import { type Decoded, decodeEvent, type RawEvent } from '../../src/twin/events/event.ts';
import { redactEvent } from '../../src/twin/events/redact.ts';

const HOST = hostName('contoso-routing-hub.azure-devices.net');
const CONTEXT = {
  hubNamed: (name: string) => (name.toLowerCase() === 'contoso-routing-hub' ? HOST : undefined),
  isTargeted: (moduleId: string) => moduleId === 'module-1',
};

interface Parts {
  readonly body?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly system?: Readonly<Record<string, unknown>>;
  readonly enqueuedAt?: string;
}
function raw({
  body = {},
  properties = {},
  system = {},
  enqueuedAt = '2022-06-01T22:27:51.000Z',
}: Parts = {}): RawEvent {
  return {
    body:
      body instanceof Uint8Array
        ? body
        : new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
    properties: {
      hubName: 'contoso-routing-hub',
      deviceId: 'contoso-device-3',
      operationTimestamp: '2022-06-01T22:27:50.2612586Z',
      'iothub-message-schema': 'twinChangeNotification',
      opType: 'updateTwin',
      ...properties,
    },
    systemProperties: {
      'iothub-connection-device-id': 'contoso-device-3',
      'iothub-message-source': 'twinChangeEvents',
      ...system,
    },
    enqueuedAt,
  };
}
const decode = (parts?: Parts): Decoded => decodeEvent(raw(parts), CONTEXT);
const DEVICE = { host: HOST, deviceId: 'contoso-device-3', moduleId: undefined };

// Bodies from iot-hub-non-telemetry-event-schema (2024-04) and the Plug and Play service handler tutorial.
const REPORTED = {
  version: 3,
  properties: {
    reported: {
      maxTempSinceLastReboot: 10.96,
      $metadata: {
        $lastUpdated: '2020-10-21T14:10:42.4171263Z',
        maxTempSinceLastReboot: { $lastUpdated: '2020-10-21T14:10:42.4171263Z' },
      },
      $version: 2,
    },
  },
};
const CREATED = {
  deviceId: 'contoso-device-3',
  etag: 'AAAAAAAAAAE=',
  version: 2,
  tags: { site: 'ams' },
  properties: {
    desired: { $metadata: { $lastUpdated: '0001-01-01T00:00:00Z' }, $version: 1 },
    reported: { $metadata: { $lastUpdated: '0001-01-01T00:00:00Z' }, $version: 1 },
  },
};

describe('an event with a time in the future', () => {
  const LATE = '9999-12-31T23:59:59.0000000Z';
  const NOW = '2022-06-01T22:27:51.0000000Z';
  const unclear = {
    kind: 'twin',
    event: { kind: 'unclear', id: DEVICE, time: NOW, why: 'one of its events has a time in the future' },
  };

  test.each([
    ['a report', { body: REPORTED }],
    ['a creation', { body: CREATED, properties: { opType: 'createDeviceIdentity' } }],
    ['a replaced twin', { body: CREATED, properties: { opType: 'replaceTwin' } }],
    ['a deletion', { body: '', properties: { opType: 'deleteDeviceIdentity' } }],
  ] as readonly (readonly [string, Parts])[])('only marks the twin for a read: %s', (_, parts) => {
    for (const operationTimestamp of [LATE, '2022-06-01T22:33:00Z', '2022-06-02T00:27:50+01:00']) {
      const decoded = decode({ ...parts, properties: { ...parts.properties, operationTimestamp } });

      expect(decoded).toEqual(unclear);
    }
  });

  test('is accepted up to five minutes ahead, because clocks differ', () => {
    const properties = { operationTimestamp: '2022-06-01T22:32:00Z' };

    expect(decode({ body: REPORTED, properties })).toMatchObject({ event: { kind: 'update' } });
  });

  test('is invalid beyond the year 9999 with any time offset', () => {
    const properties = { operationTimestamp: '9999-12-31T23:59:59-14:00' };

    expect(decode({ body: REPORTED, properties })).toMatchObject({ kind: 'undecodable' });
  });
});

describe('an event that can be decoded', () => {
  test('is read as a report of a device', () => {
    expect(decode({ body: REPORTED })).toEqual({
      kind: 'twin',
      event: {
        kind: 'update',
        id: DEVICE,
        time: '2022-06-01T22:27:50.2612586Z',
        change: {
          version: 3,
          tags: undefined,
          desired: undefined,
          reported: {
            values: { maxTempSinceLastReboot: 10.96 },
            version: 2,
            metadata: REPORTED.properties.reported.$metadata,
          },
        },
      },
    });
  });

  test('is read as a write of tags and desired properties to a module by a service', () => {
    const decoded = decode({
      body: {
        version: 7,
        tags: { tag1: 'new value' },
        properties: { desired: { property1: 'new value', gone: null, $metadata: {}, $version: 6 } },
      },
      properties: { moduleId: 'module-1' },
      system: { 'iothub-connection-module-id': 'module-1' },
    });

    expect(decoded).toMatchObject({
      kind: 'twin',
      event: {
        kind: 'update',
        id: { ...DEVICE, moduleId: 'module-1' },
        change: {
          version: 7,
          tags: { tag1: 'new value' },
          desired: { values: { property1: 'new value', gone: null }, version: 6 },
        },
      },
    });
  });

  test.each([
    ['createDeviceIdentity', 'deviceLifecycleEvents', 'create'],
    ['createModuleIdentity', 'moduleLifecycleEvents', 'create'],
    ['replaceTwin', 'twinChangeEvents', 'replace'],
  ])('is read with the whole twin: %s', (opType, source, kind) => {
    const decoded = decode({
      body: CREATED,
      properties: { opType },
      system: { 'iothub-message-source': source },
    });

    expect(decoded).toMatchObject({
      kind: 'twin',
      event: {
        kind,
        twin: {
          version: 2,
          etag: 'AAAAAAAAAAE=',
          tags: { site: 'ams' },
          desired: { version: 1 },
          lastUpdated: '0001-01-01T00:00:00.0000000Z',
        },
      },
    });
  });

  test('needs no readable body when it is deleteDeviceIdentity', () => {
    const decoded = decode({
      body: 'x',
      properties: { opType: 'deleteDeviceIdentity' },
      system: { 'iothub-message-source': 'deviceLifecycleEvents' },
    });

    expect(decoded).toEqual({
      kind: 'twin',
      event: { kind: 'delete', id: DEVICE, time: '2022-06-01T22:27:50.2612586Z' },
    });
  });

  test.each<[string, string, unknown]>([
    // As iot-hub-devguide-identity-registry showed it before 2024.
    [
      'without a version',
      'createDeviceIdentity',
      {
        deviceId: 'contoso-device-3',
        etag: 'AAAAAAAAAAE=',
        properties: {
          desired: { $metadata: { $lastUpdated: '2016-02-28T16:24:48.789Z' }, $version: 1 },
          reported: { $metadata: { $lastUpdated: '2016-02-28T16:24:48.789Z' }, $version: 1 },
        },
      },
    ],
    ['of a module', 'createModuleIdentity', { properties: CREATED.properties }],
    ['with a null version', 'createDeviceIdentity', { ...CREATED, version: null }],
    [
      'with a section without its version',
      'createDeviceIdentity',
      { ...CREATED, properties: { desired: {}, reported: {} } },
    ],
    ['without content', 'createDeviceIdentity', {}],
  ])('marks the twin as new when it is a create event with an older body: %s', (_, opType, body) => {
    const properties = { opType };

    expect(
      decode({ body, properties, system: { 'iothub-message-source': 'deviceLifecycleEvents' } }),
    ).toEqual({
      kind: 'twin',
      event: { kind: 'created', id: DEVICE, time: '2022-06-01T22:27:50.2612586Z' },
    });
  });

  test('has the identity that the hub stamped and not the one in an application property', () => {
    expect(decode({ body: REPORTED, properties: { deviceId: 'somebody-else' } })).toMatchObject({
      event: { id: DEVICE },
    });
  });
});

describe('an event of a known twin with a section that Berth cannot use', () => {
  const unclear = (version: number) => ({
    kind: 'twin',
    event: {
      kind: 'unclear',
      id: DEVICE,
      time: '2022-06-01T22:27:50.2612586Z',
      version,
      why: 'one of its events has a section that cannot be used',
    },
  });
  const unusable: readonly unknown[] = [null, [], [1], 0, 'text', true];

  test.each(
    unusable.flatMap((value) => [
      { tags: value },
      { properties: value },
      { properties: { desired: value } },
      { properties: { reported: value } },
      { tags: { site: 'ams' }, properties: { desired: value } },
      { tags: value, properties: { desired: { a: 1, $version: 4 } } },
    ]),
  )('leads to one read of the twin and not to a dead letter: %j', (sections) => {
    expect(decode({ body: { version: 3, ...sections } })).toEqual(unclear(3));
  });

  test.each([undefined, null, '4', -1, 4.5, {}])(
    'leads to one read where the $version of a section is %j',
    ($version) => {
      expect(decode({ body: { version: 3, properties: { desired: { a: 1, $version } } } })).toEqual(
        unclear(3),
      );
      expect(decode({ body: { version: 3, properties: { reported: { a: 1, $version } } } })).toEqual(
        unclear(3),
      );
    },
  );

  test.each(
    unusable.flatMap((value) => [
      { properties: value },
      { properties: { ...CREATED.properties, desired: value } },
      { properties: { ...CREATED.properties, reported: value } },
    ]),
  )('leads to one read where it is a whole twin after a replacement: %j', (sections) => {
    const body = { ...CREATED, ...sections };

    expect(decode({ body, properties: { opType: 'replaceTwin' } })).toEqual(unclear(CREATED.version));
  });

  test.each([null, [], 'text', 7])('is merged where only the metadata cannot be used: %j', ($metadata) => {
    const body = { version: 3, properties: { reported: { a: 1, $version: 2, $metadata } } };

    expect(decode({ body })).toMatchObject({
      event: { kind: 'update', change: { reported: { values: { a: 1 }, metadata: {} } } },
    });
  });
});

describe('an event that Berth does not need', () => {
  test.each<[string, Parts, object]>([
    [
      'telemetry',
      { system: { 'iothub-message-source': 'Telemetry' }, body: new Uint8Array([1, 2]) },
      { kind: 'ignored', why: 'telemetry' },
    ],
    [
      'connection state',
      { system: { 'iothub-message-source': 'deviceConnectionStateEvents' } },
      { kind: 'ignored', why: 'connection state' },
    ],
    [
      'the second copy of a Plug and Play event',
      { system: { 'iothub-message-source': 'digitalTwinChangeEvents' } },
      { kind: 'ignored' },
    ],
    [
      'a module that no policy targets',
      { system: { 'iothub-connection-module-id': 'other' } },
      { kind: 'ignored' },
    ],
    [
      'a module of IoT Edge itself',
      { system: { 'iothub-connection-module-id': '$edgeAgent' } },
      { kind: 'ignored' },
    ],
    [
      'a source that this package does not know',
      { system: { 'iothub-message-source': 'moonEvents' } },
      { kind: 'unknownSource', source: 'moonevents', hubName: 'contoso-routing-hub' },
    ],
    ...['__proto__', 'constructor', 'tostring'].map((source): [string, Parts, object] => [
      `a source with the name of a member that every object has: ${source}`,
      { system: { 'iothub-message-source': source } },
      { kind: 'unknownSource', hubName: 'contoso-routing-hub' },
    ]),
    [
      'an unknown source without a hub',
      { system: { 'iothub-message-source': 'moonEvents' }, properties: { hubName: 7 } },
      { kind: 'unknownSource', source: 'moonevents', hubName: undefined },
    ],
    [
      'a hub that is not in the fleet file',
      { properties: { hubName: 'other-hub' } },
      { kind: 'unknownHub', hubName: 'other-hub' },
    ],
  ])('is ignored: %s', (_, parts, expected) => {
    expect(decode(parts)).toMatchObject(expected);
  });
});

describe('an event that cannot be decoded', () => {
  test.each<[string, Parts, string]>([
    ['a body that is not JSON', { body: '{"version":' }, 'BERTH_EVENT_NOT_JSON'],
    ['an empty body', { body: '' }, 'BERTH_EVENT_NOT_JSON'],
    ['a body that is not UTF-8', { body: new Uint8Array([0x22, 0xff, 0x22]) }, 'BERTH_EVENT_NOT_JSON'],
    [
      'a device id that is too long for a row',
      { system: { 'iothub-connection-device-id': 'x'.repeat(129) } },
      'BERTH_EVENT_INVALID',
    ],
    [
      'a device id that equals the key of a module',
      { system: { 'iothub-connection-device-id': 'pump|m' } },
      'BERTH_EVENT_INVALID',
    ],
    [
      'a module id with a control character',
      { system: { 'iothub-connection-module-id': 'm\n' } },
      'BERTH_EVENT_INVALID',
    ],
    ['a body that is too large', { body: 'x'.repeat(256 * 1024 + 1) }, 'BERTH_EVENT_TOO_LARGE'],
    ['no message source', { system: { 'iothub-message-source': undefined } }, 'BERTH_EVENT_NO_IDENTITY'],
    [
      'no device id',
      { system: { 'iothub-connection-device-id': undefined }, properties: { deviceId: undefined } },
      'BERTH_EVENT_NO_IDENTITY',
    ],
    ['no hub name', { properties: { hubName: '' } }, 'BERTH_EVENT_NO_IDENTITY'],
    ['no time', { body: REPORTED, properties: { operationTimestamp: 'yesterday' } }, 'BERTH_EVENT_INVALID'],
    ['an unknown operation', { body: REPORTED, properties: { opType: 'paintTwin' } }, 'BERTH_EVENT_INVALID'],
    ['an array', { body: '[]' }, 'BERTH_EVENT_INVALID'],
    [
      'a creation of an array',
      { body: '[]', properties: { opType: 'createDeviceIdentity' } },
      'BERTH_EVENT_INVALID',
    ],
    ['a replacement without a version', { properties: { opType: 'replaceTwin' } }, 'BERTH_EVENT_INVALID'],
    ['no version', { body: { properties: {} } }, 'BERTH_EVENT_INVALID'],
    ['a version that is a text', { body: { ...REPORTED, version: '3' } }, 'BERTH_EVENT_INVALID'],
    [
      'a replacement with a negative version',
      { body: { ...CREATED, version: -1 }, properties: { opType: 'replaceTwin' } },
      'BERTH_EVENT_INVALID',
    ],
  ])('gives an error code: %s', (_, parts, code) => {
    expect(decode(parts)).toEqual({ kind: 'undecodable', code, reason: expect.any(String) });
  });
});

describe('a time from the hub', () => {
  test.each([
    ['2020-10-21T14:13:39.3649100+00:00', '2020-10-21T14:13:39.3649100Z'],
    ['2020-10-21T14:13:39.36491Z', '2020-10-21T14:13:39.3649100Z'],
    ['2020-10-21T16:13:39+02:00', '2020-10-21T14:13:39.0000000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.0000000Z'],
  ])('%s is parsed as %s', (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  test.each(['', 'now', '2020-13-01T00:00:00Z', '2020-10-21', 5, undefined, '2020-10-21T14:13:39'])(
    '%p is invalid',
    (value) => {
      expect(parseInstant(value)).toBeUndefined();
    },
  );

  test('is compared as an integer of 100 ns units', () => {
    const times = [
      '2020-10-21T14:13:39.3649101Z',
      '2020-10-21T14:13:39.36491Z',
      '2020-10-21T14:13:39.3649099+00:00',
    ].map(parseInstant);

    expect([...times].sort()).toEqual([times[2], times[1], times[0]]);
  });

  test('is converted to and from milliseconds', () => {
    expect(millisecondsOf(instantOf(epochMs(1_795_435_200_123)))).toBe(1_795_435_200_123);
  });
});

test('redacted paths are removed from an event first, and a deletion is still a deletion', () => {
  const decoded = decode({
    body: {
      version: 7,
      tags: { wifi: { psk: 'hunter2', ssid: 'x' } },
      properties: {
        desired: { wifi: { psk: null }, $version: 2 },
        reported: { wifi: { psk: { a: 'hunter2' } }, $version: 3 },
      },
    },
  });
  if (decoded.kind !== 'twin') throw new Error(decoded.kind);

  const paths = [['wifi', 'psk'], ['other']];
  const event = redactEvent(decoded.event, { paths, key: Buffer.alloc(32, 1) });

  expect(JSON.stringify(event)).not.toContain('hunter2');
  expect(event).toMatchObject({
    change: {
      tags: { wifi: { psk: expect.stringMatching(/^redacted:[0-9a-f]{24}$/), ssid: 'x' } },
      desired: { values: { wifi: { psk: null } } },
      reported: { values: { wifi: { psk: { a: expect.stringMatching(/^redacted:[0-9a-f]{24}$/) } } } },
    },
  });
});
