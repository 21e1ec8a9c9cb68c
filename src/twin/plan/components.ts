import type { Policy, Twins } from '../../fleet/fleet.ts';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../../json/json.ts';
import type { PropertyReport } from '../answers/acknowledgement.ts';
import { valueAt } from '../snapshot/merge.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { LeafStatus } from './property-status.ts';

/**
 * The key that marks an object as a component of Plug and Play (concepts-convention, 2025-01). Components are at the top
 * level of desired and reported. The C device SDK (1.15, `iothub_client_properties.c`) looks for the marker only in the
 * current message, a patch or the whole twin. To this SDK, an object without the marker is a property of the root.
 */
export const COMPONENT_MARKER = '__t';
/** The value of `COMPONENT_MARKER`. */
export const COMPONENT = 'c';

/** Whether a key of the desired properties of a twin is a component. */
export type IsComponent = (name: string) => boolean;

/** The parts of an owned property that the rules of components need. */
export interface ComponentLeaf {
  readonly policy: Pick<Policy, 'name' | 'hash' | 'mode' | 'attempts'>;
  readonly path: readonly string[];
  /** `null`: the property must be absent. */
  readonly wanted: JsonValue;
  readonly report: PropertyReport | undefined;
}

/** Whether a path is the marker of a component. */
export function isMarker(path: readonly string[]): boolean {
  return path.length === 2 && path[1] === COMPONENT_MARKER;
}

/**
 * Which keys of a twin are components. The sources are the policies that own something in the twin, the twin itself, and
 * the model of the device. A policy that wants another marker, or none, overrides the other sources.
 */
export function componentsOf(
  { desired, reported, modelId }: Pick<Snapshot, 'desired' | 'reported' | 'modelId'>,
  leaves: readonly Pick<ComponentLeaf, 'path' | 'wanted'>[],
  models: Twins['components'],
): IsComponent {
  const said = new Map<string | undefined, JsonValue>();
  for (const { path, wanted } of leaves) if (isMarker(path)) said.set(path[0], wanted);
  const ofModel = modelId === undefined ? undefined : models.get(modelId);
  return (name) => {
    const marker = said.get(name);
    if (marker !== undefined) return marker === COMPONENT;
    return isMarked(reported, name) || isMarked(desired, name) || ofModel?.has(name) === true;
  };
}

/**
 * A patch of desired properties with the marker of each component in it. A marker that is already in the patch stays.
 */
export function withMarkers(patch: JsonObject, isComponent: IsComponent): JsonObject {
  const unmarked = Object.entries(patch).filter(
    ([name, value]) => isObject(value) && !Object.hasOwn(value, COMPONENT_MARKER) && isComponent(name),
  );
  if (unmarked.length === 0) return patch;
  const marked = unmarked.map(
    ([name, value]) => [name, { [COMPONENT_MARKER]: COMPONENT, ...(value as JsonObject) }] as const,
  );
  return { ...patch, ...Object.fromEntries(marked) };
}

/**
 * The status of a property that was written without the marker of its component. The device treated it as a property of the
 * root and never answers. So Berth writes it again with the marker. Desired then holds the marker, so this happens once. If
 * other writers remove the marker, Berth repeats it until it has written the value once more than `attempts`.
 */
export function rewrittenWithMarker(
  leaf: ComponentLeaf,
  status: LeafStatus,
  desired: JsonObject,
  isComponent: IsComponent,
): LeafStatus {
  const [name = ''] = leaf.path;
  if (leaf.path.length === 1 || isMarker(leaf.path) || leaf.wanted === null) return status;
  if (isMarked(desired, name) || !isComponent(name)) return status;
  const isIgnored =
    sameJson(valueAt(desired, leaf.path), leaf.wanted) &&
    isUnanswered(leaf, status) &&
    mayBeWritten(leaf, status);
  if (!isIgnored) return status;
  const why = `was written without the marker of the component ${name}; Berth writes it again`;
  return { status: 'pending', why, write: true, history: status.history };
}

/** Whether nothing shows that the device has seen the value. Drift, contested properties and rejections have other rules. */
function isUnanswered(
  { report, wanted, policy }: ComponentLeaf,
  { status, write, history }: LeafStatus,
): boolean {
  // A stored rejection of the device or the hub is checked in `mayBeWritten`.
  if (write || status === 'drifted' || status === 'contested') return false;
  if (report === undefined) return true;
  // Only a seed is in sync without regard to the report.
  if (status === 'inSync' && policy.mode !== 'seed') return false;
  if (report.version !== undefined && report.version >= history.ours) return false;
  return report.value !== undefined && !sameJson(report.value, wanted);
}

function mayBeWritten(
  { policy, wanted }: ComponentLeaf,
  { history: { writes, rejected } }: LeafStatus,
): boolean {
  const isSeed = policy.mode === 'seed';
  // A seed is found by the name of its policy, because it is set once even if the policy changes.
  const own = writes.find(
    ({ by, policy: hash, value }) =>
      (isSeed ? by === policy.name : hash === policy.hash) && sameJson(value, wanted),
  );
  const isRefused = rejected.some((each) => each.policy === policy.hash && sameJson(each.value, wanted));
  // A seed that another writer has set is not Berth's.
  if (isRefused || (isSeed && own === undefined)) return false;
  return own === undefined || own.count <= policy.attempts;
}

function isMarked(section: JsonObject, name: string): boolean {
  return valueAt(section, [name, COMPONENT_MARKER]) === COMPONENT;
}
