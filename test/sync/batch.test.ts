import { describe, expect, test } from '@jest/globals';
import { BerthError } from '../../src/errors.ts';
import type { DeadLetter } from '../../src/store/dead-letters/dead-letter-store.ts';
import {
  type BatchOptions,
  type ReceivedEvent,
  type SourceCount,
  takeBatch,
} from '../../src/sync/events/batch.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { NO_REDACTION } from '../../src/twin/events/redact.ts';
import { fleetOf, ID } from '../twin/twins.ts';

const FLEET = fleetOf({ policies: [{ name: 'p', desired: { a: 1 } }] });

let sequenceNumber = 0;
function received(
  deviceId: string,
  parts: { body?: string; source?: string; hubName?: string } = {},
): ReceivedEvent {
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

function setUp(more: Partial<BatchOptions> = {}) {
  const taken = new Map<string, TwinEvent[]>();
  const letters: DeadLetter[] = [];
  const strangers: [string, number][] = [];
  const sources: SourceCount[] = [];
  const options: BatchOptions = {
    fleet: FLEET,
    hosts: [ID.host],
    reconciler: {
      reconcile: async ({ deviceId }, events) => {
        taken.set(deviceId, [...events]);
        return { result: 'stored', known: { kind: 'nothing' } };
      },
    },
    redaction: NO_REDACTION,
    keepDeadLetters: async (found) => {
      letters.push(...found);
      return 0;
    },
    countStrangers: async (hubs) => {
      strangers.push(...hubs);
    },
    countUnknownSources: async (counts) => {
      sources.push(...counts);
    },
    ...more,
  };
  return { options, taken, letters, strangers, sources };
}

describe('a batch', () => {
  test('gives each twin its events once and in order', async () => {
    const { options, taken } = setUp();
    const events = ['a', 'b', 'a', 'c', 'a', 'b'].map((deviceId) => received(deviceId));

    const summary = await takeBatch(events, options);

    const numbers = (deviceId: string) =>
      taken.get(deviceId)?.map((event) => (event.kind === 'update' ? event.change.version : 0));
    expect(numbers('a')).toEqual([events[0], events[2], events[4]].map((event) => event?.sequenceNumber));
    expect(numbers('b')).toHaveLength(2);
    expect(summary).toEqual({ taken: 6, ignored: 0, strangers: 0, deadLetters: 0, twins: { stored: 3 } });
  });

  test('counts every event exactly once as taken, ignored, of an unknown hub, or a dead letter', async () => {
    const { options, taken, letters, strangers } = setUp();
    const poison = received('p', { body: 'not json \u0000' });

    const summary = await takeBatch(
      [
        received('a'),
        received('t', { source: 'Telemetry' }),
        poison,
        received('x', { hubName: 'foreign' }),
        received('y', { hubName: 'foreign' }),
        received('b'),
      ],
      options,
    );

    expect(summary).toMatchObject({ taken: 2, ignored: 1, strangers: 2, deadLetters: 1 });
    expect([...taken.keys()]).toEqual(['a', 'b']);
    expect(strangers).toEqual([['foreign', 2]]);
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
    const { options, letters, sources } = setUp();
    const messages = ['moonEvents', 'MoonEvents', 'marsEvents'].map((source) => received('a', { source }));

    const summary = await takeBatch([...messages, received('a')], options);

    expect(summary).toMatchObject({ taken: 1, deadLetters: 0, unknownSources: 3 });
    expect(letters).toEqual([]);
    expect(sources).toEqual([
      { hub: 'weu', source: 'moonevents', events: 2 },
      { hub: 'weu', source: 'marsevents', events: 1 },
    ]);
  });

  test('passes its dead letters on together and reports how many of them were only counted', async () => {
    const calls: number[] = [];
    const keepDeadLetters: BatchOptions['keepDeadLetters'] = async (letters) =>
      calls.push(letters.length) + 29;
    const { options } = setUp({ keepDeadLetters });
    const events = Array.from({ length: 50 }, (_, index) => received(`d${index}`, { body: '{' }));

    expect(await takeBatch(events, options)).toMatchObject({ taken: 0, deadLetters: 20, onlyCounted: 30 });
    expect(calls).toEqual([50]);
  });

  test('stores no redacted value in a body or in the message of a defect', async () => {
    const redaction = { paths: [['wifi', 'psk']], key: Buffer.alloc(32, 1) };
    const reconcile: BatchOptions['reconciler']['reconcile'] = async () => {
      throw new TypeError('cannot read hunter2');
    };
    const { options, letters } = setUp({ redaction, reconciler: { reconcile } });
    const wifi = [{ psk: 'hunter2', ssid: 'x' }];
    const good = { version: 1, properties: { reported: { wifi, $version: 1 } } };
    const bodies = [good, { properties: { reported: { wifi } } }, { wifi: 'hunter2' }, 'no twin'];

    await takeBatch(
      bodies.map((body) => received('a', { body: JSON.stringify(body) })),
      options,
    );

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
    const { options, letters } = setUp();

    await takeBatch(
      Array.from({ length: 50 }, (_, index) => received(`d${index}`, { body: '{' })),
      options,
    );

    expect(letters).toHaveLength(50);
  });

  test('stores the events of a twin with a defect as dead letters and handles all other twins', async () => {
    const { options, taken, letters } = setUp();
    const reconcile: BatchOptions['reconciler']['reconcile'] = async (id, events) => {
      if (id.deviceId === 'b') throw new TypeError('oops');
      return options.reconciler.reconcile(id, events);
    };

    const summary = await takeBatch(
      ['a', 'b', 'b', 'c'].map((deviceId) => received(deviceId)),
      { ...options, reconciler: { reconcile } },
    );

    expect([...taken.keys()]).toEqual(['a', 'c']);
    expect(letters.map(({ code, reason }) => `${code} ${reason}`)).toEqual(
      Array(2).fill('BERTH_DEFECT TypeError: oops'),
    );
    expect(summary).toMatchObject({ taken: 2, deadLetters: 2 });
  });

  test('fails when the store is unavailable, after it has handled every other twin', async () => {
    const { options, taken } = setUp();
    const reconcile: BatchOptions['reconciler']['reconcile'] = async (id, events) => {
      if (id.deviceId === 'a') throw new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
      return options.reconciler.reconcile(id, events);
    };

    await expect(
      takeBatch(
        ['a', 'b', 'c'].map((deviceId) => received(deviceId)),
        { ...options, reconciler: { reconcile } },
      ),
    ).rejects.toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
    });
    expect([...taken.keys()]).toEqual(['b', 'c']);
  });

  test('fails when a dead letter cannot be stored, because the event must be delivered again', async () => {
    const { options } = setUp({
      keepDeadLetters: async () => {
        throw new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
      },
    });

    await expect(takeBatch([received('p', { body: '' })], options)).rejects.toMatchObject({
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
    const { options, taken, letters, strangers } = setUp();

    await takeBatch([received('a', { hubName })], options);

    expect([...taken.keys()]).toEqual(['a']);
    expect([letters, strangers]).toEqual([[], []]);
  });

  test.each([
    ['weu.azure-devices.us', 'weu.azure-devices.us'],
    ['weu.device.azure-devices.de', 'weu.device.azure-devices.de'],
    ['Foreign.device.azure-devices.net', 'foreign.azure-devices.net'],
    [SECRET, '(not a host name)'],
    ['two words', '(not a host name)'],
  ])('of an unknown hub is counted without invalid text: %s is counted as %s', async (hubName, counted) => {
    const { options, taken, letters, strangers } = setUp();

    await takeBatch([received('a', { hubName })], options);

    expect([...taken.keys()]).toEqual([]);
    expect({ letters, strangers }).toEqual({ letters: [], strangers: [[counted, 1]] });
  });

  test('is not repeated in a dead letter when it is not a valid name', async () => {
    const { options, letters } = setUp();
    const event = received('a', { hubName: SECRET, body: 'no json' });

    await takeBatch(
      [{ ...event, systemProperties: { 'iothub-message-source': 'twinChangeEvents' } }],
      options,
    );

    expect(letters).toMatchObject([
      { code: 'BERTH_EVENT_NO_IDENTITY', properties: { hubName: '(not a host name)' } },
    ]);
    expect(JSON.stringify(letters)).not.toContain('cGxhbnRlZA');
  });

  test('is not repeated in a reason when it is not a word, and neither is the operation', async () => {
    const { options, letters } = setUp();
    const event = received('a');

    await takeBatch([{ ...event, properties: { ...event.properties, opType: SECRET } }], options);

    expect(letters[0]?.reason).toBe('has the unknown opType (not a word, not repeated)');
  });
});
