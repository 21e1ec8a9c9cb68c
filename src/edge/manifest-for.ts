import type { ErrorCode } from '../errors.ts';
import type { Edge, EdgeContainer, EdgeDeployment, EdgeModule, EdgeRoute } from '../fleet/edge/edge.ts';
import { manifestSizes } from '../fleet/edge/edge-sizes.ts';
import {
  type FilledContainer,
  type FilledManifest,
  type FilledModule,
  type FilledVariable,
  renderManifest,
} from '../fleet/edge/manifest.ts';
import { readRoute } from '../fleet/edge/route.ts';
import { evaluateCondition, type Omission, type Variables } from '../fleet/expressions/expression.ts';
import { ExpressionWork } from '../fleet/expressions/expression-work.ts';
import { fillTemplate, type Template } from '../fleet/expressions/template.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { TWIN_LIMITS, twinProblems } from '../iot-hub/twin-limits.ts';
import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';
import { isInScope, twinVariables } from '../twin/plan/twin-variables.ts';
import { holdsRedacted } from '../twin/redaction/redact-values.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

/** The device twin of an IoT Edge device, as far as its manifest depends on it. */
export type EdgeDevice = Pick<Snapshot, 'id' | 'tags' | 'desired' | 'reported'>;

/** What a device gets, and why. */
export interface DeviceManifest {
  /** Undefined: no deployment matches the device, or `problems` has one that stops it. */
  readonly manifest: FilledManifest | undefined;
  readonly provenance: Provenance;
  readonly problems: readonly ManifestProblem[];
}

export interface Provenance {
  /** The deployments that match, in their order. */
  readonly deployments: readonly string[];
  /** The ids of their contents, which may be earlier ones. */
  readonly contents: readonly string[];
  /** Deployments that are skipped because their condition is unknown. */
  readonly skipped: readonly { readonly deployment: string; readonly why: string }[];
  readonly modules: Readonly<Record<string, Source>>;
  readonly routes: Readonly<Record<string, Source>>;
  /** Why the device gets nothing; empty: it gets a manifest, or a problem stops it. */
  readonly why: string;
}

/** Where a module or route comes from. */
export interface Source {
  /** The deployment that set or removed it last. */
  readonly deployment: string;
  /** The earlier deployments whose module or route it replaces or removes. */
  readonly over: readonly string[];
  readonly isRemoved: boolean;
}

export interface ManifestProblem {
  readonly code: Extract<ErrorCode, `BERTH_EDGE_${string}`>;
  /** The device gets no manifest because of it. Else it gets one without this part. */
  readonly stops: boolean;
  readonly path: string;
  /** What is wrong and what to do. Holds no value of a device or of a setting. */
  readonly message: string;
}

/**
 * The manifest of one device: the deployments that match it, in their order. Later ones win for each module and each route.
 * Pure. It holds the names of settings and never their values.
 *
 * @param contentOf what the device gets of a deployment; undefined: nothing. Default: the content of the fleet file.
 * @example
 * const { manifest, provenance, problems } = manifestFor(snapshot, fleet);
 */
export function manifestFor(
  device: EdgeDevice,
  fleet: Pick<Fleet, 'edge' | 'twins' | 'hubByHost'>,
  contentOf: (deployment: EdgeDeployment) => EdgeDeployment | undefined = (deployment) => deployment,
): DeviceManifest {
  const { edge } = fleet;
  const hub = fleet.hubByHost.get(device.id.host);
  if (edge === undefined) return nothing('the fleet file has no edge');
  if (hub === undefined) return nothing('the fleet file does not list its hub');
  const work = new ExpressionWork();
  const variables = twinVariables(device, hub);
  if (!isInScope(fleet.twins, variables, work)) return nothing('outside of twins.scope');
  const layers = new Layers();
  edge.deployments.forEach((deployment, index) => {
    const content = contentOf(deployment);
    const matches = content === undefined ? false : matchOf(content, variables, work);
    if (content === undefined || matches === false) return;
    if (matches === true) layers.add(content, `edge.deployments[${index}]`);
    else layers.skip(content.name, matches.unknown);
  });
  if (layers.deployments.length === 0) return nothing('no deployment matches it', layers.skipped);
  return new Filling(edge, layers, variables, work).result();
}

