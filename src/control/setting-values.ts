import { type SettingContent, settingsRolloutName } from '../fleet/edge/setting-values.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { SettingHashes } from '../fleet/rollout.ts';
import type { Control } from './control.ts';

/* The values of app settings that manifests of IoT Edge name, in the control row. */

type Seen = Control['seen'];

/** What values of settings are to the values of the same deployment before them. */
export type SettingChange =
  /** The first ones, or the hashes have another key: nothing can be compared, so they count as applied. */
  | { readonly kind: 'first' }
  /** Only the list of settings has changed. The rollout of the values before goes on. */
  | { readonly kind: 'same'; readonly before: string }
  | { readonly kind: 'rotated'; readonly before: string };

/** @param name of the rollout of the values */
export function settingChange(seen: Seen, name: string, { key, values }: SettingHashes): SettingChange {
  const before = newestValues(seen, name);
  const known = before === undefined ? undefined : seen[before]?.settings;
  if (before === undefined || known === undefined || known.key !== key) return { kind: 'first' };
  const isRotated = Object.entries(values).some(
    ([setting, hash]) => known.values[setting] !== undefined && known.values[setting] !== hash,
  );
  return { kind: isRotated ? 'rotated' : 'same', before };
}

/** The values in force; if a setting is missing now, the last ones. */
function newestValues(seen: Seen, name: string): string | undefined {
  const leftAt = (content: string): number => seen[content]?.leftAt ?? Number.POSITIVE_INFINITY;
  return Object.keys(seen)
    .filter((content) => seen[content]?.name === name)
    .reduce<string | undefined>(
      (newest, content) => (newest === undefined || leftAt(content) > leftAt(newest) ? content : newest),
      undefined,
    );
}

/**
 * The changed values of settings that are in force, as contents of rollouts. A command on another machine knows them from
 * the control row only. Values that have never changed have no rollout.
 */
export function settingsInForce({ edge }: Pick<Fleet, 'edge'>, { seen }: Control): readonly SettingContent[] {
  return (edge?.deployments ?? []).flatMap((deployment) => {
    const name = settingsRolloutName(deployment.name);
    return Object.entries(seen).flatMap(([hash, entry]): SettingContent[] => {
      const { settings, leftAt, previous } = entry;
      if (entry.name !== name || settings === undefined || leftAt !== undefined || previous === undefined)
        return [];
      const { rollout, name: of } = deployment;
      return [{ name, hash, id: hash.slice(0, 12), rollout, deployment: of, settings }];
    });
  });
}
