import { describe, expect, test } from '@jest/globals';
import { plus } from '../../src/time/epoch-ms.ts';
import type { Known } from '../../src/twin/events/apply-event.ts';
import { markUnread } from '../../src/twin/events/mark.ts';
import type { Snapshot, WorkItem } from '../../src/twin/snapshot/snapshot.ts';
import { at, ID, snapshotOf, T0 } from './twins.ts';

const MARK = { since: at(10), why: 'test', priority: 'drift', at: plus(T0, 60_000) } as const;
const marked = (
  snapshot: Partial<Snapshot>,
  mark: Partial<Parameters<typeof markUnread>[2]> = {},
): Snapshot => {
  const known = markUnread({ kind: 'snapshot', snapshot: snapshotOf(snapshot) }, ID, { ...MARK, ...mark });
  if (known.kind !== 'snapshot') throw new Error(known.kind);
  return known.snapshot;
};
const dueOf = (parts: Partial<WorkItem>): WorkItem => ({
  priority: 'drift',
  at: plus(T0, 90_000),
  why: 'before',
  tries: 4,
  ...parts,
});

describe('marking a twin for a read', () => {
  test('keeps all known data of the twin', () => {
    const before = snapshotOf({ desired: { interval: 5 }, suspended: { why: 'quota' } });

    expect(marked(before)).toEqual({
      ...before,
      unread: { since: at(10), why: 'test' },
      workItem: { priority: 'drift', at: plus(T0, 60_000), why: 'test', tries: 0 },
    });
  });

  test('makes an unread snapshot of an unknown twin', () => {
    expect(markUnread({ kind: 'nothing' }, ID, MARK)).toMatchObject({
      kind: 'snapshot',
      snapshot: {
        id: ID,
        version: 0,
        unread: { since: at(10) },
        workItem: { at: plus(T0, 60_000) },
        lastReconcile: { status: 'unknown', since: plus(T0, 60_000) },
      },
    });
  });

  test.each<[string, number, 'deleted' | 'snapshot']>([
    ['later than the mark', 11, 'deleted'],
    ['at the same time as the mark', 10, 'deleted'],
    ['before the mark', 9, 'snapshot'],
  ])('handles a twin that was deleted %s', (_, seconds, kind) => {
    const known: Known = { kind: 'deleted', at: at(seconds) };

    expect(markUnread(known, ID, MARK).kind).toBe(kind);
  });

  test('keeps the later time when another read is pending', () => {
    expect(marked({ unread: { since: at(99), why: 'gap' } }).unread?.since).toBe(at(99));
    expect(marked({ unread: { since: at(1), why: 'gap' } }).unread?.since).toBe(at(10));
  });

  test.each<[string, Partial<WorkItem>, Partial<WorkItem>]>([
    ['makes a later work item earlier', {}, { priority: 'drift', at: plus(T0, 60_000), tries: 0 }],
    ['keeps a work item that is already due', { at: T0 }, { at: T0 }],
    ['makes a work item more urgent', { priority: 'resync' }, { priority: 'drift' }],
    ['never makes a work item less urgent', { priority: 'edit' }, { priority: 'edit' }],
  ])('%s', (_, before, after) => {
    expect(marked({ workItem: dueOf(before) }).workItem).toMatchObject(after);
  });

  test('keeps the work item of a write in progress, which tells other instances of the write', () => {
    const writing = [{ path: ['interval'], policy: 'p', by: 'p', value: 5 }];

    expect(marked({ writing, workItem: dueOf({}) })).toMatchObject({
      writing,
      workItem: dueOf({}),
      unread: { why: 'test' },
    });
    expect(marked({ writing, workItem: dueOf({ at: T0 }) }).workItem).toMatchObject({ at: T0, why: 'test' });
  });
});
