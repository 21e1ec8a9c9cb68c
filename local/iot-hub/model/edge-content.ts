import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { HubRefusal } from './hub-error.ts';
import { isDeviceOrModuleId } from './identity.ts';
import type { Ticks } from './instant.ts';
import { replacementPatch } from './merge.ts';
import { type HubTwin, type HubTwinSection, patchTwin, replaceTwin } from './twin.ts';

/**
 * What a manifest writes to the desired properties of one twin: `whole` replaces all of them, `parts` set single paths.
 * The key `properties.desired` is the whole, `properties.desired.modules.camera` is the part at `['modules', 'camera']`
 * (module-deployment-monitoring.md, "Layered deployment").
 */
export interface DesiredContent {
  readonly whole?: JsonObject;
  readonly parts: readonly DesiredPart[];
}

export interface DesiredPart {
  /** At least one key. */
  readonly path: readonly string[];
  readonly value: JsonValue;
}

/** The content of a manifest for an Edge device. */
export interface EdgeContent {
  /** By module id, in the order of the content. */
  readonly modules: ReadonlyMap<string, DesiredContent>;
  /** For the twin of the device. */
  readonly device: DesiredContent | undefined;
}

const DESIRED = 'properties.desired';

/**
 * Reads the content of an apply, or of an Edge deployment. It needs `modulesContent`, and `deviceContent` is allowed beside
 * it (azure-iot-sdk-csharp#2419 and #2424).
 *
 * @throws HubRefusal `InvalidConfigurationContent`
 */
export function readEdgeContent(content: JsonObject): EdgeContent {
  const modules = ownMember(content, 'modulesContent');
  if (!isObject(modules)) throw invalid('modulesContent is missing or not an object');
  if ((ownMember(content, 'moduleContent') ?? undefined) !== undefined) {
    throw invalid('moduleContent does not apply to an IoT Edge device; use modulesContent');
  }
  const device = ownMember(content, 'deviceContent') ?? undefined;
  return {
    modules: new Map(
      Object.entries(modules).map(([moduleId, each]) => [moduleId, readModule(moduleId, each)]),
    ),
    device: device === undefined ? undefined : readDesiredContent('deviceContent', device),
  };
}

function readModule(moduleId: string, content: JsonValue): DesiredContent {
  if (!isDeviceOrModuleId(moduleId)) throw invalid(`${moduleId} is not a module id`);
  return readDesiredContent(`modulesContent.${moduleId}`, content);
}

/**
 * Reads the part of a content for one twin.
 *
 * @throws HubRefusal `InvalidConfigurationContent`
 */
export function readDesiredContent(name: string, content: JsonValue): DesiredContent {
  if (!isObject(content)) throw invalid(`${name} is not an object`);
  const parts: DesiredPart[] = [];
  let whole: JsonObject | undefined;
  for (const [key, value] of Object.entries(content)) {
    const [properties, desired, ...path] = key.split('.');
    if (`${properties}.${desired}` !== DESIRED || path.includes('')) {
      throw invalid(`${name} has the key ${key}; keys are ${DESIRED} and ${DESIRED}.NAME`);
    }
    if (path.length > 0) parts.push({ path, value });
    else if (isObject(value)) whole = value;
    else throw invalid(`${name}.${DESIRED} is not an object`);
  }
  return { ...(whole !== undefined && { whole }), parts };
}

/**
 * The desired properties after a content is written to them. A part replaces the value at its path, and `null` removes it.
 */
export function desiredAfter(current: JsonObject, { whole, parts }: DesiredContent): JsonObject {
  return parts.reduce((values, { path, value }) => withPart(values, path, value), whole ?? current);
}

function withPart(values: JsonObject, [key = '', ...rest]: readonly string[], value: JsonValue): JsonObject {
  const there = ownMember(values, key);
  const next = rest.length === 0 ? value : withPart(isObject(there) ? there : {}, rest, value);
  return Object.fromEntries([...Object.entries(values).filter(([name]) => name !== key), [key, next]]);
}

/**
 * Writes a content to a twin. A whole section counts as replaced, so that all its values get a new version. Parts are a
 * patch. Without effect, there is no notice.
 *
 * @returns the twin, and the patch for the event and the notification: all values of a replacement, `null` for removed ones.
 */
export function writeContent(
  twin: HubTwin,
  content: DesiredContent,
  at: Ticks,
): { readonly twin: HubTwin; readonly notice: HubTwinSection | undefined } {
  const current = twin.desired.values;
  const desired = desiredAfter(current, content);
  if (content.whole !== undefined) return replaceTwin(twin, { desired }, at);
  const { twin: after, applied } = patchTwin(twin, { desired: partsPatch(current, desired, content) }, at);
  return { twin: after, notice: applied.desired };
}

/** The patch that turns `before` into `after` at the paths of the content. */
function partsPatch(before: JsonObject, after: JsonObject, { parts }: DesiredContent): JsonObject {
  const keys = new Set(parts.map(({ path: [key = ''] }) => key));
  const only = (values: JsonObject) =>
    Object.fromEntries(Object.entries(values).filter(([key]) => keys.has(key)));
  return replacementPatch(only(before), only(after));
}

/**
 * The ids of the modules that a content names: its keys, and those in the desired properties of the agent. It is not known
 * which of them Azure uses (tests of azure-iot-cli-extension fit both).
 */
export function namedModules({ modules }: EdgeContent, agent: string): readonly string[] {
  const content = modules.get(agent);
  const listed = content && ownMember(desiredAfter({}, content), 'modules');
  return [...new Set([...modules.keys(), ...Object.keys(isObject(listed) ? listed : {})])];
}

function invalid(reason: string): HubRefusal {
  return new HubRefusal(
    'InvalidConfigurationContent',
    `The content of the configuration is not valid: ${reason}.`,
  );
}
