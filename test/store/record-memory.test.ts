import { beforeEach, describe, expect, test } from '@jest/globals';
import { RecordMemory } from '../../src/store/twins/record-memory.ts';
import type { TwinRecord } from '../../src/store/twins/twin-store.ts';
import type { Shadow } from '../../src/twin/snapshot/shadow.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { at, ID, shadowOf } from '../twin/twins.ts';

const MIB = 1024 * 1024;

let memory: RecordMemory;
beforeEach(() => {
  memory = new RecordMemory();
});
const idOf = (deviceId: string): TwinId => ({ ...ID, deviceId });
const recordOf = (deviceId: string, parts: Partial<Shadow> = {}): TwinRecord => ({
  id: idOf(deviceId),
  known: { kind: 'shadow', shadow: shadowOf({ id: idOf(deviceId), ...parts }) },
  etag: '1',
  isRemembered: false,
});
const remembers = (deviceId: string) => memory.get(idOf(deviceId)) !== undefined;

test('a record is given back as it was, and said to be remembered', () => {
  const record = recordOf('a', { reported: { battery: 90 } });
  memory.put(record, 100);

  expect(memory.get(idOf('a'))).toEqual({ ...record, isRemembered: true });
  expect(memory.get({ ...ID, deviceId: 'a', moduleId: 'm' })).toBeUndefined();
});

test('the newest one counts, and what is forgotten is gone', () => {
  memory.put(recordOf('a', { version: 2 }), 100);
  memory.put({ ...recordOf('a', { version: 3 }), etag: '2' }, 100);
  expect(memory.get(idOf('a'))).toMatchObject({ etag: '2', known: { shadow: { version: 3 } } });

  memory.forget(idOf('a'));
  expect(remembers('a')).toBe(false);
});

test('that a device was deleted is remembered', () => {
  memory.put({ ...recordOf('a'), known: { kind: 'deleted', at: at(0) } }, 0);

  expect(remembers('a')).toBe(true);
});

describe('is not remembered, and what was before is forgotten', () => {
  test.each<[string, TwinRecord]>([
    ['what was never stored', { ...recordOf('a'), etag: undefined }],
    ['what waits for a read', recordOf('a', { unread: { since: at(0), why: 'events are missing' } })],
    [
      'what waits for the answer to a write',
      recordOf('a', { writing: [{ path: ['interval'], policy: 'p', by: 'base', value: 5 }] }),
    ],
  ])('%s: another instance may have seen to it by now', (_, record) => {
    memory.put(recordOf('a'), 100);
    memory.put(record, 100);

    expect(remembers('a')).toBe(false);
  });
});

describe('it takes bounded memory', () => {
  test('by size: the least recently used goes first', () => {
    memory.put(recordOf('a'), 12 * MIB);
    memory.put(recordOf('b'), 12 * MIB);
    memory.get(idOf('a'));
    memory.put(recordOf('c'), 12 * MIB);

    expect(['a', 'b', 'c'].filter(remembers)).toEqual(['a', 'c']);
  });

  test('by number', () => {
    for (let index = 0; index <= 20_000; index += 1) memory.put(recordOf(`d${index}`), 1);

    expect(['d0', 'd1', 'd20000'].filter(remembers)).toEqual(['d1', 'd20000']);
  });

  test('what is put again or forgotten is not counted twice', () => {
    memory.put(recordOf('a'), 12 * MIB);
    for (let times = 0; times < 10; times += 1) memory.put(recordOf('b'), 12 * MIB);
    for (let times = 0; times < 10; times += 1) memory.forget(idOf('c'));
    memory.put(recordOf('c'), 8 * MIB);

    expect(['a', 'b', 'c'].filter(remembers)).toEqual(['a', 'b', 'c']);
  });
});
