import type { EpochMs } from '../time/epoch-ms.ts';
import { type AppliedManifest, type EdgeRecord, NO_EDGE_RECORD } from '../twin/snapshot/runtime-twin.ts';
import type { ApplyCause } from './edge-decision.ts';
import type { ManifestFingerprint } from './fingerprint.ts';

/** How many applies are kept. */
const MOST_APPLIES = 10;
/** How many times of put-back changes are kept; `fight.writes` is at most 100. */
const MOST_TIMES = 101;

/** One apply as it is stored, before or after the call. */
export function appliedManifest(
  { content, secrets, key }: ManifestFingerprint,
  about: Pick<
    AppliedManifest,
    'at' | 'revision' | 'why' | 'deployments' | 'contents' | 'lifeAt' | 'givenBack' | 'left'
  >,
): AppliedManifest {
  return {
    content,
    ...(secrets === undefined ? {} : { secrets }),
    ...(key === undefined ? {} : { key }),
    ...about,
  };
}

/**
 * The record before an apply. If the instance ends during the call, the manifest is known to be Berth's. `modules`: what it replaces in
 * module twins.
 */
export function withIntent(
  record: EdgeRecord = NO_EDGE_RECORD,
  intent: AppliedManifest,
  modules: EdgeRecord['modules'],
): EdgeRecord {
  return { ...record, intent, modules };
}

/** The record after an apply, or after a manifest was found in place. */
export function withApplied(
  record: EdgeRecord = NO_EDGE_RECORD,
  applied: AppliedManifest,
  cause: ApplyCause | undefined,
  at: EpochMs,
): EdgeRecord {
  const { intent: _, adoption: __, refused: ___, modules, ...rest } = record;
  return {
    ...rest,
    ...withoutModules(modules, applied.givenBack ?? []),
    applied: [applied, ...record.applied].slice(0, MOST_APPLIES),
    putBack: cause === 'drift' ? [at, ...record.putBack].slice(0, MOST_TIMES) : record.putBack,
  };
}

/** What was given back is not given back again. */
function withoutModules(modules: EdgeRecord['modules'] = {}, names: readonly string[]) {
  const kept = Object.entries(modules).filter(([name]) => !names.includes(name));
  return kept.length === 0 ? {} : { modules: Object.fromEntries(kept) };
}

/** The record after the hub refused a manifest. It is not sent again until it changes. */
export function withRefusal(
  record: EdgeRecord = NO_EDGE_RECORD,
  { content, secrets }: ManifestFingerprint,
  why: string,
): EdgeRecord {
  return { ...record, refused: { content, ...(secrets === undefined ? {} : { secrets }), why } };
}
