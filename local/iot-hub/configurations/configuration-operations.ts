import { isObject, type JsonObject, ownMember } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import { type Configuration, configurationEtag, describeConfiguration } from '../model/configuration.ts';
import type { ConfigurationContent } from '../model/configuration-content.ts';
import { ifMatchAllows } from '../model/entity-tag.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { formatDateTimeUtc } from '../model/instant.ts';
import { checkMetricQuery, readConfigurationChoice, targetConditionOf } from './configuration-body.ts';
import { systemMetricQueries } from './metrics.ts';

/** Configurations of a hub ("IoT Hub quotas and throttling"): 10 in the free tier, else 100. */
const MAX_CONFIGURATIONS = { F1: 10, S1: 100, S2: 100, S3: 100 } as const;

/* Each of these throws a `HubRefusal` when the hub refuses. */

export function getConfiguration(hub: LocalHub, id: string): JsonObject {
  return describe(hub, existing(hub, id));
}

/** The configurations in the order of their ids, at most `top`. */
export function listConfigurations(hub: LocalHub, top: number): readonly JsonObject[] {
  return hub.configurations
    .values()
    .slice(0, top)
    .map((configuration) => describe(hub, configuration));
}

/** Without `If-Match`, creates a configuration; with `If-Match`, updates it. */
export function putConfiguration(
  hub: LocalHub,
  id: string,
  body: JsonObject,
  ifMatch: string | undefined,
): JsonObject {
  const before = ifMatch === undefined ? undefined : matching(hub, id, ifMatch);
  if (before === undefined) checkNew(hub, id);
  const choice = readConfigurationChoice(id, body, before);
  const at = formatDateTimeUtc(hub.tick());
  const configuration: Configuration = {
    id,
    ...choice,
    createdTimeUtc: before?.createdTimeUtc ?? at,
    lastUpdatedTimeUtc: at,
    revision: (before?.revision ?? 0) + 1,
  };
  hub.configurations.put(configuration);
  return describe(hub, configuration);
}

/** Deletes a configuration. The next evaluation removes its settings from the twins. */
export function deleteConfiguration(hub: LocalHub, id: string, ifMatch: string | undefined): void {
  matching(hub, id, ifMatch);
  hub.configurations.remove(id);
}

/** The problems of a target condition and of queries for metrics, as texts. */
export function testQueries(body: JsonObject): JsonObject {
  const condition = ownMember(body, 'targetCondition');
  const queries = ownMember(body, 'customMetricQueries');
  const errors = Object.entries(isObject(queries) ? queries : {}).flatMap(([name, query]) => {
    const problem = problemOf(() => checkMetricQuery(query));
    return problem === null ? [] : [[name, problem] as const];
  });
  const isModules = typeof condition === 'string' && /^\s*from\s+devices\.modules\b/i.test(condition);
  const content: ConfigurationContent = isModules
    ? { kind: 'module', moduleContent: {} }
    : { kind: 'device', deviceContent: {} };
  return {
    targetConditionError:
      typeof condition === 'string' ? problemOf(() => void targetConditionOf(content, condition)) : null,
    customMetricQueryErrors: Object.fromEntries(errors),
  };
}

function problemOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof HubRefusal) return error.message;
    throw error;
  }
}

function checkNew(hub: LocalHub, id: string): void {
  if (hub.configurations.get(id) !== undefined) {
    throw new HubRefusal('ConfigurationAlreadyExists', `The configuration ${id} already exists.`);
  }
  const most = MAX_CONFIGURATIONS[hub.tier];
  if (hub.configurations.size >= most) {
    throw new HubRefusal(
      'ConfigurationCountLimitExceeded',
      `Number of deployments exceed the maximum quota ${most}`,
    );
  }
}

function matching(hub: LocalHub, id: string, ifMatch: string | undefined): Configuration {
  const configuration = existing(hub, id);
  if (ifMatchAllows(ifMatch, configurationEtag(configuration))) return configuration;
  throw new HubRefusal(
    'PreconditionFailed',
    'Precondition failed: the ETag of the configuration did not match.',
  );
}

function existing(hub: LocalHub, id: string): Configuration {
  const configuration = hub.configurations.get(id);
  if (configuration !== undefined) return configuration;
  throw new HubRefusal('ConfigurationNotFound', `Configuration ${id.slice(0, 140)} was not found.`);
}

function describe(hub: LocalHub, configuration: Configuration): JsonObject {
  const { id } = configuration;
  return describeConfiguration(
    configuration,
    systemMetricQueries(configuration),
    hub.configurations.results(id),
  );
}
