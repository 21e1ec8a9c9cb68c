import { beforeEach, describe, expect, test } from '@jest/globals';
import { RecordMemory } from '../../src/store/twins/record-memory.ts';
import type { TwinRecord } from '../../src/store/twins/twin-store.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { at, ID, snapshotOf } from '../twin/twins.ts';

const MIB = 1024 * 1024;

let memory: RecordMemory;
beforeEach(() => {
  memory = new RecordMemory();
});
const idOf = (deviceId: string): TwinId => ({ ...ID, deviceId });
const recordOf = (deviceId: string, parts: Partial<Snapshot> = {}): TwinRecord => ({
  id: idOf(deviceId),
  known: { kind: 'snapshot', snapshot: snapshotOf({ id: idOf(deviceId), ...parts }) },
  etag: '1',
  isRemembered: false,
});
const remembers = (deviceId: string) => memory.get(idOf(deviceId)) !== undefined;

test('a record is returned unchanged and marked as remembered', () => {
  const record = recordOf('a', { reported: { battery: 90 } });
  memory.put(record, 100);

  expect(memory.get(idOf('a'))).toEqual({ ...record, isRemembered: true });
  expect(memory.get({ ...ID, deviceId: 'a', moduleId: 'm' })).toBeUndefined();
});

test('the newest record counts, and a removed record is not found', () => {
  memory.put(recordOf('a', { version: 2 }), 100);
  memory.put({ ...recordOf('a', { version: 3 }), etag: '2' }, 100);
  expect(memory.get(idOf('a'))).toMatchObject({ etag: '2', known: { snapshot: { version: 3 } } });

  memory.forget(idOf('a'));
  expect(remembers('a')).toBe(false);
});

test('a deletion of a device is remembered', () => {
  memory.put({ ...recordOf('a'), known: { kind: 'deleted', at: at(0) } }, 0);

  expect(remembers('a')).toBe(true);
});

describe('a record that another instance may have changed', () => {
  test.each<[string, TwinRecord]>([
    ['was never stored', { ...recordOf('a'), etag: undefined }],
    ['must be read', recordOf('a', { unread: { since: at(0), why: 'events are missing' } })],
    [
      'has a write in progress',
      recordOf('a', { writing: [{ path: ['interval'], policy: 'p', by: 'base', value: 5 }] }),
    ],
  ])('is not remembered, and the earlier record is removed, when it %s', (_, record) => {
    memory.put(recordOf('a'), 100);
    memory.put(record, 100);

    expect(remembers('a')).toBe(false);
  });
});

describe('the memory for records', () => {
  test('is limited by size and removes the least recently used record first', () => {
    memory.put(recordOf('a'), 12 * MIB);
    memory.put(recordOf('b'), 12 * MIB);
    memory.get(idOf('a'));
    memory.put(recordOf('c'), 12 * MIB);

    expect(['a', 'b', 'c'].filter(remembers)).toEqual(['a', 'c']);
  });

  test('is limited by the number of records', () => {
    for (let index = 0; index <= 20_000; index += 1) memory.put(recordOf(`d${index}`), 1);

    expect(['d0', 'd1', 'd20000'].filter(remembers)).toEqual(['d1', 'd20000']);
  });

  test('does not count a replaced or removed record twice', () => {
    memory.put(recordOf('a'), 12 * MIB);
    for (let times = 0; times < 10; times += 1) memory.put(recordOf('b'), 12 * MIB);
    for (let times = 0; times < 10; times += 1) memory.forget(idOf('c'));
    memory.put(recordOf('c'), 8 * MIB);

    expect(['a', 'b', 'c'].filter(remembers)).toEqual(['a', 'b', 'c']);
  });
});
