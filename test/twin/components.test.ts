import { describe, expect, test } from '@jest/globals';
import type { JsonObject } from '../../src/json/json.ts';
import { adoptOwnWrite, adoptTwin, foldEvent } from '../../src/twin/events/fold.ts';
import { componentsOf, rewrittenWithMarker, withMarkers } from '../../src/twin/plan/components.ts';
import type { LeafVerdict } from '../../src/twin/plan/verdict.ts';
import { NO_HISTORY, type Shadow } from '../../src/twin/snapshot/shadow.ts';
import { readStoredShadow } from '../../src/twin/snapshot/stored-shadow.ts';
import { readTwin } from '../../src/twin/snapshot/twin.ts';
import { at, ID, reports, shadowOf, twinOf } from './twins.ts';

const CONTROLLER = 'dtmi:com:example:TemperatureController;1';

describe('a patch', () => {
  const isComponent = (name: string) => name === 't1';

  test.each<[string, JsonObject, JsonObject]>([
    ['gets the marker in its component', { t1: { a: 1 } }, { t1: { __t: 'c', a: 1 } }],
    ['gets none in other objects', { net: { a: 1 } }, { net: { a: 1 } }],
    ['keeps the marker that it has', { t1: { __t: null, a: 1 } }, { t1: { __t: null, a: 1 } }],
    ['gets none where the component is taken away', { t1: null }, { t1: null }],
    ['gets none where the component is no object', { t1: [1], t2: 1 }, { t1: [1], t2: 1 }],
    ['gets none further down', { a: { t1: { b: 1 } } }, { a: { t1: { b: 1 } } }],
  ])('%s', (_, patch, marked) => {
    expect(withMarkers(patch, isComponent)).toEqual(marked);
  });
});

test('members that objects inherit are no components', () => {
  const isComponent = componentsOf({ desired: {}, reported: {}, modelId: 'toString' }, [], new Map());

  expect(['constructor', '__proto__', 'toString'].map(isComponent)).toEqual([false, false, false]);
});

describe('a value that was written without the marker', () => {
  const policy = { name: 'p', hash: 'h', mode: 'enforce', attempts: 3 } as const;
  const leaf = { policy, path: ['t1', 'target'], wanted: 21, report: undefined };
  const judge = (verdict: LeafVerdict['verdict'], parts: Partial<LeafVerdict> = {}) =>
    rewrittenWithMarker(
      leaf,
      { verdict, why: 'so', write: false, history: NO_HISTORY, ...parts },
      { t1: { target: 21 } },
      () => true,
    );

  test('is written though the device was given up as not answering: it could not answer', () => {
    expect(judge('rejected')).toMatchObject({ verdict: 'pending', write: true });
  });

  test('waits for nothing that the verdict would have waited for', () => {
    const found = judge('pending', { nextAt: 5, askAt: 6 });

    expect([found.write, found.nextAt, found.askAt]).toEqual([true, undefined, undefined]);
  });

  test.each(['drifted', 'fighting'] as const)('stays as it is while it is %s', (verdict) => {
    expect(judge(verdict)).toMatchObject({ verdict, write: false });
  });

  test('stays rejected where the device or the hub has refused it', () => {
    const history = { ...NO_HISTORY, rejected: [{ policy: 'h', value: 21, why: 'no' }] };

    expect(judge('rejected', { history })).toMatchObject({ verdict: 'rejected', write: false });
  });
});

describe('the model of a device', () => {
  const tracked = [['t1', 'target']];
  const document = (modelId: unknown) =>
    readTwin({
      version: 3,
      etag: 'AAAAAAAAAAE=',
      ...(modelId === undefined ? {} : { modelId }),
      properties: { desired: { $version: 1 }, reported: { $version: 1 } },
    });
  const read = (shadow: Shadow, modelId: unknown) => {
    const twin = document(modelId);
    if (twin === undefined) throw new Error('no twin');
    return adoptTwin(shadow, twin, at(1), tracked).modelId;
  };

  test('is learnt from a document of the twin', () => {
    expect(read(shadowOf(), CONTROLLER)).toBe(CONTROLLER);
  });

  test('is learnt from the answer to a write', () => {
    const twin = twinOf({ version: 3, modelId: CONTROLLER });

    expect(adoptOwnWrite(shadowOf(), twin, [], tracked).modelId).toBe(CONTROLLER);
  });

  test.each([
    ['another one replaces it', 'dtmi:com:example:Thermostat;1', 'dtmi:com:example:Thermostat;1'],
    ['an empty one ends it', '', undefined],
    ['a document that does not say leaves it', undefined, CONTROLLER],
    ['one that is no text says nothing', 7, CONTROLLER],
  ])('%s', (_, modelId, expected) => {
    expect(read(shadowOf({ modelId: CONTROLLER }), modelId)).toBe(expected);
  });

  test('is another device’s where versions went back', () => {
    expect(read(shadowOf({ modelId: CONTROLLER, version: 9 }), undefined)).toBeUndefined();
  });

  test('stays when an event is applied', () => {
    const shadow = shadowOf({ modelId: CONTROLLER });
    const known = foldEvent({ kind: 'shadow', shadow }, reports(shadow, 1, { t1: { a: 1 } }), tracked);

    expect(known).toMatchObject({ kind: 'shadow', shadow: { version: 3, modelId: CONTROLLER } });
  });

  test('is stored', () => {
    const { id: _, ...stored } = shadowOf({ modelId: CONTROLLER });

    expect(readStoredShadow(ID, JSON.parse(JSON.stringify(stored))).modelId).toBe(CONTROLLER);
  });
});
