import type { Edge } from '../fleet/edge/edge.ts';
import {
  type SettingContent,
  settingsOfDeployment,
  settingsRolloutName,
} from '../fleet/edge/setting-values.ts';
import { canonicalJson } from '../json/json.ts';
import { keyedHash, keyName, type SettingValues } from './fingerprint.ts';

/**
 * The values of the settings of each deployment, as contents of rollouts. A deployment without settings has none, and
 * neither has one with a setting that is not set: its manifests are stopped.
 */
export function settingContents(
  edge: Edge | undefined,
  values: SettingValues,
  key: Uint8Array | undefined,
): readonly SettingContent[] {
  if (edge === undefined || key === undefined) return [];
  return edge.deployments.flatMap((deployment): SettingContent[] => {
    const names = settingsOfDeployment(edge, deployment);
    if (names.length === 0 || names.some((each) => !values(each))) return [];
    const name = settingsRolloutName(deployment.name);
    const hashes = names.map(
      (each) => [each, keyedHash(key, canonicalJson([each, values(each) ?? null]))] as const,
    );
    const hash = keyedHash(key, canonicalJson([name, hashes.map((each) => [...each])]));
    return [
      {
        name,
        hash,
        id: hash.slice(0, 12),
        rollout: deployment.rollout,
        deployment: deployment.name,
        settings: { key: keyName(key), values: Object.fromEntries(hashes) },
      },
    ];
  });
}
