import type { RolloutContent, SettingHashes } from '../fleet/rollout.ts';
import { ownEntry } from '../json/json.ts';
import { DAY_MS } from '../time/day.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Control } from './control.ts';
import { NOT_BEGUN } from './rollout-state.ts';
import { settingChange } from './setting-values.ts';

/**
 * If a policy comes back within this time, its rollout continues from where it was. So a rollback takes effect at once for
 * the devices that the policy had reached.
 */
const REMEMBERED_MS = 7 * DAY_MS;

/**
 * The control row after a package with this build time has started with these policies. Only the newest package changes it.
 *
 * @param policies undefined: the package has no valid fleet file, so the stored policies stay.
 * @param followed the modules whose twins the package stores. Default: those that the policies target.
 */
export function withPackage(
  control: Control,
  build: string,
  policies: readonly PackagedPolicy[] | undefined,
  now: EpochMs,
  revision?: string,
  followed: Iterable<string> = (policies ?? []).flatMap(({ module }) => module ?? []),
): Control {
  if (build < control.newestBuild) return control;
  const began = policies === undefined ? control : withContents(control, policies, now, revision);
  if (began.seen === control.seen && build === control.newestBuild) return control;
  const modules = policies === undefined ? control.modules : modulesSince(control.modules, followed, now);
  // No event of a twin tells that the value of a setting has changed.
  const generation = began.generation + (hasRotated(control, policies ?? []) ? 1 : 0);
  return { ...began, newestBuild: build, modules, generation, changedAt: now };
}

/**
 * Whether the row says that these contents are in the fleet file, and no other policies. What the row has learned since
 * `announcedAt` is from another instance, which has other values of settings or another file.
 */
export function hasAnnounced(
  { seen }: Control,
  contents: readonly Pick<RolloutContent, 'hash'>[],
  announcedAt: EpochMs,
): boolean {
  const hashes = new Set(contents.map(({ hash }) => hash));
  const isKnown = [...hashes].every((hash) => Object.hasOwn(seen, hash));
  return (
    isKnown &&
    Object.entries(seen).every(([hash, entry]) => {
      const { since, leftAt, away, settings } = entry;
      const isRight = hashes.has(hash)
        ? leftAt === undefined
        : leftAt !== undefined || settings !== undefined;
      return isRight || (leftAt ?? away?.at(-1)?.to ?? since) >= announcedAt;
    })
  );
}

function hasRotated({ seen }: Control, policies: readonly PackagedPolicy[]): boolean {
  return policies.some(({ name, hash: content, settings }) => {
    if (settings === undefined || (Object.hasOwn(seen, content) && seen[content]?.leftAt === undefined))
      return false;
    return settingChange(seen, name, settings).kind === 'rotated';
  });
}

/** What the control row keeps of a policy or a deployment. */
export type PackagedPolicy = Pick<RolloutContent, 'name' | 'hash' | 'module'> &
  Partial<Pick<RolloutContent, 'rollout' | 'settings'>>;

/** The contents that are in the fleet file now, and the progress of their rollouts. */
function withContents(
  control: Control,
  policies: readonly PackagedPolicy[],
  now: EpochMs,
  revision: string | undefined,
): Control {
  const seen = policiesSeen(control, policies, now, revision);
  if (seen === control.seen) return control;
  // Content that has run without stages has reached its devices. It does not begin the stages of a later file.
  const late = policies.filter(({ hash: content, rollout }) => {
    const before = control.seen[content];
    return before !== undefined && before.isStaged !== true && isStaged(rollout);
  });
  const rollouts = Object.fromEntries(
    Object.entries(control.rollouts).filter(
      // A content that begins again begins without its earlier progress.
      ([content]) => Object.hasOwn(seen, content) && seen[content]?.since === control.seen[content]?.since,
    ),
  );
  for (const { hash: content, name, settings } of policies) {
    if (settings === undefined || Object.hasOwn(control.seen, content) || rollouts[content] !== undefined)
      continue;
    const change = settingChange(control.seen, name, settings);
    if (change.kind === 'first') rollouts[content] = { ...NOT_BEGUN, completedAt: now };
    const state = change.kind === 'same' ? control.rollouts[change.before] : undefined;
    if (state !== undefined) rollouts[content] = state;
  }
  for (const { hash: content } of late) {
    rollouts[content] = { done: [], approvals: [], accepted: [], ...rollouts[content], completedAt: now };
  }
  return { ...control, seen, rollouts };
}

function isStaged(rollout: PackagedPolicy['rollout']): boolean {
  return rollout !== undefined && !rollout.isShort;
}

function modulesSince(
  before: Control['modules'],
  followed: Iterable<string>,
  now: EpochMs,
): Control['modules'] {
  return Object.fromEntries([...new Set(followed)].map((name) => [name, ownEntry(before, name) ?? now]));
}

