import type { RolloutContent, SettingHashes } from '../rollout.ts';
import type { Edge, EdgeDeployment } from './edge.ts';

/** The values of the settings of a deployment. They reach its devices in the stages of its rollout. */
export interface SettingContent extends RolloutContent {
  readonly deployment: string;
  readonly settings: SettingHashes;
}

/** The name of the rollout of the values of settings. No policy and no deployment has a slash in its name. */
export function settingsRolloutName(deployment: string): string {
  return `${deployment}${SUFFIX}`;
}

const SUFFIX = '/settings';

/** Whether a rollout is one of values of settings. */
export function isSettingsRollout(name: string): boolean {
  return name.endsWith(SUFFIX);
}

/** The settings of the manifests with a deployment, sorted: of the registries, of the runtime, and of its modules. */
export function settingsOfDeployment(
  { registries, runtime }: Edge,
  { modules }: EdgeDeployment,
): readonly string[] {
  const containers = [runtime.edgeAgent, runtime.edgeHub, ...modules.values()];
  const names = [
    ...registries.flatMap(({ username, password }) => [username, password]),
    ...containers.flatMap((container) =>
      (container?.env ?? []).flatMap(([, value]) => (value.kind === 'setting' ? [value.setting] : [])),
    ),
  ];
  return [...new Set(names)].sort();
}
