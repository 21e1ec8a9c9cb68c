import { describe, expect, test } from '@jest/globals';
import { sameJson } from '../../src/json/json.ts';
import { adoptOwnWrite, adoptTwin, applyEvent, type Known } from '../../src/twin/events/apply-event.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { historyOf, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { fc } from '../support/properties.ts';
import { at, ID, reports, snapshotOf, type TwinParts, twinOf, writes } from './twins.ts';

const TRACKED = [['interval']];
const known = (snapshot: Snapshot): Known => ({ kind: 'snapshot', snapshot });
const apply = (start: Known, ...events: readonly TwinEvent[]): Known =>
  events.reduce((so, event) => applyEvent(so, event, TRACKED), start);
const snapshotAfter = (start: Known, ...events: readonly TwinEvent[]): Snapshot => {
  const result = apply(start, ...events);
  if (result.kind !== 'snapshot') throw new Error(`there is no snapshot but ${result.kind}`);
  return result.snapshot;
};
const created = (seconds: number, parts: TwinParts = {}): TwinEvent => ({
  kind: 'create',
  id: ID,
  time: at(seconds),
  twin: twinOf(parts),
});
const replaced = (seconds: number, parts: TwinParts): TwinEvent => ({
  kind: 'replace',
  id: ID,
  time: at(seconds),
  twin: twinOf(parts),
});
const deleted = (seconds: number): TwinEvent => ({ kind: 'delete', id: ID, time: at(seconds) });

describe('an update', () => {
  test('that follows the snapshot merges its patch, versions and time, and a report keeps the etag', () => {
    const before = snapshotOf({ reported: { a: 1, b: { c: 1, d: 2 } } });

    const after = snapshotAfter(known(before), reports(before, 5, { a: 2, b: { c: null } }));

    expect(after).toMatchObject({
      version: 3,
      reportedVersion: 2,
      desiredVersion: 1,
      etag: before.etag,
      asOf: at(5),
    });
    expect(after.reported).toEqual({ a: 2, b: { d: 2 } });
    expect(after.unread).toBeUndefined();
  });

  test('by a service makes the etag unknown, because events do not carry it', () => {
    const before = snapshotOf();

    expect(snapshotAfter(known(before), writes(before, 5, { interval: 1 })).etag).toBeUndefined();
  });

  test('of tags only keeps the versions of both sections', () => {
    const before = snapshotOf();
    const event: TwinEvent = {
      kind: 'update',
      id: ID,
      time: at(1),
      change: { version: 3, tags: { site: 'ams' }, desired: undefined, reported: undefined },
    };

    expect(snapshotAfter(known(before), event)).toMatchObject({
      version: 3,
      desiredVersion: 1,
      tags: { site: 'ams' },
    });
  });

  const before = snapshotOf({ version: 7, reportedVersion: 6, desiredVersion: 2, asOf: at(10) });
  const update = (version: number, seconds: number, more: object = {}): TwinEvent => ({
    kind: 'update',
    id: ID,
    time: at(seconds),
    change: {
      version,
      tags: undefined,
      desired: undefined,
      reported: { values: { a: 1 }, version: 7, metadata: {} },
      ...more,
    },
  });
  test.each<[string, TwinEvent]>([
    ['the same version at the same time', update(7, 10)],
    ['an older version at an older time', update(3, 2)],
  ])('that is a replay changes nothing: %s', (_, event) => {
    expect(apply(known(before), event)).toEqual(known(before));
  });

  test.each<[string, TwinEvent, RegExp]>([
    ['a version was skipped', update(9, 20), /missing between version 7 and 9/],
    [
      'the version of a section was skipped',
      update(8, 20, { reported: { values: { a: 1 }, version: 9, metadata: {} } }),
      /missing/,
    ],
    ['several changes are packed into one event', update(8, 20, { reported: undefined }), /missing/],
    ['a section is empty', update(8, 20, { reported: { values: {}, version: 7, metadata: {} } }), /missing/],
    ['a lower version arrives with a later time', update(3, 20), /version went back/],
    ['the next version arrives with an earlier time', update(8, 5), /missing/],
  ])('costs a GET when %s', (_, event, why) => {
    const { unread, version } = snapshotAfter(known(before), event);

    expect(unread?.why).toMatch(why);
    expect(version).toBe(7);
  });

  test('of an unknown twin costs a GET', () => {
    expect(snapshotAfter({ kind: 'nothing' }, update(5, 1)).unread?.why).toMatch(
      /has not seen the event of its creation/,
    );
  });

  test('while a GET is pending only changes the time that the GET must cover', () => {
    const waiting = snapshotAfter(known(before), update(9, 20), update(10, 30));

    expect(waiting.unread?.since).toBe(at(30));
  });
});

