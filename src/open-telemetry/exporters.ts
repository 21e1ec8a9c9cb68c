import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { MetricsSettings } from '../settings/metrics-settings.ts';

/** The exporter of a receiver. The one of Azure Monitor is loaded only where it is used, because it is the larger one. */
export async function metricExporter(settings: MetricsSettings): Promise<PushMetricExporter> {
  if (settings.kind === 'otlp') return new OTLPMetricExporter({ url: settings.url });
  const { AzureMonitorMetricExporter } = await import('@azure/monitor-opentelemetry-exporter');
  const { connectionString, hasIdentity, clientId } = settings;
  if (!hasIdentity) return new AzureMonitorMetricExporter({ connectionString });
  const { ManagedIdentityCredential } = await import('@azure/identity');
  const credential =
    clientId === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ clientId });
  return new AzureMonitorMetricExporter({ connectionString, credential });
}
