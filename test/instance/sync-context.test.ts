import { expect, test } from '@jest/globals';
import { fewerLines } from '../../src/instance/sync-context.ts';

const logged = (facts: (index: number) => Parameters<ReturnType<typeof fewerLines>>[1], times = 1_000) => {
  const lines: string[] = [];
  const warn = fewerLines((message) => void lines.push(message));
  for (let index = 0; index < times; index += 1) warn(`failed on ${index}.`, facts(index));
  return lines;
};

test('a defect that concerns each twin of a fleet is logged for ten twins, and then with a remark', () => {
  const lines = logged((index) => ({ code: 'BERTH_DEFECT', twin: `pump-${index}` }));

  expect(lines).toHaveLength(11);
  expect(lines.at(-1)).toBe('failed on 10. Other twins that fail so are not logged in this run.');
});

test('an error of a whole hub is logged once for each hub', () => {
  const lines = logged((index) => ({
    code: 'BERTH_HUB_UNAVAILABLE',
    hub: `hub-${index % 2}`,
    deviceId: `pump-${index}`,
  }));

  expect(lines).toEqual(['failed on 0.', 'failed on 1.']);
});

test('an error of one twin is logged for each twin', () => {
  const lines = logged((index) => ({ code: 'BERTH_HUB_REFUSED', hub: 'hub', deviceId: `pump-${index}` }), 20);

  expect(lines).toHaveLength(20);
});
