import { describe, expect, test } from '@jest/globals';
import { desiredBefore, withSetDesired } from '../../src/edge/module-desired.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { epochMs, plus } from '../../src/time/epoch-ms.ts';

const T = epochMs(1_000);
const HASH = `redacted:${'0'.repeat(24)}`;
const set = (content: string, desired: JsonObject, at = T) => ({
  deployment: 'sensor',
  content,
  desired,
  at,
});
const back = (
  before: JsonObject,
  applied: JsonObject,
  present: JsonObject,
  owned: readonly (readonly string[])[] = [],
) =>
  desiredBefore('m', withSetDesired(undefined, before, set('two', applied)), present, {
    deployment: 'sensor',
    since: undefined,
    owned,
  });

describe('what a rollback gives back in a module twin', () => {
  test.each<[string, JsonObject, JsonObject, JsonObject, JsonObject | undefined, readonly string[]]>([
    ['removes a property that did not exist', {}, { a: 1 }, { a: 1 }, {}, []],
    ['gives an earlier value back', { a: 0 }, { a: 1 }, { a: 1 }, { a: 0 }, []],
    [
      'gives back what the manifest had removed',
      { a: 0, b: { c: 2 } },
      { a: 1 },
      { a: 1 },
      { a: 0, b: { c: 2 } },
      [],
    ],
    [
      'removes objects that become empty',
      {},
      { a: { b: { c: 1 } }, d: 1 },
      { a: { b: { c: 1 } }, d: 1 },
      {},
      [],
    ],
    ['keeps the rest of an object', {}, { a: { b: 1 } }, { a: { b: 1, x: 2 } }, { a: { x: 2 } }, []],
    ['leaves a value that another writer has changed', { a: 0 }, { a: 1 }, { a: 7 }, { a: 7 }, ['a']],
    ['leaves a value that another writer has added', { b: 0 }, { a: 1 }, { a: 1, b: 7 }, { b: 7 }, []],
    ['does nothing where the earlier value is back', { a: 0 }, { a: 1 }, { a: 0 }, undefined, []],
    ['does nothing where another writer has removed the value', {}, { a: 1 }, {}, undefined, []],
    [
      'replaces a value by the object that was there',
      { a: { b: 1 } },
      { a: 1 },
      { a: 1 },
      { a: { b: 1 } },
      [],
    ],
    [
      'replaces an object by the value that was there',
      { a: 1 },
      { a: { b: 1 } },
      { a: { b: 1 } },
      { a: 1 },
      [],
    ],
    ['gives a list back as a whole', { a: [1, 2] }, { a: [3] }, { a: [3] }, { a: [1, 2] }, []],
    [
      'lists a redacted value, and removes the new one',
      { a: HASH, b: 0 },
      { a: 1, b: 1 },
      { a: 1, b: 1 },
      { b: 0 },
      ['a'],
    ],
    [
      'leaves a module with other redacted properties',
      {},
      { a: 1 },
      { a: 1, x: HASH },
      { a: 1, x: HASH },
      ['a'],
    ],
    ['removes a redacted value that the manifest has set', {}, { a: HASH }, { a: HASH }, {}, []],
  ])('%s', (_, before, applied, present, desired, left) => {
    const found = back(before, applied, present);

    expect(found?.desired).toEqual(desired);
    expect(found?.left.map(({ path }) => path) ?? []).toEqual(left);
  });

  test('leaves the properties that policies own', () => {
    expect(back({ a: 0, p: 1 }, { a: 1 }, { a: 1, p: 2 }, [['p']])?.desired).toEqual({ a: 0, p: 2 });
  });

  test('goes back to the content that the device gets now, over several contents', () => {
    const second = withSetDesired(undefined, { a: 0 }, set('two', { a: 1 }));
    const third = withSetDesired(second, { a: 1 }, set('three', { a: 2 }, plus(T, 100)));
    const since = (time: number | undefined) =>
      desiredBefore(
        'm',
        third,
        { a: 2 },
        {
          deployment: 'sensor',
          since: time === undefined ? undefined : epochMs(time),
          owned: [],
        },
      )?.desired;

    expect([since(undefined), since(500), since(1_050)]).toEqual([{ a: 0 }, { a: 0 }, { a: 1 }]);
  });

  test('keeps the first value of a content that is applied again', () => {
    const once = withSetDesired(undefined, { a: 0 }, set('two', { a: 1 }));

    expect(withSetDesired(once, { a: 1 }, set('two', { a: 1 }, plus(T, 9))).replaced).toEqual(once.replaced);
  });

  test('does not mix deployments', () => {
    const record = withSetDesired(undefined, {}, set('two', { a: 1 }));

    expect(
      desiredBefore('m', record, { a: 1 }, { deployment: 'other', since: undefined, owned: [] }),
    ).toBeUndefined();
  });
});