function matchOf({ when }: EdgeDeployment, variables: Variables, work: ExpressionWork) {
  return when === undefined ? true : evaluateCondition(when, variables, work);
}

function nothing(why: string, skipped: Provenance['skipped'] = []): DeviceManifest {
  return {
    manifest: undefined,
    provenance: { deployments: [], contents: [], skipped, modules: {}, routes: {}, why },
    problems: [],
  };
}

interface Placed<Part> {
  readonly part: Part;
  readonly path: string;
}

/** The matching deployments, one over the other. */
class Layers {
  readonly deployments: string[] = [];
  readonly contents: string[] = [];
  readonly skipped: Provenance['skipped'][number][] = [];
  readonly modules = new Map<string, Placed<EdgeModule>>();
  readonly routes = new Map<string, Placed<EdgeRoute>>();
  readonly sources = { modules: new Map<string, Source>(), routes: new Map<string, Source>() };

  add({ name, id, modules, routes }: EdgeDeployment, path: string): void {
    this.deployments.push(name);
    this.contents.push(id);
    this.#put('modules', name, modules, this.modules, path);
    this.#put('routes', name, routes, this.routes, path);
  }

  skip(deployment: string, why: string): void {
    this.skipped.push({ deployment, why });
  }

  #put<Part>(
    kind: 'modules' | 'routes',
    deployment: string,
    parts: ReadonlyMap<string, Part | undefined>,
    into: Map<string, Placed<Part>>,
    path: string,
  ): void {
    for (const [name, part] of parts) {
      const before = this.sources[kind].get(name);
      if (part === undefined) into.delete(name);
      else into.set(name, { part, path: `${path}.${kind}.${name}` });
      if (part === undefined && before === undefined) continue;
      const over = before === undefined ? [] : [...before.over, before.deployment];
      this.sources[kind].set(name, { deployment, over, isRemoved: part === undefined });
    }
  }
}

/** Computes the expressions of one manifest and checks the result. */
class Filling {
  readonly #edge: Edge;
  readonly #layers: Layers;
  readonly #variables: Variables;
  readonly #work: ExpressionWork;
  readonly #problems: ManifestProblem[] = [];

  constructor(edge: Edge, layers: Layers, variables: Variables, work: ExpressionWork) {
    this.#edge = edge;
    this.#layers = layers;
    this.#variables = variables;
    this.#work = work;
  }

  result(): DeviceManifest {
    const { deployments, contents, skipped, sources } = this.#layers;
    for (const { deployment, why } of skipped) {
      const message = `is skipped, because its condition is unknown: ${why}. Set the tag or property on the device, or change the condition`;
      this.#unknown(`edge.deployments.${deployment}.when`, message);
    }
    const manifest = this.#manifest();
    for (const { message } of manifestSizes(renderManifest(manifest, longSecret)).filter(
      ({ isProblem }) => isProblem,
    )) {
      this.#invalid('edge.deployments', `${message}. Use fewer or smaller modules for this device`);
    }
    return {
      manifest: this.#problems.some(({ stops }) => stops) ? undefined : manifest,
      provenance: {
        deployments,
        contents,
        skipped,
        modules: Object.fromEntries(sources.modules),
        routes: Object.fromEntries(sources.routes),
        why: '',
      },
      problems: this.#problems,
    };
  }

  #manifest(): FilledManifest {
    const { runtime, registries } = this.#edge;
    const modules = new Map<string, FilledModule>();
    for (const [name, { part, path }] of this.#layers.modules) {
      modules.set(name, {
        ...part,
        ...this.#container(part, path),
        desired: this.#desired(part.desired, path),
      });
    }
    const routes = new Map<string, EdgeRoute>();
    for (const [name, { part, path }] of this.#layers.routes) {
      this.#checkRoute(part.route, modules, path);
      routes.set(name, part);
    }
    const edgeAgent = this.#container(runtime.edgeAgent, 'edge.runtime.edgeAgent');
    const edgeHub = { ...runtime.edgeHub, ...this.#container(runtime.edgeHub, 'edge.runtime.edgeHub') };
    return { runtime: { ...runtime, edgeAgent, edgeHub }, registries, modules, routes };
  }

