import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createDraws, type Fault, type FaultSettings } from '../../../local/iot-hub/faults/faults.ts';
import { createFaultyEvents } from '../../../local/iot-hub/faults/faulty-events.ts';
import type { HubEvent } from '../../../local/iot-hub/hub/event-sink.ts';
import { NO_FAULTS } from './no-faults.ts';

/** An event of a device's or module's twin; `version` becomes the value of a reported property too. */
function update(deviceId: string, version: number, moduleId?: string): HubEvent {
  const body = { version, properties: { reported: { [`at${version}`]: version, $version: version } } };
  return {
    body: Buffer.from(JSON.stringify(body)),
    partitionKey: deviceId,
    properties: { opType: 'updateTwin', ...(moduleId !== undefined && { moduleId }) },
    annotations: { 'iothub-message-source': 'twinChangeEvents' },
  };
}

function other(deviceId: string, source: string, opType: string): HubEvent {
  return {
    body: Buffer.from(JSON.stringify({ version: opType })),
    partitionKey: deviceId,
    properties: { opType },
    annotations: { 'iothub-message-source': source },
  };
}

const created = other('pump', 'deviceLifecycleEvents', 'createDeviceIdentity');
const deleted = other('pump', 'deviceLifecycleEvents', 'deleteDeviceIdentity');
const telemetry = other('pump', 'Telemetry', 'telemetry');

/** Sends all and answers what came through, by version. */
function faulty(settings: Partial<FaultSettings>) {
  const seen: HubEvent[] = [];
  const counts: Partial<Record<Fault, number>> = {};
  const lost: unknown[] = [];
  let isBroken = false;
  const all = { ...NO_FAULTS, ...settings };
  const events = createFaultyEvents({
    settings: all,
    nextDraw: createDraws(all.seed, 'weu'),
    count: (fault) => {
      counts[fault] = (counts[fault] ?? 0) + 1;
    },
    sink(event) {
      if (isBroken) throw new Error('down');
      seen.push(event);
    },
    onLost: (error) => lost.push(error),
  });
  return {
    counts,
    lost,
    send: (...sent: HubEvent[]) => {
      for (const event of sent) events.send(event);
    },
    end: () => events.end(),
    breakSink: () => {
      isBroken = true;
    },
    versions: (deviceId = 'pump') =>
      seen
        .filter(({ partitionKey }) => partitionKey === deviceId)
        .map(({ body }) => JSON.parse(body.toString()).version),
    versionsOfModule: (moduleId: string | undefined) =>
      seen
        .filter(({ properties }) => properties.moduleId === moduleId)
        .map(({ body }) => JSON.parse(body.toString()).version),
    bodies: () => seen.map(({ body }) => JSON.parse(body.toString())),
  };
}

const run = (deviceId: string, count: number) =>
  Array.from({ length: count }, (_, index) => update(deviceId, index + 1));

test('events without fault rates pass unchanged', () => {
  const { send, versions, counts } = faulty({});
  send(created, ...run('pump', 3), telemetry, deleted);
  expect(versions()).toEqual(['createDeviceIdentity', 1, 2, 3, 'telemetry', 'deleteDeviceIdentity']);
  expect(counts).toEqual({});
});

test('duplicates follow each other directly', () => {
  const { send, versions, counts } = faulty({ duplicateRate: 1 });
  send(...run('pump', 3));
  expect(versions()).toEqual([1, 1, 2, 2, 3, 3]);
  expect(counts).toEqual({ duplicate: 3 });
});

