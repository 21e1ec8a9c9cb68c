import { describe, expect, test } from '@jest/globals';
import { effectivePatch, mergeValues, replacementPatch } from '../../../local/iot-hub/model/merge.ts';
import {
  createTwin,
  type HubTwin,
  patchTwin,
  portalPatch,
  replaceTwin,
  reportTwin,
  twinEtag,
  twinVersion,
} from '../../../local/iot-hub/model/twin.ts';
import type { JsonObject } from '../../../src/json/json.ts';
import { fc } from '../../support/properties.ts';

const T1 = BigInt(Date.parse('2024-03-01T10:00:00.100Z')) * 10_000n;
const T2 = T1 + 1n;
const at1 = '2024-03-01T10:00:00.1Z';
const at2 = '2024-03-01T10:00:00.1000001Z';

const twinWith = (desired: JsonObject, tags: JsonObject = {}, reported: JsonObject = {}): HubTwin =>
  createTwin(T1, { tags, desired, reported });

describe('a new twin', () => {
  test('has etag counter 1, desired and reported version 1, and version 2', () => {
    const twin = createTwin(T1);

    expect(twinEtag(twin)).toBe('AAAAAAAAAAE=');
    expect(twinVersion(twin)).toBe(2);
    expect(twin.desired).toEqual({
      values: {},
      metadata: { $lastUpdated: '0001-01-01T00:00:00Z' },
      version: 1,
    });
    expect(twin.reported).toEqual(twin.desired);
  });

  test('takes tags and desired properties in the same operation, stamped with version 1', () => {
    const twin = twinWith({ a: { b: 1 } }, { site: 'ams' });

    expect(twinEtag(twin)).toBe('AAAAAAAAAAE=');
    expect(twin.tags).toEqual({ site: 'ams' });
    expect(twin.desired.version).toBe(1);
    expect(twin.desired.metadata).toEqual({
      $lastUpdated: at1,
      $lastUpdatedVersion: 1,
      a: {
        $lastUpdated: at1,
        $lastUpdatedVersion: 1,
        b: { $lastUpdated: at1, $lastUpdatedVersion: 1 },
      },
    });
  });
});

