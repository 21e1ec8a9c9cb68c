import { isObject, type JsonObject, type JsonValue, ownMember, sameJson } from '../../../src/json/json.ts';
import { objectWith, type TwinSetting } from '../model/configuration-content.ts';
import type { AppliedConfiguration } from '../model/entry.ts';
import { mergeValues } from '../model/merge.ts';

/** The settings of a configuration that targets a twin. */
export interface TargetingConfiguration {
  readonly id: string;
  readonly settings: readonly TwinSetting[];
}

/** The writes that bring a twin to its configurations, in order, and the configurations that then target it. */
export interface ConfigurationPlan {
  readonly writes: readonly { readonly id: string; readonly patch: JsonObject }[];
  readonly configurations: Readonly<Record<string, AppliedConfiguration>>;
}

/** Values by their paths. No key of a twin contains a dot. @example 'hvac.setpoint' → 21 */
type Leaves = ReadonlyMap<string, JsonValue>;

/**
 * Merges the configurations of a twin (iot-hub-automatic-device-management.md). Of two configurations with the same
 * path, the one with the higher priority sets the whole path. Below different paths, it wins value by value. A
 * configuration is `Applied` if it sets at least one value, else `Targeted`. Values of configurations that no longer
 * target the twin are removed.
 *
 * @param targeting the one with the highest priority first.
 * @param before what the last plan applied.
 */
export function planConfigurations(
  desired: JsonObject,
  targeting: readonly TargetingConfiguration[],
  before: Readonly<Record<string, AppliedConfiguration>>,
): ConfigurationPlan {
  const won = winners(targeting);
  const wanted = new Map([...won.values()].flatMap((leaves) => [...leaves]));
  const removal = removalOf(desired, wanted, before);
  const sets = [...won].flatMap(([id, leaves]) => {
    const patch = patchTo(desired, leaves);
    return Object.keys(patch).length === 0 ? [] : [{ id, patch }];
  });
  return {
    writes: withRemoval(sets, removal),
    configurations: Object.fromEntries([...won].map(([id, leaves]) => [id, describe(leaves)])),
  };
}

/** The values that each configuration sets. The order is that of the configurations, the lowest priority first. */
function winners(targeting: readonly TargetingConfiguration[]): ReadonlyMap<string, Leaves> {
  const paths = new Set<string>();
  const taken = new Set<string>();
  const won: [string, Leaves][] = [];
  for (const { id, settings } of targeting) {
    const free = settings.filter(({ path }) => !paths.has(path.join('.')));
    const leaves = free.flatMap(({ path, value }) => leavesOf(path, value));
    const kept = leaves.filter(([path]) => !conflicts(path, taken));
    for (const { path } of settings) paths.add(path.join('.'));
    for (const [path] of kept) taken.add(path);
    won.unshift([id, new Map(kept)]);
  }
  return new Map(won);
}

/** Whether a value at this path and one of the taken values cannot both exist. */
function conflicts(path: string, taken: ReadonlySet<string>): boolean {
  if (taken.has(path)) return true;
  return [...taken].some((other) => other.startsWith(`${path}.`) || path.startsWith(`${other}.`));
}

function leavesOf(path: readonly string[], value: JsonValue): (readonly [string, JsonValue])[] {
  if (!isObject(value) || Object.keys(value).length === 0) return [[path.join('.'), value]];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf([...path, key], inner));
}

/** The part of the values that the twin does not have. `null` removes a value. */
function patchTo(desired: JsonObject, leaves: Leaves): JsonObject {
  let patch: JsonObject = {};
  for (const [path, value] of leaves) {
    const keys = path.split('.');
    const current = keys.reduce<JsonValue | undefined>((object, key) => ownMember(object, key), desired);
    const isThere = value === null ? current === undefined : sameJson(current, value);
    if (!isThere) patch = combined(patch, objectWith(keys, value));
  }
  return patch;
}

/** The patch that removes the values of earlier configurations, and the objects that become empty. */
function removalOf(
  desired: JsonObject,
  wanted: Leaves,
  before: Readonly<Record<string, AppliedConfiguration>>,
): { readonly id: string; readonly patch: JsonObject } | undefined {
  const kept = new Set([...wanted].flatMap(([path, value]) => (value === null ? [] : [path])));
  const ended = new Map(
    Object.entries(before).flatMap(([id, { paths }]) =>
      paths.filter((path) => !conflicts(path, kept)).map((path) => [path, id] as const),
    ),
  );
  const [id] = ended.values();
  if (id === undefined) return undefined;
  const next = [...wanted].reduce(
    (values, [path, value]) => mergeValues(values, objectWith(path.split('.'), value)),
    desired,
  );
  const { patch } = withoutPaths(next, new Set(ended.keys()), '');
  return Object.keys(patch).length === 0 ? undefined : { id, patch };
}

function withoutPaths(
  object: JsonObject,
  paths: ReadonlySet<string>,
  prefix: string,
): { readonly patch: JsonObject; readonly isEmptied: boolean } {
  const patch: [string, JsonValue][] = [];
  let removed = 0;
  for (const [key, value] of Object.entries(object)) {
    const path = `${prefix}${key}`;
    const inner = isObject(value) ? withoutPaths(value, paths, `${path}.`) : undefined;
    if (paths.has(path) || inner?.isEmptied === true) {
      patch.push([key, null]);
      removed += 1;
    } else if (inner !== undefined && Object.keys(inner.patch).length > 0) patch.push([key, inner.patch]);
  }
  return {
    patch: Object.fromEntries(patch),
    isEmptied: removed > 0 && removed === Object.keys(object).length,
  };
}

/** The removal goes into the first write, so that a change of the winner is one write. */
function withRemoval(
  sets: readonly { readonly id: string; readonly patch: JsonObject }[],
  removal: { readonly id: string; readonly patch: JsonObject } | undefined,
): readonly { readonly id: string; readonly patch: JsonObject }[] {
  const [first, ...rest] = sets;
  if (removal === undefined) return sets;
  if (first === undefined) return [removal];
  return [{ id: first.id, patch: combined(removal.patch, first.patch) }, ...rest];
}

/** Both patches as one; `null` stays. */
function combined(first: JsonObject, second: JsonObject): JsonObject {
  const both = new Map(Object.entries(first));
  for (const [key, value] of Object.entries(second)) {
    const there = both.get(key);
    both.set(key, isObject(value) && isObject(there) ? combined(there, value) : value);
  }
  return Object.fromEntries(both);
}

function describe(leaves: Leaves): AppliedConfiguration {
  const paths = [...leaves].flatMap(([path, value]) => (value === null ? [] : [path]));
  return { status: leaves.size > 0 ? 'Applied' : 'Targeted', paths };
}