describe('a replay of events', () => {
  test('repeats up to five of the last events of a device in order', () => {
    const { send, versions, counts } = faulty({ replayRate: 1 });
    send(...run('pump', 6), update('valve', 1));

    expect(versions()).toEqual([
      ...[1, 1],
      ...[2, 1, 2],
      ...[3, 1, 2, 3],
      ...[4, 1, 2, 3, 4],
      ...[5, 1, 2, 3, 4, 5],
      ...[6, 2, 3, 4, 5, 6],
    ]);
    expect(versions('valve')).toEqual([1, 1]);
    expect(counts).toEqual({ replay: 7 });
  });

  test('repeats events of one twin only', () => {
    const { send, versions } = faulty({ replayRate: 1 });
    send(update('pump', 1), update('pump', 10, 'camera'), update('pump', 2), update('pump', 11, 'camera'));

    expect(versions()).toEqual([...[1, 1], ...[10, 10], ...[2, 1, 2], ...[11, 10, 11]]);
  });

  test('never skips an event on its first pass', () => {
    const { send, versions } = faulty({ replayRate: 0.3, duplicateRate: 0.3 });
    send(...run('pump', 100));

    let highest = 0;
    for (const version of versions()) {
      expect(version).toBeLessThanOrEqual(highest + 1);
      highest = Math.max(highest, version);
    }
    expect(highest).toBe(100);
    expect(versions().length).toBeGreaterThan(130);
  });
});

test('dropped events are neither sent nor replayed', () => {
  const { send, versions, counts } = faulty({ dropRate: 0.5, replayRate: 1 });
  send(...run('pump', 50));

  const seen = new Set(versions());
  expect(seen.size).toBe(50 - (counts.drop ?? 0));
  expect(seen.size).toBeGreaterThan(10);
  expect(seen.size).toBeLessThan(40);
});

test("the faults of a twin's events depend neither on other devices nor on other twins of its device", () => {
  const settings = { dropRate: 0.3, duplicateRate: 0.3, replayRate: 0.2 };
  const alone = faulty(settings);
  alone.send(...run('pump', 30));
  const among = faulty(settings);
  for (const [index, event] of run('pump', 30).entries()) among.send(event, update('valve', index));
  const amongModules = faulty(settings);
  for (let version = 1; version <= 30; version += 1) {
    amongModules.send(...['camera', undefined, 'edge'].map((moduleId) => update('pump', version, moduleId)));
  }

  const otherwise = faulty({ ...settings, seed: 2 });
  otherwise.send(...run('pump', 30));

  expect(among.versions()).toEqual(alone.versions());
  expect(amongModules.versionsOfModule(undefined)).toEqual(alone.versions());
  expect(amongModules.versionsOfModule('camera')).not.toEqual(alone.versions());
  expect(amongModules.versionsOfModule('camera')).not.toEqual(amongModules.versionsOfModule('edge'));
  expect(otherwise.versions()).not.toEqual(alone.versions());
});

