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

/** One property and the policy that owns it in a twin. */
export interface OwnedLeaf {
  readonly policy: Policy;
  readonly path: readonly string[];
  /** The path with dots. */
  readonly key: string;
  /** `null`: the property must be absent. */
  readonly wanted: JsonValue;
  readonly report: PropertyReport | undefined;
  /** How what is reported and desired is compared with `wanted`. */
  readonly compare: Comparison;
  /** The policy does not match any more, and takes away what it wrote. */
  readonly isLeaving: boolean;
}

/**
 * Who owns which property: first to last, the first policy that matches and sets a path owns it. What nobody owns
 * and a policy has left behind, it takes away again where it says so.
 */
export function ownedLeaves(
  snapshot: Snapshot,
  policies: readonly Policy[],
  variables: Variables,
  work?: ExpressionWork,
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
      // An object would merge with what is there instead of being the value; unknown, and what Berth may not know, is
      // no value.
      if (wanted === undefined || isObject(wanted) || holdsRedacted(wanted)) continue;
      owned.set(key, { policy, path, key, wanted, report, compare, isLeaving: false });
    }
  }
  for (const policy of own) {
    if (!policy.removesOnLeave || matches.get(policy) !== false) continue;
    for (const leaf of policy.leaves) {
      const { path, key, compare } = leaf;
      // The device must still see that what is taken away was of a component.
      if (isMarker(path) || owned.has(key) || !isLeftBehind(snapshot, policy, leaf)) continue;
      const report = reportAt(snapshot.reported, path, readingFor(policy));
      owned.set(key, { policy, path, key, wanted: null, report, compare, isLeaving: true });
    }
  }
  return [...owned.values()];
}

function matchOf(
  { when }: Policy,
  variables: Variables,
  work?: ExpressionWork,
): ReturnType<typeof evaluateCondition> {
  return when === undefined ? true : evaluateCondition(when, variables, work);
}

/**
 * The value is the one that this policy wrote last, so nobody has touched it since: by name, because a policy that
 * leaves by a new condition has another content. An unknown condition is no leaving.
 */
function isLeftBehind(snapshot: Snapshot, policy: Policy, { path, key, compare }: PolicyLeaf): boolean {
  const [last] = historyAt(snapshot.paths, key).writes;
  if (last === undefined || last.by !== policy.name || last.value === null) return false;
  return sameValue(valueAt(snapshot.desired, path) ?? null, last.value, compare);
}
