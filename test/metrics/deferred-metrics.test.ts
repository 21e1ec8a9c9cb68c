import { describe, expect, test } from '@jest/globals';
import { DeferredMetrics } from '../../src/metrics/deferred-metrics.ts';
import { type Metrics, NO_METRICS } from '../../src/metrics/metrics.ts';

function recording(): Metrics & { readonly calls: unknown[] } {
  const calls: unknown[] = [];
  return {
    calls,
    add: (...each) => calls.push(['add', ...each]),
    record: (...each) => calls.push(['record', ...each]),
    set: (gauges) => calls.push(['set', gauges]),
    close: async () => {
      calls.push(['close']);
    },
  };
}

describe('metrics whose exporter comes later', () => {
  test('wait for it, and keep their order', async () => {
    const metrics = new DeferredMetrics(true);
    metrics.add('berth.allocations', 1, { result: 'assigned' });
    metrics.record('berth.correction.time', 2, {});
    const target = recording();
    metrics.open(target);
    metrics.set([]);
    await metrics.close();

    expect(metrics.isOn).toBe(true);
    expect(target.calls).toEqual([
      ['add', 'berth.allocations', 1, { result: 'assigned' }],
      ['record', 'berth.correction.time', 2, {}],
      ['set', []],
      ['close'],
    ]);
  });

  test('are off if none is asked for, or if none can be opened', () => {
    const broken = new DeferredMetrics(true);
    broken.open(NO_METRICS);

    expect(new DeferredMetrics(false).isOn).toBe(false);
    expect(broken.isOn).toBe(false);
  });

  test('are bounded: what is measured while no exporter comes is lost beyond a thousand values', () => {
    const metrics = new DeferredMetrics(true);
    for (let count = 0; count < 1_500; count += 1) metrics.add('berth.allocations', 1, {});
    const target = recording();
    metrics.open(target);

    expect(target.calls).toHaveLength(1_000);
  });
});
