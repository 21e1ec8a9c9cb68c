import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { HubRefusal } from './hub-error.ts';
import { problemOfContent } from './twin-limits.ts';

/**
 * The content of a configuration, as its client wrote it. `deviceContent` and `moduleContent` set desired properties of
 * twins. `modulesContent` is a manifest of IoT Edge: the settings of each module.
 */
export type ConfigurationContent =
  | { readonly kind: 'device'; readonly deviceContent: JsonObject }
  | { readonly kind: 'module'; readonly moduleContent: JsonObject }
  | { readonly kind: 'edge'; readonly modulesContent: JsonObject; readonly deviceContent?: JsonObject };

/** A value for desired properties. The path is below `properties.desired`; empty: all desired properties. */
export interface TwinSetting {
  readonly path: readonly string[];
  readonly value: JsonValue;
}

const DESIRED = 'properties.desired';
/** Each manifest of IoT Edge has settings for this module, in a layer possibly none (how-to-deploy-cli-at-scale.md). */
const EDGE_AGENT = '$edgeAgent';

/**
 * Reads the content of a configuration.
 *
 * @throws HubRefusal `InvalidConfigurationContent`
 */
export function readConfigurationContent(content: JsonValue | undefined): ConfigurationContent {
  if (!isObject(content)) throw invalid('content is missing.');
  const [device, module, modules] = ['deviceContent', 'moduleContent', 'modulesContent'].map((name) =>
    sectionOf(content, name),
  );
  if (modules !== undefined) {
    if (module !== undefined) throw invalid('modulesContent and moduleContent exclude each other.');
    checkManifest(modules);
    if (device !== undefined) twinSettings(device);
    return { kind: 'edge', modulesContent: modules, ...(device && { deviceContent: device }) };
  }
  if (device !== undefined && module !== undefined) {
    throw invalid('deviceContent and moduleContent exclude each other.');
  }
  if (device !== undefined) {
    twinSettings(device);
    return { kind: 'device', deviceContent: device };
  }
  if (module === undefined) throw invalid('content has no deviceContent, moduleContent or modulesContent.');
  twinSettings(module);
  return { kind: 'module', moduleContent: module };
}

/** The content in the form of the service API. */
export function describeContent(content: ConfigurationContent): JsonObject {
  const { kind: _kind, ...sections } = content;
  return { ...sections };
}

/**
 * The settings of a device or module content.
 *
 * @example { 'properties.desired.hvac': { setpoint: 21 } } → [{ path: ['hvac'], value: { setpoint: 21 } }]
 * @throws HubRefusal `InvalidConfigurationContent`
 */
export function twinSettings(section: JsonObject): readonly TwinSetting[] {
  return Object.entries(section).map(([name, value]) => {
    if (name !== DESIRED && !name.startsWith(`${DESIRED}.`)) {
      throw invalid(`${name.slice(0, 100)} is not ${DESIRED} and not a path below it.`);
    }
    const path = name === DESIRED ? [] : name.slice(DESIRED.length + 1).split('.');
    if (path.length === 0 && !isObject(value)) throw invalid(`${DESIRED} is not a JSON object.`);
    if (path.some((key) => key === '')) throw invalid(`${name.slice(0, 100)} has an empty key.`);
    const problem = problemOfContent(objectWith(path, value));
    if (problem !== undefined) throw invalid(problem);
    return { path, value };
  });
}

/** An object with one value at a path. @example objectWith(['a', 'b'], 1) → { a: { b: 1 } } */
export function objectWith(path: readonly string[], value: JsonValue): JsonObject {
  const object = path.reduceRight<JsonValue>((inner, key) => Object.fromEntries([[key, inner]]), value);
  return isObject(object) ? object : {};
}

/** A section without settings counts as absent: the SDKs write all three. */
function sectionOf(content: JsonObject, name: string): JsonObject | undefined {
  const section = ownMember(content, name) ?? undefined;
  if (section === undefined) return undefined;
  if (!isObject(section)) throw invalid(`${name} is not a JSON object.`);
  return Object.keys(section).length === 0 ? undefined : section;
}

function checkManifest(modules: JsonObject): void {
  if (!Object.hasOwn(modules, EDGE_AGENT)) throw invalid(`modulesContent has no ${EDGE_AGENT}.`);
  for (const [name, settings] of Object.entries(modules)) {
    if (!isObject(settings)) throw invalid(`The settings of ${name} are not a JSON object.`);
    twinSettings(settings);
  }
}

function invalid(problem: string): HubRefusal {
  return new HubRefusal('InvalidConfigurationContent', problem);
}
