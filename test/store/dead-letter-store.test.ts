import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  type DeadLetter,
  DeadLetterStore,
  type LetterSummary,
} from '../../src/store/dead-letters/dead-letter-store.ts';
import { openTables, type Table } from '../../src/store/tables/tables.ts';
import { EPOCH, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { storageAccount } from '../support/storage-account.ts';
import { letterOf } from './letters.ts';

let storage: string;
let table: Table;
let store: DeadLetterStore;
beforeAll(async () => {
  storage = await storageAccount();
  table = openTables({ kind: 'connectionString', connectionString: storage }).deadLetters;
  store = new DeadLetterStore(table);
});
beforeEach(async () => {
  for await (const page of table.scan({ select: [] })) {
    await store.delete(page.map(({ partitionKey, rowKey }) => ({ day: partitionKey, rowKey })));
  }
});

const all = async (...filter: Parameters<DeadLetterStore['summaries']>): Promise<LetterSummary[]> => {
  const letters: LetterSummary[] = [];
  for await (const page of store.summaries(...filter)) letters.push(...page);
  return letters;
};
const ids = (letters: readonly LetterSummary[]) => letters.map(({ id }) => id.replace(/\/[0-9a-f]{8}$/, ''));
const only = async () => {
  const [summary] = await all({});
  if (summary === undefined) throw new Error('no letter');
  return store.read(summary.key);
};

describe('a stored dead letter', () => {
  test('keeps any bytes of its body and is stored once for any number of deliveries', async () => {
    const letter = letterOf({
      sequenceNumber: 4_294_967_300,
      body: Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251)),
    });
    await store.keep(letter);
    await store.keep({ ...letter, code: 'BERTH_DEFECT', reason: 'the code of the second time' });

    const letters = await all({});

    expect(ids(letters)).toEqual(['2026-11-23/3/4294967300']);
    expect(await only()).toEqual({
      ...letter,
      code: 'BERTH_DEFECT',
      reason: 'the code of the second time',
      key: letters[0]?.key,
      id: letters[0]?.id,
      bodyBytes: 200_000,
      cut: [],
    });
  });

  test.each<[string, Partial<DeadLetter>]>([
    ['body', { body: Buffer.from('other') }],
    ['properties', { properties: { hubName: 'weu', deviceId: 'other' } }],
    ['system properties', { systemProperties: { 'iothub-connection-device-id': 'other' } }],
  ])(
    'does not replace a letter at the same position with other %s, because a new Event Hub counts from 0 again',
    async (_, other) => {
      await store.keep(letterOf());
      await store.keep(letterOf(other));

      expect(ids(await all({}))).toEqual(['2026-11-23/3/1234', '2026-11-23/3/1234']);
      expect(new Set((await all({})).map(({ id }) => id)).size).toBe(2);
    },
  );

  test('is shortened to fit into a row and lists the shortened parts', async () => {
    const long = `${'x'.repeat(29_990)}😀${'y'.repeat(10_000)}`;
    await store.keep(
      letterOf({
        body: Buffer.alloc(1_000_000, 1),
        properties: { note: long, hubName: 'weu' },
        systemProperties: { 'iothub-connection-device-id': long, huge: 2n ** 70n },
        reason: 'r'.repeat(500),
      }),
    );

    const kept = await only();

    expect(kept).toMatchObject({ bodyBytes: 1_000_000, cut: ['body', 'properties', 'systemProperties'] });
    expect(kept?.body.byteLength).toBe(9 * 64 * 1024);
    expect(kept?.properties).toEqual({ truncated: `{"note":"${'x'.repeat(29_990)}\ufffd` });
    expect((await all({}))[0]).toMatchObject({ hubName: 'weu', deviceId: 'x'.repeat(128) });
  });

  test('may have the largest size in every script', async () => {
    for (const character of ['"', '\u0001', '語', '😀', '\u2028']) {
      const long = { hubName: character.repeat(40_000) };
      const letter = { body: Buffer.alloc(1_048_576, 1), reason: character.repeat(500) };
      await store.keep(letterOf({ ...letter, properties: long, systemProperties: long }));
    }

    expect(await all({})).toHaveLength(5);
  });

  test('may have a position and names that no Event Hub or hub sends', async () => {
    await store.keep(
      letterOf({
        partition: 'a|b/c#?%é',
        sequenceNumber: 0,
        body: new Uint8Array(),
        properties: { hubName: 7, deviceId: { deep: [null] } },
        systemProperties: { 'iothub-connection-device-id': '\u001b[2J\n|' },
      }),
    );

    const [summary] = await all({});

    expect(summary?.id).toMatch(/^2026-11-23\/a~7Cb~2Fc~23~3F~25~u00e9\/0\/[0-9a-f]{8}$/);
    expect(summary).toMatchObject({ hubName: undefined, deviceId: '\u001b[2J\n|', moduleId: undefined });
    expect(await store.find(summary?.id ?? '')).toEqual([summary]);
    expect(await only()).toMatchObject({ partition: 'a|b/c#?%é', cut: [] });
  });
});

