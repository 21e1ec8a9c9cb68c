import { createRequire } from 'node:module';
import { expect, test } from '@jest/globals';

interface Suite {
  readonly path: string;
}
const SuiteOrder = createRequire(import.meta.url)('./suite-order.cjs') as new () => {
  sort(suites: readonly Suite[]): readonly Suite[];
};

const NAMES = [
  'json',
  'functions/liveness',
  'infra/compiler',
  'local/function-host/event-hub',
  'infra/alerts',
  'local/function-host/event-hub-binding',
  'end-to-end/edge',
  'end-to-end/loop',
  'allocation/always',
];

test('runs each suite once, the slowest first, and then a suite that waits and three others in turn', () => {
  const suites = NAMES.map((name) => ({
    path: `/berth/test/${name}.test.ts`,
    context: {
      config: { id: 'test', cacheDirectory: '/no/such/folder', name: 'test' },
      hasteFS: { getSize: () => 1 },
    },
  }));

  const order = new SuiteOrder()
    .sort(suites)
    .map(({ path }) => path.slice('/berth/test/'.length, -'.test.ts'.length));

  expect([...order].sort()).toEqual([...NAMES].sort());
  expect(order.slice(0, 6)).toEqual([
    'end-to-end/edge',
    'end-to-end/loop',
    'allocation/always',
    'functions/liveness',
    'json',
    'infra/compiler',
  ]);
});
