import { beforeEach, describe, expect, test } from '@jest/globals';
import { type Control, controlSchema } from '../../src/control/control.ts';
import { type PackagedPolicy, withPackage } from '../../src/control/packages.ts';
import { BerthError } from '../../src/errors.ts';
import type { Policy } from '../../src/fleet/fleet.ts';
import { NewerFormatError } from '../../src/store/tables/newer-format.ts';
import { gateOf, WriteGate } from '../../src/sync/reconcile/write-gate.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';

const POLICY = fleetOf({ policies: [{ name: 'interval', desired: { interval: 5 } }] }).twins
  .policies[0] as Policy;
const PAUSE = { author: 'ann', reason: 'freeze', at: T0 };
const ON: Control = controlSchema.parse({});

let time: EpochMs;
let control: Control | undefined;
let newer: boolean;
let reads: number;
let gate: WriteGate;
beforeEach(() => {
  time = T0;
  control = ON;
  newer = false;
  reads = 0;
  const store = {
    read: async () => {
      reads += 1;
      if (newer) throw new NewerFormatError({ document: 'control row', format: 2, known: 1, of: 'x' });
      if (control === undefined) throw new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
      return control;
    },
  };
  gate = new WriteGate(store, '2026-11-23T00:00:00Z', () => time);
});
const closed = async () => (await gate.current()).closedFor(ID.host);

describe('the write gate', () => {
  test('is open while nothing is paused, and it reads the row at most every ten seconds', async () => {
    expect(await closed()).toBeUndefined();
    time = plus(time, 9_000);
    await Promise.all([closed(), closed()]);
    expect(reads).toBe(1);
    time = plus(time, 2_000);
    await Promise.all([closed(), closed(), closed()]);
    expect(reads).toBe(2);
  });

  test('is the same object until the row changes, so that a write that waited for its permit need not be planned again', async () => {
    const before = await gate.current();
    control = controlSchema.parse({});
    time = plus(time, 11_000);
    expect(await gate.current()).toBe(before);

    control = { ...ON, fleet: PAUSE };
    time = plus(time, 11_000);
    expect(await gate.current()).not.toBe(before);
    expect(reads).toBe(3);
  });

  test.each<[string, Control]>([
    ['the fleet', { ...ON, fleet: PAUSE }],
    ['the hub', { ...ON, hubs: { [ID.host]: PAUSE } }],
  ])('closes within thirty seconds when %s is paused', async (_, paused) => {
    await closed();
    control = paused;
    time = plus(time, 30_000);

    expect(await closed()).toBe('paused by ann: freeze');
  });

  test('stays open for other hubs', async () => {
    control = { ...ON, hubs: { 'eus.azure-devices.net': PAUSE } };

    expect(await closed()).toBeUndefined();
  });

  test('closes at once when a newer package has written the row, and opens when it can be read again', async () => {
    await closed();
    newer = true;
    time = plus(time, 11_000);

    expect(await closed()).toBe('a newer package has written the control row');
    const now = await gate.current();
    expect([now.isOutdated, now.generation]).toEqual([true, undefined]);
    expect(now.holdOf(POLICY, time)).toMatchObject({ until: plus(time, 20_000) });

    newer = false;
    time = plus(time, 11_000);
    expect(await closed()).toBeUndefined();
  });

  test('closes when the row has been unreadable for twenty seconds, and opens again when it is readable', async () => {
    await closed();
    control = undefined;
    time = plus(time, 19_000);
    expect(await closed()).toBeUndefined();
    time = plus(time, 2_000);
    expect(await closed()).toBe('the control row cannot be read');
    control = ON;
    expect(await closed()).toBeUndefined();
  });

  test('is closed when the row has never been readable', async () => {
    control = undefined;

    expect(await closed()).toBe('the control row cannot be read');
  });

  test('gives a time to retry the work that it holds because of an unreadable row', async () => {
    control = undefined;

    const { holdOf } = await gate.current();

    expect(holdOf(POLICY, time)).toEqual({
      why: 'the control row cannot be read',
      until: plus(time, 20_000),
    });
  });

  test.each([
    ['2026-11-22T00:00:00Z', false],
    ['2026-11-23T00:00:00Z', false],
    ['2026-11-24T00:00:00Z', true],
  ])('recognises whether a package built at %s makes this one outdated', async (newestBuild, isOutdated) => {
    control = { ...ON, newestBuild };

    expect((await gate.current()).isOutdated).toBe(isOutdated);
  });
});

describe('an instance announces its package again', () => {
  const BUILD = '2026-11-23T00:00:00Z';
  const HOUR = 3_600_000;
  const at = (hours: number) => plus(T0, hours * HOUR);
  const content = (name: string, hash: string): PackagedPolicy => ({ name, hash });
  const values = (hash: string): PackagedPolicy => ({
    name: 'sensor/settings',
    hash,
    settings: { key: 'k', values: { PASSWORD: hash } },
  });
  const [A, B, OTHER] = [content('base', 'a'), content('base', 'b'), content('other', 'o')];
  /** The row after these packages, an hour after each other, each with its contents. */
  const rowOf = (...packages: readonly (readonly PackagedPolicy[])[]): Control =>
    packages.reduce(
      (row, contents, index) =>
        withPackage(
          row,
          index === packages.length - 1 ? BUILD : `2026-11-0${index + 1}`,
          contents,
          at(index),
        ),
      ON,
    );
  const lacks = (row: Control, contents: readonly PackagedPolicy[] | undefined, announcedAt = at(9)) =>
    gateOf({ ...row, newestBuild: BUILD }, BUILD).lacks(contents, announcedAt);

  test.each<[string, Control, readonly PackagedPolicy[]]>([
    ['the row was deleted', ON, [A]],
    ['the row does not know a content of its file', rowOf([A]), [A, OTHER]],
    [
      'the imported row is from a time in which another content of the policy was in force',
      rowOf([A], [B]),
      [A],
    ],
    ['the imported row is from a time in which the file did not have the policy', rowOf([A], []), [A]],
    ['the imported row is from a time in which the file had another policy too', rowOf([A, OTHER]), [A]],
    [
      'the imported row is from a time in which a setting had another value',
      rowOf([values('x')], [values('y')]),
      [values('x')],
    ],
  ])('if %s', (_, row, contents) => {
    expect(lacks(row, contents)).toBe(true);
    const again = withPackage(row, BUILD, contents, at(9));

    expect(lacks(again, contents)).toBe(false);
    for (const { hash } of contents) expect(again.seen[hash]?.leftAt).toBeUndefined();
  });

  test.each<[string, Control, readonly PackagedPolicy[] | undefined]>([
    ['if the row has its contents in force', rowOf([A], [B], [A, OTHER]), [A, OTHER]],
    ['if another instance has announced other contents later', rowOf([A], [B]), [A]],
    [
      'if another instance has announced newer values of settings later',
      rowOf([values('x')], [values('y')]),
      [values('x')],
    ],
    ['while it has no valid fleet file', rowOf([A]), undefined],
  ])('and does not %s', (_, row, contents) => {
    expect(lacks(row, contents, at(0))).toBe(false);
  });
});
