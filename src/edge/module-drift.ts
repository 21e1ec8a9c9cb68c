import type { FilledManifest } from '../fleet/edge/manifest.ts';
import { isObject } from '../json/json.ts';
import type { Redaction } from '../twin/redaction/redact-values.ts';
import { leavesOf, mergePatch, valueAt } from '../twin/snapshot/merge.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';
import { sameHidden } from './manifest-diff.ts';

/**
 * The modules in which another writer has changed a desired property that the manifest sets. Properties that the manifest does not
 * set belong to others. Pure.
 *
 * A module twin tells nothing as long as it may be older than the last apply: the event of the apply comes later. Its hub has written both
 * twins, so their times can be compared.
 *
 * @param twins the stored twins of the modules, by name
 */
export function modulesChanged(
  { modules }: FilledManifest,
  twins: ReadonlyMap<string, Snapshot>,
  { runtime }: Snapshot,
  redaction: Redaction,
): readonly string[] {
  const appliedAt = runtime?.desiredAt;
  if (appliedAt === undefined) return [];
  return [...modules].flatMap(([name, { desired }]) => {
    const twin = twins.get(name);
    if (desired === undefined || twin === undefined || twin.unread !== undefined) return [];
    if (twin.writing !== undefined || twin.asOf <= appliedAt) return [];
    const isSame = leavesOf(mergePatch({}, desired)).every(({ path, value }) => {
      const found = valueAt(twin.desired, path);
      // An empty object says nothing about its members.
      if (isObject(value)) return isObject(found);
      return found !== undefined && sameHidden(found, value, redaction);
    });
    return isSame ? [] : [name];
  });
}
