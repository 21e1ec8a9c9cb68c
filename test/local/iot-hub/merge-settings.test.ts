import { describe, expect, test } from '@jest/globals';
import { planConfigurations } from '../../../local/iot-hub/configurations/merge-settings.ts';
import { twinSettings } from '../../../local/iot-hub/model/configuration-content.ts';
import type { AppliedConfiguration } from '../../../local/iot-hub/model/entry.ts';
import type { JsonObject } from '../../../src/json/json.ts';

type Applied = Readonly<Record<string, AppliedConfiguration>>;

const plan = (desired: JsonObject, targeting: Readonly<Record<string, JsonObject>>, before: Applied = {}) =>
  planConfigurations(
    desired,
    Object.entries(targeting).map(([id, content]) => ({ id, settings: twinSettings(content) })),
    before,
  );
const applied = (...paths: readonly string[]): AppliedConfiguration => ({ status: 'Applied', paths });
const TARGETED: AppliedConfiguration = { status: 'Targeted', paths: [] };

describe('the plan for the configurations of a twin', () => {
  test.each<[string, JsonObject, Readonly<Record<string, JsonObject>>, Applied, ReturnType<typeof plan>]>([
    ['nothing targets an untouched twin', { a: 1 }, {}, {}, { writes: [], configurations: {} }],
    [
      'only the values that differ are written',
      { a: { b: 1, c: 2 } },
      { x: { 'properties.desired.a': { b: 1, c: 3 } } },
      {},
      { writes: [{ id: 'x', patch: { a: { c: 3 } } }], configurations: { x: applied('a.b', 'a.c') } },
    ],
    [
      'the same path is set as a whole by the first',
      {},
      { high: { 'properties.desired.a': { b: 1 } }, low: { 'properties.desired.a': { c: 2 } } },
      {},
      {
        writes: [{ id: 'high', patch: { a: { b: 1 } } }],
        configurations: { low: TARGETED, high: applied('a.b') },
      },
    ],
    [
      'different paths are merged value by value',
      {},
      { high: { 'properties.desired.a.b': 1 }, low: { 'properties.desired.a': { b: 2, c: 3 } } },
      {},
      {
        writes: [
          { id: 'low', patch: { a: { c: 3 } } },
          { id: 'high', patch: { a: { b: 1 } } },
        ],
        configurations: { low: applied('a.c'), high: applied('a.b') },
      },
    ],
    [
      'a value and an object at the same place conflict',
      {},
      { high: { 'properties.desired.a': 1 }, low: { 'properties.desired.a.b': 2 } },
      {},
      { writes: [{ id: 'high', patch: { a: 1 } }], configurations: { low: TARGETED, high: applied('a') } },
    ],
    [
      'a null removes a value and owns nothing',
      { a: 1 },
      { x: { 'properties.desired.a': null } },
      {},
      { writes: [{ id: 'x', patch: { a: null } }], configurations: { x: applied() } },
    ],
    [
      'an ended configuration takes its values and empty objects with it',
      { a: { b: { c: 1 } }, d: { e: 2, f: 3 } },
      {},
      { x: applied('a.b.c', 'd.e') },
      { writes: [{ id: 'x', patch: { a: null, d: { e: null } } }], configurations: {} },
    ],
    [
      'a value that another configuration keeps is not removed',
      { a: { b: 1, c: 2 } },
      { y: { 'properties.desired.a.b': 1 } },
      { x: applied('a.b', 'a.c') },
      { writes: [{ id: 'x', patch: { a: { c: null } } }], configurations: { y: applied('a.b') } },
    ],
    [
      'the next configuration replaces the values in one write',
      { a: { b: 1, c: 2 } },
      { y: { 'properties.desired.a': { b: 9 } } },
      { x: applied('a.b', 'a.c') },
      { writes: [{ id: 'y', patch: { a: { b: 9, c: null } } }], configurations: { y: applied('a.b') } },
    ],
    [
      'an object takes the place of a value',
      { a: 5 },
      { y: { 'properties.desired.a': { b: 1 } } },
      { x: applied('a') },
      { writes: [{ id: 'y', patch: { a: { b: 1 } } }], configurations: { y: applied('a.b') } },
    ],
    [
      'all desired properties can be the path',
      { b: 1 },
      { x: { 'properties.desired': { a: 1, list: [1, 2] } } },
      {},
      { writes: [{ id: 'x', patch: { a: 1, list: [1, 2] } }], configurations: { x: applied('a', 'list') } },
    ],
  ])('%s', (_case, desired, targeting, before, expected) => {
    expect(plan(desired, targeting, before)).toEqual(expected);
  });
});
