import type { Attributes, Counter, Histogram, ObservableGauge } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
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
  /** A clock for the age of gauges, ms. Default: the one of the process, which never goes back. */
  readonly now?: () => number;
}

const EVERY_MS = 60_000;
/**
 * How long the values of gauges are sent after they were set. `resyncFleet` sets them once a minute. If it fails, or runs on another
 * instance, older values would look like present ones.
 */
const GAUGES_KEPT_MS = 3 * 60_000;
/**
 * Combinations of attributes of one metric. The SDK takes 2,000 by default, and adds up the others in one series. Five hundred hubs with
 * each status of an IoT Edge device are more.
 */
const MOST_SERIES = 10_000;

/**
 * Sends measured values to an OTLP receiver or to Azure Monitor, once a minute. Metrics only: logs and traces stay with the
 * Functions host. A receiver that does not answer is logged and costs nothing else.
 *
 * @throws Error if the connection string of Azure Monitor has no instrumentation key
 */
export async function openMetrics(
  settings: MetricsSettings,
  { build, stamp, warn, everyMs = EVERY_MS, now = () => performance.now() }: OpenMetricsOptions,
): Promise<Metrics> {
  const provider = new MeterProvider({
    resource: resourceFromAttributes({
      'service.name': 'berth',
      'service.version': build,
      ...(stamp === undefined ? {} : { 'service.namespace': stamp }),
    }),
    readers: [
      new PeriodicExportingMetricReader({
        exporter: forgetGauges(reportFailures(await metricExporter(settings), warn)),
        exportIntervalMillis: everyMs,
        exportTimeoutMillis: Math.min(everyMs, 30_000),
        cardinalityLimits: { default: MOST_SERIES },
      }),
    ],
  });
  const meter = provider.getMeter('berth');
  const counters = new Map<MetricName, Counter>();
  const histograms = new Map<MetricName, Histogram>();
  const gauges = new Map<MetricName, ObservableGauge>();
  let last: { readonly values: readonly GaugeValue[]; readonly setAt: number } | undefined;
  for (const [name, metric] of Object.entries(METRICS)) {
    const key = name as MetricName;
    const options = { unit: metric.unit, description: metric.text };
    if (metric.kind === 'counter') counters.set(key, meter.createCounter(name, options));
    else if (metric.kind === 'histogram') {
      const advice = { explicitBucketBoundaries: [...metric.bounds] };
      histograms.set(key, meter.createHistogram(name, { ...options, advice }));
    } else gauges.set(key, meter.createObservableGauge(name, options));
  }
  meter.addBatchObservableCallback(
    (result) => {
      if (last === undefined || now() - last.setAt > GAUGES_KEPT_MS) return;
      for (const { name, value, attributes } of last.values) {
        const gauge = gauges.get(name);
        if (gauge !== undefined) result.observe(gauge, value, attributes as Attributes);
      }
    },
    [...gauges.values()],
  );
  return {
    add: (name, value, attributes) => counters.get(name)?.add(value, attributes),
    record: (name, seconds, attributes) => histograms.get(name)?.record(seconds, attributes),
    set: (values) => {
      last = { values, setAt: now() };
    },
    close: () => provider.shutdown().catch(() => {}),
  };
}

/**
 * An exporter that sends a gauge only when it was observed. With the cumulative temporality, the SDK sends each series for ever
 * (@opentelemetry/sdk-metrics 2, `TemporalMetricProcessor`).
 */
function forgetGauges(exporter: PushMetricExporter): PushMetricExporter {
  return {
    export: (metrics, done) => exporter.export(metrics, done),
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
    selectAggregationTemporality: (instrument) =>
      instrument === InstrumentType.OBSERVABLE_GAUGE
        ? AggregationTemporality.DELTA
        : (exporter.selectAggregationTemporality?.(instrument) ?? AggregationTemporality.CUMULATIVE),
    ...(exporter.selectAggregation === undefined
      ? {}
      : { selectAggregation: exporter.selectAggregation.bind(exporter) }),
  };
}
