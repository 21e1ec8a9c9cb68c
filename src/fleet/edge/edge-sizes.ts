import type { ErrorDetail } from '../../errors.ts';
import { TWIN_LIMITS, twinSizeOf } from '../../iot-hub/twin-limits.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import { type Edge, type EdgeModule, type EdgeRoute, MOST_MODULES } from './edge.ts';
import { type FilledManifest, type FilledModule, renderManifest } from './manifest.ts';

/**
 * About what `$edgeAgent` reports of one module beyond its desired properties: image hash, times, exit codes, the labels that
 * edgeAgent adds. 29 usual modules have passed 32 KB (iotedge#7035).
 */
const REPORTED_BYTES_OF_A_MODULE = 600;
/** From here on, a device runs well and may no longer be able to say so. */
const MANY_REPORTED_BYTES = 24 * 1024;

/** The size of one part of a manifest is a problem (the hub refuses it) or a warning. */
export interface SizeFinding {
  readonly module: string;
  readonly isProblem: boolean;
  readonly message: string;
}

/** What is too large in a manifest. */
export function manifestSizes(manifest: JsonObject): readonly SizeFinding[] {
  const content = ownMember(manifest, 'modulesContent');
  const limit = TWIN_LIMITS.sectionBytes.desired;
  const findings: SizeFinding[] = [];
  for (const [module, twin] of Object.entries(isObject(content) ? content : {})) {
    const bytes = twinSizeOf(ownMember(twin, 'properties.desired') ?? {});
    if (bytes <= limit) continue;
    const message = `makes the desired properties of ${module} ${bytes} bytes large; IoT Hub allows ${limit}`;
    findings.push({ module, isProblem: true, message });
  }
  const modules = ownMember(ownMember(ownMember(content, '$edgeAgent'), 'properties.desired'), 'modules');
  const count = isObject(modules) ? Object.keys(modules).length : 0;
  if (count > MOST_MODULES) {
    const message = `gives a device ${count} modules; a device has at most ${MOST_MODULES}`;
    findings.push({ module: '$edgeAgent', isProblem: true, message });
  }
  const reported = twinSizeOf((modules ?? {}) as JsonValue) + count * REPORTED_BYTES_OF_A_MODULE;
  if (findings.length === 0 && reported > MANY_REPORTED_BYTES) {
    const message = `gives a device ${count} modules, of which it reports about ${Math.round(reported / 1024)} KB: above 32 KB, IoT Hub refuses its reports and the device looks frozen. Use fewer modules or shorter options`;
    findings.push({ module: '$edgeAgent', isProblem: false, message });
  }
  return findings;
}

/** The sizes of each deployment alone, and of all deployments that every device gets. */
export function edgeSizes(edge: Edge): {
  readonly problems: readonly ErrorDetail[];
  readonly warnings: readonly ErrorDetail[];
} {
  const problems: ErrorDetail[] = [];
  const warnings: ErrorDetail[] = [];
  const check = (path: string, layers: Edge['deployments']) => {
    for (const { isProblem, message } of manifestSizes(renderManifest(merged(edge, layers), placeholder))) {
      (isProblem ? problems : warnings).push({ path, message });
    }
  };
  edge.deployments.forEach((layer, index) => {
    check(`edge.deployments[${index}]`, [layer]);
  });
  const forAll = edge.deployments.filter(({ when }) => when === undefined);
  if (problems.length === 0 && forAll.length > 1) check('edge.deployments', forAll);
  return { problems, warnings };
}

/** The values of settings are not known here. Most credentials are shorter. */
function placeholder(): string {
  return 'x'.repeat(64);
}

/** Expressions count as nothing. */
function merged(edge: Edge, layers: Edge['deployments']): FilledManifest {
  const modules = new Map<string, FilledModule>();
  const routes = new Map<string, EdgeRoute>();
  for (const layer of layers) {
    for (const [name, module] of layer.modules) {
      if (module === undefined) modules.delete(name);
      else modules.set(name, { ...module, env: literals(module.env), desired: undefined });
    }
    for (const [name, route] of layer.routes) {
      if (route === undefined) routes.delete(name);
      else routes.set(name, route);
    }
  }
  const { edgeAgent, edgeHub, ...runtime } = edge.runtime;
  return {
    registries: edge.registries,
    runtime: {
      ...runtime,
      edgeAgent: { ...edgeAgent, env: literals(edgeAgent.env) },
      edgeHub: { ...edgeHub, env: literals(edgeHub.env) },
    },
    modules,
    routes,
  };
}

function literals(env: EdgeModule['env']): FilledModule['env'] {
  return env.map(([name, value]) => [
    name,
    value.kind === 'expression' ? { kind: 'literal', value: '' } : value,
  ]);
}
