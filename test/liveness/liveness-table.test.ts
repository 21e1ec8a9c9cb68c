import { describe, expect, test } from '@jest/globals';
import type { Tier } from '../../src/iot-hub/throttles.ts';
import type { LivenessEvidence } from '../../src/liveness/evidence.ts';
import { assess, type HubLiveness } from '../../src/liveness/liveness.ts';
import { type EventReader, NO_READER, withLook } from '../../src/liveness/reader.ts';
import { type EpochMs, epochMs } from '../../src/time/epoch-ms.ts';

/* The specification of the state of a hub. All times are minutes. */

const at = (minutes: number): EpochMs => epochMs(Date.parse('2026-11-23T12:00:00Z') + minutes * 60_000);

/** Corrections: the minute, how many were written, and how many came back. */
type Corrections = readonly (readonly [minute: number, written: number, echoed: number])[];

interface Scene {
  readonly now: number;
  readonly corrections?: Corrections;
  /** The newest twin change event. */
  readonly changed?: number;
  /** Heartbeats that were written, and the newest that came back. */
  readonly beats?: readonly number[];
  readonly beatBack?: number;
  /** Everything up to this time is read. Default: everything. */
  readonly read?: number;
  readonly tier?: Tier;
}

/** A reader that has read everything up to `read`, and a partition with new events since. */
function readerAt(now: number, read = now): EventReader {
  let reader = NO_READER;
  for (let minute = -60; minute <= now; minute += 1) {
    const checkpoint = Math.min(minute, read) + 100;
    const partitions = new Map([['0', { last: minute + 100, isEmpty: false, checkpoint }]]);
    reader = withLook(reader, { kind: 'positions', partitions }, at(minute));
  }
  return reader;
}

function assessed(
  { now, corrections = [], changed, beats, beatBack, read, tier = 'S1' }: Scene,
  before?: HubLiveness,
) {
  const evidence: LivenessEvidence = {
    changedAt: changed === undefined ? undefined : at(changed),
    beatAt: beatBack === undefined ? undefined : at(beatBack),
    minutes: corrections.map(([minute, written, echoed]) => ({ at: at(minute), written, echoed })),
  };
  const sent = (beats ?? []).map(at);
  const known =
    beats === undefined
      ? before
      : ({
          ...(before ?? { state: 'quiet', since: at(-60), why: '', assessedAt: at(-60) }),
          beats: { result: 'sent', exists: true, at: sent.at(-1) ?? at(0), sent },
        } as HubLiveness);
  return assess({
    before: known,
    evidence: new Map([['0', evidence]]),
    reader: readerAt(now, read),
    tier,
    now: at(now),
  });
}

describe('a hub is', () => {
  test.each<[string, HubLiveness['state'], RegExp, Scene]>([
    ['quiet before anything is known of it', 'quiet', /no twin change event is expected/, { now: 0 }],
    ['live after a twin change event', 'live', /^$/, { now: 24, changed: 0 }],
    ['quiet when its last event is long ago', 'quiet', /expected/, { now: 25, changed: 0 }],
    [
      'live for longer on F1, which has a heartbeat an hour',
      'live',
      /^$/,
      { now: 74, changed: 0, tier: 'F1' },
    ],
    ['live while an echo is not due yet', 'live', /^$/, { now: 10, corrections: [[0, 1, 0]], changed: 0 }],
    ['live when the echo has come', 'live', /^$/, { now: 12, corrections: [[0, 1, 1]], changed: 0 }],
    [
      'silent when an echo is missing and everything is read',
      'silent',
      /the events of 1 correction since .*12:01:00.* have not come, and no twin change event has come since .*12:00/,
      { now: 11, corrections: [[0, 1, 0]], changed: 0 },
    ],
    [
      'silent when no event ever came',
      'silent',
      /2 corrections .* no twin change event ever came/,
      { now: 11, corrections: [[0, 2, 0]] },
    ],
    [
      'silent when other events come and the echo does not: a route filters it',
      'silent',
      /but other twin change events have: a route filters them/,
      { now: 11, corrections: [[0, 1, 0]], changed: 11 },
    ],
    [
      'silent when only some echoes of a minute have come',
      'silent',
      /2 corrections/,
      { now: 11, corrections: [[0, 4, 2]], changed: 11 },
    ],
    [
      'live when one of many corrections has no echo, because an instance may have lost a count',
      'live',
      /^$/,
      {
        now: 31,
        corrections: [
          [0, 1, 0],
          [1, 20, 20],
        ],
        changed: 31,
      },
    ],
    [
      'late when the echo is due and what came after the write is not read',
      'late',
      /Berth is behind/,
      { now: 11, corrections: [[0, 1, 0]], changed: 0, read: 1 },
    ],
    [
      'late when events wait for ten minutes, also if it expects nothing',
      'late',
      /behind/,
      { now: 20, changed: 9, read: 9 },
    ],
    ['live when events wait for a short time', 'live', /^$/, { now: 20, changed: 15, read: 15 }],
    [
      'silent when a heartbeat has not come back',
      'silent',
      /1 heartbeat since/,
      { now: 20, changed: 0, beats: [10] },
    ],
    ['live when its heartbeat came back', 'live', /^$/, { now: 20, changed: 10, beats: [10], beatBack: 10 }],
    [
      'live when a later heartbeat came back',
      'live',
      /^$/,
      { now: 31, changed: 20, beats: [10, 20], beatBack: 20 },
    ],
  ])('%s', (_, state, why, scene) => {
    const found = assessed(scene);

    expect(found.state).toBe(state);
    expect(found.why).toMatch(why);
  });

  test('silent since the first write that did not come back', () => {
    const found = assessed({
      now: 15,
      corrections: [
        [0, 1, 1],
        [2, 1, 0],
        [3, 1, 0],
      ],
      changed: 1,
    });

    expect(found).toMatchObject({
      state: 'silent',
      since: at(3),
      silence: { since: at(3), noticedAt: at(15) },
    });
  });

  test('quiet because it has no heartbeat, with the command to run', () => {
    const beats = {
      result: 'missing',
      exists: false,
      at: at(0),
      why: 'Run "berth hub prepare x"',
      sent: [],
    } as const;
    const before = { ...assessed({ now: 0 }), beats: { ...beats, sent: [] } };

    const found = assessed({ now: 30 }, before);

    expect(found.state).toBe('quiet');
    expect(found.why).toMatch(/no heartbeat: Run "berth hub prepare x"/);
  });
});

