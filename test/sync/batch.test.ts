import { describe, expect, test } from '@jest/globals';
import { BerthError } from '../../src/errors.ts';
import { EvidenceCounters } from '../../src/liveness/evidence-counters.ts';
import type { SyncCount } from '../../src/metrics/sync-counters.ts';
import type { DeadLetter } from '../../src/store/dead-letters/dead-letter-store.ts';
import {
  type BatchEvent,
  type EventSinks,
  type SourceCount,
  takeBatch,
} from '../../src/sync/events/batch.ts';
import type { Gate } from '../../src/sync/reconcile/write-gate.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { NO_REDACTION, type Redaction } from '../../src/twin/events/redact.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { fleetOf, ID } from '../twin/twins.ts';

const FLEET = fleetOf({ policies: [{ name: 'p', desired: { a: 1 } }] });

let sequenceNumber = 0;
function received(
  deviceId: string,
  parts: { body?: string; source?: string; hubName?: string } = {},
): BatchEvent {
  sequenceNumber += 1;
  const body = {
    version: sequenceNumber,
    properties: { reported: { n: sequenceNumber, $version: sequenceNumber } },
  };
  return {
    body: new TextEncoder().encode(parts.body ?? JSON.stringify(body)),
    properties: {
      hubName: parts.hubName ?? 'weu',
      operationTimestamp: '2026-11-23T12:00:00Z',
      opType: 'updateTwin',
    },
    systemProperties: {
      'iothub-connection-device-id': deviceId,
      'iothub-message-source': parts.source ?? 'twinChangeEvents',
    },
    partition: '3',
    sequenceNumber,
    enqueuedAt: '2026-11-23T12:00:00.000Z',
  };
}

interface BatchParts extends Partial<EventSinks> {
  /** What reconciling a twin fails with. */
  readonly failureOf?: (id: TwinId) => Error | undefined;
  readonly gate?: Gate;
  readonly redaction?: Redaction;
}

/** Takes a batch, and keeps what became of its events. */
function setUp({
  failureOf = () => undefined,
  gate = OPEN_GATE,
  redaction = NO_REDACTION,
  ...sinks
}: BatchParts = {}) {
  const taken = new Map<string, TwinEvent[]>();
  const letters: DeadLetter[] = [];
  const unknownHubs: [string, number][] = [];
  const sources: SourceCount[] = [];
  const counts: (readonly [string, SyncCount, number])[] = [];
  const evidence = new EvidenceCounters(() => epochMs(Date.parse('2026-11-23T12:00:05Z')));
  const takeAll = (events: readonly BatchEvent[]) =>
    takeBatch(
      events,
      {
        fleet: FLEET,
        hosts: [ID.host],
        gate: { current: async () => gate },
        redaction,
        now: () => epochMs(Date.parse('2026-11-23T12:00:05Z')),
        count: (host, what, number = 1) => counts.push([host, what, number]),
        evidence: evidence.of('0'),
      },
      {
        prepare: async () => {},
        reconcile: async (id, events) => {
          const failure = failureOf(id);
          if (failure !== undefined) throw failure;
          taken.set(id.deviceId, [...events]);
          return { result: 'stored', known: { kind: 'nothing' } };
        },
      },
      {
        keepDeadLetters: async (found) => {
          letters.push(...found);
          return 0;
        },
        countUnknownHubs: async (hubs) => {
          unknownHubs.push(...hubs);
        },
        countUnknownSources: async (counts) => {
          sources.push(...counts);
        },
        ...sinks,
      },
    );
  return { takeAll, taken, letters, unknownHubs, sources, counts };
}

