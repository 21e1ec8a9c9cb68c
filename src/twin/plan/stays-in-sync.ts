import { isAnswerName } from '../../fleet/comparison.ts';
import { type Expression, evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import { readable } from '../../fleet/expressions/expression-value.ts';
import type { Hub, ReadsOfKey, Twins } from '../../fleet/fleet.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import type { TwinEvent } from '../events/event.ts';
import { reaches } from '../events/history.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { twinVariables } from './twin-variables.ts';

/** A twin before and after some events. */
export interface ChangedTwin {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly events: readonly TwinEvent[];
  readonly hub: Hub;
  readonly twins: Twins;
  readonly revision: string;
}

/**
 * Whether a twin is certainly still in sync, so that no plan is needed. Most events of a healthy fleet are such: a device
 * reports a value that no policy sets and no expression reads. False: only a plan can tell.
 *
 * It is certain if the last plan was by the same fleet file and everything in it was in sync and complete, and if the events
 * report only properties on which no wanted value and no status depends. A condition that reads a reported property must
 * have the same result as before.
 */
export function staysInSync({ before, after, events, hub, twins, revision }: ChangedTwin): boolean {
  if (!wasInSync(before, revision) || after.unread !== undefined) return false;
  const reads = twins.reportedReads.get(before.id.moduleId);
  if (reads === undefined || reads.whole.values.length > 0) return false;
  const doubtful = new Set(reads.whole.conditions.map(({ when }) => when));
  for (const event of events) {
    if (event.kind !== 'update') return false;
    const { tags, desired, reported } = event.change;
    if (tags !== undefined || desired !== undefined) return false;
    const patch = reported?.values ?? {};
    for (const key of Object.keys(patch)) {
      const ofKey = reads.byKey.get(key);
      if (ofKey === undefined) continue;
      if (mayChangeValues(ofKey, patch)) return false;
      for (const { when, path } of ofKey.conditions) if (reaches(patch, path)) doubtful.add(when);
    }
  }
  return doubtful.size === 0 || haveSameResults(doubtful, before, after, hub);
}

/** Whether nothing is open after the last plan: no work item, no write, no rollout, and no property with another status. */
function wasInSync(
  { unread, writing, workItem, suspended, lastReconcile }: Snapshot,
  revision: string,
): boolean {
  if (unread !== undefined || writing !== undefined || workItem !== undefined || suspended !== undefined)
    return false;
  const { status, stages, policies } = lastReconcile;
  if (status !== 'inSync' || lastReconcile.revision !== revision || stages !== undefined) return false;
  for (const id in policies) if (policies[id] !== 'inSync') return false;
  return true;
}

function mayChangeValues({ leaves, values }: ReadsOfKey, patch: JsonObject): boolean {
  return (
    leaves.some(({ path, isStrict }) => isStrict || mayBeAbout(path, patch)) ||
    values.some((path) => reaches(patch, path))
  );
}

/** Whether a patch may change the report about a property: the value itself, or what an object around it says. */
function mayBeAbout(path: readonly string[], patch: JsonObject): boolean {
  let node: JsonValue | undefined = patch;
  for (const [depth, key] of path.entries()) {
    if (!isObject(node)) return true;
    if (depth > 0 && Object.keys(node).some(saysMore)) return true;
    if (!Object.hasOwn(node, key)) return false;
    node = node[key];
  }
  return true;
}

/** Whether a key of an object can change what the object says about the properties in it. */
function saysMore(key: string): boolean {
  return key === 'value' || key === '__t' || isAnswerName(key);
}

function haveSameResults(
  conditions: ReadonlySet<Expression>,
  before: Snapshot,
  after: Snapshot,
  hub: Hub,
): boolean {
  const earlier = twinVariables(before, hub);
  // The events changed nothing else.
  const later = { ...earlier, reported: readable(after.reported) };
  for (const when of conditions) if (resultOf(when, earlier) !== resultOf(when, later)) return false;
  return true;
}

function resultOf(when: Expression, variables: Variables): boolean | 'unknown' {
  const result = evaluateCondition(when, variables);
  return typeof result === 'boolean' ? result : 'unknown';
}
