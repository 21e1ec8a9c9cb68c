import { isObject, type JsonObject, type JsonValue, ownMember, sameJson } from '../../../src/json/json.ts';
import type { Configuration, ConfigurationChoice } from '../model/configuration.ts';
import {
  type ConfigurationContent,
  describeContent,
  readConfigurationContent,
} from '../model/configuration-content.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { type Condition, parseCondition, parseQuery } from '../query/parse-query.ts';

/** Lower case and these characters (azure-iot-sdk-csharp, Configuration.cs). The SDK of Node and its tests also use `_`. */
const CONFIGURATION_ID = /^[a-z0-9\-+%_*!']{1,128}$/;
/** Labels (azure-iot-hub-node, configuration.ts). */
const LABEL = /^[A-Za-z0-9\-:.+%_#*?!(),=@;']{1,128}$/;
/** Custom metrics of a configuration (iot-hub-automatic-device-management.md). */
const MAX_METRICS = 5;
const MAX_PRIORITY = 2 ** 31 - 1;

/**
 * Reads the body of a PUT. Fields that only the hub writes are ignored, because clients send them back.
 *
 * @param before the configuration that this replaces. Its content cannot change.
 * @throws HubRefusal `ArgumentInvalid`, `InvalidConfigurationContent`, `InvalidConfigurationTargetCondition`,
 *   `InvalidConfigurationCustomMetricsQuery`, `CannotModifyImmutableConfigurationContent`
 */
export function readConfigurationChoice(
  id: string,
  body: JsonObject,
  before: Configuration | undefined,
): ConfigurationChoice {
  if (!CONFIGURATION_ID.test(id)) {
    throw invalid(
      `${id.slice(0, 140)} is not the id of a configuration: use lower case, digits and -+%_*!'.`,
    );
  }
  if ((ownMember(body, 'id') ?? id) !== id) throw invalid('id in the body differs from the one in the path.');
  const content = readContentOf(body, before);
  const targetCondition = ownMember(body, 'targetCondition') ?? '';
  if (typeof targetCondition !== 'string') throw invalid('targetCondition must be a string.');
  targetConditionOf(content, targetCondition);
  return {
    schemaVersion: readText(body, 'schemaVersion') ?? '1.0',
    labels: readLabels(ownMember(body, 'labels')),
    content,
    targetCondition,
    priority: readPriority(ownMember(body, 'priority') ?? 0),
    metricQueries: readMetrics(ownMember(ownMember(body, 'metrics'), 'queries')),
  };
}

function readContentOf(body: JsonObject, before: Configuration | undefined): ConfigurationContent {
  const given = ownMember(body, 'content') ?? undefined;
  if (before !== undefined && given === undefined) return before.content;
  const content = readConfigurationContent(given);
  if (before !== undefined && !sameJson(describeContent(content), describeContent(before.content))) {
    throw new HubRefusal(
      'CannotModifyImmutableConfigurationContent',
      'The content of a configuration cannot change. Create a configuration with another id.',
    );
  }
  return content;
}

/**
 * The condition for the targets of a configuration; undefined for an empty text, which targets nothing.
 *
 * @throws HubRefusal `InvalidConfigurationTargetCondition`
 */
export function targetConditionOf(
  { kind }: ConfigurationContent,
  targetCondition: string,
): Condition | undefined {
  if (targetCondition.trim() === '') return undefined;
  const condition = reading('InvalidConfigurationTargetCondition', () => parseCondition(targetCondition));
  const wanted = kind === 'module' ? 'devices.modules' : 'devices';
  if (condition.from === wanted) return condition;
  throw new HubRefusal(
    'InvalidConfigurationTargetCondition',
    kind === 'module'
      ? 'The target condition of moduleContent must begin with "from devices.modules where".'
      : 'The target condition must be about devices.',
  );
}

/**
 * Checks the query of a custom metric.
 *
 * @throws HubRefusal `InvalidConfigurationCustomMetricsQuery`
 */
export function checkMetricQuery(query: JsonValue | undefined): void {
  reading('InvalidConfigurationCustomMetricsQuery', () => parseQuery(typeof query === 'string' ? query : ''));
}

function readLabels(labels: JsonValue | undefined): Readonly<Record<string, string>> {
  if (labels === undefined || labels === null) return {};
  if (!isObject(labels)) throw invalid('labels is not a JSON object.');
  const isLabel = (text: JsonValue): text is string => typeof text === 'string' && LABEL.test(text);
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => {
      if (isLabel(name) && isLabel(value)) return [name, value];
      throw invalid(`The label ${name.slice(0, 140)} is not valid.`);
    }),
  );
}

function readPriority(priority: JsonValue): number {
  const isValid =
    typeof priority === 'number' && Number.isInteger(priority) && priority >= 0 && priority <= MAX_PRIORITY;
  if (isValid) return priority;
  throw invalid(`priority must be a whole number from 0 to ${MAX_PRIORITY}.`);
}

function readMetrics(queries: JsonValue | undefined): Readonly<Record<string, string>> {
  if (queries === undefined || queries === null) return {};
  if (!isObject(queries)) throw invalid('metrics.queries is not a JSON object.');
  const entries = Object.entries(queries);
  if (entries.length > MAX_METRICS) {
    throw new HubRefusal(
      'InvalidConfigurationCustomMetricsQuery',
      `A configuration has at most ${MAX_METRICS} custom metrics.`,
    );
  }
  for (const [, query] of entries) checkMetricQuery(query);
  return Object.fromEntries(entries.map(([name, query]) => [name, String(query)]));
}

function readText(body: JsonObject, name: string): string | undefined {
  const text = ownMember(body, name) ?? undefined;
  if (text === undefined || typeof text === 'string') return text;
  throw invalid(`${name} must be a string.`);
}

/** Runs `read`. A refused query gets the name of the refusal for its place. */
function reading<Result>(
  refusal: 'InvalidConfigurationTargetCondition' | 'InvalidConfigurationCustomMetricsQuery',
  read: () => Result,
): Result {
  try {
    return read();
  } catch (error) {
    throw error instanceof HubRefusal ? new HubRefusal(refusal, error.message) : error;
  }
}

function invalid(problem: string): HubRefusal {
  return new HubRefusal('ArgumentInvalid', problem);
}
