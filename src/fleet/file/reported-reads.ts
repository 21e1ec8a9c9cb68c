import { templateReads } from '../expressions/template.ts';
import type { Policy, ReadsOfKey, ReportedReads, Twins } from '../fleet.ts';

/**
 * What the scope, the policies and their rollouts read of reported properties, for devices (`undefined`) and for each targeted
 * module.
 */
export function reportedReads({
  scope,
  policies,
}: Pick<Twins, 'scope' | 'policies'>): ReadonlyMap<string | undefined, ReportedReads> {
  const modules = new Set([undefined, ...policies.map(({ module }) => module)]);
  return new Map(
    [...modules].map((module) => {
      const own = policies.filter((policy) => policy.module === module);
      return [module, readsOf(own, scope)] as const;
    }),
  );
}

function readsOf(policies: readonly Policy[], scope: Twins['scope']): ReportedReads {
  const byKey = new Map<string, Collected>();
  const whole = nothing();
  const at = (path: readonly string[]): Collected => {
    const [key] = path;
    if (key === undefined) return whole;
    const known = byKey.get(key) ?? nothing();
    byKey.set(key, known);
    return known;
  };
  const stages = policies.flatMap(({ rollout }) => rollout?.stages ?? []);
  const conditions = [...policies.map((policy) => policy.when), ...stages.map(({ where }) => where)];
  for (const when of [scope, ...conditions]) {
    for (const path of reportedIn(when?.reads))
      if (when !== undefined) at(path).conditions.push({ when, path });
  }
  for (const { leaves, acknowledgement, answerNames, rollout } of policies) {
    const timeZone = rollout?.window?.timeZone;
    for (const read of reportedIn(timeZone && templateReads(timeZone))) at(read).values.push(read);
    for (const { path, value } of leaves) {
      // In the older convention, and next to values with the names of its fields, other keys of an object count too.
      const isStrict = acknowledgement === 'central' || answerNames.length > 0;
      at(path).leaves.push({ path, isStrict });
      for (const read of reportedIn(templateReads(value))) at(read).values.push(read);
    }
  }
  return { byKey, whole };
}

interface Collected extends ReadsOfKey {
  readonly conditions: ReadsOfKey['conditions'][number][];
  readonly values: (readonly string[])[];
  readonly leaves: ReadsOfKey['leaves'][number][];
}

function nothing(): Collected {
  return { conditions: [], values: [], leaves: [] };
}

function reportedIn(reads: readonly (readonly string[])[] = []): readonly (readonly string[])[] {
  return reads.flatMap(([variable, ...path]) => (variable === 'reported' ? [path] : []));
}
