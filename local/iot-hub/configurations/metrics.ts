import type { LocalHub } from '../hub/hub.ts';
import type { Configuration, MetricResults } from '../model/configuration.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { countRows } from '../operations/query-page.ts';
import { parseQuery } from '../query/parse-query.ts';

/**
 * The queries of the metrics that each configuration has (azure-iot-cli-extension, test_config_modules_show.json). They
 * count devices or modules.
 */
export function systemMetricQueries({
  id,
  content: { kind },
  targetCondition,
}: Configuration): Readonly<Record<string, string>> {
  const applied = `configurations.[[${id}]].status = 'Applied'`;
  if (kind !== 'edge') {
    const from = kind === 'module' ? 'devices.modules' : 'devices';
    const columns = kind === 'module' ? 'deviceId, moduleId' : 'deviceId';
    return {
      ...targeted(`select ${columns} from devices`, targetCondition, ''),
      appliedCount: `select ${columns} from ${from} where ${applied}`,
    };
  }
  const agent = `select deviceId from devices.modules where moduleId = '$edgeAgent' and ${applied}`;
  const isCurrent = 'properties.desired.$version = properties.reported.lastDesiredVersion';
  const code = 'properties.reported.lastDesiredStatus.code';
  return {
    ...targeted('select deviceId from devices', targetCondition, 'capabilities.iotEdge = true'),
    appliedCount: agent,
    reportedSuccessfulCount: `${agent} and ${isCurrent} and ${code} = 200`,
    reportedFailedCount: `${agent} and ${isCurrent} and ${code} != 200`,
  };
}

/** An empty condition has no query: it targets nothing. */
function targeted(select: string, targetCondition: string, all: string): { targetedCount?: string } {
  const condition = targetCondition.trim();
  if (condition === '') return {};
  if (condition === '*') return { targetedCount: all === '' ? select : `${select} where ${all}` };
  if (/^from\s/i.test(condition)) {
    return { targetedCount: `${select.replace(/ from devices$/, '')} ${condition}` };
  }
  return { targetedCount: `${select} where ${condition}` };
}

/** Runs the queries of a configuration. */
export function measure(hub: LocalHub, configuration: Configuration): MetricResults {
  const counts = (queries: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(queries).map(([name, query]) => [name, count(hub, query)]));
  return { system: counts(systemMetricQueries(configuration)), custom: counts(configuration.metricQueries) };
}

function count(hub: LocalHub, query: string): number {
  try {
    return countRows(hub, parseQuery(query));
  } catch (error) {
    // A long target condition can make the query of its metric too long.
    if (error instanceof HubRefusal) return 0;
    throw error;
  }
}