type Seen = Control['seen'];
type PolicySeen = Seen[string];

function policiesSeen(
  control: Control,
  policies: readonly PackagedPolicy[],
  now: EpochMs,
  revision: string | undefined,
): Seen {
  const { seen } = control;
  const present = new Map(policiesByContent(policies));
  const kept = contentsInUse(control, present);
  const next: Seen = {};
  let isChanged = false;
  for (const [content, entry] of Object.entries(seen)) {
    const policy = present.get(content);
    // Content that was rolled back or aborted begins again if it comes back.
    const isOver = entry.leftAt !== undefined && control.rollouts[content]?.end !== undefined;
    if (policy !== undefined && isOver) {
      isChanged = true;
      continue;
    }
    const found = seenAgain(entry, policy !== undefined, now, kept.has(content));
    if (found === undefined) {
      isChanged = true;
      continue;
    }
    next[content] = policy === undefined ? found : withForm(found, isStaged(policy.rollout));
    if (next[content] !== entry) isChanged = true;
  }
  for (const [content, { name, rollout, settings }] of present) {
    if (Object.hasOwn(next, content)) continue;
    if (settings !== undefined) {
      const { entry, replaces } = entryOfValues(seen, { name, settings, rollout }, now);
      next[content] = entry;
      if (replaces !== undefined) delete next[replaces];
      isChanged = true;
      continue;
    }
    const previous = contentInForce(seen, name);
    next[content] = {
      name,
      since: now,
      ...(revision === undefined ? {} : { revision }),
      ...(previous === undefined ? {} : { previous }),
      ...(isStaged(rollout) ? { isStaged: true } : {}),
    };
    isChanged = true;
  }
  return isChanged ? next : seen;
}

/** `replaces`: the entry of the same values, whose place it takes. */
function entryOfValues(
  seen: Seen,
  {
    name,
    settings,
    rollout,
  }: Pick<PackagedPolicy, 'name' | 'rollout'> & { readonly settings: SettingHashes },
  now: EpochMs,
): { readonly entry: PolicySeen; readonly replaces?: string } {
  const change = settingChange(seen, name, settings);
  const before = change.kind === 'same' ? seen[change.before] : undefined;
  if (change.kind === 'same' && before !== undefined) {
    const { leftAt: _, ...rest } = before;
    return { entry: { ...rest, settings }, replaces: change.before };
  }
  const previous = change.kind === 'rotated' ? { previous: change.before } : {};
  return {
    entry: { name, since: now, settings, ...previous, ...(isStaged(rollout) ? { isStaged: true } : {}) },
  };
}

function policiesByContent(policies: readonly PackagedPolicy[]) {
  return policies.map((policy) => [policy.hash, policy] as const);
}

function withForm(entry: PolicySeen, staged: boolean): PolicySeen {
  if ((entry.isStaged === true) === staged) return entry;
  const { isStaged: _, ...rest } = entry;
  return staged ? { ...rest, isStaged: true } : rest;
}

/** The content of a policy that is in the fleet file, by the name of the policy. */
function contentInForce(seen: Seen, name: string): string | undefined {
  return Object.entries(seen).find(([, entry]) => entry.name === name && entry.leftAt === undefined)?.[0];
}

/**
 * Contents that devices may still get, although they are not in the fleet file: those before a content whose rollout is not
 * complete. They are remembered for as long as that is so.
 */
function contentsInUse(control: Control, present: ReadonlyMap<string, PackagedPolicy>): ReadonlySet<string> {
  const used = new Set<string>();
  for (const [content, { name, rollout }] of present) {
    const isOver = control.rollouts[content]?.end !== undefined;
    if (rollout === undefined && !isOver) continue;
    // New content has the content in force before it.
    let at = Object.hasOwn(control.seen, content) ? content : contentInForce(control.seen, name);
    if (at !== undefined && at !== content) used.add(at);
    while (at !== undefined && control.rollouts[at]?.completedAt === undefined) {
      const previous: string | undefined = control.seen[at]?.previous;
      if (previous === undefined || used.has(previous)) break;
      used.add(previous);
      at = previous;
    }
  }
  return used;
}

/** The new entry of a known policy that is in the fleet file now, or is not. Undefined: the entry is removed. */
function seenAgain(
  entry: PolicySeen,
  isHere: boolean,
  now: EpochMs,
  isUsed: boolean,
): PolicySeen | undefined {
  const { leftAt, away = [], ...rest } = entry;
  if (leftAt === undefined) return isHere ? entry : { ...entry, leftAt: now };
  // Content that is in use is remembered, but as before it begins again if it comes back.
  if (now - leftAt > REMEMBERED_MS) return isUsed && !isHere ? entry : undefined;
  return isHere ? { ...rest, away: [...away, { from: leftAt, to: now }] } : entry;
}
