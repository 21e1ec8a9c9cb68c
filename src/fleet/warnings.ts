import type { ErrorDetail } from '../errors.ts';
import { hostName, shownHub } from './host-name.ts';
import { pathText } from './problems.ts';
import type { FleetFile } from './schema.ts';

/** What is valid and will still surprise: an operator is told at load. */
export function fleetWarnings(file: FleetFile): readonly ErrorDetail[] {
  return [...unknownHubs(file), ...namesNeverSeen(file)];
}

/** Rules may outlive a hub, or be written before it; until then they name nobody. */
function unknownHubs({ hubs, allocation }: FleetFile): readonly ErrorDetail[] {
  const known = new Set(hubs.map(({ host }) => hostName(host)));
  return allocation.rules.flatMap(({ hub, prefer = {} }, index) => {
    const path = ['allocation', 'rules', index];
    const named = hub === undefined || known.has(hostName(hub)) ? [] : [hub];
    const preferred = Object.keys(prefer).filter((host) => !known.has(hostName(host)));
    return [
      ...named.map((host) => ({
        path: pathText([...path, 'hub']),
        message: `names ${shownHub(host)}, which is not among hubs: devices that match cannot be placed`,
      })),
      ...preferred.map((host) => ({
        path: pathText([...path, 'prefer']),
        message: `names ${shownHub(host)}, which is not among hubs: it prefers nobody`,
      })),
    ];
  });
}

/** A device or service name of a hub in a condition. */
const OTHER_NAME = /[a-z0-9-]+\.(?:device|service)\.azure-devices\.(?:net|cn|us)/i;

/** Expressions see hubs by their identity, so a comparison with another name never holds. */
function namesNeverSeen({ allocation, twins }: FleetFile): readonly ErrorDetail[] {
  const conditions = [
    ...allocation.rules.map(({ when }, index) => ({ when, path: ['allocation', 'rules', index, 'when'] })),
    ...twins.initial.map(({ when }, index) => ({ when, path: ['twins', 'initial', index, 'when'] })),
    ...twins.policies.map(({ when }, index) => ({ when, path: ['twins', 'policies', index, 'when'] })),
    { when: twins.scope, path: ['twins', 'scope'] },
  ];
  return conditions.flatMap(({ when, path }) => {
    const [name] = OTHER_NAME.exec(when ?? '') ?? [];
    if (name === undefined) return [];
    return [
      {
        path: pathText(path),
        message: `compares with "${name}", which no hub is called here: expressions see the classic name, "${hostName(name)}"`,
      },
    ];
  });
}
