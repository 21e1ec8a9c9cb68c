import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { TelemetryTimer } from '../../local/devices/telemetry.ts';

let sent: number;
let telemetry: TelemetryTimer;
beforeEach(() => {
  jest.useFakeTimers();
  sent = 0;
  telemetry = new TelemetryTimer(() => {
    sent += 1;
  });
});
afterEach(() => {
  telemetry.stop();
  jest.useRealTimers();
});
const sentWithin = (ms: number) => {
  sent = 0;
  jest.advanceTimersByTime(ms);
  return sent;
};

test('a simulated device sends at the interval that it was told last', () => {
  expect(sentWithin(10_000)).toBe(0);

  telemetry.every(5_000);
  expect(sentWithin(60_000)).toBe(12);

  telemetry.every(60_000);
  expect(sentWithin(120_000)).toBe(2);

  telemetry.stop();
  expect(sentWithin(120_000)).toBe(0);
});

test('a simulated device does not start its interval again when it is told the same one', () => {
  telemetry.every(5_000);
  jest.advanceTimersByTime(4_000);
  telemetry.every(5_000);

  expect(sentWithin(1_000)).toBe(1);
});

test('a simulated device sends at most four messages a second', () => {
  telemetry.every(1);

  expect(sentWithin(1_000)).toBe(4);
});