describe('a batch', () => {
  test('gives each twin its events once and in order', async () => {
    const { takeAll, taken } = setUp();
    const events = ['a', 'b', 'a', 'c', 'a', 'b'].map((deviceId) => received(deviceId));

    const summary = await takeAll(events);

    const numbers = (deviceId: string) =>
      taken.get(deviceId)?.map((event) => (event.kind === 'update' ? event.change.version : 0));
    expect(numbers('a')).toEqual([events[0], events[2], events[4]].map((event) => event?.sequenceNumber));
    expect(numbers('b')).toHaveLength(2);
    expect(summary).toEqual({ taken: 6, ignored: 0, unknownHubs: 0, deadLetters: 0, twins: { stored: 3 } });
  });

  test('counts how long the events of each hub waited in the Event Hub, without those of unknown hubs', async () => {
    const { takeAll, counts } = setUp();

    await takeAll([received('a'), received('a'), received('b'), received('x', { hubName: 'foreign' })]);

    expect(counts).toEqual([
      [ID.host, 'lagMs', 10_000],
      [ID.host, 'lagMs', 5_000],
    ]);
  });

  test('counts every event exactly once as taken, ignored, of an unknown hub, or a dead letter', async () => {
    const { takeAll, taken, letters, unknownHubs } = setUp();
    const poison = received('p', { body: 'not json \u0000' });

    const summary = await takeAll([
      received('a'),
      received('t', { source: 'Telemetry' }),
      poison,
      received('x', { hubName: 'foreign' }),
      received('y', { hubName: 'foreign' }),
      received('b'),
    ]);

    expect(summary).toMatchObject({ taken: 2, ignored: 1, unknownHubs: 2, deadLetters: 1 });
    expect([...taken.keys()]).toEqual(['a', 'b']);
    expect(unknownHubs).toEqual([['foreign', 2]]);
    expect(letters).toEqual([
      expect.objectContaining({
        partition: '3',
        sequenceNumber: poison.sequenceNumber,
        code: 'BERTH_EVENT_NOT_JSON',
        body: poison.body,
      }),
    ]);
  });

  test('counts messages of unknown sources by hub and source and stores none of them', async () => {
    const { takeAll, letters, sources } = setUp();
    const messages = ['moonEvents', 'MoonEvents', 'marsEvents'].map((source) => received('a', { source }));

    const summary = await takeAll([...messages, received('a')]);

    expect(summary).toMatchObject({ taken: 1, deadLetters: 0, unknownSources: 3 });
    expect(letters).toEqual([]);
    expect(sources).toEqual([
      { hub: 'weu', source: 'moonevents', events: 2 },
      { hub: 'weu', source: 'marsevents', events: 1 },
    ]);
  });

  test.each([
    ['takes events of modules that a newer package targets', ['pumpModule'], 1],
    ['ignores events of modules that no package targets', [], 0],
  ])('%s', async (_, modules, taken) => {
    const { takeAll } = setUp({ gate: { ...OPEN_GATE, modules: new Set(modules) } });
    const event = received('a');
    const systemProperties = { ...event.systemProperties, 'iothub-connection-module-id': 'pumpModule' };

    expect(await takeAll([{ ...event, systemProperties }])).toMatchObject({ taken, ignored: 1 - taken });
  });

  test('passes its dead letters on together and reports how many of them were only counted', async () => {
    const calls: number[] = [];
    const keepDeadLetters: EventSinks['keepDeadLetters'] = async (letters) => calls.push(letters.length) + 29;
    const { takeAll } = setUp({ keepDeadLetters });
    const events = Array.from({ length: 50 }, (_, index) => received(`d${index}`, { body: '{' }));

    expect(await takeAll(events)).toMatchObject({ taken: 0, deadLetters: 20, onlyCounted: 30 });
    expect(calls).toEqual([50]);
  });

  test('stores no redacted value in a body or in the message of a defect', async () => {
    const redaction = { paths: [['wifi', 'psk']], key: Buffer.alloc(32, 1) };
    const { takeAll, letters } = setUp({ redaction, failureOf: () => new TypeError('cannot read hunter2') });
    const wifi = [{ psk: 'hunter2', ssid: 'x' }];
    const good = { version: 1, properties: { reported: { wifi, $version: 1 } } };
    const bodies = [good, { properties: { reported: { wifi } } }, { wifi: 'hunter2' }, 'no twin'];

    await takeAll(bodies.map((body) => received('a', { body: JSON.stringify(body) })));

    expect(letters).toHaveLength(4);
    expect(JSON.stringify(letters.map((letter) => ({ ...letter, body: String(letter.body) })))).not.toContain(
      'hunter2',
    );
    expect(letters.at(-1)).toMatchObject({
      code: 'BERTH_DEFECT',
      reason: 'TypeError: cannot read redacted:',
    });
    expect(letters.map(({ isRedacted }) => isRedacted)).toEqual([true, true, undefined, true]);
  });

  test('that contains only invalid events does not stop the partition', async () => {
    const { takeAll, letters } = setUp();

    await takeAll(Array.from({ length: 50 }, (_, index) => received(`d${index}`, { body: '{' })));

    expect(letters).toHaveLength(50);
  });

  test('stores the events of a twin with a defect as dead letters and handles all other twins', async () => {
    const { takeAll, taken, letters } = setUp({
      failureOf: ({ deviceId }) => (deviceId === 'b' ? new TypeError('oops') : undefined),
    });

    const summary = await takeAll(['a', 'b', 'b', 'c'].map((deviceId) => received(deviceId)));

    expect([...taken.keys()]).toEqual(['a', 'c']);
    expect(letters.map(({ code, reason }) => `${code} ${reason}`)).toEqual(
      Array(2).fill('BERTH_DEFECT TypeError: oops'),
    );
    expect(summary).toMatchObject({ taken: 2, deadLetters: 2 });
  });

  test('fails when the store is unavailable, after it has handled every other twin', async () => {
    const away = new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
    const { takeAll, taken } = setUp({
      failureOf: ({ deviceId }) => (deviceId === 'a' ? away : undefined),
    });

    await expect(takeAll(['a', 'b', 'c'].map((deviceId) => received(deviceId)))).rejects.toBe(away);
    expect([...taken.keys()]).toEqual(['b', 'c']);
  });

  test('fails when a dead letter cannot be stored, because the event must be delivered again', async () => {
    const { takeAll } = setUp({
      keepDeadLetters: async () => {
        throw new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
      },
    });

    await expect(takeAll([received('p', { body: '' })])).rejects.toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
    });
  });
});

