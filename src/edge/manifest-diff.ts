import { readCreateOptions } from '../fleet/edge/create-options.ts';
import type { FilledManifest, FilledVariable } from '../fleet/edge/manifest.ts';
import {
  canonicalJson,
  isObject,
  type JsonObject,
  type JsonValue,
  ownMember,
  sameJson,
} from '../json/json.ts';
import { REDACTED, type Redaction, redactJson } from '../twin/redaction/redact-values.ts';

/** The manifest that a hub has for a device, with hidden secrets: the desired properties of `$edgeAgent` and `$edgeHub`. */
export interface PresentManifest {
  readonly agent: JsonObject;
  /** Undefined: `$edgeHub` has not been read, so routes are not compared. */
  readonly hub: JsonObject | undefined;
}

/** What an apply would change on a device. The values of settings are not compared here (`changeBetween`). */
export interface ManifestDiff {
  readonly modules: readonly ModuleChange[];
  readonly routes: readonly RouteChange[];
  /** Changes of the runtime itself, as sentences. */
  readonly runtime: readonly string[];
}

/** One module. Those of the runtime have the names `edgeAgent` and `edgeHub`. */
export interface ModuleChange {
  readonly name: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** Present if the image differs. `null`: there is none. */
  readonly image?: { readonly from: string | null; readonly to: string | null };
  readonly env: readonly VariableChange[];
  /** Other fields that differ, such as `restartPolicy`. */
  readonly fields: readonly FieldChange[];
}

export interface VariableChange {
  readonly name: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** The new value, or `setting:NAME`. `null`: the variable goes. Present values are stored as hashes only. */
  readonly to: string | number | boolean | null;
}

export interface FieldChange {
  readonly field: string;
  readonly from: JsonValue;
  readonly to: JsonValue;
}

export interface RouteChange {
  readonly name: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly from: JsonValue;
  readonly to: JsonValue;
}

/** @param redaction the one with which the present manifest was hidden; without a key, hidden values are not compared */
export function diffManifest(
  present: PresentManifest,
  wanted: FilledManifest,
  redaction: Redaction,
): ManifestDiff {
  const { runtime } = wanted;
  const system = ownMember(present.agent, 'systemModules');
  const modules = ownMember(present.agent, 'modules');
  const before = isObject(modules) ? modules : {};
  const named: readonly (readonly [string, JsonValue | undefined, WantedContainer | undefined])[] = [
    ['edgeAgent', ownMember(system, 'edgeAgent'), runtime.edgeAgent],
    ['edgeHub', ownMember(system, 'edgeHub'), runtime.edgeHub],
    ...[...wanted.modules].map(([name, module]) => [name, ownMember(before, name), module] as const),
    ...Object.keys(before).flatMap((name) =>
      wanted.modules.has(name) ? [] : [[name, before[name], undefined] as const],
    ),
  ];
  return {
    modules: named.flatMap(([name, from, to]) => moduleChange(name, from, to, redaction) ?? []),
    routes: present.hub === undefined ? [] : routeChanges(present.hub, wanted),
    runtime: [...runtimeChanges(present, wanted), ...registryChanges(present.agent, wanted, redaction)],
  };
}

/** Whether the hub has this manifest already, apart from the values of settings. */
export function isSameManifest({ modules, routes, runtime }: ManifestDiff): boolean {
  return modules.length + routes.length + runtime.length === 0;
}

/**
 * The modules whose identity the device creates or updates after an apply: two identity operations each (edge.md, iotedge:
 * ModuleIdentityLifecycleManager). `edgeAgent` itself is not among them.
 */
export function touchedModules({ modules }: ManifestDiff): readonly string[] {
  return modules.flatMap(({ name, kind }) => (kind === 'removed' || name === 'edgeAgent' ? [] : [name]));
}

type WantedContainer = FilledManifest['runtime']['edgeAgent'] & {
  readonly status?: string;
  readonly restartPolicy?: string;
  readonly startupOrder?: number | undefined;
  readonly version?: string | undefined;
};

function moduleChange(
  name: string,
  present: JsonValue | undefined,
  wanted: WantedContainer | undefined,
  redaction: Redaction,
): ModuleChange | undefined {
  const settings = ownMember(present, 'settings');
  const image = ownMember(settings, 'image');
  const from = typeof image === 'string' ? image : null;
  if (wanted === undefined) return { name, kind: 'removed', image: { from, to: null }, env: [], fields: [] };
  const env = variableChanges(ownMember(present, 'env'), wanted.env, redaction);
  if (!isObject(present))
    return { name, kind: 'added', image: { from: null, to: wanted.image }, env, fields: [] };
  const fields = fieldChanges(present, settings, wanted);
  const isSameImage = from === wanted.image;
  if (isSameImage && env.length + fields.length === 0) return undefined;
  return {
    name,
    kind: 'changed',
    ...(isSameImage ? {} : { image: { from, to: wanted.image } }),
    env,
    fields,
  };
}

/** What the runtime assumes for a field that a manifest leaves out. */
const ASSUMED: Readonly<Record<string, JsonValue>> = {
  imagePullPolicy: 'on-create',
  startupOrder: 4_294_967_295,
};

