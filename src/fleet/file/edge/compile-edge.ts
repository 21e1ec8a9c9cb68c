import { sha256Hex } from '../../../json/hash.ts';
import { canonicalJson, type JsonObject, type JsonValue } from '../../../json/json.ts';
import { readCreateOptions } from '../../edge/create-options.ts';
import type {
  Edge,
  EdgeContainer,
  EdgeDeployment,
  EdgeModule,
  EdgeRegistry,
  EdgeRoute,
  EnvironmentValue,
} from '../../edge/edge.ts';
import type { EdgeDeploymentFile, EdgeFile, EdgeModuleFile, EdgeRouteFile } from '../../edge/edge-schema.ts';
import { settingNamed } from '../../edge/setting-name.ts';
import { compileExpression } from '../../expressions/expression.ts';
import { compileTemplate } from '../../expressions/template.ts';
import type { Rollout } from '../../rollout.ts';
import { compileRollout } from '../compile-rollout.ts';

/**
 * Compiles an `edge` in which the schema and `edge-references.ts` found no problems.
 *
 * @param fleetRollout the rollout of deployments without their own
 */
export function compileEdge(file: EdgeFile, fleetRollout: Rollout | undefined): Edge {
  const { edgeAgent, edgeHub, minDockerVersion, loggingOptions, timeToLiveSecs } = file.runtime;
  return {
    runtime: {
      minDockerVersion,
      loggingOptions,
      timeToLiveSecs,
      edgeAgent: compileContainer(edgeAgent),
      edgeHub: {
        ...compileContainer(edgeHub),
        status: edgeHub.status,
        restartPolicy: edgeHub.restartPolicy,
        startupOrder: edgeHub.startupOrder,
      },
    },
    registries: file.registries.map(compileRegistry),
    deployments: file.deployments.map((deployment) => compileDeployment(deployment, fleetRollout)),
    previous: new Map(),
  };
}

/** The key of a registry in `registryCredentials`. */
export function registryName({
  name,
  address,
}: {
  readonly name?: string | undefined;
  readonly address: string;
}): string {
  return name ?? address.replace(/[^A-Za-z0-9_-]/g, '_');
}

function compileRegistry(file: EdgeFile['registries'][number]): EdgeRegistry {
  return {
    name: registryName(file),
    address: file.address,
    username: settingNamed(file.username) ?? '',
    password: settingNamed(file.password) ?? '',
  };
}

function compileDeployment(
  { rollout, ...file }: EdgeDeploymentFile,
  fleetRollout: Rollout | undefined,
): EdgeDeployment {
  const hash = sha256Hex(canonicalJson(JSON.parse(JSON.stringify(file)) as JsonValue));
  return {
    name: file.name,
    hash,
    id: hash.slice(0, 12),
    when: file.when === undefined ? undefined : condition(file.when),
    modules: new Map(
      Object.entries(file.modules).map(([name, module]) => [
        name,
        module === null ? undefined : compileModule(module),
      ]),
    ),
    routes: new Map(
      Object.entries(file.routes).map(([name, route]) => [
        name,
        route === null ? undefined : compileRoute(route),
      ]),
    ),
    rollout: rollout === undefined ? fleetRollout : compileRollout(rollout),
  };
}

function condition(source: string) {
  const compiled = compileExpression(source, 'twin');
  if (!compiled.ok) throw new Error(`${source}: ${compiled.problem}`);
  return compiled.expression;
}

function compileModule(file: EdgeModuleFile): EdgeModule {
  const { status, restartPolicy, startupOrder, version, desired } = file;
  return {
    ...compileContainer(file),
    status,
    restartPolicy,
    startupOrder,
    version,
    desired: desired === undefined ? undefined : compileTemplate(desired as JsonObject, 'twin', []),
  };
}

function compileContainer(file: Pick<EdgeModuleFile, 'image' | 'env' | 'imagePullPolicy'>): EdgeContainer {
  const options = readCreateOptions(file as unknown as JsonObject);
  return {
    image: file.image,
    createOptions: options.ok ? options.text : '',
    env: Object.entries(file.env ?? {}).map(([name, given]) => [
      name,
      environmentValue(typeof given === 'object' ? given.value : given),
    ]),
    imagePullPolicy: file.imagePullPolicy,
  };
}

function environmentValue(value: string | number | boolean): EnvironmentValue {
  if (typeof value !== 'string') return { kind: 'literal', value };
  const setting = settingNamed(value);
  if (setting !== undefined) return { kind: 'setting', setting };
  const compiled = compileTemplate(value, 'twin', []);
  return compiled.kind === 'expression'
    ? compiled
    : { kind: 'literal', value: compiled.kind === 'literal' ? String(compiled.value) : value };
}

function compileRoute(file: EdgeRouteFile): EdgeRoute {
  return typeof file === 'string'
    ? { route: file, priority: undefined, timeToLiveSecs: undefined }
    : { route: file.route, priority: file.priority, timeToLiveSecs: file.timeToLiveSecs };
}
