import { describe, expect, test } from '@jest/globals';
import { drainOfDevice } from '../../src/allocation/moves/drain-of-device.ts';
import { type Control, controlSchema } from '../../src/control/control.ts';
import { drainOf, withDrains } from '../../src/control/drains.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { T0 } from './twins.ts';

const WEU = hostName('weu.azure-devices.net');
const EUS = hostName('eus.azure-devices.net');
const NEW: Control = controlSchema.parse({});
const MINUTE = 60_000;
const drains = (control: Control, now: EpochMs, ...since: readonly (readonly [typeof WEU, EpochMs])[]) =>
  withDrains(control, new Map(since), [WEU, EUS], now);
const DEVICES = Array.from({ length: 1_000 }, (_, index) => `device-${index}`);

describe('the drains in the control row', () => {
  test('a drain that begins starts a resync, because no twin has changed', () => {
    const control = drains(NEW, plus(T0, MINUTE), [WEU, T0]);

    expect(drainOf(control, WEU)).toEqual({ since: T0, changedAt: plus(T0, MINUTE) });
    expect(drainOf(control, EUS)).toBeUndefined();
    expect(control).toMatchObject({ generation: 1, changedAt: plus(T0, MINUTE) });
  });

  test('the same drain changes nothing', () => {
    const control = drains(NEW, T0, [WEU, T0]);

    expect(drains(control, plus(T0, MINUTE), [WEU, T0])).toBe(control);
    expect(drains(NEW, T0)).toBe(NEW);
  });

  test('a drain that ends starts a resync and stays noted as ended', () => {
    const control = drains(drains(NEW, T0, [WEU, T0]), plus(T0, MINUTE));

    expect(drainOf(control, WEU)).toEqual({ changedAt: plus(T0, MINUTE) });
    expect(control.generation).toBe(2);
    expect(drains(control, plus(T0, 2 * MINUTE))).toBe(control);
  });

  test('a drain that ended and began again between two runs is a new drain', () => {
    const control = drains(drains(NEW, T0, [WEU, T0]), plus(T0, MINUTE), [WEU, plus(T0, MINUTE)]);

    expect(drainOf(control, WEU)).toEqual({ since: plus(T0, MINUTE), changedAt: plus(T0, MINUTE) });
    expect(control.generation).toBe(2);
  });

  test('a hub that left the fleet file is forgotten without a resync', () => {
    const before = drains(NEW, T0, [WEU, T0], [EUS, T0]);
    const control = withDrains(before, new Map([[WEU, T0]]), [WEU], plus(T0, MINUTE));

    expect(control.drains).toEqual({ [WEU]: { since: T0, changedAt: T0 } });
    expect(control.generation).toBe(before.generation);
  });
});

describe('the drain of one device', () => {
  const at = (over: number, changedAt: EpochMs = T0) =>
    DEVICES.map((id) => {
      const drain = drainOfDevice({ since: T0, changedAt }, WEU, id, { movesOverMs: over });
      return drain.kind === 'draining' ? drain.askAt - T0 : Number.NaN;
    });

  test('is asked a minute after the drain was noted, when every instance knows of it', () => {
    expect(new Set(at(0))).toEqual(new Set([MINUTE]));
    expect(new Set(at(0, plus(T0, 30_000)))).toEqual(new Set([90_000]));
  });

  test('is asked in the order of the gradual move, spread over its time', () => {
    const times = at(1_000 * MINUTE);

    expect(Math.min(...times)).toBeGreaterThanOrEqual(MINUTE);
    expect(Math.max(...times)).toBeLessThanOrEqual(1_000 * MINUTE + 1);
    expect(times.filter((time) => time < 500 * MINUTE).length / times.length).toBeCloseTo(0.5, 1);
  });

  test('has no drain on a hub that never drained, and an ended one until every instance knows', () => {
    const over = { movesOverMs: 0 };

    expect(drainOfDevice(undefined, WEU, 'd', over)).toEqual({ kind: 'none' });
    expect(drainOfDevice({ changedAt: T0 }, WEU, 'd', over)).toEqual({
      kind: 'ended',
      until: plus(T0, MINUTE),
    });
  });
});
