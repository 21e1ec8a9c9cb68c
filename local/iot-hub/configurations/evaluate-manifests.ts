import { isDeviceDisabled, type LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import type { Configuration } from '../model/configuration.ts';
import { type EdgeContent, readEdgeContent } from '../model/edge-content.ts';
import type { AppliedConfiguration } from '../model/entry.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { applyEdgeContent } from '../operations/apply-configuration.ts';
import { type MergedDeployments, mergeManifests, type TargetingDeployment } from './merge-manifests.ts';
import { byPrecedence, targetsOf } from './targets.ts';

/**
 * Applies the deployments of IoT Edge: each device gets the manifest that its deployments give together, also if a manual apply or
 * an edit has changed it. A device that no deployment targets any more keeps its manifest
 * (module-deployment-monitoring.md). The statuses are noted in the twins of the modules.
 */
export function evaluateManifests(hub: LocalHub, configurations: readonly Configuration[]): void {
  const targeting = new Map<string, TargetingDeployment[]>();
  for (const configuration of byPrecedence(configurations)) {
    const modules = modulesOf(configuration);
    if (modules === undefined) continue;
    const { id, priority } = configuration;
    for (const { identity } of targetsOf(hub, configuration)) {
      const others = targeting.get(identity.deviceId) ?? [];
      targeting.set(identity.deviceId, [...others, { id, priority, modules }]);
    }
  }
  for (const { identity } of [...hub.store.sorted()]) {
    if (!identity.capabilities.iotEdge || isDeviceDisabled(hub, identity)) continue;
    evaluateDevice(hub, identity.deviceId, mergeManifests(targeting.get(identity.deviceId) ?? []));
  }
}

function modulesOf({ content }: Configuration): EdgeContent['modules'] | undefined {
  return content.kind === 'edge'
    ? readEdgeContent({ modulesContent: content.modulesContent }).modules
    : undefined;
}

function evaluateDevice(hub: LocalHub, deviceId: string, { modules, statuses }: MergedDeployments): void {
  let isRefused = false;
  try {
    if (modules.size > 0) applyEdgeContent(hub, deviceId, { modules, device: undefined }, 'changes');
  } catch (error) {
    // For example, the desired properties would be too large.
    if (!(error instanceof HubRefusal)) throw error;
    isRefused = true;
  }
  for (const { identity } of hub.store.modulesOf(deviceId)) {
    note(hub, identity, Object.entries(statuses.get(identity.moduleId ?? '') ?? {}), isRefused);
  }
}

/** Notes the deployments of a module in its twin, beside its other configurations. */
function note(
  hub: LocalHub,
  address: Address,
  statuses: readonly (readonly [string, AppliedConfiguration['status']])[],
  isRefused: boolean,
): void {
  const entry = hub.store.get(address);
  if (entry === undefined) return;
  const { configurations: before = {}, ...rest } = entry;
  const others = Object.entries(before).filter(([, { isManifest }]) => isManifest !== true);
  const noted = statuses.map(([id, status]): [string, AppliedConfiguration] => [
    id,
    { status: isRefused ? 'Targeted' : status, paths: [], isManifest: true },
  ]);
  const configurations = Object.fromEntries([...others, ...noted]);
  if (JSON.stringify(configurations) === JSON.stringify(before)) return;
  hub.store.put(Object.keys(configurations).length === 0 ? rest : { ...rest, configurations });
}
