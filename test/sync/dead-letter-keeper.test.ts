import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { JsonValue } from '../../src/json/json.ts';
import { type DeadLetter, DeadLetterStore } from '../../src/store/dead-letters/dead-letter-store.ts';
import { EventCounts } from '../../src/store/dead-letters/event-counts.ts';
import { LetterHours } from '../../src/store/dead-letters/letter-hours.ts';
import { UnknownHubStore } from '../../src/store/state/unknown-hub-store.ts';
import { openTables, type Table, type Tables } from '../../src/store/tables/tables.ts';
import { keepDeadLetters } from '../../src/sync/events/dead-letter-keeper.ts';
import { EPOCH, type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { letterOf } from '../store/letters.ts';
import { storageAccount } from '../support/storage-account.ts';

const T0 = epochMs(Date.parse('2026-11-23T12:10:00Z'));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let storage: string;
let tables: Tables;
let calls: string[] = [];
beforeAll(async () => {
  storage = await storageAccount();
});
beforeEach(async () => {
  tables = openTables({ kind: 'connectionString', connectionString: storage });
  for (const table of [tables.state, tables.deadLetters]) {
    for await (const page of table.scan({ select: [] })) {
      for (const { partitionKey, rowKey } of page) await table.delete(partitionKey, rowKey);
    }
  }
  calls = [];
});

/** The table, whose calls are written down. */
function watched(table: Table): Table {
  return new Proxy(table, {
    get:
      (target, name: keyof Table) =>
      (...given: never[]) => {
        calls.push(name);
        return (target[name] as (...given: never[]) => unknown)(...given);
      },
  });
}
const letters = (count: number, parts: Partial<DeadLetter> = {}): readonly DeadLetter[] =>
  Array.from({ length: count }, (_, sequenceNumber) => letterOf({ sequenceNumber, ...parts }));
async function keep(
  found: readonly DeadLetter[],
  { most = 10, partition = '3', now = T0 }: { most?: number; partition?: string; now?: EpochMs } = {},
) {
  const warned: Readonly<Record<string, JsonValue>>[] = [];
  const onlyCounted = await keepDeadLetters(found, {
    letters: new DeadLetterStore(watched(tables.deadLetters)),
    hours: new LetterHours(watched(tables.state), most),
    partition,
    now: () => now,
    warn: (facts) => void warned.push(facts),
  });
  return { onlyCounted, warned };
}
const kept = async () => (await new DeadLetterStore(tables.deadLetters).count(EPOCH, 1_000)).count;
const beyond = (since = T0) => new LetterHours(tables.state).beyond(since);

describe('the dead letters of a batch', () => {
  test('need four calls to the tables, even if there are two hundred', async () => {
    expect(await keep(letters(200), { most: 10_000 })).toEqual({ onlyCounted: 0, warned: [] });

    expect(await kept()).toBe(200);
    expect(calls.sort()).toEqual(['list', 'putIfUnchanged', 'transact', 'transact']);
  });

  test('need no call when there are none', async () => {
    await keep([]);

    expect(calls).toEqual([]);
  });

  test('use as many transactions as their bodies need', async () => {
    await keep(letters(20, { body: Buffer.alloc(262_144, 1) }), { most: 10_000 });

    expect(await kept()).toBe(20);
    expect(calls.filter((call) => call === 'transact')).toHaveLength(3);
  });

  test('are stored once for any number of deliveries, also within one batch', async () => {
    await keep([...letters(3), ...letters(3)], { most: 100 });
    await keep(letters(3), { most: 100 });

    expect(await kept()).toBe(3);
  });

  test('of several days are stored together', async () => {
    await keep([...letters(3), ...letters(3, { enqueuedAt: '2026-11-22T23:59:59.000Z' })]);

    expect(await kept()).toBe(6);
  });
});

describe('the hourly limit of dead letters', () => {
  test('makes Berth store only the number of further letters, by hub, source and code', async () => {
    const { onlyCounted } = await keep(letters(7));
    const { onlyCounted: second, warned } = await keep([
      ...letters(6),
      ...letters(2, { code: 'BERTH_DEFECT' }),
      ...letters(1, { properties: {}, systemProperties: {} }),
    ]);

    expect([onlyCounted, second, await kept()]).toEqual([0, 6, 7]);
    const counts = [
      { hub: 'weu', source: 'twinchangeevents', code: 'BERTH_EVENT_NOT_JSON', events: 3 },
      { hub: 'weu', source: 'twinchangeevents', code: 'BERTH_DEFECT', events: 2 },
      { hub: '(none)', source: '(none)', code: 'BERTH_EVENT_NOT_JSON', events: 1 },
    ];
    expect(warned).toEqual([{ code: 'BERTH_DEAD_LETTERS_CAPPED', onlyCounted: 6, counts }]);
    expect(await beyond()).toEqual(counts.map((count) => ({ ...count, lastAt: new Date(T0).toISOString() })));
  });

  test('limits a batch to three calls, with none to the table of letters', async () => {
    await keep(letters(10));
    calls = [];

    await keep(letters(200));

    expect(calls).toEqual(['list', 'list', 'transact']);
    expect(await beyond()).toMatchObject([{ events: 200 }]);
  });

  test('loses no letter when partitions reach it together, because each letter is stored or counted', async () => {
    const all = await Promise.all(
      ['0', '1', '2', '3'].map((partition) => keep(letters(50, { partition }), { most: 100, partition })),
    );

    const onlyCounted = all.reduce((sum, each) => sum + each.onlyCounted, 0);
    expect((await beyond()).reduce((sum, { events }) => sum + events, 0)).toBe(onlyCounted);
    expect((await kept()) + onlyCounted).toBe(200);
    expect(await keep(letters(5), { most: 100 })).toMatchObject({ onlyCounted: 5 });
  });

  test('starts again in the next hour and keeps the counts of the hour before', async () => {
    await keep(letters(15));

    expect(await keep(letters(10, { partition: '4' }), { now: plus(T0, HOUR) })).toMatchObject({
      onlyCounted: 0,
    });
    expect(await beyond(T0)).toMatchObject([{ events: 5 }]);
    expect(await beyond(plus(T0, HOUR))).toEqual([]);
  });

  test('limits made-up names to a hundred rows of a partition', async () => {
    const invented = Array.from({ length: 300 }, (_, index) =>
      letterOf({ sequenceNumber: index, properties: { hubName: `hub-${index}` } }),
    );
    await keep(invented, { most: 0 });
    await keep(invented, { most: 0 });

    const counts = await beyond();
    expect(counts.length).toBeLessThanOrEqual(101);
    expect(counts[0]).toMatchObject({ hub: '(others)', source: '(others)', code: '(others)' });
    expect(counts.reduce((sum, { events }) => sum + events, 0)).toBe(600);
  });
});

describe('the cleanup after thirty days', () => {
  test('removes dead letters, the oldest first and one page at a time', async () => {
    const store = new DeadLetterStore(tables.deadLetters);
    const at = (days: number) => ({ enqueuedAt: new Date(plus(T0, -days * DAY)).toISOString() });
    await store.keepAll([...letters(1_050, at(40)), ...letters(2, at(31)), ...letters(3, at(30))]);

    const runs = [0, 0, 0, 0].map(() => () => store.forget(plus(T0, -30 * DAY)));
    const purged: number[] = [];
    for (const run of runs) purged.push(await run());

    expect(purged).toEqual([1_000, 52, 0, 0]);
    expect(await kept()).toBe(3);
  });

  test('removes old counts and keeps those that still grow', async () => {
    await keep(letters(3), { most: 0, now: plus(T0, -31 * DAY) });
    await keep(letters(2), { most: 0 });
    const hours = new LetterHours(tables.state);
    await hours.reserve(1, '3', plus(T0, -31 * DAY));
    const unknownHubs = new UnknownHubStore(tables.state);
    await unknownHubs.add('old', 1, plus(T0, -31 * DAY));
    await unknownHubs.add('new', 1, T0);

    expect(await hours.forget(plus(T0, -30 * DAY))).toBe(false);
    expect(await unknownHubs.forget(plus(T0, -30 * DAY))).toBe(false);

    expect(await hours.beyond(EPOCH)).toMatchObject([{ events: 2 }]);
    expect(await tables.state.list({ partitionKey: 'letter-hours' })).toEqual([]);
    expect(await unknownHubs.list()).toMatchObject([{ hubName: 'new' }]);
  });
});

describe('the counts of unknown hubs', () => {
  test('use a hundred rows and one row for all others, in two calls for each batch', async () => {
    const unknownHubs = new UnknownHubStore(watched(tables.state));
    const hubs = (from: number, to: number) =>
      new Map(Array.from({ length: to - from }, (_, index) => [`hub-${from + index}`, 2] as const));

    await unknownHubs.addAll(hubs(0, 99), '0', T0);
    expect(calls).toEqual(['list', 'transact']);
    await unknownHubs.addAll(hubs(50, 200), '0', T0);
    await unknownHubs.addAll(hubs(0, 50), '0', T0);

    const found = await unknownHubs.list();
    expect(found).toHaveLength(101);
    expect(found[0]).toMatchObject({ hubName: '(others)', events: 200 });
    expect(found.find(({ hubName }) => hubName === 'hub-7')).toMatchObject({ events: 4 });
    expect(found.find(({ hubName }) => hubName === 'hub-70')).toMatchObject({ events: 4 });
    expect(found.reduce((sum, { events }) => sum + events, 0)).toBe(598);
  });

  test('are stored as numbers that may grow above 2^31', async () => {
    const written: unknown[] = [];
    const transact = tables.state.transact.bind(tables.state);
    tables.state.transact = (...given) => {
      written.push(given);
      return transact(...given);
    };
    const unknownHubs = new UnknownHubStore(tables.state);
    await unknownHubs.add('far', 2 ** 31, T0);
    await unknownHubs.add('far', 1, T0);

    expect(await unknownHubs.list()).toMatchObject([{ hubName: 'far', events: 2 ** 31 + 1 }]);
    // Azure refuses a greater number without a type. Azurite takes it.
    expect(JSON.stringify(written)).toContain(`"events":{"type":"Double","value":${2 ** 31 + 1}}`);
  });

  test('are summed over the partitions, which do not wait for each other', async () => {
    const unknownHubs = new UnknownHubStore(tables.state);

    await Promise.all(
      Array.from({ length: 32 }, (_, partition) =>
        unknownHubs.addAll(new Map([['foreign', 1]]), String(partition), T0),
      ),
    );

    expect(await unknownHubs.list()).toMatchObject([{ hubName: 'foreign', events: 32 }]);
  });

  test('are not lost when other writers change the row all the time, because the batch is delivered again', async () => {
    const busy = new Proxy(tables.state, {
      get: (target, name: keyof Table) =>
        name === 'transact'
          ? async () => ({ ok: false, failed: undefined, why: 'conflict' })
          : target[name].bind(target),
    });
    const counts = new EventCounts(busy, 'busy', ['name']);

    await expect(counts.add([{ name: 'a', events: 1 }], { now: T0 })).rejects.toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
    });
  });
});
