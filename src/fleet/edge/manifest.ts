import type { JsonObject, JsonValue } from '../../json/json.ts';
import { createOptionsFields } from './create-options.ts';
import type { Edge, EdgeContainer, EdgeModule, EdgeRoute } from './edge.ts';

/** A module of one device: its layers are merged, and its expressions are computed. */
export interface FilledModule extends Omit<EdgeModule, 'env' | 'desired'> {
  readonly env: readonly (readonly [string, FilledVariable])[];
  readonly desired: JsonObject | undefined;
}

export type FilledVariable =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'setting'; readonly setting: string };

/** What runs on one device. */
export interface FilledManifest extends Pick<Edge, 'registries'> {
  readonly runtime: Omit<Edge['runtime'], 'edgeAgent' | 'edgeHub'> & {
    readonly edgeAgent: FilledContainer;
    readonly edgeHub: FilledContainer & Pick<EdgeModule, 'status' | 'restartPolicy' | 'startupOrder'>;
  };
  readonly modules: ReadonlyMap<string, FilledModule>;
  readonly routes: ReadonlyMap<string, EdgeRoute>;
}

export interface FilledContainer extends Omit<EdgeContainer, 'env'> {
  readonly env: FilledModule['env'];
}

/**
 * The body of `applyConfigurationContent`: `modulesContent` with `$edgeAgent`, `$edgeHub` and each module whose desired
 * properties the file sets. Schema versions 1.1: the newest that every runtime from 1.2 to 1.6 reads.
 *
 * @param settingValue the text for the value of an app setting. With another function, the manifest holds no secrets.
 */
export function renderManifest(
  filled: FilledManifest,
  settingValue: (setting: string) => string,
): JsonObject {
  const { runtime, registries, modules, routes } = filled;
  const credentials = registries.map(
    ({ name, address, username, password }) =>
      [name, { address, username: settingValue(username), password: settingValue(password) }] as const,
  );
  const edgeAgent = {
    schemaVersion: '1.1',
    runtime: {
      type: 'docker',
      settings: {
        minDockerVersion: runtime.minDockerVersion,
        loggingOptions: runtime.loggingOptions,
        ...(credentials.length === 0 ? {} : { registryCredentials: Object.fromEntries(credentials) }),
      },
    },
    systemModules: {
      edgeAgent: renderContainer(runtime.edgeAgent, settingValue),
      edgeHub: { ...renderContainer(runtime.edgeHub, settingValue), ...renderLife(runtime.edgeHub) },
    },
    modules: Object.fromEntries(
      [...modules].map(([name, module]) => [
        name,
        {
          ...renderContainer(module, settingValue),
          ...renderLife(module),
          ...(module.version === undefined ? {} : { version: module.version }),
        },
      ]),
    ),
  };
  const edgeHub = {
    schemaVersion: '1.1',
    routes: Object.fromEntries([...routes].map(([name, route]) => [name, renderRoute(route)])),
    storeAndForwardConfiguration: { timeToLiveSecs: runtime.timeToLiveSecs },
  };
  const owned = [...modules].flatMap(([name, { desired }]) =>
    desired === undefined ? [] : [[name, { 'properties.desired': desired }] as const],
  );
  return {
    modulesContent: {
      $edgeAgent: { 'properties.desired': edgeAgent },
      $edgeHub: { 'properties.desired': edgeHub },
      ...Object.fromEntries(owned),
    },
  };
}

function renderContainer(
  { image, createOptions, env, imagePullPolicy }: FilledContainer,
  settingValue: (setting: string) => string,
): JsonObject {
  const variables = env.map(
    ([name, variable]) =>
      [
        name,
        { value: variable.kind === 'setting' ? settingValue(variable.setting) : variable.value },
      ] as const,
  );
  return {
    type: 'docker',
    settings: { image, ...createOptionsFields(createOptions) },
    ...(variables.length === 0 ? {} : { env: Object.fromEntries(variables) }),
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
  };
}

function renderLife({
  status,
  restartPolicy,
  startupOrder,
}: Pick<EdgeModule, 'status' | 'restartPolicy' | 'startupOrder'>): JsonObject {
  return { status, restartPolicy, ...(startupOrder === undefined ? {} : { startupOrder }) };
}

function renderRoute({ route, priority, timeToLiveSecs }: EdgeRoute): JsonValue {
  if (priority === undefined && timeToLiveSecs === undefined) return route;
  return {
    route,
    ...(priority === undefined ? {} : { priority }),
    ...(timeToLiveSecs === undefined ? {} : { timeToLiveSecs }),
  };
}
