import { evaluateCondition, type Variables } from '../fleet/expression.ts';
import type { Policy } from '../fleet/fleet.ts';
import { fillTemplate } from '../fleet/template.ts';
import { isObject, type JsonValue, sameJson } from '../json.ts';
import { type Report, reportAt } from './acknowledgement.ts';
import { isMarker } from './components.ts';
import { valueAt } from './merge.ts';
import { holdsRedacted } from './redact.ts';
import { historyAt, type Shadow } from './shadow.ts';

/** One property and the policy that owns it in a twin. */
export interface OwnedLeaf {
  readonly policy: Policy;
  readonly path: readonly string[];
  /** The path with dots. */
  readonly key: string;
  /** `null`: the property must be absent. */
  readonly wanted: JsonValue;
  readonly report: Report | undefined;
  /** The policy does not match any more, and takes away what it wrote. */
  readonly isLeaving: boolean;
}

/**
 * Who owns which property: first to last, the first policy that matches and sets a path owns it. What nobody owns
 * and a policy has left behind, it takes away again where it says so.
 */
export function ownedLeaves(
  shadow: Shadow,
  policies: readonly Policy[],
  variables: Variables,
): readonly OwnedLeaf[] {
  const owned = new Map<string, OwnedLeaf>();
  const left: Policy[] = [];
  for (const policy of policies) {
    if (policy.module !== shadow.id.moduleId) continue;
    const matches = policy.when === undefined ? true : evaluateCondition(policy.when, variables);
    if (matches === false && policy.removesOnLeave) left.push(policy);
    if (matches !== true) continue;
    for (const { path, key, value } of policy.leaves) {
      if (owned.has(key)) continue;
      const report = reportAt(shadow.reported, path);
      const wanted = policy.mode === 'adopt' ? report?.value : fillTemplate(value, variables, []);
      // An object would merge with what is there instead of being the value; unknown, and what Berth may not know, is
      // no value.
      if (wanted === undefined || isObject(wanted) || holdsRedacted(wanted)) continue;
      owned.set(key, { policy, path, key, wanted, report, isLeaving: false });
    }
  }
  for (const policy of left) {
    for (const { path, key } of policy.leaves) {
      // The device must still see that what is taken away was of a component.
      if (isMarker(path) || owned.has(key) || !isLeftBehind(shadow, policy, path, key)) continue;
      const report = reportAt(shadow.reported, path);
      owned.set(key, { policy, path, key, wanted: null, report, isLeaving: true });
    }
  }
  return [...owned.values()];
}

/**
 * The value is the one that this policy wrote last, so nobody has touched it since: by name, because a policy that
 * leaves by a new condition has another content. An unknown condition is no leaving.
 */
function isLeftBehind(shadow: Shadow, policy: Policy, path: readonly string[], key: string): boolean {
  const [last] = historyAt(shadow.paths, key).writes;
  if (last === undefined || last.by !== policy.name || last.value === null) return false;
  return sameJson(valueAt(shadow.desired, path), last.value);
}
