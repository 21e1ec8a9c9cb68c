import { describe, expect, test } from '@jest/globals';
import { metricsSettings, wantsMetrics } from '../../src/settings/metrics-settings.ts';

const CONNECTION = 'InstrumentationKey=00000000-0000-0000-0000-000000000001';

describe('the settings of metrics', () => {
  test.each([
    {},
    { BERTH_METRICS: '' },
    { BERTH_METRICS: 'off' },
    { APPLICATIONINSIGHTS_CONNECTION_STRING: CONNECTION },
  ])('ask for none: %j', (env) => {
    expect(wantsMetrics(env)).toBe(false);
    expect(metricsSettings(env)).toBeUndefined();
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' }, 'http://localhost:4318/v1/metrics'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318/' }, 'http://localhost:4318/v1/metrics'],
    [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'https://a.example/x' }, 'https://a.example/x'],
    [
      { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'https://a.example/x', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b' },
      'https://a.example/x',
    ],
  ])('send to an OTLP receiver with %j', (env, url) => {
    expect(metricsSettings({ BERTH_METRICS: 'otlp', ...env })).toEqual({ kind: 'otlp', url });
  });

  test('send to Azure Monitor with the connection string that the host has, with an identity in Azure', () => {
    const env = { BERTH_METRICS: 'azureMonitor', APPLICATIONINSIGHTS_CONNECTION_STRING: CONNECTION };

    expect(metricsSettings(env)).toMatchObject({ connectionString: CONNECTION, hasIdentity: false });
    expect(metricsSettings({ ...env, WEBSITE_INSTANCE_ID: '1', AZURE_CLIENT_ID: 'id' })).toMatchObject({
      hasIdentity: true,
      clientId: 'id',
    });
  });

  test.each([
    [{ BERTH_METRICS: 'on' }, 'BERTH_METRICS is neither otlp nor azureMonitor'],
    [
      { BERTH_METRICS: 'otlp' },
      'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT is not a URL',
    ],
    [{ BERTH_METRICS: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318' }, 'is not a URL'],
    [{ BERTH_METRICS: 'azureMonitor' }, 'APPLICATIONINSIGHTS_CONNECTION_STRING is not set'],
  ])('refuse %j', (env, message) => {
    expect(wantsMetrics(env)).toBe(true);
    expect(() => metricsSettings(env)).toThrow(message);
  });
});
