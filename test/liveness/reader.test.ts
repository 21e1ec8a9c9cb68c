import { describe, expect, test } from '@jest/globals';
import {
  type EventReader,
  NO_READER,
  type PartitionPosition,
  readerStatus,
  readerText,
  readUpTo,
  unreadSince,
  withLook,
} from '../../src/liveness/reader.ts';
import { EPOCH, type EpochMs, epochMs } from '../../src/time/epoch-ms.ts';

/* Times are minutes. */
const at = (minutes: number): EpochMs => epochMs(Date.parse('2026-11-23T12:00:00Z') + minutes * 60_000);
const position = (last: number, checkpoint?: number, isEmpty = false): PartitionPosition => ({
  last,
  checkpoint,
  isEmpty,
});

/** One look a minute from minute 0. `looks` has the positions of each partition. */
function afterLooks(...looks: readonly Readonly<Record<string, PartitionPosition>>[]): EventReader {
  return looks.reduce<EventReader>(
    (reader, partitions, minute) =>
      withLook(reader, { kind: 'positions', partitions: new Map(Object.entries(partitions)) }, at(minute)),
    NO_READER,
  );
}
const repeated = <Value>(times: number, value: (index: number) => Value): Value[] =>
  Array.from({ length: times }, (_, index) => value(index));

describe('a partition is read', () => {
  test('up to now when the checkpoint is at its end', () => {
    expect(readUpTo(afterLooks({ 0: position(7, 7) }), '0')).toBe(at(0));
  });

  test.each([
    ['it has never had an event', position(-1)],
    ['all of its events are gone', position(7, undefined, true)],
  ])('up to now when %s', (_, empty) => {
    const reader = afterLooks({ 0: empty });

    expect(readUpTo(reader, '0')).toBe(at(0));
    expect(unreadSince(reader)).toBeUndefined();
  });

  test('up to the last look whose events are all handled', () => {
    const reader = afterLooks({ 0: position(10, 5) }, { 0: position(20, 8) }, { 0: position(30, 20) });

    expect(readUpTo(reader, '0')).toBe(at(1));
    expect(unreadSince(reader)).toBe(at(2));
  });

  test('not at all before the first look whose events are all handled', () => {
    expect(readUpTo(afterLooks({ 0: position(10, 5) }), '0')).toBe(EPOCH);
  });

  test('not if the checkpoint is beyond its end: the Event Hub was created again', () => {
    const reader = afterLooks({ 0: position(10, 500) });

    expect(readUpTo(reader, '0')).toBe(EPOCH);
    expect(unreadSince(reader)).toBe(at(0));
  });
});

test('an unknown partition is read as far as the slowest one', () => {
  const reader = afterLooks(
    { 0: position(3, 3), 1: position(9, 9) },
    { 0: position(3, 3), 1: position(12, 9) },
  );

  expect([readUpTo(reader, '0'), readUpTo(reader, '1'), readUpTo(reader)]).toEqual([at(1), at(0), at(0)]);
});

describe('the reading is', () => {
  test('fine while the checkpoint follows a steady flow of events', () => {
    const reader = afterLooks(...repeated(60, (minute) => ({ 0: position(minute * 50 + 40, minute * 50) })));

    expect(readerStatus(reader, at(59))).toEqual({ kind: 'reading' });
  });

  test('fine when an event comes to a partition that was idle for hours', () => {
    const reader = afterLooks(...repeated(180, () => ({ 0: position(7, 7) })), { 0: position(8, 7) });

    expect(readerStatus(reader, at(180))).toEqual({ kind: 'reading' });
  });

  test('behind when events wait for ten minutes and the checkpoint moves', () => {
    const reader = afterLooks(...repeated(21, (minute) => ({ 0: position(1_000 + minute, minute * 2) })));

    expect(readerStatus(reader, at(20))).toEqual({ kind: 'behind', since: at(0) });
  });

  test.each([
    ['stands still', position(8, 5)],
    ['is not there', position(8)],
  ])('stopped when events wait for ten minutes and the checkpoint %s', (_, waiting) => {
    const looks = repeated(11, () => ({ 0: waiting, 1: position(3, 3) }));

    expect(readerStatus(afterLooks(...looks.slice(0, 10)), at(9))).toEqual({ kind: 'reading' });
    const status = readerStatus(afterLooks(...looks), at(10));
    expect(status).toEqual({ kind: 'stopped', since: at(0), partitions: ['0'] });
    expect(readerText(status)).toMatch(/partition 0 have not moved since 2026-11-23T12:00:00.000Z/);
  });

  test('fine again as soon as the checkpoint has reached the end', () => {
    const reader = afterLooks(...repeated(15, () => ({ 0: position(8, 5) })), { 0: position(8, 8) });

    expect(readerStatus(reader, at(15))).toEqual({ kind: 'reading' });
  });

  test('unknown when looks fail for ten minutes, with the reason', () => {
    let reader = afterLooks({ 0: position(3, 3) });
    for (let minute = 1; minute <= 11; minute += 1) {
      expect(readerStatus(reader, at(minute - 1)).kind).toBe('reading');
      reader = withLook(reader, { kind: 'failed', why: 'the storage answers 403' }, at(minute));
    }

    expect(readerStatus(reader, at(11))).toEqual({
      kind: 'unknown',
      since: at(1),
      why: 'the storage answers 403',
    });
  });
});

test('the reader stays small however long the functions do not read', () => {
  const reader = afterLooks(...repeated(500, (minute) => ({ 0: position(minute + 10, 5) })));

  expect(reader.partitions['0']?.unread.length).toBeLessThanOrEqual(60);
  expect(unreadSince(reader)).toBe(at(0));
});