describe('a creation', () => {
  test('gives a complete snapshot, so it needs no GET', () => {
    const born = snapshotAfter(
      { kind: 'nothing' },
      created(1, { desired: { interval: 5 }, tags: { site: 'ams' } }),
    );

    expect(born).toMatchObject({
      version: 2,
      etag: 'AAAAAAAAAAE=',
      bornAt: at(1),
      asOf: at(1),
      unread: undefined,
      desired: { interval: 5 },
    });
    expect(snapshotAfter(known(born), reports(born, 2, { a: 1 })).unread).toBeUndefined();
  });

  test('without the whole twin needs one read, whatever was known of an earlier twin', () => {
    const told: TwinEvent = { kind: 'created', id: ID, time: at(20) };
    const old = snapshotOf({
      version: 2,
      asOf: at(10),
      desired: { interval: 5 },
      paths: { interval: { ...historyOf(snapshotOf(), ['interval']), foreign: [at(1)] } },
    });
    const starts: Known[] = [{ kind: 'nothing' }, { kind: 'deleted', at: at(19) }, known(old)];

    for (const start of starts) {
      const born = snapshotAfter(start, told);

      expect(born).toMatchObject({ version: 0, desired: {}, paths: {}, bornAt: at(20), asOf: at(20) });
      expect(born.unread).toMatchObject({ since: at(20) });
      // Its repetition, before and after the reading, is nothing new.
      expect(apply(known(born), told)).toEqual(known(born));
      const read = known(adoptTwin(born, twinOf({ version: 2 }), at(20), TRACKED));
      expect(apply(read, told)).toBe(read);
    }
  });

  test('without the whole twin changes nothing when it is older than the snapshot', () => {
    const told: TwinEvent = { kind: 'created', id: ID, time: at(5) };
    const newer: Known[] = [known(snapshotOf({ version: 9, asOf: at(10) })), { kind: 'deleted', at: at(5) }];

    for (const start of newer) expect(apply(start, told)).toBe(start);
  });

  test('that is newer starts a new twin without the old history', () => {
    const old = snapshotOf({
      version: 90,
      asOf: at(10),
      paths: { interval: { ...historyOf(snapshotOf(), ['interval']), foreign: [at(1)] } },
    });

    expect(snapshotAfter(known(old), created(20))).toMatchObject({ version: 2, paths: {}, bornAt: at(20) });
  });

  test('that is older than the snapshot changes nothing', () => {
    const newer = snapshotOf({ version: 9, asOf: at(10) });

    expect(apply(known(newer), created(5))).toEqual(known(newer));
  });

  test('that is older than a gap does not close the gap', () => {
    const gap = snapshotAfter(
      known(snapshotOf({ version: 5, asOf: at(1) })),
      reports(snapshotOf({ version: 8 }), 30, { a: 1 }),
    );

    expect(snapshotAfter(known(gap), replaced(20, { version: 7 })).unread).toBeDefined();
    expect(snapshotAfter(known(gap), replaced(40, { version: 12 })).unread).toBeUndefined();
  });
});

