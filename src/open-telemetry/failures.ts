import { ExportResultCode } from '@opentelemetry/core';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';

/** A receiver that stays away is logged this often. */
const LOG_EVERY_MS = 10 * 60_000;

/** An exporter that logs its failures. The text of an error is left out: it may hold the headers of a request. */
export function reportFailures(
  exporter: PushMetricExporter,
  warn: (facts: { readonly code: string; readonly message: string }) => void,
  now: () => number = Date.now,
): PushMetricExporter {
  let loggedAt = Number.NEGATIVE_INFINITY;
  return {
    export: (metrics, done) =>
      exporter.export(metrics, (result) => {
        if (result.code !== ExportResultCode.SUCCESS && now() - loggedAt >= LOG_EVERY_MS) {
          loggedAt = now();
          const status = (result.error as { readonly code?: unknown } | undefined)?.code;
          const why = typeof status === 'number' || typeof status === 'string' ? ` (${status})` : '';
          warn({
            code: 'BERTH_METRICS_NOT_SENT',
            message: `The receiver of metrics did not take them${why}. Berth sends the next values in a minute.`,
          });
        }
        done(result);
      }),
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
    ...(exporter.selectAggregationTemporality === undefined
      ? {}
      : { selectAggregationTemporality: exporter.selectAggregationTemporality.bind(exporter) }),
    ...(exporter.selectAggregation === undefined
      ? {}
      : { selectAggregation: exporter.selectAggregation.bind(exporter) }),
  };
}
