import type { ErrorDetail } from '../../errors.ts';
import { isObject, type JsonObject, ownMember } from '../../json/json.ts';

/** A package.json with what a project of Berth needs, or why it cannot get it. */
export type MergedManifest =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly conflicts: readonly ErrorDetail[] };

/** What `npm init` writes as `main` of a project without any code. */
const DEFAULT_MAIN = 'index.js';

/**
 * Adds what a project of Berth needs to the package.json that `npm install` has written. It adds members and changes none.
 * A dependency on Berth stays as it is, because it may be a file.
 *
 * @param existing package.json in the folder, as text and as JSON.
 * @param needed package.json of a new project.
 * @param hasDefaultMain whether the folder has an `index.js`, so that `main: "index.js"` means something.
 */
export function mergeManifest(
  existing: { readonly text: string; readonly json: JsonObject },
  needed: JsonObject,
  hasDefaultMain: boolean,
): MergedManifest {
  const { main, ...others } = existing.json;
  const own = main === DEFAULT_MAIN && !hasDefaultMain ? others : existing.json;
  const conflicts = conflictsOf(own, needed);
  if (conflicts.length > 0) return { ok: false, conflicts };
  const dependencies = dependsOnBerth(own, needed)
    ? own.dependencies
    : { ...membersOf(needed, 'dependencies'), ...membersOf(own, 'dependencies') };
  const merged = {
    ...needed,
    ...own,
    scripts: { ...membersOf(needed, 'scripts'), ...membersOf(own, 'scripts') },
    dependencies,
  };
  const indent = /^[ \t]+(?=")/m.exec(existing.text)?.[0] ?? '  ';
  return { ok: true, text: `${JSON.stringify(merged, null, indent)}\n` };
}

/** The members that both have with different values, where Berth needs its own. */
function conflictsOf(own: JsonObject, needed: JsonObject): readonly ErrorDetail[] {
  const scripts = Object.entries(membersOf(needed, 'scripts')).map(
    ([name, script]) => [`scripts.${name}`, membersOf(own, 'scripts')[name], script] as const,
  );
  return [['main', own.main, needed.main] as const, ...scripts].flatMap(([member, given, value]) =>
    given === undefined || given === value ? [] : conflict(member, given, value),
  );
}

/** Whether the package.json depends on Berth already. */
function dependsOnBerth(own: JsonObject, needed: JsonObject): boolean {
  const [name = ''] = Object.keys(membersOf(needed, 'dependencies'));
  return ['dependencies', 'devDependencies', 'optionalDependencies'].some((group) =>
    Object.hasOwn(membersOf(own, group), name),
  );
}

function membersOf(manifest: JsonObject, member: string): JsonObject {
  const value = ownMember(manifest, member);
  return isObject(value) ? value : {};
}

function conflict(member: string, given: unknown, needed: unknown): ErrorDetail {
  return {
    path: `package.json ${member}`,
    message: `is ${JSON.stringify(given)}, and a project of Berth needs ${JSON.stringify(needed)}: remove it`,
  };
}
