import type { Policy } from '../fleet/fleet.ts';
import { ownEntry } from '../json/json.ts';
import { DAY_MS } from '../time/day.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Control } from './control.ts';

/**
 * If a policy comes back within this time, its rollout continues from where it was. So a rollback takes effect at once for
 * the devices that the policy had reached.
 */
const REMEMBERED_MS = 7 * DAY_MS;

/**
 * The control row after a package with this build time has started with these policies. Only the newest package changes it.
 *
 * @param policies undefined: the package has no valid fleet file, so the stored policies stay.
 */
export function withPackage(
  control: Control,
  build: string,
  policies: readonly Pick<Policy, 'name' | 'hash' | 'module'>[] | undefined,
  now: EpochMs,
): Control {
  if (build < control.newestBuild) return control;
  const seen = policies === undefined ? control.seen : policiesSeen(control.seen, policies, now);
  if (seen === control.seen && build === control.newestBuild) return control;
  const modules = policies === undefined ? control.modules : modulesTargeted(control.modules, policies, now);
  return { ...control, newestBuild: build, seen, modules, changedAt: now };
}

function modulesTargeted(
  before: Control['modules'],
  policies: readonly Pick<Policy, 'module'>[],
  now: EpochMs,
): Control['modules'] {
  const names = new Set(policies.flatMap(({ module }) => module ?? []));
  return Object.fromEntries([...names].map((name) => [name, ownEntry(before, name) ?? now]));
}

type Seen = Control['seen'];
type PolicySeen = Seen[string];

function policiesSeen(seen: Seen, policies: readonly Pick<Policy, 'name' | 'hash'>[], now: EpochMs): Seen {
  const names = new Map(policies.map(({ hash: content, name }) => [content, name]));
  const next: Seen = {};
  let isChanged = false;
  for (const [content, entry] of Object.entries(seen)) {
    const found = seenAgain(entry, names.has(content), now);
    if (found !== undefined) next[content] = found;
    if (found !== entry) isChanged = true;
  }
  for (const [content, name] of names) {
    if (Object.hasOwn(next, content)) continue;
    next[content] = { name, since: now };
    isChanged = true;
  }
  return isChanged ? next : seen;
}

/** The new entry of a known policy that is in the fleet file now, or is not. Undefined: the entry is removed. */
function seenAgain(entry: PolicySeen, isHere: boolean, now: EpochMs): PolicySeen | undefined {
  const { leftAt, away = [], ...rest } = entry;
  if (leftAt === undefined) return isHere ? entry : { ...entry, leftAt: now };
  if (now - leftAt > REMEMBERED_MS) return undefined;
  return isHere ? { ...rest, away: [...away, { from: leftAt, to: now }] } : entry;
}