describe('the values of a twin after a patch', () => {
  test.each<[string, JsonObject, JsonObject, JsonObject]>([
    ['adds a key', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['changes a value', { a: 1 }, { a: 2 }, { a: 2 }],
    ['deletes a key by null', { a: 1, b: 2 }, { a: null }, { b: 2 }],
    [
      'merges objects at depth',
      { a: { b: { c: 1, d: 2 } } },
      { a: { b: { c: 3 } } },
      { a: { b: { c: 3, d: 2 } } },
    ],
    ['deletes at depth and keeps the sibling', { a: { b: 1, c: 2 } }, { a: { b: null } }, { a: { c: 2 } }],
    ['keeps siblings when a missing key is deleted', { a: { c: 2 } }, { a: { b: null } }, { a: { c: 2 } }],
    ['keeps an object that became empty', { a: { b: 1 } }, { a: { b: null } }, { a: {} }],
    ['replaces arrays whole', { a: [1, 2, 3] }, { a: [9] }, { a: [9] }],
    ['replaces an object by a value', { a: { b: 1 } }, { a: 'text' }, { a: 'text' }],
    ['replaces a value by an object', { a: 1 }, { a: { b: 2 } }, { a: { b: 2 } }],
    ['drops nulls inside a new object', {}, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
    ['changes nothing when empty', { a: 1 }, {}, { a: 1 }],
  ])('a patch %s', (_name, current, patch, expected) => {
    expect(mergeValues(current, patch)).toEqual(expected);
    expect(patchTwin(twinWith(current), { desired: patch }, T2).twin.desired.values).toEqual(expected);
    expect(reportTwin(twinWith({}, {}, current), patch, T2).twin.reported.values).toEqual(expected);
  });

  test('a patch treats __proto__ like any other key', () => {
    const patch = JSON.parse('{"__proto__":{"polluted":1},"constructor":2}') as JsonObject;

    const merged = mergeValues({ a: 1 }, patch);

    expect(JSON.stringify(merged)).toBe('{"a":1,"__proto__":{"polluted":1},"constructor":2}');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('the counters of a twin', () => {
  const start = twinWith({ a: 1 }, { t: 1 }, { r: 1 }); // etag 1, desired 1, reported 2
  const counts = (twin: HubTwin) => [
    twin.writes,
    twin.desired.version,
    twin.reported.version,
    twinVersion(twin),
  ];

  test.each<[string, (twin: HubTwin) => HubTwin, number[]]>([
    ['a patch of tags', (twin) => patchTwin(twin, { tags: { t: 2 } }, T2).twin, [2, 1, 2, 4]],
    ['a patch of desired', (twin) => patchTwin(twin, { desired: { a: 2 } }, T2).twin, [2, 2, 2, 4]],
    [
      'a patch of both',
      (twin) => patchTwin(twin, { tags: { t: 2 }, desired: { a: 2 } }, T2).twin,
      [2, 2, 2, 4],
    ],
    ['a patch with the same value', (twin) => patchTwin(twin, { desired: { a: 1 } }, T2).twin, [2, 2, 2, 4]],
    ['a null for a missing key', (twin) => patchTwin(twin, { desired: { z: null } }, T2).twin, [1, 1, 2, 3]],
    ['an empty patch', (twin) => patchTwin(twin, {}, T2).twin, [1, 1, 2, 3]],
    ['a report', (twin) => reportTwin(twin, { r: 1 }, T2).twin, [1, 1, 3, 4]],
    ['a replacement of tags', (twin) => replaceTwin(twin, { tags: {} }, T2).twin, [2, 1, 2, 4]],
    ['a replacement of desired', (twin) => replaceTwin(twin, { desired: {} }, T2).twin, [2, 2, 2, 4]],
  ])('the counters of a twin are increased correctly by %s', (_name, write, expected) => {
    expect(counts(start)).toEqual([1, 1, 2, 3]);
    expect(counts(write(start))).toEqual(expected);
  });

  test('the etag is the counter in eight big-endian bytes', () => {
    expect(twinEtag({ ...start, writes: 11 })).toBe('AAAAAAAAAAs=');
    expect(twinEtag({ ...start, writes: 2 ** 40 })).toBe('AAABAAAAAAA=');
  });
});

describe('the metadata of a twin', () => {
  test('a patch stamps its keys and their parents, in desired with the version', () => {
    const { twin, applied } = patchTwin(
      twinWith({ a: { b: 1, c: 2 }, d: 3 }),
      { desired: { a: { b: 9 } } },
      T2,
    );

    const first = { $lastUpdated: at1, $lastUpdatedVersion: 1 };
    const second = { $lastUpdated: at2, $lastUpdatedVersion: 2 };
    expect(twin.desired.metadata).toEqual({ ...second, a: { ...second, b: second, c: first }, d: first });
    expect(applied.desired).toEqual({
      values: { a: { b: 9 } },
      metadata: { ...second, a: { ...second, b: second } },
      version: 2,
    });
  });

  test('reported metadata has no version', () => {
    const { twin } = reportTwin(createTwin(T1), { a: [1] }, T2);

    expect(twin.reported.metadata).toEqual({ $lastUpdated: at2, a: { $lastUpdated: at2 } });
  });

  test('metadata of deleted values, and of values below a replaced object, is removed', () => {
    const twin = twinWith({ a: { b: 1 }, c: 1 });
    const after = patchTwin(twin, { desired: { a: 5, c: null } }, T2).twin;

    const second = { $lastUpdated: at2, $lastUpdatedVersion: 2 };
    expect(after.desired.metadata).toEqual({ ...second, a: second });
  });

  test('each key of the values always has metadata', () => {
    fc.assert(
      fc.property(patchArbitrary(), patchArbitrary(), (first, second) => {
        const { twin } = patchTwin(
          patchTwin(createTwin(T1), { desired: first }, T1).twin,
          { desired: second },
          T2,
        );
        expect(keyPaths(twin.desired.metadata)).toEqual(keyPaths(twin.desired.values));
      }),
    );
  });
});

describe('the replacement of a twin', () => {
  test('notifies the device of the whole section, with null for deleted values', () => {
    expect(replacementPatch({ a: 1, b: 2 }, { a: 1, c: 100 })).toEqual({ a: 1, b: null, c: 100 });
    expect(replacementPatch({ a: { x: 1, y: 2 } }, { a: { x: 1 } })).toEqual({ a: { x: 1, y: null } });
  });

  test('has the same effect as its patch to the device', () => {
    fc.assert(
      fc.property(valuesArbitrary(), valuesArbitrary(), (current, next) => {
        expect(mergeValues(current, replacementPatch(current, next))).toEqual(next);
      }),
    );
  });

  test('keeps a section that is not given', () => {
    const { twin, notice } = replaceTwin(twinWith({ a: 1 }, { t: 1 }), { tags: { u: 2 } }, T2);

    expect(twin.tags).toEqual({ u: 2 });
    expect(twin.desired.values).toEqual({ a: 1 });
    expect(notice).toBeUndefined();
  });
});

describe('an edit in the portal', () => {
  test('writes all tags and all desired properties again', () => {
    const twin = twinWith({ a: 1, b: 2 }, { site: 'x', floor: 1 });

    const patch = portalPatch(twin, { tags: { floor: null } });

    expect(patch).toEqual({ tags: { site: 'x', floor: null }, desired: { a: 1, b: 2 } });
    const after = patchTwin(twin, patch, T2).twin;
    expect(after.desired.version).toBe(2);
    expect(after.desired.metadata.a).toEqual({ $lastUpdated: at2, $lastUpdatedVersion: 2 });
  });
});

describe('merging patches', () => {
  test('a patch that is applied twice gives the same values as once', () => {
    fc.assert(
      fc.property(patchArbitrary(), patchArbitrary(), (base, patch) => {
        const current = mergeValues({}, base);
        const once = mergeValues(current, patch);
        expect(mergeValues(once, patch)).toEqual(once);
      }),
    );
  });

  test('the parts of a patch without effect can be omitted', () => {
    fc.assert(
      fc.property(patchArbitrary(), patchArbitrary(), (base, patch) => {
        const current = mergeValues({}, base);
        expect(mergeValues(current, effectivePatch(current, patch))).toEqual(mergeValues(current, patch));
      }),
    );
  });

  test('a null is never stored', () => {
    fc.assert(
      fc.property(patchArbitrary(), patchArbitrary(), (base, patch) => {
        expect(JSON.stringify(mergeValues(mergeValues({}, base), patch))).not.toContain('null');
      }),
    );
  });

  test('versions never decrease, and the twin version orders all changes', () => {
    const write = fc.oneof(
      patchArbitrary().map((patch) => (twin: HubTwin) => patchTwin(twin, { desired: patch }, T2).twin),
      patchArbitrary().map((patch) => (twin: HubTwin) => patchTwin(twin, { tags: patch }, T2).twin),
      patchArbitrary().map((patch) => (twin: HubTwin) => reportTwin(twin, patch, T2).twin),
      valuesArbitrary().map((values) => (twin: HubTwin) => replaceTwin(twin, { desired: values }, T2).twin),
    );
    fc.assert(
      fc.property(fc.array(write, { maxLength: 20 }), (writes) => {
        let twin = createTwin(T1);
        for (const apply of writes) {
          const next = apply(twin);
          expect(next.desired.version).toBeGreaterThanOrEqual(twin.desired.version);
          expect(next.reported.version).toBeGreaterThanOrEqual(twin.reported.version);
          expect(twinVersion(next)).toBe(next === twin ? twinVersion(twin) : twinVersion(twin) + 1);
          twin = next;
        }
      }),
    );
  });
});

const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'é');
const leaf = fc.oneof(
  fc.integer(),
  fc.constant('text'),
  fc.boolean(),
  fc.array(fc.integer(), { maxLength: 3 }),
);

function valuesArbitrary(): fc.Arbitrary<JsonObject> {
  return fc.letrec<{ object: JsonObject }>((tie) => ({
    object: fc
      .array(fc.tuple(key, fc.oneof({ maxDepth: 3 }, leaf, tie('object'))), { maxLength: 4 })
      .map((entries) => Object.fromEntries(entries) as JsonObject),
  })).object;
}

function patchArbitrary(): fc.Arbitrary<JsonObject> {
  return fc.letrec<{ object: JsonObject }>((tie) => ({
    object: fc
      .array(fc.tuple(key, fc.oneof({ maxDepth: 3 }, leaf, fc.constant(null), tie('object'))), {
        maxLength: 4,
      })
      .map((entries) => Object.fromEntries(entries) as JsonObject),
  })).object;
}

function keyPaths(object: JsonObject, above = ''): string[] {
  return Object.entries(object)
    .filter(([name]) => !name.startsWith('$'))
    .flatMap(([name, value]) => {
      const path = `${above}/${name}`;
      const inner = typeof value === 'object' && value !== null && !Array.isArray(value);
      return [path, ...(inner ? keyPaths(value as JsonObject, path) : [])];
    })
    .sort();
}
