import { openMetrics } from '../../src/open-telemetry/open-metrics.ts';
import { metricsSettings } from '../../src/settings/metrics-settings.ts';

// Measures one value of each kind, sends them where the environment says, and prints the warnings as JSON. It is a program of its
// own, because the exporters read the environment, and the one of Azure Monitor keeps its process from ending.

const warned: unknown[] = [];
const settings = metricsSettings(process.env);
if (settings === undefined) throw new Error('BERTH_METRICS is not set');
const metrics = await openMetrics(settings, {
  build: '2026-11-29T00:00:00Z',
  stamp: 'eu',
  warn: (facts) => warned.push(facts),
  // Nothing is sent before the end.
  everyMs: 3_600_000,
});
metrics.add('berth.allocations', 1, { result: 'assigned', hub: 'weu', how: 'placed' });
metrics.add('berth.allocations', 2, { result: 'assigned', hub: 'weu', how: 'placed' });
metrics.record('berth.correction.time', 1.5, { hub: 'weu' });
metrics.set([{ name: 'berth.queue.age', value: 9, attributes: { hub: 'gone' } }]);
metrics.set([{ name: 'berth.queue.age', value: 12, attributes: { hub: 'weu' } }]);
await metrics.close();
// The exporter of Azure Monitor still waits for an answer about the machine that it runs on.
process.stdout.write(JSON.stringify(warned), () => process.exit());