describe('the hub name in an event', () => {
  const SECRET = 'HostName=weu.azure-devices.net;SharedAccessKey=cGxhbnRlZA==';

  test.each([
    'weu',
    'WEU',
    'weu.azure-devices.net',
    'WEU.Azure-Devices.net',
    'weu.device.azure-devices.net',
    'weu.service.azure-devices.net',
  ])('identifies the same hub when it is %s', async (hubName) => {
    const { takeAll, taken, letters, unknownHubs } = setUp();

    await takeAll([received('a', { hubName })]);

    expect([...taken.keys()]).toEqual(['a']);
    expect([letters, unknownHubs]).toEqual([[], []]);
  });

  test.each([
    ['weu.azure-devices.us', 'weu.azure-devices.us'],
    ['weu.device.azure-devices.de', 'weu.device.azure-devices.de'],
    ['Foreign.device.azure-devices.net', 'foreign.azure-devices.net'],
    [SECRET, '(not a host name)'],
    ['two words', '(not a host name)'],
  ])('of an unknown hub is counted without invalid text: %s is counted as %s', async (hubName, counted) => {
    const { takeAll, taken, letters, unknownHubs } = setUp();

    await takeAll([received('a', { hubName })]);

    expect([...taken.keys()]).toEqual([]);
    expect({ letters, unknownHubs }).toEqual({ letters: [], unknownHubs: [[counted, 1]] });
  });

  test('is not repeated in a dead letter when it is not a valid name', async () => {
    const { takeAll, letters } = setUp();
    const event = received('a', { hubName: SECRET, body: 'no json' });

    await takeAll([{ ...event, systemProperties: { 'iothub-message-source': 'twinChangeEvents' } }]);

    expect(letters).toMatchObject([
      { code: 'BERTH_EVENT_NO_IDENTITY', properties: { hubName: '(not a host name)' } },
    ]);
    expect(JSON.stringify(letters)).not.toContain('cGxhbnRlZA');
  });

  test('is not repeated in a reason when it is not a word, and neither is the operation', async () => {
    const { takeAll, letters } = setUp();
    const event = received('a');

    await takeAll([{ ...event, properties: { ...event.properties, opType: SECRET } }]);

    expect(letters[0]?.reason).toBe('has the unknown opType (not a word, not repeated)');
  });
});
