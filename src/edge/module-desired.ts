import type { FilledManifest } from '../fleet/edge/manifest.ts';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { holdsRedacted } from '../twin/redaction/redact-values.ts';
import { leavesOf, mergePatch, nest, valueAt } from '../twin/snapshot/merge.ts';
import type { LeftProperty, ModuleRecord } from '../twin/snapshot/runtime-twin.ts';

/*
 * The desired properties of a module twin before and after a rollout. A manifest that does not name them leaves them as they are. So a
 * rollback to such a manifest must give back what the rollout replaced. Pure.
 */

/** How many contents of a module are kept. */
const MOST_CONTENTS = 4;

/** What one apply sets in a module twin. */
export interface SetDesired {
  /** The deployment that the module comes from, and the id of its content. */
  readonly deployment: string;
  readonly content: string;
  /** Without the values of policies, and with hidden values as hashes. */
  readonly desired: JsonObject;
  readonly at: EpochMs;
}

/** The record of a module when a manifest sets its desired properties. `present`: what they are before. */
export function withSetDesired(
  before: ModuleRecord | undefined,
  present: JsonObject,
  { deployment, content, desired, at }: SetDesired,
): ModuleRecord {
  const { replaced = [] } = before ?? {};
  const isFirst = !replaced.some((each) => each.content === content);
  const first = { deployment, content, value: present, at };
  return { applied: desired, replaced: (isFirst ? [first, ...replaced] : replaced).slice(0, MOST_CONTENTS) };
}

/** The desired properties of a module from before a rollout, and what stays as it is. */
export interface GivenBack {
  readonly desired: JsonObject;
  readonly left: readonly LeftProperty[];
}

/**
 * What a rollback gives back in one module twin, property by property: only where Berth was the last to write. Undefined: there is
 * nothing to give back.
 *
 * @param since the last apply of the content that the device gets now. Undefined: it never had that content.
 * @param owned the paths that policies own in the module. They stay as they are.
 */
export function desiredBefore(
  module: string,
  { applied, replaced }: ModuleRecord,
  present: JsonObject,
  {
    deployment,
    since,
    owned,
  }: {
    readonly deployment: string;
    readonly since: EpochMs | undefined;
    readonly owned: readonly (readonly string[])[];
  },
): GivenBack | undefined {
  const before = replaced.findLast(
    (each) => each.deployment === deployment && (since === undefined || each.at >= since),
  )?.value;
  if (before === undefined) return undefined;
  const left: LeftProperty[] = [];
  const leave = (path: readonly string[], why: string) => left.push({ module, path: path.join('.'), why });
  const isOwned = (path: readonly string[]) =>
    owned.some((own) => own.every((key, index) => index >= path.length || path[index] === key));
  let desired = present;
  for (const { path, value } of leavesOf(applied)) {
    const now = valueAt(present, path);
    if (isOwned(path) || now === undefined) continue;
    if (sameJson(now, value)) desired = without(desired, path);
    else if (!sameJson(now, valueAt(before, path) ?? null)) leave(path, CHANGED_SINCE);
  }
  for (const { path, value } of leavesOf(before)) {
    if (isOwned(path) || isTaken(desired, path)) continue;
    if (holdsRedacted(value)) leave(path, HIDDEN);
    else desired = mergePatch(desired, nest(path, value));
  }
  if (sameJson(desired, present)) return left.length === 0 ? undefined : { desired: present, left };
  // An apply replaces all desired properties, and hidden ones are not known.
  const hidden = leavesOf(desired).filter(({ value }) => holdsRedacted(value));
  if (hidden.length === 0) return { desired, left };
  const all = leavesOf(applied).map(({ path }) => ({ module, path: path.join('.'), why: BESIDE_HIDDEN }));
  return { desired: present, left: all };
}

/** The properties without one path, and without the objects that become empty. */
function without(desired: JsonObject, path: readonly string[]): JsonObject {
  const removed = mergePatch(desired, nest(path, null));
  const above = path.slice(0, -1);
  const parent = above.length === 0 ? undefined : valueAt(removed, above);
  return isObject(parent) && Object.keys(parent).length === 0 ? without(removed, above) : removed;
}

/** Whether something has a value now that is not on the way to the path. */
function isTaken(desired: JsonObject, path: readonly string[]): boolean {
  return path.some((_, index) => {
    const value: JsonValue | undefined = valueAt(desired, path.slice(0, index + 1));
    return value !== undefined && (index === path.length - 1 || !isObject(value));
  });
}

const CHANGED_SINCE =
  'was changed by another writer after the rollout that was rolled back, so Berth leaves it';
const HIDDEN = 'its value from before the rollout is redacted: set it by hand';
const BESIDE_HIDDEN = 'the module has redacted properties, which an apply would lose: set it by hand';

/** The manifest with these desired properties in its modules. */
export function withDesired(
  filled: FilledManifest,
  desired: ReadonlyMap<string, JsonObject>,
): FilledManifest {
  const modules = [...filled.modules].map(([name, module]) => {
    const own = desired.get(name);
    return [name, own === undefined ? module : { ...module, desired: own }] as const;
  });
  return { ...filled, modules: new Map(modules) };
}
