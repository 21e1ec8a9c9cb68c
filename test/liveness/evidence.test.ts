import { describe, expect, test } from '@jest/globals';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { Tier } from '../../src/iot-hub/throttles.ts';
import { addEvidence, EVIDENCE_KEPT_MS, type LivenessEvidence } from '../../src/liveness/evidence.ts';
import { EvidenceCounters } from '../../src/liveness/evidence-counters.ts';
import { isBeatDue, withBeat } from '../../src/liveness/heartbeat.ts';
import { silenceAuditDue } from '../../src/sync/resync/silence-audit.ts';
import { type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';

const HOST = hostName('weu.azure-devices.net');
const T0 = epochMs(Date.parse('2026-11-23T12:00:00Z'));
const MINUTE = 60_000;
const at = (minutes: number): EpochMs => plus(T0, minutes * MINUTE);

describe('the evidence of an instance', () => {
  test('counts writes and echoes by minute, hub and shard, and each echo once', () => {
    const counters = new EvidenceCounters(() => T0);
    const sink = counters.of('3');
    sink.wrote(HOST, plus(T0, 1_000));
    sink.wrote(HOST, plus(T0, 59_999));
    sink.wrote(HOST, plus(T0, 60_000));
    for (let times = 0; times < 3; times += 1) sink.echoed(HOST, 'pump|2', plus(T0, 1_000));
    counters.of('resync').wrote(HOST, T0);

    expect(counters.take()).toEqual([
      {
        host: HOST,
        shard: '3',
        evidence: {
          minutes: [
            { at: T0, written: 2, echoed: 1 },
            { at: at(1), written: 1, echoed: 0 },
          ],
        },
      },
      { host: HOST, shard: 'resync', evidence: { minutes: [{ at: T0, written: 1, echoed: 0 }] } },
    ]);
    expect(counters.take()).toEqual([]);
  });

  test('keeps the newest event, and what could not be stored together with what came since', () => {
    const counters = new EvidenceCounters(() => T0);
    const sink = counters.of('0');
    sink.changed(HOST, at(2));
    sink.changed(HOST, at(1));
    const [taken] = counters.take();
    if (taken === undefined) throw new Error('nothing was taken');
    sink.changed(HOST, at(1.5));
    sink.beat(HOST, at(1));
    counters.putBack(taken);

    expect(counters.take()).toMatchObject([{ evidence: { changedAt: at(2), beatAt: at(1), minutes: [] } }]);
  });

  test('drops minutes that are too old when more comes', () => {
    const old: LivenessEvidence = { minutes: [{ at: T0, written: 5, echoed: 0 }] };

    expect(addEvidence(old, { minutes: [] }, plus(T0, EVIDENCE_KEPT_MS)).minutes).toHaveLength(1);
    expect(addEvidence(old, { minutes: [] }, plus(T0, EVIDENCE_KEPT_MS + 1)).minutes).toEqual([]);
  });
});

describe('a heartbeat is', () => {
  const sent = (minutes: number) => withBeat(undefined, { kind: 'sent' }, at(minutes));

  test.each<[string, boolean, Parameters<typeof isBeatDue>[0], number, Tier]>([
    ['due ten minutes after Berth began to watch', true, { watchedSince: at(0) }, 10, 'S1'],
    ['not due before that', false, { watchedSince: at(0) }, 9, 'S1'],
    ['due ten minutes after the last event', true, { watchedSince: at(0), changedAt: at(20) }, 30, 'S1'],
    ['not due after an event', false, { watchedSince: at(0), changedAt: at(25) }, 30, 'S1'],
    ['not due shortly after the last one', false, { watchedSince: at(0), beats: sent(25) }, 30, 'S1'],
    ['due ten minutes after the last one', true, { watchedSince: at(0), beats: sent(25) }, 35, 'S1'],
    ['due only every hour on F1', false, { watchedSince: at(0), beats: sent(25) }, 84, 'F1'],
    ['due after an hour on F1', true, { watchedSince: at(0), beats: sent(25) }, 85, 'F1'],
    [
      'due while the hub is silent, although other events come',
      true,
      {
        watchedSince: at(0),
        changedAt: at(34),
        beats: sent(25),
        loss: { first: at(1), last: at(2), corrections: 1, heartbeats: 0, isMute: false },
      },
      35,
      'S1',
    ],
    [
      'due once a day, although other events come',
      true,
      { watchedSince: at(0), changedAt: at(1_439) },
      1_440,
      'S1',
    ],
  ])('%s', (_, due, hub, now, tier) => {
    expect(isBeatDue(hub, tier, at(now))).toBe(due);
  });

  test('remembered for the hours in which it may come back, and known to be there after a failure', () => {
    let beats = withBeat(undefined, { kind: 'sent' }, at(0));
    for (let times = 1; times < 100; times += 1) beats = withBeat(beats, { kind: 'sent' }, at(times * 10));
    expect(beats.sent.length).toBeLessThanOrEqual(25);
    expect(withBeat(beats, { kind: 'failed', why: 'no' }, at(1_000))).toMatchObject({ exists: true });
    expect(withBeat(beats, { kind: 'missing', why: 'no' }, at(1_000))).toMatchObject({ exists: false });
  });
});

describe('an audit because of a silence', () => {
  const silence = { since: at(0), noticedAt: at(11) };

  test.each<[string, boolean, Parameters<typeof silenceAuditDue>[0], number, number]>([
    ['is not due without a silence', false, { state: 'live' }, -600, 20],
    ['is due at once', true, { state: 'silent', silence }, 10, 11],
    ['is not due right after the last one', false, { state: 'silent', silence }, 12, 21],
    ['is due again after ten minutes', true, { state: 'silent', silence }, 12, 22],
    ['is not due while Berth is behind', false, { state: 'late', silence }, -600, 60],
    [
      'is due once after the silence',
      true,
      { state: 'live', silence: { ...silence, until: at(60) } },
      55,
      60,
    ],
    ['is not due again at once', false, { state: 'live', silence: { ...silence, until: at(60) } }, 60, 80],
    [
      'is due again when queries show everything',
      true,
      { state: 'live', silence: { ...silence, until: at(60) } },
      61,
      90,
    ],
    ['is not due after that', false, { state: 'live', silence: { ...silence, until: at(60) } }, 90, 5_000],
  ])('%s', (_, due, liveness, startedAt, now) => {
    expect(silenceAuditDue(liveness, at(startedAt), 'S1', at(now))).toBe(due);
  });
});