describe('a deletion', () => {
  test('counts if it is later than the creation', () => {
    expect(apply(known(snapshotOf({ bornAt: at(5) })), deleted(6))).toEqual({ kind: 'deleted', at: at(6) });
  });

  test('of an earlier twin with the same id changes nothing', () => {
    const snapshot = snapshotOf({ bornAt: at(5) });

    expect(apply(known(snapshot), deleted(4))).toEqual(known(snapshot));
  });

  test('makes older events ineffective and accepts a new creation', () => {
    const tomb: Known = { kind: 'deleted', at: at(10) };

    expect(apply(tomb, reports(snapshotOf(), 9, { a: 1 }), created(8))).toEqual(tomb);
    expect(apply(tomb, created(11)).kind).toBe('snapshot');
    expect(apply(tomb, deleted(12))).toEqual({ kind: 'deleted', at: at(12) });
  });
});

describe('the history of a path that a policy may own', () => {
  const path = ['interval'];

  test('counts a changed value of another writer as foreign, and a repeated value not', () => {
    const before = snapshotOf({ desired: { interval: 5 } });
    const changed = snapshotAfter(known(before), writes(before, 1, { interval: 9 }));
    const repeated = snapshotAfter(known(changed), writes(changed, 2, { interval: 9, other: 1 }));

    expect(historyOf(changed, path)).toMatchObject({ ours: 2, foreign: [at(1)] });
    expect(historyOf(repeated, path)).toEqual(historyOf(changed, path));
  });

  test('recognises Berth’s own write by its event, even before its answer is stored', () => {
    const writing = [{ path, policy: 'p', by: 'p', value: 60 }];
    const before = snapshotOf({ desired: { interval: 5 }, writing });

    const after = snapshotAfter(known(before), writes(before, 1, { interval: 60 }));

    expect(historyOf(after, path)).toMatchObject({
      ours: 2,
      foreign: [],
      writes: [{ policy: 'p', by: 'p', value: 60, count: 1 }],
    });
  });

  test('counts a write once, whether its event or its answer arrives first', () => {
    const write = [{ path, policy: 'p', by: 'p', value: 60 }];
    const before = snapshotOf({ desired: { interval: 5 }, writing: write });
    const answer = twinOf({ version: 3, desired: { interval: 60 }, desiredVersion: 2, lastUpdated: at(1) });
    const merged = snapshotAfter(known(before), writes(before, 1, { interval: 60 }));

    const eventFirst = adoptOwnWrite(merged, answer, write, TRACKED);
    const answerFirst = adoptOwnWrite(before, answer, write, TRACKED);

    expect(historyOf(eventFirst, path).writes).toEqual([
      { policy: 'p', by: 'p', value: 60, at: at(1), count: 1 },
    ]);
    expect(historyOf(answerFirst, path)).toEqual(historyOf(eventFirst, path));
    expect(apply(known(answerFirst), writes(before, 1, { interval: 60 }))).toEqual(known(answerFirst));
  });

  test('counts a repeated write of the same value and takes its version as Berth’s', () => {
    const write = [{ path, policy: 'p', by: 'p', value: 60 }];
    const first = adoptOwnWrite(
      snapshotOf(),
      twinOf({ version: 3, desired: { interval: 60 }, desiredVersion: 2, lastUpdated: at(1) }),
      write,
      TRACKED,
    );
    const second = adoptOwnWrite(
      first,
      twinOf({ version: 4, desired: { interval: 60 }, desiredVersion: 3, lastUpdated: at(9) }),
      write,
      TRACKED,
    );

    expect(historyOf(second, path)).toMatchObject({ ours: 3, writes: [{ at: at(9), count: 2 }] });
  });

  test('takes the age of a value from the hub’s metadata at the first GET', () => {
    const blank = snapshotAfter({ kind: 'nothing' }, reports(snapshotOf({ version: 7 }), 3, { a: 1 }));
    const twin = twinOf({
      version: 9,
      desired: { interval: 5 },
      desiredVersion: 4,
      desiredMetadata: { interval: { $lastUpdatedVersion: 3 } },
    });

    expect(historyOf(adoptTwin(blank, twin, at(3), TRACKED), path)).toMatchObject({ ours: 3, foreign: [] });
  });

  test('starts again when the versions of the twin went back', () => {
    const old = snapshotOf({ version: 50, desired: { interval: 5 } });

    const adopted = adoptTwin(old, twinOf({ version: 4, desired: { interval: 6 } }), at(60), TRACKED);

    expect(historyOf(adopted, path).foreign).toEqual([]);
    expect(adopted).toMatchObject({ version: 4, asOf: at(60), bornAt: at(60) });
  });
});

