import { describe, expect, test } from '@jest/globals';
import type { HubEvent } from '../../../local/iot-hub/index.ts';
import { watchedLines } from '../../../local/monitor/lines.ts';
import type { Watched } from '../../../local/monitor/watched.ts';
import { Watchers, type WatchFilter } from '../../../local/monitor/watchers.ts';

const WEU = 'contoso-weu.azure-devices.net';
const NEU = 'contoso-neu.azure-devices.net';

function telemetry(deviceId: string, moduleId?: string, body: Buffer = Buffer.from('{"t":20}')): HubEvent {
  return {
    body,
    partitionKey: deviceId,
    properties: { level: 'high' },
    annotations: {
      'iothub-connection-device-id': deviceId,
      ...(moduleId !== undefined && { 'iothub-connection-module-id': moduleId }),
      'iothub-message-source': 'Telemetry',
    },
    contentType: 'application/json',
  };
}

/** What a watcher with a filter sees of one event of each device. */
function seenWith(filter: WatchFilter): readonly string[] {
  const watchers = new Watchers(() => 0);
  const seen: string[] = [];
  const stop = watchers.add(filter, ({ hub, deviceId, moduleId }) =>
    seen.push([hub.slice(8, 11), deviceId, ...(moduleId === null ? [] : [moduleId])].join(' ')),
  );
  watchers.takeEvent(WEU, telemetry('lamp-1'));
  watchers.takeEvent(WEU, telemetry('lamp-2', 'camera'));
  watchers.takeEvent(NEU, telemetry('Lamp-1'));
  stop();
  watchers.takeEvent(WEU, telemetry('late'));
  return seen;
}

describe('a watcher of the hubs', () => {
  test.each([
    ['sees everything without a filter', {}, ['weu lamp-1', 'weu lamp-2 camera', 'neu Lamp-1']],
    ['sees one hub by its host name in any case', { hub: NEU.toUpperCase() }, ['neu Lamp-1']],
    ['sees one hub by its first label', { hub: 'contoso-weu' }, ['weu lamp-1', 'weu lamp-2 camera']],
    ['sees one device, by its exact id', { device: 'lamp-1' }, ['weu lamp-1']],
    ['sees devices by a pattern', { device: 'lamp-*' }, ['weu lamp-1', 'weu lamp-2 camera']],
    ['sees one module', { module: 'camera' }, ['weu lamp-2 camera']],
    ['takes every other character as it is', { device: 'lamp.1' }, []],
  ] as const)('%s', (_what, filter, expected) => {
    expect(seenWith(filter)).toEqual(expected);
  });

  test('sees the payload as JSON, as text, or as base64 where it is no text', () => {
    const watchers = new Watchers(() => 0);
    const payloads: unknown[] = [];
    watchers.add({}, ({ payload }) => payloads.push(payload));

    for (const body of ['{"t":20}', 'warm', Buffer.from([0xff, 0])])
      watchers.takeEvent(WEU, telemetry('lamp', undefined, Buffer.from(body)));

    expect(payloads).toEqual([{ t: 20 }, 'warm', { base64: '/wA=' }]);
  });

  test('sees messages and direct methods of services', () => {
    const watchers = new Watchers(() => 0);
    const seen: Watched[] = [];
    watchers.add({}, (watched) => seen.push(watched));
    const address = { deviceId: 'lamp' };

    watchers.takeTraffic(WEU, {
      kind: 'message',
      address,
      body: Buffer.from('hi'),
      system: {},
      properties: { a: 'b' },
    });
    watchers.takeTraffic(WEU, {
      kind: 'method',
      address,
      name: 'ping',
      payload: 1,
      answer: { status: 200, payload: 2 },
    });

    expect(seen).toMatchObject([
      { source: 'CloudToDevice', payload: 'hi', properties: { application: { a: 'b' } } },
      {
        source: 'DirectMethod',
        payload: { method: 'ping', request: 1, answer: { status: 200, payload: 2 } },
      },
    ]);
  });
});

describe('the lines of the monitor', () => {
  const watched: Watched = {
    at: '2026-01-01T12:00:01.000Z',
    source: 'DeviceMessages',
    hub: WEU,
    deviceId: 'lamp',
    moduleId: 'camera',
    payload: { t: 20 },
    properties: { system: { 'content-type': 'application/json' }, application: { level: 'high' } },
    annotations: { 'iothub-message-source': 'Telemetry' },
  };

  test('show the time, the source, the module, the hub and the payload', () => {
    expect(watchedLines(watched, [])).toEqual([
      '12:00:01  DeviceMessages  lamp/camera @ contoso-weu  {"t":20}',
    ]);
  });

  test('show the properties that were asked for', () => {
    expect(watchedLines(watched, ['app', 'anno']).slice(1)).toEqual([
      '          app  level: high',
      '          anno  iothub-message-source: Telemetry',
    ]);
    expect(watchedLines(watched, ['all'])).toHaveLength(4);
  });

  test('show control characters of a device as text', () => {
    const [line = ''] = watchedLines({ ...watched, payload: 'a\u001b[2Jb\n\u009b' }, []);

    expect(line).toMatch(/ a\\u001b\[2Jb\\n/);
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