  #container(container: EdgeContainer, path: string): FilledContainer {
    const { image, createOptions, imagePullPolicy } = container;
    const env = container.env.flatMap(([name, value]): (readonly [string, FilledVariable])[] => {
      if (value.kind !== 'expression') return [[name, value]];
      const computed = this.#variable(value.expression, `${path}.env.${name}`);
      return computed === undefined ? [] : [[name, { kind: 'literal', value: computed }]];
    });
    return { image, createOptions, imagePullPolicy, env };
  }

  #variable(
    expression: Extract<EdgeContainer['env'][number][1], { kind: 'expression' }>['expression'],
    path: string,
  ): string | number | boolean | undefined {
    const result = expression.evaluate(this.#variables, this.#work);
    if (!result.known) {
      this.#leftOut(path, result.why);
      return undefined;
    }
    const { value } = result;
    if (typeof value === 'object') {
      this.#invalid(path, 'is not a text, a number, true or false for this device: change the expression');
      return undefined;
    }
    if (holdsRedacted(value)) {
      this.#leftOut(path, 'it reads a value that twins.redact hides');
      return undefined;
    }
    if (typeof value === 'string' && Buffer.byteLength(value, 'utf8') > TWIN_LIMITS.stringBytes) {
      this.#invalid(
        path,
        'is a text over 4 KB for this device, which IoT Hub refuses: change the expression',
      );
      return undefined;
    }
    return value;
  }

  #desired(desired: Template | undefined, path: string): JsonObject | undefined {
    if (desired === undefined) return undefined;
    const at = `${path}.desired`;
    const omissions: Omission[] = [];
    const filled = fillTemplate(desired, this.#variables, omissions, this.#work);
    for (const { path: below, why } of omissions) this.#leftOut([at, ...below].join('.'), why);
    const values = isObject(filled) ? this.#withoutRedacted(filled, at) : {};
    for (const { path: below, message } of twinProblems('desired', values)) {
      this.#invalid([at, ...below].join('.'), `${message} for this device: change the value`);
    }
    return values;
  }

  #withoutRedacted(json: JsonObject, at: string): JsonObject {
    const members: [string, JsonValue][] = [];
    for (const [key, value] of Object.entries(json)) {
      if (isObject(value)) members.push([key, this.#withoutRedacted(value, `${at}.${key}`)]);
      else if (holdsRedacted(value))
        this.#leftOut(`${at}.${key}`, 'it reads a value that twins.redact hides');
      else members.push([key, value]);
    }
    return Object.fromEntries(members);
  }

  /** A device without the module keeps the messages until they expire, or has none. */
  #checkRoute(route: string, modules: ReadonlyMap<string, unknown>, path: string): void {
    const read = readRoute(route);
    if (!read.ok) return;
    const { sink, sourceModule } = read;
    const names = [...modules.keys()].map((name) => name.toLowerCase());
    const lost = [
      ...(sink.kind === 'module' && !modules.has(sink.module) ? [sink.module] : []),
      ...(sourceModule !== undefined && !names.includes(sourceModule.toLowerCase()) ? [sourceModule] : []),
    ];
    for (const module of lost) {
      this.#problems.push({
        code: 'BERTH_EDGE_MODULE_MISSING',
        stops: false,
        path,
        message: `names the module "${module}", which this device does not get: the route has no effect. Add the module to a deployment of the device, or remove the route with null`,
      });
    }
  }

  #leftOut(path: string, why: string): void {
    this.#unknown(path, `is left out: ${why}. Set the value on the device, or change the expression`);
  }

  #unknown(path: string, message: string): void {
    this.#problems.push({ code: 'BERTH_EDGE_VALUE_UNKNOWN', stops: false, path, message });
  }

  #invalid(path: string, message: string): void {
    this.#problems.push({ code: 'BERTH_EDGE_MANIFEST_INVALID', stops: true, path, message });
  }
}

/** For the size of a manifest, whose secrets are not known here. */
function longSecret(): string {
  return 'x'.repeat(64);
}
