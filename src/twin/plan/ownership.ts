import type { Comparison } from '../../fleet/comparison.ts';
import { evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import { fillTemplate } from '../../fleet/expressions/template.ts';
import type { Policy, PolicyLeaf } from '../../fleet/fleet.ts';
import { isObject, type JsonValue } from '../../json/json.ts';
import { type PropertyReport, type ReportReading, reportAt } from '../answers/acknowledgement.ts';
import { sameValue } from '../answers/compare.ts';
import { holdsRedacted } from '../redaction/redact-values.ts';
import { valueAt } from '../snapshot/merge.ts';
import { historyAt, type Snapshot } from '../snapshot/snapshot.ts';
import { isMarker } from './components.ts';
import type { RolledBack } from './contents.ts';

/** One property and the policy that owns it in a twin. */
export interface OwnedLeaf {
  readonly policy: Policy;
  readonly path: readonly string[];
  /** The path as one text, with dots. */
  readonly key: string;
  /** `null`: the property must be absent. */
  readonly wanted: JsonValue;
  readonly report: PropertyReport | undefined;
  /** How the reported and desired values are compared with `wanted`. */
  readonly compare: Comparison;
  /** The policy no longer matches, and removes what it wrote. Or its rollout was rolled back. */
  readonly isLeaving: boolean;
  /** The hash of a content that was rolled back and has written the property. */
  readonly restores?: string;
  /** Why the value from before the rollout cannot be given back. */
  readonly problem?: string;
}

/**
 * Which policy owns which property. The first policy that matches and sets a path owns it. If no policy owns a path any
 * more, a policy with `onLeave: remove` removes the value that it wrote there.
 */
export function ownedLeaves(
  snapshot: Snapshot,
  policies: readonly Policy[],
  variables: Variables,
  work?: ExpressionWork,
  rolledBack: readonly RolledBack[] = [],
): readonly OwnedLeaf[] {
  const own = policies.filter((policy) => policy.module === snapshot.id.moduleId);
  const matches = new Map(own.map((policy) => [policy, matchOf(policy, variables, work)]));
  const matching = own.filter((policy) => matches.get(policy) === true);
  const wantedNames = new Set(matching.flatMap((policy) => policy.answerNames));
  const readingFor = ({ acknowledgement }: Policy): ReportReading => ({
    convention: acknowledgement,
    wanted: wantedNames,
    desired: snapshot.desired,
  });
  const owned = new Map<string, OwnedLeaf>();
  for (const policy of matching) {
    const reading = readingFor(policy);
    for (const { path, key, value, compare } of policy.leaves) {
      if (owned.has(key)) continue;
      const report = reportAt(snapshot.reported, path, reading);
      const wanted = policy.mode === 'adopt' ? report?.value : fillTemplate(value, variables, [], work);
      // An unknown or redacted value cannot be written. An object would merge with the present value, not replace it.
      if (wanted === undefined || isObject(wanted) || holdsRedacted(wanted)) continue;
      owned.set(key, { policy, path, key, wanted, report, compare, isLeaving: false });
    }
  }
  const gone = new Set(rolledBack.map(({ policy }) => policy.hash));
  for (const policy of own) {
    if (!policy.removesOnLeave || matches.get(policy) !== false) continue;
    for (const leaf of policy.leaves) {
      const { path, key, compare } = leaf;
      // The marker stays, so that the device sees that the removed properties belong to a component.
      if (isMarker(path) || owned.has(key) || !isLeftBehind(snapshot, policy, leaf, gone)) continue;
      const report = reportAt(snapshot.reported, path, readingFor(policy));
      owned.set(key, { policy, path, key, wanted: null, report, compare, isLeaving: true });
    }
  }
  for (const { policy, before } of rolledBack) {
    for (const leaf of policy.leaves) {
      const found = owned.get(leaf.key);
      const { replaced } = historyAt(snapshot.paths, leaf.key);
      if (replaced?.policy !== policy.hash) continue;
      if (found !== undefined && found.policy === before) {
        owned.set(leaf.key, { ...found, restores: policy.hash });
      } else if (found === undefined && !isMarker(leaf.path)) {
        const report = reportAt(snapshot.reported, leaf.path, readingFor(policy));
        const restored = restoredLeaf(snapshot, policy, leaf, replaced.value);
        if (restored !== undefined) owned.set(leaf.key, { ...restored, report });
      }
    }
  }
  return [...owned.values()];
}

/** The value from before a rollout. Undefined: it was given back already, and another writer has changed it since. */
function restoredLeaf(
  snapshot: Snapshot,
  policy: Policy,
  { path, key, compare }: PolicyLeaf,
  value: JsonValue,
): Omit<OwnedLeaf, 'report'> | undefined {
  const leaf = { policy, path, key, compare, isLeaving: true, restores: policy.hash };
  if (holdsRedacted(value)) {
    return {
      ...leaf,
      wanted: null,
      problem: 'its value from before the rollout is redacted: set it by hand',
    };
  }
  if (isObject(value)) {
    return { ...leaf, wanted: null, problem: 'was an object before the rollout: set it by hand' };
  }
  const [last] = historyAt(snapshot.paths, key).writes;
  const isBack = last?.policy === policy.hash && sameValue(last.value, value, compare);
  if (isBack && !sameValue(valueAt(snapshot.desired, path) ?? null, value, compare)) return undefined;
  return { ...leaf, wanted: value };
}

/** Whether a twin matches a policy; undefined: that is unknown. */
export function matchOf(
  { when }: Policy,
  variables: Variables,
  work?: ExpressionWork,
): ReturnType<typeof evaluateCondition> {
  return when === undefined ? true : evaluateCondition(when, variables, work);
}

/**
 * Whether the present value is the one that this policy wrote last, so that no other writer has changed it. The policy is
 * found by name, because a new condition changes its hash. What a content that was rolled back has written, or given back, is
 * not left behind: the rollback decides what becomes of it.
 */
function isLeftBehind(
  snapshot: Snapshot,
  policy: Policy,
  { path, key, compare }: PolicyLeaf,
  rolledBack: ReadonlySet<string>,
): boolean {
  const { writes, replaced } = historyAt(snapshot.paths, key);
  const [last] = writes;
  if (last === undefined || last.by !== policy.name || last.value === null) return false;
  if (rolledBack.has(last.policy) && replaced?.policy === last.policy) return false;
  return sameValue(valueAt(snapshot.desired, path) ?? null, last.value, compare);
}
