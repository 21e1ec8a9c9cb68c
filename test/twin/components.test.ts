import { describe, expect, test } from '@jest/globals';
import type { JsonObject } from '../../src/json/json.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { adoptOwnWrite, adoptTwin, applyEvent } from '../../src/twin/events/apply-event.ts';
import { componentsOf, rewrittenWithMarker, withMarkers } from '../../src/twin/plan/components.ts';
import type { LeafStatus } from '../../src/twin/plan/property-status.ts';
import { NO_HISTORY, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { SNAPSHOT_FORMAT, snapshotIn } from '../../src/twin/snapshot/stored-snapshot.ts';
import { readTwin } from '../../src/twin/snapshot/twin.ts';
import { at, ID, reports, snapshotOf, twinOf } from './twins.ts';

const CONTROLLER = 'dtmi:com:example:TemperatureController;1';

describe('a patch to a component', () => {
  const isComponent = (name: string) => name === 't1';

  test.each<[string, JsonObject, JsonObject]>([
    ['it gets the marker in its component', { t1: { a: 1 } }, { t1: { __t: 'c', a: 1 } }],
    ['it gets no marker in other objects', { net: { a: 1 } }, { net: { a: 1 } }],
    ['it keeps a marker that it has', { t1: { __t: null, a: 1 } }, { t1: { __t: null, a: 1 } }],
    ['it gets no marker when it removes the component', { t1: null }, { t1: null }],
    ['it gets no marker when the component is not an object', { t1: [1], t2: 1 }, { t1: [1], t2: 1 }],
    ['it gets no marker on deeper levels', { a: { t1: { b: 1 } } }, { a: { t1: { b: 1 } } }],
  ])('follows this rule: %s', (_, patch, marked) => {
    expect(withMarkers(patch, isComponent)).toEqual(marked);
  });
});

test('a member that every object inherits is not a component', () => {
  const isComponent = componentsOf({ desired: {}, reported: {}, modelId: 'toString' }, [], new Map());

  expect(['constructor', '__proto__', 'toString'].map(isComponent)).toEqual([false, false, false]);
});

describe('a value that was written without the marker', () => {
  const policy = { name: 'p', hash: 'h', mode: 'enforce', attempts: 3 } as const;
  const leaf = { policy, path: ['t1', 'target'], wanted: 21, report: undefined };
  const statusOf = (status: LeafStatus['status'], parts: Partial<LeafStatus> = {}) =>
    rewrittenWithMarker(
      leaf,
      { status, why: 'so', write: false, history: NO_HISTORY, ...parts },
      { t1: { target: 21 } },
      () => true,
    );

  test('is written again even if the device was listed as not answering, because it could not answer', () => {
    expect(statusOf('rejected')).toMatchObject({ status: 'pending', write: true });
  });

  test('is written again without the wait that its status would require', () => {
    const found = statusOf('pending', { nextAt: epochMs(5), askAt: epochMs(6) });

    expect([found.write, found.nextAt, found.askAt]).toEqual([true, undefined, undefined]);
  });

  test.each(['drifted', 'contested'] as const)('is not written again while it is %s', (status) => {
    expect(statusOf(status)).toMatchObject({ status, write: false });
  });

  test('stays rejected when the device or the hub has refused it', () => {
    const history = { ...NO_HISTORY, rejected: [{ policy: 'h', value: 21, why: 'no' }] };

    expect(statusOf('rejected', { history })).toMatchObject({ status: 'rejected', write: false });
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
  const read = (snapshot: Snapshot, modelId: unknown) => {
    const twin = document(modelId);
    if (twin === undefined) throw new Error('no twin');
    return adoptTwin(snapshot, twin, at(1), tracked).modelId;
  };

  test('is read from a document of the twin', () => {
    expect(read(snapshotOf(), CONTROLLER)).toBe(CONTROLLER);
  });

  test('is read from the answer to a write', () => {
    const twin = twinOf({ version: 3, modelId: CONTROLLER });

    expect(adoptOwnWrite(snapshotOf(), twin, [], tracked).modelId).toBe(CONTROLLER);
  });

  test.each([
    ['another model replaces it', 'dtmi:com:example:Thermostat;1', 'dtmi:com:example:Thermostat;1'],
    ['an empty model removes it', '', undefined],
    ['a document without a model keeps it', undefined, CONTROLLER],
    ['a model that is not a text is ignored', 7, CONTROLLER],
  ])('follows this rule: %s', (_, modelId, expected) => {
    expect(read(snapshotOf({ modelId: CONTROLLER }), modelId)).toBe(expected);
  });

  test('is replaced when the versions go back, because the device is a new one', () => {
    expect(read(snapshotOf({ modelId: CONTROLLER, version: 9 }), undefined)).toBeUndefined();
  });

  test('is kept when an event is applied', () => {
    const snapshot = snapshotOf({ modelId: CONTROLLER });
    const known = applyEvent({ kind: 'snapshot', snapshot }, reports(snapshot, 1, { t1: { a: 1 } }), tracked);

    expect(known).toMatchObject({ kind: 'snapshot', snapshot: { version: 3, modelId: CONTROLLER } });
  });

  test('is stored', () => {
    const { id: _, ...stored } = snapshotOf({ modelId: CONTROLLER });

    expect(snapshotIn(ID, SNAPSHOT_FORMAT.read(JSON.parse(JSON.stringify(stored)))).modelId).toBe(CONTROLLER);
  });
});
