import type { Address } from './address.ts';

/** The two modules of the IoT Edge runtime. A hub makes their identities with the identity of an Edge device. */
export const EDGE_AGENT = '$edgeAgent';
export const EDGE_HUB = '$edgeHub';

export const SYSTEM_MODULES: readonly string[] = [EDGE_AGENT, EDGE_HUB];

/** Whether an address is one of the two modules of the runtime. Services cannot write their identities and twins. */
export function isSystemModule({ moduleId }: Address): boolean {
  return moduleId !== undefined && SYSTEM_MODULES.includes(moduleId);
}

/** Whether an address is the agent, which a hub always shows as disconnected (how-to-monitor-module-twins.md, 2022-09). */
export function isEdgeAgent({ moduleId }: Address): boolean {
  return moduleId === EDGE_AGENT;
}