describe('a silent hub', () => {
  const mute = assessed({ now: 11, corrections: [[0, 1, 0]], changed: 0 });
  const filtered = assessed({ now: 11, corrections: [[0, 1, 0]], changed: 11 });

  test('stays silent without any new evidence, also when the minutes of its losses are forgotten', () => {
    expect(assessed({ now: 300, changed: 0 }, mute)).toMatchObject({ state: 'silent', since: at(1) });
  });

  test('is live again with the first event, if nothing came before', () => {
    const found = assessed({ now: 60, corrections: [[0, 1, 0]], changed: 59 }, mute);

    expect(found).toMatchObject({ state: 'live', silence: { since: at(1), until: at(60) } });
  });

  test('does not become silent again for writes that were lost before its first new event', () => {
    const healed = assessed(
      {
        now: 60,
        corrections: [
          [0, 1, 0],
          [52, 1, 0],
        ],
        changed: 59,
      },
      mute,
    );

    expect(healed.state).toBe('live');
    expect(
      assessed(
        {
          now: 64,
          corrections: [
            [0, 1, 0],
            [52, 1, 0],
          ],
          changed: 64,
        },
        healed,
      ).state,
    ).toBe('live');
  });

  test('becomes silent again for a write that is lost after it was live', () => {
    const healed = assessed({ now: 60, changed: 59 }, mute);

    expect(assessed({ now: 80, corrections: [[65, 1, 0]], changed: 64 }, healed)).toMatchObject({
      state: 'silent',
      since: at(66),
      silence: { since: at(66) },
    });
  });

  test('whose route filters events stays silent while events come and echoes do not', () => {
    expect(assessed({ now: 40, corrections: [[0, 1, 0]], changed: 40 }, filtered).state).toBe('silent');
  });

  test('whose route filters events stays silent when only a heartbeat came back', () => {
    const found = assessed(
      { now: 40, corrections: [[0, 1, 0]], changed: 40, beats: [30], beatBack: 30 },
      filtered,
    );

    expect(found.state).toBe('silent');
  });

  test.each<[string, Scene]>([
    [
      'a correction came back and none was lost for twenty minutes',
      {
        now: 31,
        corrections: [
          [0, 1, 0],
          [15, 1, 1],
        ],
      },
    ],
    ['heartbeats came back and no correction was lost for an hour', { now: 61, beats: [50], beatBack: 50 }],
  ])('whose route filtered events is live again when %s', (_, scene) => {
    expect(assessed({ changed: scene.now, ...scene }, filtered).state).toBe('live');
    expect(assessed({ changed: scene.now, ...scene, now: scene.now - 12 }, filtered).state).toBe('silent');
  });

  test('is late while Berth is behind, and silent again after that', () => {
    const late = assessed({ now: 40, changed: 0, read: 20 }, mute);

    expect(late.state).toBe('late');
    expect(assessed({ now: 50, changed: 0 }, late).state).toBe('silent');
  });
});

test('a correction of resyncFleet is lost only when every partition is read', () => {
  let reader = NO_READER;
  for (let minute = -60; minute <= 11; minute += 1) {
    const partitions = new Map([
      ['0', { last: minute + 100, isEmpty: false, checkpoint: minute + 100 }],
      ['1', { last: minute + 100, isEmpty: false, checkpoint: 100 }],
    ]);
    reader = withLook(reader, { kind: 'positions', partitions }, at(minute));
  }
  const evidence = (shard: string) =>
    assess({
      before: undefined,
      evidence: new Map([[shard, { minutes: [{ at: at(-1), written: 1, echoed: 0 }] }]]),
      // Only the losses are of interest here.
      reader: { ...reader, partitions: { ...reader.partitions } },
      tier: 'S1',
      now: at(10),
    });

  expect(evidence('0').loss).toMatchObject({ corrections: 1 });
  expect(evidence('resync').loss).toBeUndefined();
});

test('an echo in another partition than the write completes its minute', () => {
  const minute = { at: at(0), written: 0, echoed: 0 };
  const found = assess({
    before: undefined,
    evidence: new Map([
      ['resync', { minutes: [{ ...minute, written: 2 }] }],
      ['3', { changedAt: at(0), minutes: [{ ...minute, echoed: 2 }] }],
    ]),
    reader: readerAt(15),
    tier: 'S1',
    now: at(15),
  });

  expect(found).toMatchObject({ state: 'live', echoedAt: at(1) });
});
