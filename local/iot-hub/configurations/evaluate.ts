import type { Entry } from '../hub/device-store.ts';
import { isDeviceDisabled, type LocalHub } from '../hub/hub.ts';
import { addressKey } from '../model/address.ts';
import type { Configuration } from '../model/configuration.ts';
import { type TwinSetting, twinSettings } from '../model/configuration-content.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { editAsConfiguration } from '../operations/twin-operations.ts';
import { evaluateManifests } from './evaluate-manifests.ts';
import { planConfigurations, type TargetingConfiguration } from './merge-settings.ts';
import { measure } from './metrics.ts';
import { byPrecedence, targetsOf } from './targets.ts';

/**
 * Applies the configurations of a hub to its twins: writes their settings, removes those of configurations that ended,
 * notes each configuration in the twin, and computes the metrics.
 */
export function evaluateConfigurations(hub: LocalHub): void {
  const configurations = hub.configurations.values();
  const targeting = new Map<string, TargetingConfiguration[]>();
  for (const configuration of byPrecedence(configurations)) {
    const settings = settingsOf(configuration);
    if (settings === undefined) continue;
    for (const { identity } of targetsOf(hub, configuration)) {
      const key = addressKey(identity);
      const others = targeting.get(key) ?? [];
      targeting.set(key, [...others, { id: configuration.id, settings }]);
    }
  }
  for (const entry of [...hub.store.sorted(), ...hub.store.sortedModules()]) {
    applyTo(hub, entry, targeting.get(addressKey(entry.identity)) ?? []);
  }
  evaluateManifests(hub, configurations);
  for (const configuration of configurations) {
    hub.configurations.setResults(configuration.id, measure(hub, configuration));
  }
}

/** The settings for one twin; undefined for a deployment of IoT Edge without settings for the device. */
function settingsOf({ content }: Configuration): readonly TwinSetting[] | undefined {
  if (content.kind === 'module') return twinSettings(content.moduleContent);
  return content.deviceContent && twinSettings(content.deviceContent);
}

/** A disabled device keeps its twin until it is enabled. */
function applyTo(hub: LocalHub, entry: Entry, targeting: readonly TargetingConfiguration[]): void {
  const { identity, twin, configurations: known = {} } = entry;
  const [manifests, others] = [true, false].map((wanted) =>
    Object.entries(known).filter(([, { isManifest }]) => (isManifest === true) === wanted),
  );
  const before = Object.fromEntries(others ?? []);
  const isUntouched = targeting.length === 0 && Object.keys(before).length === 0;
  if (isUntouched || isDeviceDisabled(hub, identity)) return;
  const { writes, configurations } = planConfigurations(twin.desired.values, targeting, before);
  const refused = new Set<string>();
  for (const { id, patch } of writes) {
    try {
      editAsConfiguration(hub, identity, { properties: { desired: patch } }, id);
      hub.spend(JSON.stringify(patch).length);
    } catch (error) {
      // For example, the desired properties would be too large.
      if (!(error instanceof HubRefusal)) throw error;
      refused.add(id);
    }
  }
  const noted = Object.fromEntries(
    Object.entries(configurations).map(([id, applied]) => [
      id,
      refused.has(id) ? ({ status: 'Targeted', paths: [] } as const) : applied,
    ]),
  );
  const current = hub.store.get(identity);
  if (current === undefined || JSON.stringify(noted) === JSON.stringify(before)) return;
  const { configurations: _before, ...rest } = current;
  const all = { ...Object.fromEntries(manifests ?? []), ...noted };
  hub.store.put(Object.keys(all).length === 0 ? rest : { ...rest, configurations: all });
}
