import { expect, test } from '@jest/globals';
import { hostLoad } from '../../bench/cases/host-load.ts';
import { copyBundles } from '../end-to-end/bundles.ts';

test('the load of the function host is measured next to an empty function, with the times of the answers', async () => {
  const bundles = await copyBundles();
  try {
    const load = { rounds: 1, requests: 6, atOnce: 2, dist: bundles.directory };
    const { figure, times } = await hostLoad(load, () => {});

    expect(figure.ratio).toBeGreaterThan(0);
    expect(times.map(({ app }) => app)).toEqual(['berth', 'empty']);
    for (const { p50, p99, longest, requestsASecond } of times) {
      expect(p50).toBeGreaterThan(0);
      expect([p50 <= p99, p99 <= longest, requestsASecond > 0]).toEqual([true, true, true]);
    }
  } finally {
    bundles.remove();
  }
});
