import type { Attributes, Counter, Histogram, ObservableGauge } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { type GaugeValue, METRICS, type MetricName, type Metrics } from '../metrics/metrics.ts';
import type { MetricsSettings } from '../settings/metrics-settings.ts';
import { metricExporter } from './exporters.ts';
import { reportFailures } from './failures.ts';

export interface OpenMetricsOptions {
  /** When the package was built: the version of the service. */
  readonly build: string;
  /** The stamp; undefined: the fleet has none. */
  readonly stamp: string | undefined;
  /** Logs a problem of the export. */
  readonly warn: (facts: { readonly code: string; readonly message: string }) => void;
  /** How often values are sent, ms. */
  readonly everyMs?: number;
}

const EVERY_MS = 60_000;

/**
 * Sends measured values to an OTLP receiver or to Azure Monitor, once a minute. Metrics only: logs and traces stay with the
 * Functions host. A receiver that does not answer is logged and costs nothing else.
 *
 * @throws Error if the connection string of Azure Monitor has no instrumentation key
 */
export async function openMetrics(
  settings: MetricsSettings,
  { build, stamp, warn, everyMs = EVERY_MS }: OpenMetricsOptions,
): Promise<Metrics> {
  const provider = new MeterProvider({
    resource: resourceFromAttributes({
      'service.name': 'berth',
      'service.version': build,
      ...(stamp === undefined ? {} : { 'service.namespace': stamp }),
    }),
    readers: [
      new PeriodicExportingMetricReader({
        exporter: reportFailures(await metricExporter(settings), warn),
        exportIntervalMillis: everyMs,
        exportTimeoutMillis: Math.min(everyMs, 30_000),
      }),
    ],
  });
  const meter = provider.getMeter('berth');
  const counters = new Map<MetricName, Counter>();
  const histograms = new Map<MetricName, Histogram>();
  const gauges = new Map<MetricName, ObservableGauge>();
  let values: readonly GaugeValue[] = [];
  for (const [name, { kind, unit, text }] of Object.entries(METRICS)) {
    const key = name as MetricName;
    const options = { unit, description: text };
    if (kind === 'counter') counters.set(key, meter.createCounter(name, options));
    else if (kind === 'histogram') histograms.set(key, meter.createHistogram(name, options));
    else gauges.set(key, meter.createObservableGauge(name, options));
  }
  meter.addBatchObservableCallback(
    (result) => {
      for (const { name, value, attributes } of values) {
        const gauge = gauges.get(name);
        if (gauge !== undefined) result.observe(gauge, value, attributes as Attributes);
      }
    },
    [...gauges.values()],
  );
  return {
    add: (name, value, attributes) => counters.get(name)?.add(value, attributes),
    record: (name, seconds, attributes) => histograms.get(name)?.record(seconds, attributes),
    set: (all) => {
      values = all;
    },
    close: () => provider.shutdown().catch(() => {}),
  };
}