function fieldChanges(
  present: JsonObject,
  settings: JsonValue | undefined,
  wanted: WantedContainer,
): readonly FieldChange[] {
  const { status, restartPolicy, startupOrder, imagePullPolicy, version } = wanted;
  const plain = { status, restartPolicy, startupOrder, imagePullPolicy, version };
  const changes = Object.entries(plain).flatMap(([field, value]): FieldChange[] => {
    const assumed = ASSUMED[field] ?? null;
    const from = ownMember(present, field) ?? assumed;
    const to = value ?? assumed;
    // edgeAgent has no status of its own, whatever the manifest says.
    return sameJson(from, to) || (status === undefined && value === undefined) ? [] : [{ field, from, to }];
  });
  const options = readCreateOptions(isObject(settings) ? settings : {});
  const before = options.ok ? options.text : null;
  if (before !== wanted.createOptions && optionsOf(before) !== optionsOf(wanted.createOptions)) {
    changes.push({ field: 'createOptions', from: before, to: wanted.createOptions });
  }
  return changes;
}

/** Options with the same content are equal in any form. */
function optionsOf(text: string | null): string | null {
  if (text === null) return null;
  const read = readCreateOptions({ createOptions: text });
  return read.ok ? canonicalJson(read.options) : text;
}

function variableChanges(
  present: JsonValue | undefined,
  wanted: FilledManifest['runtime']['edgeAgent']['env'],
  redaction: Redaction,
): readonly VariableChange[] {
  const before = isObject(present) ? present : {};
  const names = new Set(wanted.map(([name]) => name));
  return [
    ...wanted.flatMap(([name, value]): VariableChange[] => {
      const to = value.kind === 'setting' ? `setting:${value.setting}` : value.value;
      const found = ownMember(before[name], 'value');
      if (found === undefined) return [{ name, kind: 'added', to }];
      return isSameVariable(found, value, redaction) ? [] : [{ name, kind: 'changed', to }];
    }),
    ...Object.keys(before).flatMap((name): VariableChange[] =>
      names.has(name) ? [] : [{ name, kind: 'removed', to: null }],
    ),
  ];
}

function isSameVariable(present: JsonValue, wanted: FilledVariable, redaction: Redaction): boolean {
  if (wanted.kind === 'setting') return true;
  return sameHidden(present, wanted.value, redaction);
}

/** Compares a stored value, which may be a hash, with a value in clear text. Without the key of the hash, they count as equal. */
export function sameHidden(present: JsonValue, wanted: JsonValue, { key }: Redaction): boolean {
  if (typeof present !== 'string' || !present.startsWith(REDACTED)) return sameJson(present, wanted);
  if (key === undefined) return true;
  const hidden = redactJson({ value: wanted }, { paths: [['value']], key }, 'section');
  return ownMember(hidden, 'value') === present;
}

function routeChanges(hub: JsonObject, { routes }: FilledManifest): readonly RouteChange[] {
  const present = ownMember(hub, 'routes');
  const before = isObject(present) ? present : {};
  return [
    ...[...routes].flatMap(([name, { route, priority = null, timeToLiveSecs = null }]): RouteChange[] => {
      const from = ownMember(before, name);
      const to: JsonValue =
        priority === null && timeToLiveSecs === null ? route : { route, priority, timeToLiveSecs };
      if (from === undefined || from === null) return [{ name, kind: 'added', from: null, to }];
      return sameJson(plainRoute(from), plainRoute(to)) ? [] : [{ name, kind: 'changed', from, to }];
    }),
    ...Object.keys(before).flatMap((name): RouteChange[] =>
      routes.has(name) ? [] : [{ name, kind: 'removed', from: before[name] ?? null, to: null }],
    ),
  ];
}

function plainRoute(route: JsonValue): JsonObject {
  if (!isObject(route)) return { route, priority: null, timeToLiveSecs: null };
  const { route: text = null, priority = null, timeToLiveSecs = null } = route;
  return { route: text, priority, timeToLiveSecs };
}

function runtimeChanges({ agent, hub }: PresentManifest, { runtime }: FilledManifest): readonly string[] {
  const settings = ownMember(ownMember(agent, 'runtime'), 'settings');
  const compared: readonly (readonly [string, JsonValue | undefined, JsonValue])[] = [
    ['minDockerVersion', ownMember(settings, 'minDockerVersion'), runtime.minDockerVersion],
    ['loggingOptions', ownMember(settings, 'loggingOptions') ?? '', runtime.loggingOptions],
    ...(hub === undefined
      ? []
      : [
          [
            'timeToLiveSecs',
            ownMember(ownMember(hub, 'storeAndForwardConfiguration'), 'timeToLiveSecs'),
            runtime.timeToLiveSecs,
          ] as const,
        ]),
  ];
  return compared.flatMap(([field, from = null, to]) =>
    sameJson(from, to) ? [] : [`${field}: ${JSON.stringify(from)} becomes ${JSON.stringify(to)}`],
  );
}

function registryChanges(
  agent: JsonObject,
  { registries }: FilledManifest,
  redaction: Redaction,
): readonly string[] {
  const present = ownMember(ownMember(ownMember(agent, 'runtime'), 'settings'), 'registryCredentials');
  const before = isObject(present) ? present : {};
  const names = new Set(registries.map(({ name }) => name));
  return [
    ...registries.flatMap(({ name, address }) => {
      const from = ownMember(before[name], 'address');
      if (from === undefined) return [`credentials of ${address}: added`];
      return sameHidden(from, address, redaction) ? [] : [`credentials "${name}": now of ${address}`];
    }),
    ...Object.keys(before).flatMap((name) => (names.has(name) ? [] : [`credentials "${name}": removed`])),
  ];
}