describe('coalescing events', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('merges consecutive updates, and sends them at most two seconds after the first', () => {
    const { send, bodies, counts } = faulty({ coalesceRate: 1 });
    send(update('pump', 1));
    jest.advanceTimersByTime(1_500);
    send(update('pump', 2));
    expect(bodies()).toEqual([]);
    jest.advanceTimersByTime(500);

    expect(bodies()).toEqual([{ version: 2, properties: { reported: { at1: 1, at2: 2, $version: 2 } } }]);
    expect(counts).toEqual({ coalesce: 1 });
    send(update('pump', 3));
    jest.advanceTimersByTime(2_000);
    expect(bodies()).toHaveLength(2);
  });

  test('sends a single event after two seconds', () => {
    const { send, versions, counts } = faulty({ coalesceRate: 1 });
    send(update('pump', 1));
    jest.advanceTimersByTime(1_999);
    expect(versions()).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(versions()).toEqual([1]);
    expect(counts).toEqual({});
  });

  test('keeps the order: an event that cannot be merged follows the ones that are held back', () => {
    const { send, versions } = faulty({ coalesceRate: 1 });
    send(created, update('pump', 1), telemetry, update('pump', 2), deleted);
    send(update('pump', 3), update('pump', 4, 'edge'));
    jest.advanceTimersByTime(2_000);

    expect(versions()).toEqual(['createDeviceIdentity', 1, 'telemetry', 2, 'deleteDeviceIdentity', 3, 4]);
  });

  test('keeps versions in order and counts each merged event', () => {
    const { send, versions, counts } = faulty({ coalesceRate: 0.4 });
    send(...run('pump', 100));
    jest.advanceTimersByTime(2_000);

    expect(versions()).toEqual([...versions()].sort((left, right) => left - right));
    expect(versions()).toHaveLength(100 - (counts.coalesce ?? 0));
    expect(counts.coalesce).toBeGreaterThan(25);
  });

  test('merges updates of one twin, even if other events of its device are held back between them', () => {
    const { send, bodies, counts } = faulty({ coalesceRate: 1 });
    send(update('pump', 1), update('pump', 10, 'camera'), update('pump', 2), update('pump', 11, 'camera'));
    send(update('pump', 20, 'edge'));
    jest.advanceTimersByTime(2_000);

    expect(bodies()).toEqual([
      { version: 2, properties: { reported: { at1: 1, at2: 2, $version: 2 } } },
      { version: 11, properties: { reported: { at10: 10, at11: 11, $version: 11 } } },
      { version: 20, properties: { reported: { at20: 20, $version: 20 } } },
    ]);
    expect(counts).toEqual({ coalesce: 2 });
  });

  test('keeps events of modules and of their device in order', () => {
    // The versions increase from event to event, across all twins of the device.
    const { send, versions, versionsOfModule, counts } = faulty({ coalesceRate: 0.7 });
    for (let version = 1; version <= 120; version += 1) {
      send(update('pump', version, [undefined, 'camera', 'edge'][version % 3]));
    }
    jest.advanceTimersByTime(2_000);

    expect(versions()).toEqual([...versions()].sort((left, right) => left - right));
    expect(versions()).toHaveLength(120 - (counts.coalesce ?? 0));
    expect(counts.coalesce).toBeGreaterThan(10);
    expect(versionsOfModule('camera').at(-1)).toBe(118);
  });

  test('does not wait longer when an update of a module arrives or is merged', () => {
    const { send, versions } = faulty({ coalesceRate: 1 });
    send(update('pump', 1));
    jest.advanceTimersByTime(1_500);
    send(update('pump', 2, 'camera'), update('pump', 3));
    jest.advanceTimersByTime(499);
    expect(versions()).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(versions()).toEqual([2, 3]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('sends the event of a deletion after all events of the device and its modules', () => {
    const { send, versions } = faulty({ coalesceRate: 1 });
    send(update('pump', 1), update('pump', 2, 'camera'), deleted);
    expect(versions()).toEqual([1, 2, 'deleteDeviceIdentity']);
  });

  test('sends the events that are held back when it ends', () => {
    const { send, end, versions } = faulty({ coalesceRate: 1 });
    send(update('pump', 1), update('valve', 1));
    end();
    expect([versions(), versions('valve')]).toEqual([[1], [1]]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('reports an event sink that fails later', () => {
    const { send, breakSink, lost } = faulty({ coalesceRate: 1 });
    send(update('pump', 1), update('pump', 1, 'camera'));
    breakSink();
    jest.advanceTimersByTime(2_000);
    expect(lost).toEqual([new Error('down'), new Error('down')]);
  });
});

describe('a fault of the route', () => {
  const write = (values: object): HubEvent => ({
    ...update('pump', 2),
    body: Buffer.from(JSON.stringify({ version: 2, ...values })),
  });
  const correction = write({ properties: { desired: { interval: 5, $version: 2 } } });
  const tags = write({ tags: { site: 'a' } });

  test.each<[FaultSettings['route'], readonly unknown[]]>([
    ['deleted', ['createDeviceIdentity', 'telemetry']],
    ['filtered', ['createDeviceIdentity', 1, 'telemetry']],
    ['endpointDead', ['telemetry']],
    [undefined, ['createDeviceIdentity', 1, 2, 2, 'telemetry']],
  ])('%s lets through what such a route does', (route, through) => {
    const { send, versions, counts } = faulty({ route });

    send(created, update('pump', 1), correction, tags, telemetry);

    expect(versions()).toEqual(through);
    expect(counts.route ?? 0).toBe(5 - through.length);
  });
});
