import type { JsonObject } from '../../../src/json/json.ts';
import { type ConfigurationContent, describeContent } from './configuration-content.ts';

/*
 * Automatic device management: iot-hub-automatic-device-management.md, and the REST API "Configuration".
 */

/** The fields of a configuration that its client writes. */
export interface ConfigurationChoice {
  readonly schemaVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly content: ConfigurationContent;
  /** A condition for twins, `*` for all, or '' for none. */
  readonly targetCondition: string;
  /** The configuration with the higher number wins. */
  readonly priority: number;
  /** The queries of the custom metrics, by the names of the metrics. */
  readonly metricQueries: Readonly<Record<string, string>>;
}

/** An automatic configuration of a hub. */
export interface Configuration extends ConfigurationChoice {
  readonly id: string;
  readonly createdTimeUtc: string;
  readonly lastUpdatedTimeUtc: string;
  /** The number of its writes. The etag is this number. */
  readonly revision: number;
}

/** The numbers of rows of its queries, by the names of the metrics. */
export interface MetricResults {
  readonly system: Readonly<Record<string, number>>;
  readonly custom: Readonly<Record<string, number>>;
}

/** @example '"MQ=="' without quotes is the etag of the first revision */
export function configurationEtag({ revision }: Configuration): string {
  return Buffer.from(`${revision}`).toString('base64');
}

/** A configuration in the form of the service API. */
export function describeConfiguration(
  configuration: Configuration,
  systemQueries: Readonly<Record<string, string>>,
  results: MetricResults | undefined,
): JsonObject {
  const { id, schemaVersion, labels, content, targetCondition, priority, metricQueries } = configuration;
  return {
    id,
    schemaVersion,
    labels,
    content: describeContent(content),
    contentType: 'assignment',
    targetCondition,
    createdTimeUtc: configuration.createdTimeUtc,
    lastUpdatedTimeUtc: configuration.lastUpdatedTimeUtc,
    priority,
    systemMetrics: { results: results?.system ?? {}, queries: systemQueries },
    metrics: { results: results?.custom ?? {}, queries: metricQueries },
    etag: configurationEtag(configuration),
  };
}
