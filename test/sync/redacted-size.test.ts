import { describe, expect, test } from '@jest/globals';
import { TWIN_LIMITS, twinSizeOf } from '../../src/iot-hub/twin-limits.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { firstStep, type Next, nextStep, workOn } from '../../src/sync/reconcile/protocol.ts';
import { adoptTwin, applyEvent } from '../../src/twin/events/apply-event.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { NO_REDACTION, redactEvent, redactKept, redactTwin } from '../../src/twin/events/redact.ts';
import { type Snapshot, unreadSnapshot } from '../../src/twin/snapshot/snapshot.ts';
import { SNAPSHOT_FORMAT, snapshotIn } from '../../src/twin/snapshot/stored-snapshot.ts';
import type { Twin } from '../../src/twin/snapshot/twin.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { at, fleetOf, ID, reports, T0, twinOf, writes } from '../twin/twins.ts';

/* A redacted value is stored as a hash of 33 characters. The size of the twin in the hub still decides what fits. */

const LIMIT = TWIN_LIMITS.sectionBytes.desired;
const MESSAGE = 'm'.repeat(4_000);
const FLEET = fleetOf({
  redact: ['codes', 'certificates'],
  policies: [{ name: 'message', desired: { message: MESSAGE }, confirm: false }],
});
const REDACTION = { paths: FLEET.twins.redact, key: new Uint8Array(32).fill(3) };
const [hub] = FLEET.hubs;
if (hub === undefined) throw new Error('the fleet has no hub');
const surroundings = { fleet: FLEET, now: T0 };

/** 900 numbers: the hub counts 8 bytes for each, and a hash of each has 33 characters. */
const CODES: JsonObject = {
  codes: Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`c${index}`, index])),
};
/** Texts of 4,000 characters, for which a hash is too small. */
const certificates = (count: number): JsonObject => ({
  certificates: Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`c${index}`, 'x'.repeat(4_000)]),
  ),
});
const twinWith = (desired: JsonObject, version = 2): Twin =>
  redactTwin(twinOf({ desired, version, desiredVersion: version - 1 }), REDACTION);
const snapshotWith = (desired: JsonObject): Snapshot =>
  adoptTwin(unreadSnapshot(ID, at(0), ''), twinWith(desired), at(0), FLEET.twins.trackedPaths);
const start = (snapshot: Snapshot): Next =>
  firstStep(workOn(snapshot, { hub, priority: 'drift', gate: OPEN_GATE, now: T0 }), surroundings);
const apply = (snapshot: Snapshot, event: TwinEvent): Snapshot => {
  const known = applyEvent(
    { kind: 'snapshot', snapshot },
    redactEvent(event, REDACTION),
    FLEET.twins.trackedPaths,
  );
  if (known.kind !== 'snapshot') throw new Error(`there is no snapshot but ${known.kind}`);
  return known.snapshot;
};
const TOO_LARGE = { kind: 'settle', snapshot: { lastReconcile: { status: 'rejected' } } };

test('the values of these tests are on both sides of the limit', () => {
  expect(twinSizeOf({ ...CODES, message: MESSAGE })).toBeLessThan(LIMIT);
  expect(twinSizeOf(certificates(7))).toBeLessThan(LIMIT);
  expect(twinSizeOf({ ...certificates(8), message: MESSAGE })).toBeGreaterThan(LIMIT);
});

describe('a twin with redacted values', () => {
  test('is written where the values are small and their hashes would fill it', () => {
    expect(start(snapshotWith(CODES)).step.kind).toBe('write');
  });

  test('is not written where the values are large and their hashes would leave room', () => {
    const { step } = start(snapshotWith(certificates(8)));

    expect(step).toMatchObject(TOO_LARGE);
    expect(step).toMatchObject({
      snapshot: { lastReconcile: { why: expect.stringContaining(`IoT Hub allows ${LIMIT} for desired`) } },
    });
  });

  test('keeps its size in the state tables and through a report of the device', () => {
    const stored: unknown = JSON.parse(JSON.stringify({ ...snapshotWith(certificates(8)), id: undefined }));
    const read = snapshotIn(ID, SNAPSHOT_FORMAT.read(stored as JsonObject));

    const after = apply(read, reports(read, 5, { temperature: 1 }));

    expect(start(after).step).toMatchObject(TOO_LARGE);
  });

  test('is read once before the next write after a service has changed it, and then its size is known', () => {
    const before = snapshotWith(certificates(7));
    const change = writes(before, 5, { certificates: { c7: 'x'.repeat(4_000) }, message: 'other' });

    const next = start(apply(before, change));
    expect(next.step.kind).toBe('read');
    const after = nextStep(
      next.work,
      { kind: 'twin', twin: twinWith({ ...certificates(8), message: 'other' }, 3) },
      surroundings,
    );

    expect(after.step).toMatchObject(TOO_LARGE);
  });

  test('is written when another writer has made room', () => {
    const full = start(snapshotWith(certificates(8))).step;
    if (full.kind !== 'settle') throw new Error(`the step is ${full.kind}`);

    const roomier = apply(full.snapshot, writes(full.snapshot, 5, { certificates: { c0: null } }));
    const next = start(roomier);
    expect(next.step.kind).toBe('read');
    const after = nextStep(next.work, { kind: 'twin', twin: twinWith(certificates(6), 3) }, surroundings);

    expect(after.step.kind).toBe('write');
  });

  test('is read before a write if an older package has stored it without its size, and is read only once', () => {
    const { desiredBytes: _, ...older } = snapshotWith(certificates(8));

    const next = start(older);
    expect(next.step.kind).toBe('read');

    expect(
      nextStep(next.work, { kind: 'twin', twin: twinWith(certificates(8)) }, surroundings).step,
    ).toMatchObject(TOO_LARGE);
  });

  test('is not read for its size while nothing must be written', () => {
    const { desiredBytes: _, ...older } = snapshotWith({ ...certificates(2), message: MESSAGE });

    expect(start(older).step.kind).toBe('settle');
  });

  test('counts as full without a read if the rest alone leaves no room', () => {
    const rest = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [`r${index}`, 'x'.repeat(4_000)]),
    );
    const { desiredBytes: _, ...older } = snapshotWith({ ...rest, ...certificates(0), codes: { a: 1 } });

    expect(start(older).step).toMatchObject(TOO_LARGE);
  });

  test('is read only once where another writer has stored a text that looks like a redacted value', () => {
    const twin = redactTwin(twinOf({ desired: { note: 'redacted:by-someone' } }), NO_REDACTION);
    const { desiredBytes: _, ...unknown } = adoptTwin(unreadSnapshot(ID, at(0), ''), twin, at(0), []);
    const next = start(unknown);

    expect(next.step.kind).toBe('read');
    expect(nextStep(next.work, { kind: 'twin', twin }, surroundings).step.kind).toBe('write');
  });
});

test('a stored twin keeps its size when a later fleet file redacts its values', () => {
  const plain = adoptTwin(
    unreadSnapshot(ID, at(0), ''),
    twinOf({ desired: certificates(8) }),
    at(0),
    FLEET.twins.trackedPaths,
  );

  const kept = redactKept(plain, REDACTION);

  expect(JSON.stringify(kept)).not.toContain('xxxx');
  expect(kept.desiredBytes).toBe(twinSizeOf(certificates(8)));
  expect(start(kept).step).toMatchObject(TOO_LARGE);
  expect(redactKept(kept, REDACTION).desiredBytes).toBe(twinSizeOf(certificates(8)));
});