describe('a dead letter id', () => {
  test('finds a letter by the full id, by the start of its digest, or by its position', async () => {
    await store.keep(letterOf());
    await store.keep(letterOf({ sequenceNumber: 12_345 }));
    await store.keep(letterOf({ partition: '31' }));
    const first = (await all({})).find(({ id }) => id.startsWith('2026-11-23/3/1234/'));
    const id = first?.id ?? '';

    for (const text of [id, id.slice(0, -4), '2026-11-23/3/1234', '2026-11-23/3/01234']) {
      expect(await store.find(text)).toEqual([first]);
    }
    expect(await store.find('2026-11-23/3/1234/0000')).toEqual([]);
    expect(await store.find('2026-11-24/3/1234')).toEqual([]);
  });

  test('finds all letters at its position when it has no digest', async () => {
    await store.keep(letterOf());
    await store.keep(letterOf({ body: Buffer.from('other') }));

    expect(await store.find('2026-11-23/3/1234')).toEqual(await all({}));
  });

  test.each(['', '3/1234', '2026-11-23', '2026-11-23/3', '2026-11-23/3/x', '2026-11-23/3/-1'])(
    'finds nothing when it is invalid: %j',
    async (text) => {
      expect(await store.find(text)).toBeUndefined();
    },
  );

  test.each([
    '2026-11-23/3/1234/xyz',
    '2026-11-23/3/1234/123456789',
    '2026-11-23/a|b/1',
    "2026-11-23/3/1' or '1",
    '2026-11-23/3/1234 ',
    '2026-11-23/3/99999999999999999',
  ])('finds nothing when it is almost valid: %j', async (text) => {
    expect(await store.find(text)).toBeUndefined();
  });
});

const DAY = 86_400_000;
const AT = epochMs(Date.parse('2026-11-23T12:00:00Z'));
/** Letters of four days, three hours apart and with the numbers 0 to 31, partitions by turns. */
const manyDays = async () => {
  for (let index = 0; index < 32; index += 1) {
    await store.keep(
      letterOf({
        partition: String(index % 4),
        sequenceNumber: index,
        enqueuedAt: new Date(plus(AT, -3 * DAY + index * 3 * 3_600_000)).toISOString(),
        code: index % 2 === 0 ? 'BERTH_EVENT_NOT_JSON' : 'BERTH_DEFECT',
        properties: { hubName: index < 16 ? 'WEU' : 'eus' },
      }),
    );
  }
};
const numbers = (letters: readonly LetterSummary[]) => letters.map(({ id }) => Number(id.split('/')[2]));

describe('a list of dead letters', () => {
  test('filters by day and position', async () => {
    await manyDays();
    const sorted = async (filter: Parameters<DeadLetterStore['summaries']>[0]) =>
      numbers(await all(filter)).sort((left, right) => left - right);

    expect(await sorted({})).toHaveLength(32);
    expect(await sorted({ since: plus(AT, -DAY) })).toEqual(
      Array.from({ length: 16 }, (_, index) => 16 + index),
    );
    expect(await sorted({ since: plus(AT, -DAY), until: plus(AT, -DAY + 6 * 3_600_000) })).toEqual([16, 17]);
    expect(await sorted({ until: plus(AT, -3 * DAY + 1) })).toEqual([0]);
    expect(await sorted({ until: epochMs(Date.parse('2026-11-21')) })).toEqual([0, 1, 2, 3]);
    expect(await sorted({ code: 'BERTH_DEFECT', hubName: 'weu', since: plus(AT, -2 * DAY) })).toEqual([
      9, 11, 13, 15,
    ]);
  });

  test('starts with the newest letter over all days and gives the number of further letters', async () => {
    await manyDays();
    const range = { since: plus(AT, -3 * DAY), until: plus(AT, 2 * DAY) };

    const newest = await store.newest(range, 10);

    expect(numbers(newest.letters)).toEqual([31, 30, 29, 28, 27, 26, 25, 24, 23, 22]);
    expect(newest).toMatchObject({ more: 22, isCounted: true });
    expect(await store.newest(range, 32)).toMatchObject({ more: 0 });
    expect(numbers((await store.newest({ ...range, code: 'BERTH_DEFECT' }, 3)).letters)).toEqual([
      31, 29, 27,
    ]);
    expect(numbers((await store.newest({ since: plus(AT, -DAY), until: AT }, 99)).letters)).toEqual([
      23, 22, 21, 20, 19, 18, 17, 16,
    ]);
  });

  test('is empty when there are no letters in any number of days', async () => {
    expect(await store.newest({ since: EPOCH, until: AT }, 10)).toEqual({
      letters: [],
      more: 0,
      isCounted: true,
    });
  });

  test('gives letters without their bodies, page by page', async () => {
    const rows = Array.from({ length: 1_203 }, (_, index) => letterOf({ sequenceNumber: index }));
    for (let index = 0; index < rows.length; index += 100) {
      await Promise.all(rows.slice(index, index + 100).map((letter) => store.keep(letter)));
    }
    const selected: unknown[] = [];
    const watched = new DeadLetterStore({
      scan: (query: Parameters<Table['scan']>[0]) => {
        selected.push(query.select);
        return table.scan(query);
      },
    } as Table);

    const pages: number[] = [];
    for await (const page of watched.summaries({})) pages.push(page.length);
    const newest = await watched.newest({ since: plus(AT, -DAY), until: plus(AT, DAY) }, 5);

    expect(pages).toEqual([1_000, 203]);
    expect(newest).toMatchObject({ more: 1_198, isCounted: true });
    expect(selected.flat()).not.toContain('body0');
    expect(selected).not.toContain(undefined);
    expect(await store.count(AT, 1_000)).toEqual({ count: 1_000, more: true });
    expect(await store.count(AT, 2_000)).toEqual({ count: 1_203, more: false });
    expect(await store.count(plus(AT, DAY), 1_000)).toEqual({ count: 0, more: false });

    await store.delete((await all({})).map(({ key }) => key));
    expect(await all({})).toEqual([]);
  });
});

test('letters are deleted even if some of them are already gone', async () => {
  await manyDays();
  const letters = await all({});
  await store.delete(letters.slice(0, 3).map(({ key }) => key));

  await store.delete(letters.slice(0, 20).map(({ key }) => key));

  expect(ids(await all({}))).toEqual(ids(letters.slice(20)));
});
