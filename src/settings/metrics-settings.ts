import { BerthError } from '../errors.ts';
import { type Environment, isAzure } from './settings.ts';

/** Where metrics go. */
export type MetricsSettings =
  | {
      readonly kind: 'otlp';
      /** The whole URL, with `/v1/metrics`. */
      readonly url: string;
    }
  | {
      readonly kind: 'azureMonitor';
      readonly connectionString: string;
      /** Whether to sign in with a managed identity. Otherwise the key of the connection string is used. */
      readonly hasIdentity: boolean;
      readonly clientId: string | undefined;
    };

/** Whether metrics are asked for, rightly or wrongly. */
export function wantsMetrics(env: Environment): boolean {
  return (env.BERTH_METRICS || 'off') !== 'off';
}

/**
 * Where metrics go, by `BERTH_METRICS`; undefined: nowhere. The addresses are the standard variables of OpenTelemetry and of
 * Application Insights. The exporter for OTLP reads `OTEL_EXPORTER_OTLP_HEADERS` itself.
 *
 * @throws BerthError `BERTH_SETTING_INVALID`
 */
export function metricsSettings(env: Environment): MetricsSettings | undefined {
  const kind = env.BERTH_METRICS || 'off';
  switch (kind) {
    case 'off':
      return undefined;
    case 'otlp':
      return { kind, url: otlpUrl(env) };
    case 'azureMonitor': {
      const connectionString = env.APPLICATIONINSIGHTS_CONNECTION_STRING;
      if (connectionString)
        return {
          kind,
          connectionString,
          hasIdentity: isAzure(env),
          clientId: env.AZURE_CLIENT_ID || undefined,
        };
      throw new BerthError(
        'BERTH_SETTING_INVALID',
        'BERTH_METRICS is azureMonitor, and APPLICATIONINSIGHTS_CONNECTION_STRING is not set: set it, or remove BERTH_METRICS.',
      );
    }
    default:
      throw new BerthError(
        'BERTH_SETTING_INVALID',
        'BERTH_METRICS is neither otlp nor azureMonitor: write one of them, or remove it.',
      );
  }
}

/** By the specification of the OTLP exporter: the address of one signal is used as it is, the common one gets a path. */
function otlpUrl(env: Environment): string {
  const own = env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT;
  const common = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const url = own || (common && `${common.replace(/\/$/, '')}/v1/metrics`);
  if (url && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new BerthError(
    'BERTH_SETTING_INVALID',
    'BERTH_METRICS is otlp, and OTEL_EXPORTER_OTLP_METRICS_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT is not a URL: write the address of an OTLP receiver, such as http://localhost:4318.',
  );
}
