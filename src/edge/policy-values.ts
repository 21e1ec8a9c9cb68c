import type { FilledManifest } from '../fleet/edge/manifest.ts';
import type { Policy } from '../fleet/fleet.ts';
import { mergePatch, nest, valueAt } from '../twin/snapshot/merge.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

/** The modules of a manifest whose desired properties both the manifest and policies set. */
export function sharedModules({ modules }: FilledManifest, policies: readonly Policy[]): readonly string[] {
  return [...modules].flatMap(([name, { desired }]) =>
    desired !== undefined && policies.some(({ module }) => module === name) ? [name] : [],
  );
}

/**
 * The manifest with the values that policies own in its modules. An apply replaces all desired properties of a module that
 * it names. Without these values, each apply would remove what policies have written, and they would take it for the change
 * of another writer.
 *
 * @param snapshotOf the stored twin of a module. Undefined: it is not stored, so policies have written nothing yet.
 */
export function withPolicyValues(
  filled: FilledManifest,
  policies: readonly Policy[],
  snapshotOf: (module: string) => Snapshot | undefined,
): FilledManifest {
  const modules = new Map(filled.modules);
  for (const name of sharedModules(filled, policies)) {
    const module = modules.get(name);
    const snapshot = snapshotOf(name);
    if (module?.desired === undefined || snapshot === undefined) continue;
    const paths = policies.flatMap((policy) =>
      policy.module === name ? policy.leaves.map(({ path }) => path) : [],
    );
    const desired = paths.reduce((values, path) => {
      const value = valueAt(snapshot.desired, path);
      // No policy owns a path that a deployment sets (`edge-references.ts`).
      return value === undefined ? values : mergePatch(values, nest(path, value));
    }, module.desired);
    modules.set(name, { ...module, desired });
  }
  return { ...filled, modules };
}