/** A hub in miniature: a twin, and the events of its changes. */
const change = fc.record({
  by: fc.constantFrom('device', 'service'),
  values: fc.dictionary(fc.constantFrom('interval', 'a', 'b'), fc.oneof(fc.nat(3), fc.constant(null)), {
    minKeys: 1,
  }),
});

describe('events in any order, repeated or lost', () => {
  test('give the hub’s twin at some version unless the snapshot is unread, and the newest version if the last event was merged', () => {
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
        (changes, order) => {
          const events: TwinEvent[] = [created(0)];
          const states: Snapshot[] = [snapshotAfter({ kind: 'nothing' }, created(0))];
          changes.forEach(({ by, values }, index) => {
            const last = states.at(-1) as Snapshot;
            const event =
              by === 'device' ? reports(last, index + 1, values) : writes(last, index + 1, values);
            events.push(event);
            states.push(snapshotAfter(known(last), event));
          });
          const delivered = order.map((pick) => events[pick % events.length] as TwinEvent);

          const result = apply({ kind: 'nothing' }, ...delivered);
          if (result.kind !== 'snapshot' || result.snapshot.unread !== undefined) return;

          const truth = states.find(({ version }) => version === result.snapshot.version);
          expect(truth).toBeDefined();
          expect(sameJson(result.snapshot.reported, truth?.reported ?? {})).toBe(true);
          expect(sameJson(result.snapshot.desired, truth?.desired ?? {})).toBe(true);
          const newest = delivered.reduce((max, event) => (event.time > max ? event.time : max), at(-1));
          expect(result.snapshot.asOf).toBe(newest);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('need no GET when they are in order and repeated any number of times', () => {
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 12 }),
        fc.nat(),
        fc.nat(),
        (changes, from, length) => {
          const events: TwinEvent[] = [created(0)];
          let last = snapshotAfter({ kind: 'nothing' }, created(0));
          changes.forEach(({ by, values }, index) => {
            const event =
              by === 'device' ? reports(last, index + 1, values) : writes(last, index + 1, values);
            events.push(event);
            last = snapshotAfter(known(last), event);
          });
          const start = from % events.length;
          const replayed = [...events.slice(0, start + (length % 5)), ...events.slice(start)];

          const result = snapshotAfter({ kind: 'nothing' }, ...replayed);

          expect(result.unread).toBeUndefined();
          expect(result.version).toBe(last.version);
        },
      ),
    );
  });
});

describe('an event whose contents cannot be used', () => {
  const unclear = (seconds: number, version?: number): TwinEvent => ({
    kind: 'unclear',
    id: ID,
    time: at(seconds),
    ...(version === undefined ? {} : { version }),
    why: 'one of its events has a section that cannot be used',
  });

  test('marks the twin for one read, and a later event changes only its time', () => {
    const before = snapshotOf();

    const after = snapshotAfter(known(before), unclear(5, 3), reports(before, 6, { a: 1 }));

    expect(after.unread).toEqual({
      since: at(6),
      why: 'one of its events has a section that cannot be used',
    });
  });

  test('marks a twin for a read that is not known yet', () => {
    expect(snapshotAfter({ kind: 'nothing' }, unclear(5, 3)).unread).toBeDefined();
  });

  test('changes nothing when it comes again after the read', () => {
    const read = snapshotOf({ version: 3, asOf: at(5) });

    expect(snapshotAfter(known(read), unclear(5, 3))).toEqual(read);
  });

  test('marks the twin for a read each time if its version is unknown', () => {
    const read = snapshotOf({ version: 3, asOf: at(5) });

    expect(snapshotAfter(known(read), unclear(5)).unread).toBeDefined();
  });
});
