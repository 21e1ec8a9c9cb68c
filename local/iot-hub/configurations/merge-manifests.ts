import { EDGE_AGENT } from '../model/edge.ts';
import { type DesiredContent, desiredAfter } from '../model/edge-content.ts';

/** A deployment of IoT Edge that targets a device. */
export interface TargetingDeployment {
  readonly id: string;
  readonly priority: number;
  readonly modules: ReadonlyMap<string, DesiredContent>;
}

/** The manifest of a device, from all deployments that target it. */
export interface MergedDeployments {
  /** By module id. A module that no merged deployment names is left alone. */
  readonly modules: ReadonlyMap<string, DesiredContent>;
  /** By module id: the deployments with their statuses. The agent has all of them, another module those that name it. */
  readonly statuses: ReadonlyMap<string, Readonly<Record<string, 'Applied' | 'Targeted'>>>;
}

/**
 * Merges deployments (module-deployment-monitoring.md, how-to-deploy-cli-at-scale.md 2020-10). The base is the full deployment
 * with the highest priority, the newest of equal ones. Layers with a higher priority come over it, lower ones first. Of layers with
 * the same priority, only the newest counts (iotedge#4935, #6685). Without a base, nothing is merged. `Applied` at a module means
 * that at least one value of the deployment is in its desired properties.
 *
 * @param targeting the highest priority first, and the newest first of equal ones.
 */
export function mergeManifests(targeting: readonly TargetingDeployment[]): MergedDeployments {
  const base = targeting.find((deployment) => !isLayer(deployment));
  const layers = base === undefined ? [] : layersOver(base, targeting);
  const merged = new Map<string, MergedModule>();
  for (const { id, modules } of base === undefined ? [] : [base, ...layers]) {
    for (const [moduleId, content] of modules) {
      merged.set(moduleId, withContent(merged.get(moduleId) ?? EMPTY, id, content));
    }
  }
  return {
    modules: new Map([...merged].map(([moduleId, { content }]) => [moduleId, content])),
    statuses: statusesOf(targeting, merged),
  };
}

/** A layer has no whole desired properties for the agent (azure-iot-cli-extension, state.py). */
function isLayer({ modules }: TargetingDeployment): boolean {
  return modules.get(EDGE_AGENT)?.whole === undefined;
}

/** The layers over a base, the lowest priority first. */
function layersOver(
  { priority: least }: TargetingDeployment,
  targeting: readonly TargetingDeployment[],
): readonly TargetingDeployment[] {
  const byPriority = new Map<number, TargetingDeployment>();
  for (const deployment of targeting) {
    const { priority } = deployment;
    if (isLayer(deployment) && priority > least && !byPriority.has(priority))
      byPriority.set(priority, deployment);
  }
  return [...byPriority.values()].reverse();
}

interface MergedModule {
  readonly content: DesiredContent;
  /** Who set the whole, and who set each part last, by its path. */
  readonly setBy: ReadonlyMap<string, string>;
}

const EMPTY: MergedModule = { content: { parts: [] }, setBy: new Map() };
const WHOLE = '';

function withContent({ content, setBy }: MergedModule, id: string, next: DesiredContent): MergedModule {
  const setters = new Map(next.whole === undefined ? setBy : [[WHOLE, id]]);
  for (const { path } of next.parts) {
    const key = path.join('.');
    for (const other of [...setters.keys()]) if (other.startsWith(`${key}.`)) setters.delete(other);
    setters.set(key, id);
  }
  if (next.whole !== undefined)
    return { content: { whole: desiredAfter({}, next), parts: [] }, setBy: setters };
  if (content.whole !== undefined) {
    return { content: { whole: desiredAfter(content.whole, next), parts: [] }, setBy: setters };
  }
  return { content: { parts: [...content.parts, ...next.parts] }, setBy: setters };
}

function statusesOf(
  targeting: readonly TargetingDeployment[],
  merged: ReadonlyMap<string, MergedModule>,
): MergedDeployments['statuses'] {
  const moduleIds = new Set([EDGE_AGENT, ...targeting.flatMap(({ modules }) => [...modules.keys()])]);
  return new Map(
    [...moduleIds].map((moduleId) => {
      const setters = new Set(merged.get(moduleId)?.setBy.values());
      const named = targeting.filter(({ modules }) => moduleId === EDGE_AGENT || modules.has(moduleId));
      const statuses = named.map(({ id }) => [id, setters.has(id) ? 'Applied' : 'Targeted'] as const);
      return [moduleId, Object.fromEntries(statuses)];
    }),
  );
}
